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

    package init() {}
}
