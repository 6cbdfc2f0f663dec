/// The store's bounds. The defaults are those of RELIABILITY.md, "Durability".
package struct StoreConfiguration: Sendable {
    /// Size of the sparse map. Never smaller than what the store already uses.
    package var mapBytes = 16 << 30
    /// A transaction is written this long after its first batch, ...
    package var windowMilliseconds: UInt64 = 2_000
    /// ... or when its changes have this many bytes.
    package var windowBytes = 32 << 20
    /// Lag above which new reservations are refused.
    package var lagBytesMost = 128 << 20
    package var lagMillisecondsMost: UInt64 = 10_000
    /// Part of the map in use at which new reservations are refused.
    package var usedPercentMost = 70
    /// Free disk space below which no transaction is begun.
    package var freeBytesLeast: UInt64 = 256 << 20
    /// How often free space is looked at while there is too little of it.
    package var retryMilliseconds: UInt64 = 1_000
    /// How often readers whose process died are cleared.
    package var staleReaderMilliseconds: UInt64 = 60_000
    /// Most rows of `journeys`, and for how many days they are kept; oldest go first.
    package var journeyRowsMost = 5_000_000
    package var journeyDaysMost: UInt32 = 30
    /// Most journey rows (and legs) one transaction removes, or twice as many as it adds if that is more.
    package var trimRowsMost = 4_096

    /// Monotonic milliseconds.
    package var clock: @Sendable () -> UInt64 = { MonotonicClock.milliseconds() }
    /// Free bytes of the file system that holds a path; nil when it cannot say.
    package var freeBytes: @Sendable (_ path: String) -> UInt64? = { FileSystem.freeBytes(path: $0) }

    package init() {}
}
