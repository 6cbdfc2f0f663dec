internal import CallModel
internal import INCRP
internal import Synchronization

/// Which of our dialogs serve which dialog of a Client ICM, so that the client's end finds them; and the ends that came
/// before their ask. Kept for the client's last word: it may still say `abandoned` after `handedOver`.
final class ServedAsks: Sendable {
    struct Name: Hashable, Sendable {
        let clientID: ClientID
        let dialog: DialogID
    }

    private struct Entry {
        var own: [DialogID] = []
        /// The first end; one that came before our dialog stood, and after which the call will not arrive, refuses it.
        var ended: AskEnd?
        let sinceMilliseconds: UInt64

        var refusing: AskEnd? { own.isEmpty && ended != .handedOver ? ended : nil }
    }

    private struct State {
        var entries: [Name: Entry] = [:]
        /// Of `entries`, the oldest first; those before `oldest` are gone.
        var order: [Name] = []
        var oldest = 0
        /// The takeovers that had happened when open dialogs were taken in last; nil: never.
        var recovered: UInt64?
    }

    static let keptMilliseconds: UInt64 = 120_000
    static let mostKept = 262_144

    private let state = Mutex(State())
    private let clock: any RouterClock

    init(clock: any RouterClock) { self.clock = clock }

    /// An ask has arrived. Tells how its dialog ended, if it did before it was opened here: the caller hung up, and the
    /// end overtook its ask.
    func arrived(_ name: Name) -> AskEnd? {
        state.withLock { state in
            let entry = Self.entry(name, &state, clock.nowMilliseconds)
            return entry.refusing
        }
    }

    /// Our dialog for it stands. False when its end came while it was opened.
    @discardableResult
    func opened(_ dialog: DialogID, for name: Name) -> Bool {
        state.withLock { state in
            let entry = Self.entry(name, &state, clock.nowMilliseconds)
            if entry.refusing != nil { return false }
            if !entry.own.contains(dialog) { state.entries[name]?.own.append(dialog) }
            return true
        }
    }

    /// Our dialogs that serve it, in the order of their asks.
    func ended(_ name: Name, as end: AskEnd) -> [DialogID] {
        state.withLock { state in
            let entry = Self.entry(name, &state, clock.nowMilliseconds)
            state.entries[name]?.ended = end
            return entry.own
        }
    }

    /// Takes in the dialogs that were open before a restart, and once more after each takeover from the other side.
    /// `body` gives nil when it must be tried again.
    func recover(takeovers: UInt64, _ body: () async -> [(Name, DialogID)]?) async {
        if state.withLock({ $0.recovered == takeovers }) { return }
        guard let found = await body() else { return }
        for (name, dialog) in found { opened(dialog, for: name) }
        state.withLock { $0.recovered = takeovers }
    }

    private static func entry(_ name: Name, _ state: inout State, _ now: UInt64) -> Entry {
        if let entry = state.entries[name] { return entry }
        forgetOld(&state, now)
        let entry = Entry(sinceMilliseconds: now)
        state.entries[name] = entry
        state.order.append(name)
        return entry
    }

    private static func forgetOld(_ state: inout State, _ now: UInt64) {
        while state.oldest < state.order.count, let entry = state.entries[state.order[state.oldest]],
            state.entries.count >= mostKept || entry.sinceMilliseconds + keptMilliseconds < now
        {
            state.entries[state.order[state.oldest]] = nil
            state.oldest += 1
        }
        if state.oldest > 1024 && state.oldest * 2 > state.order.count {
            state.order.removeFirst(state.oldest)
            state.oldest = 0
        }
    }

    /// The client's dialog in a request id made by ``Admission/incrp``: INSTANCE/DIALOG/NODE.
    static func clientDialog(of request: RequestID) -> DialogID? {
        let parts = request.text.split(separator: "/", maxSplits: 2, omittingEmptySubsequences: false)
        guard parts.count == 3 else { return nil }
        // Another form of id is not one of ours.
        return try? DialogID(parsing: String(parts[1]))
    }
}
