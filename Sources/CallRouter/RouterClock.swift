/// The time by which requests meet their deadlines: monotonic milliseconds from any beginning.
package protocol RouterClock: Sendable {
    var nowMilliseconds: UInt64 { get }
    /// Returns when that time has come, or throws `CancellationError` when its task is cancelled before.
    func sleep(untilMilliseconds time: UInt64) async throws
}

package struct MonotonicClock: RouterClock {
    private let clock = ContinuousClock()
    private let beginning: ContinuousClock.Instant

    package init() { beginning = clock.now }

    package var nowMilliseconds: UInt64 {
        let (seconds, attoseconds) = (clock.now - beginning).components
        return UInt64(seconds) * 1000 + UInt64(attoseconds / 1_000_000_000_000_000)
    }

    package func sleep(untilMilliseconds time: UInt64) async throws {
        try await clock.sleep(until: beginning + .milliseconds(Int64(clamping: time)))
    }
}

/// When a request must be answered.
struct Deadline: Sendable {
    let clock: any RouterClock
    /// From its beginning.
    let lengthMilliseconds: UInt32
    let atMilliseconds: UInt64

    init(_ clock: any RouterClock, inMilliseconds milliseconds: UInt32) {
        self.clock = clock
        lengthMilliseconds = milliseconds
        atMilliseconds = clock.nowMilliseconds + UInt64(milliseconds)
    }

    var leftMilliseconds: UInt32 {
        let now = clock.nowMilliseconds
        return now >= atMilliseconds ? 0 : UInt32(clamping: atMilliseconds - now)
    }
}
