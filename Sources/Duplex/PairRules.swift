package import CallModel

/// The rules that decide, apart from the bookkeeping around them. Production uses ``StandardRules``; the model check
/// shows that each of them is needed by running the machine over rules of which one is broken.
package protocol PairRules: Sendable {
    static func row(_ state: PairState, _ event: PairEvent) -> PairRow
    /// R2: frames of another session or from another incarnation than the session's are void.
    static func admits(_ header: PairFrameHeader, session: UInt64, incarnation: UInt64) -> Bool
    /// R9: whether an incarnation is the registered one.
    static func counts(_ incarnation: UInt64, registered: UInt64) -> Bool
    /// R5: with an intent only the intended incarnation may join.
    static func mayJoin(_ incarnation: UInt64, intent: JointIntent?) -> Bool
    /// R1.
    static func committable(_ commit: PairCommit, durable: LogSequence, otherDurable: LogSequence, end: LogSequence)
        -> LogSequence
    /// What a following side may say is durable.
    static func acknowledged(end: Position, durable: Position) -> Position
    /// R8: whether a read needs the other side's word.
    static func readNeedsConfirmation(_ commit: PairCommit) -> Bool
}

extension PairRules {
    package static func row(_ state: PairState, _ event: PairEvent) -> PairRow { PairTable.row(state, event) }

    package static func admits(_ header: PairFrameHeader, session: UInt64, incarnation: UInt64) -> Bool {
        header.session == session && header.incarnation == incarnation
    }

    package static func counts(_ incarnation: UInt64, registered: UInt64) -> Bool { incarnation == registered }

    package static func mayJoin(_ incarnation: UInt64, intent: JointIntent?) -> Bool {
        intent.map { $0.incarnation == incarnation } ?? true
    }

    package static func committable(
        _ commit: PairCommit, durable: LogSequence, otherDurable: LogSequence, end: LogSequence
    ) -> LogSequence {
        commit == .here ? durable : min(durable, otherDurable)
    }

    package static func acknowledged(end: Position, durable: Position) -> Position { durable }

    package static func readNeedsConfirmation(_ commit: PairCommit) -> Bool { commit == .both }
}

package enum StandardRules: PairRules {}
