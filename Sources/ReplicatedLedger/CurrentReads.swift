internal import CallModel

/// Reads that must be current (R8): each waits until the pair confirms that what is committed here is.
struct CurrentReads {
    typealias Body = (Result<any LedgerView, LedgerRefusal>) -> Void

    private struct Waiting {
        let body: Body
        let deadline: UInt64
        /// Asked of the machine; else it is to be asked when the side serves.
        var isAsked: Bool
    }

    private var waiting: [UInt64: Waiting] = [:]
    private var lastToken: UInt64 = 0

    var earliestDeadline: UInt64 { waiting.values.reduce(.max) { min($0, $1.deadline) } }

    mutating func add(deadlineElapsedMilliseconds: UInt64, _ body: @escaping Body) {
        lastToken += 1
        waiting[lastToken] = Waiting(body: body, deadline: deadlineElapsedMilliseconds, isAsked: false)
    }

    /// Those to be asked now; they count as asked.
    mutating func takeUnasked() -> [UInt64] {
        let tokens = waiting.filter { !$0.value.isAsked }.keys.sorted()
        for token in tokens { waiting[token]?.isAsked = true }
        return tokens
    }

    mutating func void(_ token: UInt64) { waiting[token]?.isAsked = false }

    mutating func take(_ token: UInt64) -> Body? { waiting.removeValue(forKey: token)?.body }

    mutating func takeExpired(elapsedMilliseconds: UInt64) -> [Body] {
        let expired = waiting.filter { $0.value.deadline <= elapsedMilliseconds }.keys.sorted()
        return expired.compactMap { take($0) }
    }

    mutating func takeAll() -> [Body] { takeExpired(elapsedMilliseconds: .max) }
}
