package import Ledger
internal import WriteAheadLog

/// A record on its way: encoded once, by whoever asked, and answered once.
package struct LedgerRequest: Sendable {
    package let record: Record
    package let bytes: [UInt8]
    /// When its asker stops waiting, in elapsed milliseconds of the side's clock.
    package let deadlineElapsedMilliseconds: UInt64
    package let reply: @Sendable (Result<LedgerAnswer, LedgerRefusal>) -> Void
    /// Forwarded by the other side under this number: the outcome reaches its asker there with the log, and only a
    /// refusal is told.
    let forwardedID: UInt64?

    init(forwarded id: UInt64, record: Record, bytes: [UInt8], deadlineElapsedMilliseconds: UInt64) {
        self.record = record
        self.bytes = bytes
        self.deadlineElapsedMilliseconds = deadlineElapsedMilliseconds
        reply = { _ in }
        forwardedID = id
    }

    package init(
        record: Record, bytes: [UInt8], deadlineElapsedMilliseconds: UInt64,
        reply: @escaping @Sendable (Result<LedgerAnswer, LedgerRefusal>) -> Void
    ) {
        self.record = record
        self.bytes = bytes
        self.deadlineElapsedMilliseconds = deadlineElapsedMilliseconds
        self.reply = reply
        forwardedID = nil
    }

    /// The record and its closure stand beside the bytes.
    private static let placeBytes = 512

    var chargedBytes: Int { bytes.count + Self.placeBytes }

    /// Before there is one, every name would be unknown.
    var needsConfiguration: Bool {
        switch record {
        case .configure, .clock, .epochOpened: false
        default: true
        }
    }

    /// New contexts wait while the store is behind; whatever takes one away, or closes a dialog, never does.
    var parksContext: Bool {
        switch record {
        case .reserve, .openDialog: true
        case .configure, .claim, .release, .askDialog, .recordAnswer, .closeDialog, .clock, .epochOpened: false
        }
    }
}

/// Requests in the order of their arrival, refused at their deadlines.
struct PendingRequests {
    private var requests: ArraySlice<LedgerRequest> = []
    /// What they hold of the memory: their bytes, and a charge for each one's place.
    private(set) var chargedBytes = 0
    /// No deadline lies before this one; kept so that looking is cheap.
    private(set) var earliestDeadline = UInt64.max

    var isEmpty: Bool { requests.isEmpty }

    mutating func append(_ request: LedgerRequest) {
        requests.append(request)
        chargedBytes += request.chargedBytes
        earliestDeadline = min(earliestDeadline, request.deadlineElapsedMilliseconds)
    }

    /// From the front as many as fit into one batch, at least one when there is any. They stay here.
    func nextBatch(mostRequests: Int, mostPayloadBytes: Int) -> [LedgerRequest] {
        var bytes = 0
        var count = 0
        for request in requests.prefix(mostRequests) {
            bytes += request.bytes.count + LogFormat.recordPrefixBytes
            if count > 0 && bytes > mostPayloadBytes { break }
            count += 1
        }
        return Array(requests.prefix(count))
    }

    mutating func remove(_ batch: [LedgerRequest]) {
        if batch.count == requests.count { return removeAll() }
        requests = requests.dropFirst(batch.count)
        chargedBytes -= batch.reduce(0) { $0 + $1.chargedBytes }
    }

    /// Takes out those whose deadline has come.
    mutating func takeExpired(elapsedMilliseconds: UInt64) -> [LedgerRequest] {
        if earliestDeadline > elapsedMilliseconds { return [] }
        let all = takeAll()
        var expired: [LedgerRequest] = []
        for request in all {
            if request.deadlineElapsedMilliseconds <= elapsedMilliseconds {
                expired.append(request)
            } else {
                append(request)
            }
        }
        return expired
    }

    /// The other side's forwarded requests: who asked them asks again.
    mutating func removeForwarded() {
        for request in takeAll() where request.forwardedID == nil { append(request) }
    }

    mutating func takeAll() -> [LedgerRequest] {
        defer { removeAll() }
        return Array(requests)
    }

    private mutating func removeAll() {
        requests = []
        chargedBytes = 0
        earliestDeadline = .max
    }
}
