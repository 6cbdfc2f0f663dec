/// What may happen to a side, as the table distinguishes it. What is behind an event (which register, which position)
/// decides the class before the table is asked; ``PairMachine`` does that.
package enum PairEvent: String, Hashable, Sendable, CaseIterable {
    // The other side, in a session.
    /// It promises the very register value that we promise, PAIRED, and both incarnations are the registered ones.
    case otherAgrees
    /// It is registered in our PAIRED promise, but has not promised it yet.
    case otherLags
    /// It does not count under our PAIRED promise: another incarnation, or formatted.
    case otherUnregistered
    /// The session ended, or 500 ms passed without a frame.
    case linkLost
    /// No agreeing session within the time that a start waits for one.
    case otherAbsent
    /// The link is lost or the other side absent, and this side's log had a tail of which only the other side can say
    /// whether it was acknowledged.
    case otherLostTailUndecided
    /// Both promise the same epoch, and both logs had a tail of which only the other side could say whether it was
    /// acknowledged.
    case bothTailsUndecided

    // A newer register value, seen at the witness or at the other side.
    /// ALONE of this side, in its present incarnation.
    case aloneHere
    /// ALONE of the other side, or a sync set without this side's present incarnation.
    case aloneThere
    /// PAIRED with this incarnation, this side active.
    case pairedHere
    /// PAIRED with this incarnation, the other side active; it has promised that and is in session.
    case pairedThere
    /// The same, but the other side is not in session.
    case pairedThereUnreached
    /// Older than our promise, or absent: the register was rolled back or lost (R12).
    case rolledBack
    /// No answer to a swap yet; it is asked again.
    case witnessSilent

    // What was asked of the disk.
    /// The promise is ALONE of this side.
    case promisedAlone
    /// The promise is PAIRED, this side active.
    case promisedActive
    /// The promise is PAIRED, the other side active.
    case promisedStandby
    /// The promise is the ALONE of the other side that is being joined.
    case promisedJoining
    case intentDurable
    case logAligned

    // Comparing logs.
    /// The shorter log is a beginning of the longer one, and this side's is not the shorter (or it has caught up).
    case logsAgree
    case logsContradict
    /// The active side goes on under the common epoch.
    case resumed

    // Joining.
    /// The other side, not in the sync set, asks where its log is to go on.
    case joinAsked
    case alignmentAnswered
    /// Only a snapshot can help: the log no longer reaches back, or what was committed here is not on it.
    case snapshotNeeded
    case otherAligned
    /// The joiner holds durably all that was committed.
    case otherCaughtUp

    // Handing over.
    case switchAsked
    case allAcknowledged
    /// The hand-over did not come about in time.
    case switchOverdue
    /// The present side's own disk or thread stalled, and the hand-over did not come about.
    case stalledOverdue

    // Operator.
    /// Serve alone in the other's place, which is powered off (R13).
    case forceAsked
    /// Begin the pair anew on this formatted side.
    case initAsked
}

/// What a row of the table lets a side do, in order. The machine fills in positions and values.
package enum PairStep: String, Hashable, Sendable, CaseIterable {
    /// Compare-and-swap from the newest value known to ALONE of this side, one epoch up.
    case swapToAlone
    /// From our ALONE to PAIRED with the joiner, one epoch up.
    case swapToPair
    /// From our ALONE to the same with another nonce: when it succeeds, no earlier swap can any more.
    case swapToSettle
    /// From PAIRED to PAIRED with the same active side, one epoch up: the other aligns its contradicting log.
    case swapToRealign
    /// From PAIRED to PAIRED with the other side active, one epoch up.
    case swapToHandOver
    case swapAgain
    /// Compare-and-swap from a value that never was: it changes nothing, and its failed compare returns the register.
    case lookAtRegister
    /// Binds this side, durably, to the newest register value seen.
    case writePromise
    case writeIntent
    /// Tells the other side our promise and where our log ends.
    case sendRegister
    /// Tells the other side the newest register value seen.
    case sendSeen
    /// Whoever has the longer log says whether the other's end lies on it; when it does, streams what follows.
    case compareLogs
    case sendResume
    /// Streams the log from where the other's ends.
    case stream
    /// Records the epoch in the log when it is new, which commits all that was inherited.
    case openEpoch
    case takeUpDialogs
    case askToJoin
    case answerJoin
    case alignLog
    /// Says that our log is cut and our promise raised, so that the stream may begin.
    case sendAligned
    /// The tail that the other side had to speak of is settled.
    case clearTailUndecided
    /// Begins anew from a snapshot of the serving side, with a new incarnation.
    case resync
    case endSession
    /// For an operator's eyes.
    case alarm
}
