/// What a side does about an event.
package struct PairRow: Hashable, Sendable {
    package let next: PairState
    package let steps: [PairStep]
    /// What is logged, and shown to an operator as the reason for the state.
    package let sentence: String
    /// The event has no effect in this state; the sentence says why that is right.
    package let isIgnored: Bool

    package init(next: PairState, steps: [PairStep], sentence: String, isIgnored: Bool) {
        self.next = next
        self.steps = steps
        self.sentence = sentence
        self.isIgnored = isIgnored
    }
}

/// The failover as a table: exactly one row for every state and event (RELIABILITY.md, R0 to R14, whose numbers stand
/// in the sentences). `Schemas/duplex.txt` is its dump, and is reviewed as a difference.
package enum PairTable {
    package static func row(_ state: PairState, _ event: PairEvent) -> PairRow {
        if let (next, steps, sentence) = rule(state, event) {
            return PairRow(next: next, steps: steps, sentence: sentence, isIgnored: false)
        }
        return PairRow(next: state, steps: [], sentence: ignored(state, event), isIgnored: true)
    }

    private typealias Rule = (PairState, [PairStep], String)

    /// Newer register values first: they mean the same in nearly every state.
    private static func rule(_ state: PairState, _ event: PairEvent) -> Rule? {
        switch event {
        case .aloneHere, .aloneThere, .pairedHere, .pairedThere, .pairedThereUnreached, .rolledBack, .witnessSilent:
            registerRule(state, event)
        case .otherAgrees, .otherLags, .otherUnregistered, .linkLost, .otherAbsent, .otherLostTailUndecided,
            .bothTailsUndecided:
            sessionRule(state, event)
        case .promisedAlone, .promisedActive, .promisedStandby, .promisedJoining, .intentDurable, .logAligned:
            diskRule(state, event)
        case .logsAgree, .logsContradict, .resumed, .joinAsked, .alignmentAnswered, .snapshotNeeded, .otherAligned,
            .otherCaughtUp:
            logRule(state, event)
        case .switchAsked, .allAcknowledged, .switchOverdue, .stalledOverdue, .forceAsked, .initAsked:
            operatorRule(state, event)
        }
    }

    // MARK: Newer register values

    private static func registerRule(_ state: PairState, _ event: PairEvent) -> Rule? {
        if state == .promising, event != .witnessSilent { return nil }
        switch (event, state) {
        case (.aloneHere, _):
            return (.promising, [.writePromise], "R3: the register names this side alone: it binds itself to that.")
        case (.aloneThere, .testing):
            return (
                .isolatedDisabled, [.sendSeen, .askToJoin],
                "R3: the register names the other side alone: this side stops, tells it, and will join it."
            )
        case (.aloneThere, .joining), (.aloneThere, .following), (.aloneThere, .isolatedDisabled):
            return (.isolatedDisabled, [.askToJoin], "R5: the other side serves alone: this side asks to join it.")
        case (.aloneThere, .isolatedEnabled), (.aloneThere, .joint), (.aloneThere, .settling):
            return (
                .isolatedDisabled, [.alarm, .askToJoin],
                "R13: an operator put the other side in this one's place: this side stops and joins it anew."
            )
        case (.aloneThere, _):
            return (
                .isolatedDisabled, [.askToJoin],
                "R2: the other side serves alone under a later epoch: this side stops and asks to join it."
            )
        case (.pairedHere, _):
            return (
                .promising, [.writePromise],
                "R6: the register names both sides and this one active: it binds itself to that."
            )
        case (.pairedThere, .following):
            return (
                .promising, [.writePromise],
                "R5: both sides are the sync set again: this side, aligned in this session, binds itself to it."
            )
        case (.pairedThere, .handingOver), (.pairedThereUnreached, .handingOver):
            return (
                .promising, [.writePromise],
                "R14: the order went over to the other side, which has the whole log: this side binds itself to it."
            )
        case (.pairedThere, _):
            return (
                .aligning, [.askToJoin],
                "R10: the other side opened a later epoch for both: this side aligns its log before it promises it."
            )
        case (.pairedThereUnreached, .testing):
            return (
                .testing, [.swapToAlone],
                "R3: a later epoch for both is registered, and the other side is lost: swapped from that."
            )
        case (.pairedThereUnreached, .isolatedDisabled):
            return (
                .testing, [.swapToAlone],
                "R3: the register counts this side in, which the other could not tell it any more: going alone is tried."
            )
        case (.rolledBack, _):
            return (
                state, [.alarm],
                "R12: the witness knows less than this side promised: no transition until an operator re-seeds it."
            )
        case (.witnessSilent, _):
            return (state, [.swapAgain], "R6: the outcome of the swap is not known: it is asked again.")
        default: return nil
        }
    }

    // MARK: The other side

    private static func sessionRule(_ state: PairState, _ event: PairEvent) -> Rule? {
        switch (state, event) {
        case (.connecting, .otherAgrees), (.testing, .otherAgrees), (.comparing, .otherAgrees),
            (.isolatedDisabled, .otherAgrees):
            return (.comparing, [.compareLogs], "R10: both sides promise the same epoch: their logs are compared.")
        case (.connecting, .otherLags), (.testing, .otherLags), (.isolatedDisabled, .otherLags):
            return (state, [.sendRegister], "R2: the other side has not promised this epoch yet: it is told.")
        case (.connecting, .otherUnregistered), (.comparing, .otherUnregistered):
            return (
                .testing, [.swapToAlone],
                "R9: the other side was formatted or restored and does not count: going alone is tried."
            )
        case (.comparing, .linkLost), (.pairedEnabled, .linkLost), (.pairedDisabled, .linkLost),
            (.handingOver, .linkLost), (.aligning, .linkLost):
            return (.testing, [.swapToAlone], "R3: the other side is lost: going alone is tried.")
        case (.connecting, .otherAbsent), (.comparing, .otherAbsent):
            return (.testing, [.swapToAlone], "R3: the other side did not appear: going alone is tried.")
        case (.connecting, .otherLostTailUndecided), (.comparing, .otherLostTailUndecided),
            (.aligning, .otherLostTailUndecided):
            return (
                .isolatedDisabled, [.alarm],
                "The log's tail was bad, and only the other side can say whether it was acknowledged: this side waits."
            )
        case (.isolatedDisabled, .otherAbsent):
            return (
                .isolatedDisabled, [.lookAtRegister],
                "R5: the serving side is silent and may have counted this one in before: the register is looked at."
            )
        case (.connecting, .bothTailsUndecided), (.comparing, .bothTailsUndecided):
            return (
                .isolatedDisabled, [.alarm],
                "The log's tail was bad on both sides, so neither can say what was acknowledged: an operator decides."
            )
        case (.joint, .linkLost):
            return (
                .settling, [.swapToSettle],
                "R5: the joiner is lost while the swap to PAIRED may still count: nothing is served until that is settled."
            )
        case (.joining, .linkLost), (.following, .linkLost), (.joining, .otherLostTailUndecided),
            (.following, .otherLostTailUndecided):
            return (.isolatedDisabled, [], "R5: the serving side is lost before this one had joined.")
        default: return nil
        }
    }

    // MARK: Promises and the log on disk

    private static func diskRule(_ state: PairState, _ event: PairEvent) -> Rule? {
        switch (state, event) {
        case (.promising, .promisedAlone):
            return (
                .isolatedEnabled, [.openEpoch, .sendRegister, .takeUpDialogs],
                "R3: bound to serve alone; the epoch's record commits all that was inherited."
            )
        case (.promising, .promisedActive):
            return (.connecting, [.sendRegister], "R5: bound to both sides with this one active: the other is told.")
        case (.promising, .promisedStandby), (.aligning, .promisedStandby):
            return (.comparing, [.sendRegister], "R10: bound to both sides with the other active: it is told.")
        case (.joining, .promisedJoining):
            return (
                .following, [.sendAligned], "R5: aligned and bound to the serving side's epoch: the stream may begin."
            )
        case (.joint, .intentDurable):
            return (.joint, [.swapToPair], "R5: the joint intent is durable: the register is asked for PAIRED.")
        case (.aligning, .logAligned), (.joining, .logAligned):
            return (state, [.writePromise], "R11: the log is aligned, durably: now the promise is raised.")
        default: return nil
        }
    }

    // MARK: Comparing and joining

    private static func logRule(_ state: PairState, _ event: PairEvent) -> Rule? {
        switch (state, event) {
        case (.comparing, .logsAgree):
            return (
                .pairedEnabled, [.clearTailUndecided, .sendResume, .stream, .openEpoch],
                "R10: the logs agree: this side goes on ordering."
            )
        case (.comparing, .logsContradict):
            return (
                .comparing, [.swapToRealign],
                "R10: the logs contradict each other: a new epoch is asked for, under which the other side aligns."
            )
        case (.comparing, .resumed):
            return (.pairedDisabled, [.clearTailUndecided], "R10: the logs agree: the other side goes on ordering.")
        case (.connecting, .joinAsked), (.testing, .joinAsked), (.settling, .joinAsked), (.isolatedEnabled, .joinAsked):
            return (
                state, [.answerJoin],
                "R5: the other side asks where its log goes on: it is told the newest place both hold."
            )
        case (.isolatedDisabled, .alignmentAnswered):
            return (.joining, [.alignLog], "R11: what only this side holds behind that place is moved aside.")
        case (.aligning, .alignmentAnswered):
            return (.aligning, [.alignLog], "R11: what only this side holds behind that place is moved aside.")
        case (.isolatedDisabled, .snapshotNeeded):
            return (
                .isolatedDisabled, [.resync],
                "R9: the log cannot go on from the serving side's: this side begins anew from a snapshot."
            )
        case (.isolatedEnabled, .otherAligned), (.settling, .otherAligned):
            return (state, [.stream], "R5: the other side is aligned: the log is streamed to it.")
        case (.isolatedEnabled, .otherCaughtUp):
            return (
                .joint, [.writeIntent],
                "R5: the other side has all that was committed: from now on commits and reads need it."
            )
        case (.settling, .otherCaughtUp):
            return (.joint, [.swapToPair], "R7: together with the joiner of the intent this side serves again.")
        default: return nil
        }
    }

    // MARK: Operators

    private static func operatorRule(_ state: PairState, _ event: PairEvent) -> Rule? {
        switch (state, event) {
        case (.pairedEnabled, .switchAsked):
            return (.handingOver, [], "R14: the order is to go over to the other side: nothing new is ordered.")
        case (.handingOver, .allAcknowledged):
            return (.handingOver, [.swapToHandOver], "R14: the other side has the whole log: the register is asked.")
        case (.handingOver, .switchOverdue):
            return (.pairedEnabled, [], "R14: the hand-over did not come about: this side goes on ordering.")
        case (.handingOver, .stalledOverdue):
            return (
                .isolatedDisabled, [.endSession, .alarm],
                "R14: this side is stalled and could not hand over: it stops answering, so that the other goes alone."
            )
        case (.isolatedDisabled, .forceAsked):
            return (
                .isolatedDisabled, [.alarm, .swapToAlone],
                "R13: an operator says that the other side is powered off: this side is to serve in its place."
            )
        case (.isolatedDisabled, .initAsked), (.connecting, .initAsked):
            return (state, [.swapToAlone], "R0: the pair begins here: the register is asked for ALONE of this side.")
        default: return nil
        }
    }
}
