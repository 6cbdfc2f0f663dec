/// Where one side of the pair stands. Finer than the six states that operators are shown: a state says what may be
/// committed and what is waited for, so that the table needs no hidden conditions.
package enum PairState: String, Hashable, Sendable, CaseIterable {
    /// Started, or bound to a PAIRED promise: neither the other side nor the register has spoken yet.
    case connecting
    /// ALONE with a joint intent whose outcome is unknown: serves nothing alone.
    case settling
    /// Both promise the same epoch: the logs are compared, and the active side fetches what only the other has.
    case comparing
    /// PAIRED and the other side is lost: a swap to ALONE is under way.
    case testing
    /// The register's new value is known; the promise to it is being made durable.
    case promising
    case pairedEnabled
    /// As paired-enabled, but nothing new is ordered: all of it is to be acknowledged, then the order changes hands.
    case handingOver
    case pairedDisabled
    case isolatedEnabled
    /// ALONE, the other has all that was committed: commits and reads need it; the swap to PAIRED is under way.
    case joint
    /// Not in the sync set, or nothing allows it to serve.
    case isolatedDisabled
    /// In the sync set, but the active side opened another epoch over a log that contradicts ours: ours is cut to what
    /// both hold, before the promise is raised.
    case aligning
    /// Not in the sync set: the log is cut to what the serving side holds, before the promise is raised to its epoch.
    case joining
    /// Aligned with the serving side: extends its log by what that streams.
    case following

    /// The state's name as operators know it (DOMAIN.md).
    package var shownName: String {
        switch self {
        case .connecting, .settling, .comparing, .aligning: "connecting"
        case .testing, .promising: "testing"
        case .pairedEnabled, .handingOver: "paired-enabled"
        case .pairedDisabled: "paired-disabled"
        case .isolatedEnabled, .joint: "isolated-enabled"
        case .isolatedDisabled, .joining, .following: "isolated-disabled"
        }
    }

    /// Takes records of its own and of the other side into the order of the log.
    package var orders: Bool {
        switch self {
        case .pairedEnabled, .isolatedEnabled, .joint: true
        default: false
        }
    }

    /// Extends its log by the other side's batches and says when they are durable.
    package var follows: Bool { self == .pairedDisabled || self == .following }

    /// Whose durable answer a commit needs.
    package var commits: PairCommit {
        switch self {
        case .pairedEnabled, .handingOver, .joint: .both
        case .isolatedEnabled: .here
        case .pairedDisabled, .following: .asTold
        case .connecting, .settling, .comparing, .testing, .promising, .isolatedDisabled, .aligning,
            .joining:
            .nothing
        }
    }
}

/// R1, by state.
package enum PairCommit: Hashable, Sendable {
    /// Durable in both logs, acknowledged in this session.
    case both
    /// Durable in this side's log.
    case here
    /// What the ordering side says is committed, as far as it is durable here.
    case asTold
    case nothing
}
