import CallModel
import CallRouter
import INCRP
import Logging
import Synchronization

/// What happened, in order, for tests that wait until enough of it has.
final class Events<Event: Sendable>: Sendable {
    private struct State {
        var events: [Event] = []
        var waiting: [(count: Int, continuation: CheckedContinuation<Void, Never>)] = []
    }

    private let state = Mutex(State())

    var all: [Event] { state.withLock { $0.events } }

    func add(_ event: Event) {
        let ready = state.withLock { state -> [CheckedContinuation<Void, Never>] in
            state.events.append(event)
            let count = state.events.count
            defer { state.waiting.removeAll { $0.count <= count } }
            return state.waiting.filter { $0.count <= count }.map(\.continuation)
        }
        for continuation in ready { continuation.resume() }
    }

    /// The first `count` events, when there are so many.
    @discardableResult
    func first(_ count: Int) async -> [Event] {
        await withCheckedContinuation { continuation in
            let ready = state.withLock { state -> Bool in
                if state.events.count >= count { return true }
                state.waiting.append((count, continuation))
                return false
            }
            if ready { continuation.resume() }
        }
        return Array(all.prefix(count))
    }
}

/// Time that moves only when it is told to.
final class ManualClock: RouterClock {
    private struct State {
        var now: UInt64 = 1000
        var next = 0
        var sleepers: [Int: (until: UInt64, continuation: CheckedContinuation<Void, any Error>)] = [:]
        var cancelled: Set<Int> = []
    }

    private let state = Mutex(State())
    let sleeps = Events<UInt64>()

    var nowMilliseconds: UInt64 { state.withLock { $0.now } }

    func sleep(untilMilliseconds time: UInt64) async throws {
        let id = state.withLock { state -> Int in
            state.next += 1
            return state.next
        }
        try await withTaskCancellationHandler {
            try await withCheckedThrowingContinuation { (continuation: CheckedContinuation<Void, any Error>) in
                let due = state.withLock { state -> Bool? in
                    if state.cancelled.remove(id) != nil { return nil }
                    if time <= state.now { return true }
                    state.sleepers[id] = (time, continuation)
                    return false
                }
                if due == true { continuation.resume() }
                if due == nil { continuation.resume(throwing: CancellationError()) }
                sleeps.add(time)
            }
        } onCancel: {
            let sleeper = state.withLock { state in
                let sleeper = state.sleepers.removeValue(forKey: id)
                if sleeper == nil { state.cancelled.insert(id) }
                return sleeper
            }
            sleeper?.continuation.resume(throwing: CancellationError())
        }
    }

    func advance(milliseconds: UInt64) {
        let due = state.withLock { state in
            state.now += milliseconds
            let due = state.sleepers.filter { $0.value.until <= state.now }
            for id in due.keys { state.sleepers[id] = nil }
            return due.values.map(\.continuation)
        }
        for continuation in due { continuation.resume() }
    }
}

/// A Server ICM whose answers a test writes down.
final class ScriptedLink: ServerLink {
    struct End: Hashable {
        let dialog: DialogID
        let end: AskEnd
    }

    enum Behaviour: Sendable {
        case reply(@Sendable (RouteAsk) -> RouteReply)
        case fault(ServerLinkFault)
        /// Never answers.
        case silent
    }

    let asks = Events<RouteAsk>()
    let ends = Events<End>()
    private let behaviour: Mutex<Behaviour>
    private let up = Mutex(false)

    var isUp: Bool {
        get { up.withLock { $0 } }
        set { up.withLock { $0 = newValue } }
    }

    init(_ behaviour: Behaviour) { self.behaviour = Mutex(behaviour) }

    /// Answers with a label and the context as it came.
    convenience init(label: String) {
        self.init(.reply { RouteReply(id: $0.id, label: Label(unchecked: label, type: .normal), context: $0.context) })
    }

    func behave(_ new: Behaviour) { behaviour.withLock { $0 = new } }

    func status() async -> ServerLinkStatus {
        var status = ServerLinkStatus()
        status.up = isUp
        return status
    }

    func ask(_ ask: RouteAsk) async throws(ServerLinkFault) -> RouteReply {
        let behaviour = behaviour.withLock { $0 }
        asks.add(ask)
        switch behaviour {
        case .reply(let reply): return reply(ask)
        case .fault(let fault): throw fault
        case .silent:
            // Until the router gives up and cancels.
            do { try await Task.sleep(for: .seconds(3600)) } catch { throw .late }
            throw .late
        }
    }

    func end(_ dialog: DialogID, as end: AskEnd) async { ends.add(End(dialog: dialog, end: end)) }
}

/// A link straight into the INCRP NIC of another instance.
final class DirectLink: ServerLink {
    let asks = Events<RouteAsk>()
    let ends = Events<ScriptedLink.End>()
    private let handler: any RouteAskHandler
    private let peer: INCRPPeer

    init(to handler: any RouteAskHandler, as peer: INCRPPeer) {
        self.handler = handler
        self.peer = peer
    }

    func status() async -> ServerLinkStatus { ServerLinkStatus() }

    func ask(_ ask: RouteAsk) async throws(ServerLinkFault) -> RouteReply {
        asks.add(ask)
        switch await handler.answer(ask, from: peer) {
        case .success(let reply): return reply
        case .failure(let refusal): throw .failed(refusal.code, reason: refusal.reason)
        }
    }

    func end(_ dialog: DialogID, as end: AskEnd) async {
        await handler.end(dialog, as: end, from: peer)
        ends.add(ScriptedLink.End(dialog: dialog, end: end))
    }
}

/// Keeps what is logged.
struct RecordingLog: LogHandler {
    let lines: Events<String>
    var metadata: Logger.Metadata = [:]
    var logLevel: Logger.Level = .trace

    subscript(metadataKey key: String) -> Logger.Metadata.Value? {
        get { metadata[key] }
        set { metadata[key] = newValue }
    }

    func log(event: LogEvent) {
        let all = metadata.merging(event.metadata ?? [:]) { _, new in new }
        let fields = all.sorted { $0.key < $1.key }.map { "\($0.key)=\($0.value)" }.joined(separator: " ")
        lines.add("\(event.level) \(event.message) \(fields)")
    }
}
