/// The pace and the bounds of a replicated ledger.
package struct LedgerSettings: Sendable {
    /// Requests that wait to be logged may hold so much memory, as charged; beyond it they get `busy`. Those that wait
    /// for the store count for new contexts only: they never take the room of a claim.
    package var queuedBytesLimit = 64 * 1024 * 1024
    package var mostBatchRecords = 4096
    package var mostBatchBytes = 1024 * 1024
    /// Quiet after which a guard batch follows the last real one (RELIABILITY.md, "Batches").
    package var guardAfterMilliseconds: UInt64 = 50
    /// In quiet, deadlines that fall close together share one `clock` record.
    package var clockRecordIntervalMilliseconds: UInt64 = 100
    /// How often waiting reservations look whether the store has caught up.
    package var pressurePollMilliseconds: UInt64 = 100
    package var spareRetryMilliseconds: UInt64 = 1000
    package var trimIntervalMilliseconds: UInt64 = 10_000

    // The pair (DOMAIN.md, duplex facts).
    package var heartbeatMilliseconds: UInt64 = 100
    /// Five heartbeats missed: the other side is lost.
    package var silenceMilliseconds: UInt64 = 500
    /// A swap without an answer is asked again.
    package var swapRetryMilliseconds: UInt64 = 250
    /// How long a start waits for the other side before it tries to go alone.
    package var startWaitMilliseconds: UInt64 = 1000
    package var handOverMilliseconds: UInt64 = 500
    /// A flush of the own disk that takes longer makes this side give way (R14).
    package var stallMilliseconds: UInt64 = 2000
    /// Giving way for stalls, at most, within an hour.
    package var mostStallsPerHour = 3
    /// Batches that wait for the other side's durable answer, at most.
    package var mostFlights = 64

    package init() {}
}
