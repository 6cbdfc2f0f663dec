internal import CallModel

/// A batch on its way to being durable, with those who wait for it.
struct Flight {
    let requests: [LedgerRequest]
    let time: BatchTime
    let end: Position
    /// Requests that were refused at their deadlines: their records count, but nobody waits any more.
    private(set) var refused: Set<Int> = []
    private(set) var earliestDeadline: UInt64

    init(requests: [LedgerRequest], time: BatchTime, end: Position) {
        self.requests = requests
        self.time = time
        self.end = end
        earliestDeadline = requests.map(\.deadlineElapsedMilliseconds).min() ?? .max
    }

    mutating func takeExpired(elapsedMilliseconds: UInt64) -> [LedgerRequest] {
        if earliestDeadline > elapsedMilliseconds { return [] }
        var expired: [LedgerRequest] = []
        earliestDeadline = .max
        for (index, request) in requests.enumerated() where !refused.contains(index) {
            if request.deadlineElapsedMilliseconds <= elapsedMilliseconds {
                refused.insert(index)
                expired.append(request)
            } else {
                earliestDeadline = min(earliestDeadline, request.deadlineElapsedMilliseconds)
            }
        }
        return expired
    }
}
