internal import CallModel
internal import Duplex

/// A known bug: a simulation that does not find it proves nothing. Production has no switch for any of them: each is a
/// rule replaced, or a disk or a recovery that does what a wrong program would.
package enum PairBug: String, Hashable, Sendable, CaseIterable {
    /// Commits without the other side's durable answer.
    case acknowledgeBeforeOther
    /// The following side says durable what it has only been sent.
    case acknowledgeBeforeDurable
    /// Both sides go on before their fdatasync has returned, with batches and with superblocks.
    case acknowledgeBeforeFdatasync
    /// Serves reads without the other side's word.
    case unconfirmedRead
    /// Believes frames of an earlier session, and of another incarnation.
    case acceptOldSession
    /// Counts a side that was formatted as the one that it was.
    case countFormatted
    /// Swaps ALONE of the other side to ALONE of its own.
    case stealFromAlone
    /// Goes alone on a lost link without asking the witness.
    case aloneWithoutWitness
    /// Cuts its log wherever the bytes are bad.
    case cutAtDamage

    /// The faults under which it does harm soonest.
    private var faults: [PairFault] {
        switch self {
        case .acknowledgeBeforeDurable, .acknowledgeBeforeFdatasync:
            [.bothPowerCut, .bothPowerCut, .powerCut, .kill, .slowDisk]
        case .cutAtDamage: [.rot, .rot, .kill]
        case .acceptOldSession: [.format, .format, .breakLink, .kill, .slowDisk, .silence, .holdFrames]
        default: PairFault.allCases
        }
    }

    /// One run with the bug in it.
    package func run(seed: UInt64) -> PairRun {
        switch self {
        case .acknowledgeBeforeOther: run(seed, WithoutOther.self)
        case .acknowledgeBeforeDurable: run(seed, WithoutDurable.self)
        case .unconfirmedRead: run(seed, WithoutConfirmation.self)
        case .acceptOldSession: run(seed, WithoutSession.self)
        case .countFormatted: run(seed, WithoutIncarnation.self)
        case .stealFromAlone: run(seed, WithoutLosing.self)
        case .aloneWithoutWitness: run(seed, WithoutWitness.self)
        case .acknowledgeBeforeFdatasync: run(seed, StandardRules.self) { $0.answersBeforeSync = true }
        case .cutAtDamage: run(seed, StandardRules.self) { $0.cutsAtDamage = true }
        }
    }

    private func run<Rules: PairRules>(
        _ seed: UInt64, _ rules: Rules.Type, prepare: (SimulatedMachine<Rules>) -> Void = { _ in }
    ) -> PairRun {
        PairSimulation<Rules>(seed: seed, faults: faults, prepare: prepare).execute()
    }
}

extension PairRun {
    /// One run of the pair as it is.
    package init(simulating seed: UInt64) { self = PairSimulation<StandardRules>(seed: seed).execute() }
}

private enum WithoutOther: PairRules {
    static func committable(
        _ commit: PairCommit, durable: LogSequence, otherDurable: LogSequence, end: LogSequence
    ) -> LogSequence { durable }
}

private enum WithoutDurable: PairRules {
    static func acknowledged(end: Position, durable: Position) -> Position { end }
}

private enum WithoutConfirmation: PairRules {
    static func readNeedsConfirmation(_ commit: PairCommit) -> Bool { false }
}

private enum WithoutSession: PairRules {
    static func admits(_ header: PairFrameHeader, session: UInt64, incarnation: UInt64) -> Bool { true }
}

private enum WithoutIncarnation: PairRules {
    static func counts(_ incarnation: UInt64, registered: UInt64) -> Bool { true }
    static func mayJoin(_ incarnation: UInt64, intent: JointIntent?) -> Bool { true }
}

private enum WithoutLosing: PairRules {
    /// Refused because the other side is alone: it goes on asking, from that.
    static func row(_ state: PairState, _ event: PairEvent) -> PairRow {
        guard state == .testing, event == .aloneThere else { return PairTable.row(state, event) }
        return PairRow(next: .testing, steps: [.swapToAlone], sentence: "A bug: it steals.", isIgnored: false)
    }
}

private enum WithoutWitness: PairRules {
    static func row(_ state: PairState, _ event: PairEvent) -> PairRow {
        let row = PairTable.row(state, event)
        guard state == .pairedEnabled, event == .linkLost else { return row }
        return PairRow(next: .isolatedEnabled, steps: [], sentence: "A bug: it serves on.", isIgnored: false)
    }
}
