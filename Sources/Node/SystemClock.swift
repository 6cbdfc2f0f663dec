package import CallModel
internal import Glibc
internal import ReplicatedLedger

/// The machine's clocks.
package struct SystemClock: Clock, Sendable {
    package init() {}

    package func elapsedMilliseconds() -> UInt64 {
        let now = Self.read(CLOCK_BOOTTIME)
        return UInt64(now.tv_sec) * 1000 + UInt64(now.tv_nsec) / 1_000_000
    }

    package func wall() -> WallTime {
        let now = Self.read(CLOCK_REALTIME)
        return WallTime(milliseconds: Int64(now.tv_sec) * 1000 + Int64(now.tv_nsec) / 1_000_000)
    }

    private static func read(_ clock: clockid_t) -> timespec {
        var now = timespec()
        let result = clock_gettime(clock, &now)
        precondition(result == 0, "the kernel has clock \(clock)")
        return now
    }
}
