/// What may be found at a position of the log. The rows of RELIABILITY.md, one case for every answer they distinguish.
package enum RecoveryFinding: String, Hashable, Sendable, CaseIterable {
    case good
    case zerosToTheEnd
    case damagedGuard
    case badKnownDurable
    case badAlone
    case badPairedNotAsked
    case badPairedOtherHas
    case badPairedOtherLacks
    case badPairedOtherBad
    case badPairedOtherIncarnation
    case badPairedUnreachableZeroSector
    case badPairedUnreachable
    case holeBeforeUndurable
    case contradiction
}

package enum RecoveryDecision: String, Hashable, Sendable, CaseIterable {
    case take
    /// The log ends here.
    case end
    /// Passes over bytes that never belonged to the chain.
    case skip
    /// Ends the log here; the bytes behind are kept in a file of their own.
    case cut
    /// Only the other side can say.
    case ask
    /// Takes the record from the other side, by (sequence, chain).
    case fetch
    /// As `fetch`; where there is no other side, or it cannot help, the side stops for an operator.
    case fetchOrStop
    /// The side does not serve until the other side or an operator speaks.
    case isolatedDisabled
    case stop
    /// The hole is an unacknowledged tail: the rows for a bad position that nothing says was durable decide.
    case judgeAsTail
}

package struct RecoveryRow: Hashable, Sendable {
    package let finding: RecoveryFinding
    /// What stands at the position, in words.
    package let found: String
    package let decision: RecoveryDecision
    /// What is logged and told to the operator.
    package let sentence: String
}

/// Recovery, by what is found at a position (RELIABILITY.md). Invariant: exactly one row a finding, in the order of the
/// findings; `Schemas/recovery.txt` is its dump.
package enum RecoveryTable {
    package static func row(_ finding: RecoveryFinding) -> RecoveryRow {
        func row(_ found: String, _ decision: RecoveryDecision, _ sentence: String) -> RecoveryRow {
            RecoveryRow(finding: finding, found: found, decision: decision, sentence: sentence)
        }
        switch finding {
        case .good:
            return row("header, payload and chain good", .take, "Taken.")
        case .zerosToTheEnd:
            return row("zeros to the end, nothing valid later", .end, "A clean end: nothing was being written.")
        case .damagedGuard:
            return row(
                "bad, and a later batch continues the chain without a gap", .skip,
                "Only a guard batch can have stood here, which holds no record: passed over.")
        case .badKnownDurable:
            return row(
                "bad, and something later (batch, LMDB, superblock, other side) says it was durable", .fetchOrStop,
                "A durable record is damaged (rot). Nothing was cut. Fetch it from the other side, or restore from the "
                    + "newest good snapshot; a single side stops here for the operator.")
        case .badAlone:
            return row(
                "bad, nothing says durable, this side was alone", .cut,
                "A torn tail that was never acknowledged: cut, and the bytes are kept aside.")
        case .badPairedNotAsked:
            return row(
                "bad, nothing says durable, epoch was paired, other side not asked yet, no zero sector", .ask,
                "Whether the other side holds it is not known yet: the bytes are kept aside, and this side does not go "
                    + "alone before the other has spoken in a session.")
        case .badPairedOtherHas:
            return row(
                "the same, registered incarnation of the other side has it", .fetch,
                "The other side holds the record: it is fetched from there.")
        case .badPairedOtherLacks:
            return row(
                "the same, registered incarnation covers the position before by the same chain and ends there", .cut,
                "The other side never had it, so it was never acknowledged: cut, and the bytes are kept aside.")
        case .badPairedOtherBad:
            return row(
                "the same, bad there too", .stop,
                "The record is bad on both sides. The side stops; "
                    + "an operator restores from a snapshot or decides for a cut."
            )
        case .badPairedOtherIncarnation:
            return row(
                "the same, another incarnation answers", .stop,
                "The other side was formatted or restored since, so its word counts for nothing. "
                    + "The side stops for the operator."
            )
        case .badPairedUnreachableZeroSector:
            return row(
                "the same, other side unreachable or not asked, a 512-byte sector of the batch is all zero", .cut,
                "It was never written whole, so its flush never returned and nobody was told: cut, "
                    + "and the bytes are kept aside. Going alone is allowed.")
        case .badPairedUnreachable:
            return row(
                "the same, other side unreachable, no such sector", .isolatedDisabled,
                "Whether it was acknowledged cannot be known here. The side does not serve until the other side or an "
                    + "operator speaks.")
        case .holeBeforeUndurable:
            return row(
                "valid batches after a hole whose durable sequence lies before the hole", .judgeAsTail,
                "Unsynced writes that reached the disk out of order: a tail, not rot.")
        case .contradiction:
            return row(
                "chain break between good batches, epoch going down, gap", .fetchOrStop,
                "A misdirected or lost write (as rot). Nothing was cut. Fetch what is missing from the other side, or "
                    + "restore from the newest good snapshot; a single side stops here for the operator.")
        }
    }

    /// The whole table as text, one row a paragraph.
    package static func dump() -> String {
        RecoveryFinding.allCases.map { finding in
            let row = row(finding)
            return
                "\(finding.rawValue)\n  found: \(row.found)\n  decision: \(row.decision.rawValue)\n"
                + "  says: \(row.sentence)\n"
        }.joined(separator: "\n")
    }
}

/// What the other side says of a record that is bad here.
package enum OtherSideWord: Hashable, Sendable {
    case notAsked
    case unreachable
    case has
    /// Its log covers the position before by the same chain and ends there.
    case cleanlyLacks
    case badToo
    case anotherIncarnation
}

/// What is known about a bad position; the classification that leads to a row.
package struct BadPosition: Hashable, Sendable {
    /// Something later says that a record at or after this position was durable.
    package var knownDurable: Bool
    package var epochWasPaired: Bool
    package var otherSide: OtherSideWord
    package var zeroSector: Bool

    package init(knownDurable: Bool, epochWasPaired: Bool, otherSide: OtherSideWord, zeroSector: Bool) {
        self.knownDurable = knownDurable
        self.epochWasPaired = epochWasPaired
        self.otherSide = otherSide
        self.zeroSector = zeroSector
    }

    package var finding: RecoveryFinding {
        if knownDurable { return .badKnownDurable }
        guard epochWasPaired else { return .badAlone }
        switch otherSide {
        // Proven never written whole, whatever the other side will say.
        case .notAsked: return zeroSector ? .badPairedUnreachableZeroSector : .badPairedNotAsked
        case .has: return .badPairedOtherHas
        case .cleanlyLacks: return .badPairedOtherLacks
        case .badToo: return .badPairedOtherBad
        case .anotherIncarnation: return .badPairedOtherIncarnation
        case .unreachable: return zeroSector ? .badPairedUnreachableZeroSector : .badPairedUnreachable
        }
    }
}
