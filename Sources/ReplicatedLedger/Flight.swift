internal import CallModel
internal import Ledger

/// A batch of the log that is not committed yet, with those who wait here for what comes of its records.
struct Flight {
    let records: [Record]
    let time: BatchTime
    let end: Position
    /// By the place of the record in the batch; empty where nobody waits here. Who was refused at a deadline is gone:
    /// the record counts all the same.
    private var waiting: [LedgerRequest?]
    private(set) var earliestDeadline: UInt64

    /// Requests of this side's order.
    init(requests: [LedgerRequest], time: BatchTime, end: Position) {
        records = requests.map(\.record)
        self.time = time
        self.end = end
        waiting = requests
        earliestDeadline = Self.earliest(waiting)
    }

    /// A batch that the other side ordered, or that an earlier life left.
    init(records: [Record], time: BatchTime, end: Position, forwarded: [Int: LedgerRequest] = [:]) {
        self.records = records
        self.time = time
        self.end = end
        waiting = forwarded.isEmpty ? [] : records.indices.map { forwarded[$0] }
        earliestDeadline = Self.earliest(waiting)
    }

    var first: LogSequence { LogSequence(end.sequence.number + 1 - UInt64(records.count)) }

    func request(at index: Int) -> LedgerRequest? { index < waiting.count ? waiting[index] : nil }

    mutating func takeExpired(elapsedMilliseconds: UInt64) -> [LedgerRequest] {
        if earliestDeadline > elapsedMilliseconds { return [] }
        var expired: [LedgerRequest] = []
        for (index, request) in waiting.enumerated() {
            guard let request, request.deadlineElapsedMilliseconds <= elapsedMilliseconds else { continue }
            waiting[index] = nil
            expired.append(request)
        }
        earliestDeadline = Self.earliest(waiting)
        return expired
    }

    /// Where the records stand that the other side forwarded.
    var forwardedPlaces: [ForwardedPlace] {
        waiting.enumerated().compactMap { index, request in
            request?.forwardedID.map { ForwardedPlace(id: $0, sequence: first.advanced(by: index)) }
        }
    }

    /// Everybody who waits, when the batch is cut from the log or service ends.
    mutating func takeAll() -> [LedgerRequest] {
        defer {
            waiting = []
            earliestDeadline = .max
        }
        return waiting.compactMap(\.self)
    }

    private static func earliest(_ waiting: [LedgerRequest?]) -> UInt64 {
        waiting.reduce(.max) { min($0, $1?.deadlineElapsedMilliseconds ?? .max) }
    }
}
