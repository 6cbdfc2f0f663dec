internal import CallModel

/// Requests that arrived here and were forwarded to the side that orders, until they come back in a batch of the log.
struct ForwardedRequests {
    private var requests: [UInt64: LedgerRequest] = [:]
    private var lastID: UInt64 = 0
    private(set) var chargedBytes = 0
    private(set) var earliestDeadline = UInt64.max

    var isEmpty: Bool { requests.isEmpty }

    mutating func add(_ request: LedgerRequest) -> UInt64 {
        lastID += 1
        requests[lastID] = request
        chargedBytes += request.chargedBytes
        earliestDeadline = min(earliestDeadline, request.deadlineElapsedMilliseconds)
        return lastID
    }

    mutating func take(_ id: UInt64) -> LedgerRequest? {
        guard let request = requests.removeValue(forKey: id) else { return nil }
        chargedBytes -= request.chargedBytes
        if requests.isEmpty { earliestDeadline = .max }
        return request
    }

    /// In the order in which they were forwarded.
    mutating func takeAll() -> [LedgerRequest] {
        defer {
            requests = [:]
            chargedBytes = 0
            earliestDeadline = .max
        }
        return requests.sorted { $0.key < $1.key }.map(\.value)
    }

    mutating func takeExpired(elapsedMilliseconds: UInt64) -> [LedgerRequest] {
        if earliestDeadline > elapsedMilliseconds { return [] }
        let expired = requests.filter { $0.value.deadlineElapsedMilliseconds <= elapsedMilliseconds }
        for id in expired.keys { _ = take(id) }
        earliestDeadline = requests.values.reduce(.max) { min($0, $1.deadlineElapsedMilliseconds) }
        return expired.sorted { $0.key < $1.key }.map(\.value)
    }
}

/// The newest checkpoints, to compare the other side's with.
struct Checkpoints {
    private static let kept = 4096
    private var recent: [Checkpoint] = []

    var newest: Checkpoint? { recent.last }

    mutating func append(_ checkpoint: Checkpoint) {
        recent.append(checkpoint)
        if recent.count > 2 * Self.kept { recent.removeFirst(Self.kept) }
    }

    /// What this side came to at the same position; nil when it is not there (any more, or yet).
    func at(_ position: Position) -> Checkpoint? {
        var low = 0
        var high = recent.count
        while low < high {
            let middle = (low + high) / 2
            if recent[middle].position.sequence < position.sequence { low = middle + 1 } else { high = middle }
        }
        return low < recent.count && recent[low].position == position ? recent[low] : nil
    }
}
