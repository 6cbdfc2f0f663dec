/// A known fault of a pair, made around the program, that shows that the failover drill can fail.
package enum FailoverFault: String, CaseIterable, Sendable {
    /// Each side asks a witness of its own, so that both may go alone.
    case ownWitness = "own-witness"
    /// A side that was killed has lost the end of its log, as one that acknowledges before its disk has a batch.
    case acknowledgeBeforeSync = "acknowledge-before-sync"
}
