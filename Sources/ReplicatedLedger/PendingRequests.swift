package import Ledger

/// A record on its way: encoded once, by whoever asked, and answered once.
package struct LedgerRequest: Sendable {
    package let record: Record
    package let bytes: [UInt8]
    /// When its asker stops waiting, in elapsed milliseconds of the side's clock.
    package let deadlineElapsedMilliseconds: UInt64
    package let reply: @Sendable (Result<LedgerAnswer, LedgerRefusal>) -> Void

    package init(
        record: Record, bytes: [UInt8], deadlineElapsedMilliseconds: UInt64,
        reply: @escaping @Sendable (Result<LedgerAnswer, LedgerRefusal>) -> Void
    ) {
        self.record = record
        self.bytes = bytes
        self.deadlineElapsedMilliseconds = deadlineElapsedMilliseconds
        self.reply = reply
    }

    /// New contexts wait while the store is behind; whatever takes one away, or closes a dialog, never does.
    var parksContext: Bool {
        switch record {
        case .reserve, .openDialog: true
        case .configure, .claim, .release, .askDialog, .recordAnswer, .closeDialog, .clock, .epochOpened: false
        }
    }
}

/// Requests in the order of their arrival, bounded in number and bytes, refused at their deadlines.
struct PendingRequests {
    private var requests: ArraySlice<LedgerRequest> = []
    private(set) var byteCount = 0
    /// No deadline lies before this one; kept so that looking is cheap.
    private(set) var earliestDeadline = UInt64.max

    var isEmpty: Bool { requests.isEmpty }
    var count: Int { requests.count }

    mutating func append(_ request: LedgerRequest) {
        requests.append(request)
        byteCount += request.bytes.count
        earliestDeadline = min(earliestDeadline, request.deadlineElapsedMilliseconds)
    }

    /// Takes from the front as many as fit into one batch, at least one.
    mutating func takeBatch(mostRequests: Int, mostBytes: Int) -> [LedgerRequest] {
        var bytes = 0
        var taken = 0
        for request in requests.prefix(mostRequests) {
            if taken > 0 && bytes + request.bytes.count > mostBytes { break }
            bytes += request.bytes.count
            taken += 1
        }
        let batch = Array(requests.prefix(taken))
        requests = requests.dropFirst(taken)
        byteCount -= bytes
        if requests.isEmpty {
            requests = []
            earliestDeadline = .max
        }
        return batch
    }

    /// Puts a batch back that could not be logged yet.
    mutating func putBack(_ batch: [LedgerRequest]) {
        let later = takeAll()
        for request in batch + later { append(request) }
    }

    /// Takes out those whose deadline has come.
    mutating func takeExpired(elapsedMilliseconds: UInt64) -> [LedgerRequest] {
        if earliestDeadline > elapsedMilliseconds { return [] }
        let expired = requests.filter { $0.deadlineElapsedMilliseconds <= elapsedMilliseconds }
        requests = ArraySlice(requests.filter { $0.deadlineElapsedMilliseconds > elapsedMilliseconds })
        byteCount = requests.reduce(0) { $0 + $1.bytes.count }
        earliestDeadline = requests.map(\.deadlineElapsedMilliseconds).min() ?? .max
        return Array(expired)
    }

    mutating func takeAll() -> [LedgerRequest] {
        defer {
            requests = []
            byteCount = 0
            earliestDeadline = .max
        }
        return Array(requests)
    }
}
