/// A known fault of a pair, made around the program, that shows that the failover drill can fail.
package enum FailoverFault: String, CaseIterable, Sendable {
    /// A side that had been alone forgets what it promised since, as when promises are not made durable.
    case forgottenPromise = "forgotten-promise"
    /// A side that was killed has lost the end of its log, as one that acknowledges before its disk has a batch.
    case acknowledgeBeforeSync = "acknowledge-before-sync"
}
