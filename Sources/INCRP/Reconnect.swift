package import CallModel

/// How long to wait before the next attempt: 100 ms, doubled up to 1 s, from the start again after a link was open.
package struct ReconnectBackoff: Sendable {
    private var next = INCRPLimits.reconnectFirstMilliseconds

    package init() {}

    package mutating func nextMilliseconds() -> UInt64 {
        defer { next = min(next * 2, INCRPLimits.reconnectMostMilliseconds) }
        return next
    }

    package mutating func reset() { next = INCRPLimits.reconnectFirstMilliseconds }
}

/// Ends of dialogs that wait for a link: at most one window of them, each for 60 s. The end of a dialog is not
/// acknowledged, so those sent within the silence limit before a link was lost are sent again on the next: telling
/// an end twice is harmless.
package struct PendingEnds: Sendable {
    package struct Entry: Hashable, Sendable {
        package let dialog: DialogID
        package let end: AskEnd
    }

    private struct Timed: Sendable {
        let entry: Entry
        let at: LinkTime
    }

    private let capacity: Int
    private var waiting: [Timed] = []
    private var sent: [Timed] = []

    package init(capacity: Int = INCRPLimits.window) { self.capacity = capacity }

    package var count: Int { waiting.count }

    /// False when there is no room: the server's lease then ends what waits for that dialog.
    package mutating func keep(_ dialog: DialogID, _ end: AskEnd, at now: LinkTime) -> Bool {
        dropOld(at: now)
        guard waiting.count < capacity else { return false }
        waiting.append(Timed(entry: Entry(dialog: dialog, end: end), at: now))
        return true
    }

    package mutating func noteSent(_ dialog: DialogID, _ end: AskEnd, at now: LinkTime) {
        if let first = sent.first, sent.count >= capacity || isForgotten(first, at: now) {
            sent.removeFirst(
                sent.count >= capacity ? sent.count / 2 : sent.firstIndex { !isForgotten($0, at: now) } ?? sent.count)
        }
        sent.append(Timed(entry: Entry(dialog: dialog, end: end), at: now))
    }

    package mutating func linkLost(at now: LinkTime) {
        let unsure = sent.filter { !isForgotten($0, at: now) }
        sent = []
        waiting = Array((unsure + waiting).prefix(capacity))
    }

    /// What is to be sent on a link that opened.
    package mutating func take(at now: LinkTime) -> [Entry] {
        dropOld(at: now)
        defer { waiting = [] }
        return waiting.map(\.entry)
    }

    private mutating func dropOld(at now: LinkTime) {
        waiting.removeAll { now.microseconds(since: $0.at) >= INCRPLimits.endKeptMilliseconds * 1000 }
    }

    private func isForgotten(_ timed: Timed, at now: LinkTime) -> Bool {
        now.microseconds(since: timed.at) > INCRPLimits.silenceMilliseconds * 1000
    }
}
