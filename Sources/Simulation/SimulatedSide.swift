package import CallModel
package import ReplicatedLedger

/// What a simulated side's ledger touches.
package enum SimulatedSide: Surroundings {
    package typealias DiskSeam = SimulatedDisk
    package typealias StoreSeam = SimulatedStore
    package typealias ClockSeam = SimulatedClock
    package typealias LinkSeam = NoOtherSide
    package typealias WitnessSeam = NoOtherSide
}

/// Clocks that stand still until they are moved.
///
/// `@unchecked Sendable`: a simulation runs on one thread.
package final class SimulatedClock: Clock, @unchecked Sendable {
    private var elapsed: UInt64
    private var wallTime: WallTime

    package init(elapsedMilliseconds: UInt64 = 5_000, wall: WallTime = WallTime(milliseconds: 1_795_000_000_000)) {
        elapsed = elapsedMilliseconds
        wallTime = wall
    }

    package func elapsedMilliseconds() -> UInt64 { elapsed }

    package func wall() -> WallTime { wallTime }

    package func advance(milliseconds: UInt64) {
        elapsed += milliseconds
        wallTime = WallTime(milliseconds: wallTime.milliseconds + Int64(milliseconds))
    }

    /// Somebody sets the machine's clock; what has elapsed does not change by it.
    package func step(wallMilliseconds: Int64) {
        wallTime = WallTime(milliseconds: wallTime.milliseconds + wallMilliseconds)
    }
}
