internal import ByteCoding
package import CallModel
package import Ledger
internal import ReplicatedLedger
package import WriteAheadLog

/// What the sides were seen to have committed, event by event: committed prefixes agree, equal position means equal
/// chain and digest, and only a side that orders commits what nobody had committed before.
package struct CommittedPositions {
    private struct Seen {
        let position: Position
        let digest: Digest
        let side: Side
    }

    private var seen: [LogSequence: Seen] = [:]
    private var last: [Side: Position] = [:]
    /// Whether the side ordered when it was looked at last: one event may commit first and give the order up then.
    private var ordered: [Side: Bool] = [:]
    package private(set) var newest = Position.zero

    package init() {}

    /// A side stands here. Returns what must never be.
    package mutating func see(_ position: Position, _ digest: Digest, at side: Side, orders: Bool) -> String? {
        let orders = (ordered.updateValue(orders, forKey: side) ?? false) || orders
        if last[side] == position { return nil }
        last[side] = position
        if let before = seen[position.sequence] {
            if before.position.chain != position.chain {
                return "\(side) committed \(position), where \(before.side) had committed \(before.position)"
            }
            if let table = before.digest.firstDifference(from: digest) {
                return "\(side) and \(before.side) differ at \(position), first in table \(table)"
            }
            return nil
        }
        seen[position.sequence] = Seen(position: position, digest: digest, side: side)
        if position.sequence > newest.sequence {
            newest = position
            if !orders { return "\(side), which does not order, was the first to commit \(position)" }
        }
        return nil
    }

    /// A side begins a new life.
    package mutating func restarted(_ side: Side) {
        last[side] = nil
        ordered[side] = nil
    }

    /// Whatever was ever committed stands on the log in the end.
    package func contradictions(to log: [LoggedBatch]) -> [String] {
        var ends: [LogSequence: Position] = [:]
        for batch in log { ends[batch.lastSequence] = batch.position }
        return seen.values.compactMap { seen in
            guard seen.position.sequence > .zero, ends[seen.position.sequence]?.chain != seen.position.chain else {
                return nil
            }
            return "\(seen.side) had committed \(seen.position), which is not on the log"
        }.sorted()
    }
}

/// Holds what clients were told against the order of the log, and the order against a dictionary of what is reserved,
/// claimed and released.
///
/// The log's order is the linearization: it is one total order of all operations; that it keeps the order of real time
/// is checked when each answer is given (``AcknowledgedAnswer/floor``), that every answer is the one a dictionary gives
/// in that order is checked here. Together that is linearizability of every key, and of all keys together.
package struct PairHistory {
    package private(set) var violations: [String] = []
    private var ledger = Ledger()
    private var records: [Record] = []
    private var outcomes: [Outcome] = []
    private var times: [BatchTime] = []
    private var entries: [TranslationRouteKey: Entry] = [:]
    private var reservations: [ReservationID: Reservation] = [:]

    private struct Entry {
        var newest: ReservationID?
        /// Calls that were told stray here.
        var toldStray: Set<CallID> = []
    }

    private struct Reservation {
        let first: Reserved
        let record: Reserve
        var claimant: CallID?
        var isReleased = false
    }

    package init(log: [LoggedBatch], answers: [AcknowledgedAnswer]) {
        replay(log)
        for given in answers { compare(given) }
    }

    /// Of the log's last record.
    package var digest: Digest { ledger.digest }

    private mutating func fail(_ what: String) { if violations.count < 20 { violations.append(what) } }

    // MARK: The order of the log

    private mutating func replay(_ log: [LoggedBatch]) {
        var changes: [Change] = []
        for batch in log {
            changes.removeAll()
            ledger.begin(batch.time, first: batch.firstSequence, changes: &changes)
            if batch.firstSequence.number != UInt64(records.count) + 1 {
                return fail("the log goes on with \(batch.firstSequence) behind \(records.count) records")
            }
            for bytes in batch.records {
                guard let record = try? Record(decoding: bytes) else {  // Reported: a record that cannot be read.
                    return fail("a record of the log cannot be read")
                }
                records.append(record)
                times.append(batch.time)
                let sequence = LogSequence(UInt64(records.count))
                let outcome = ledger.apply(record, sequence: sequence, changes: &changes)
                outcomes.append(outcome)
                check(record, outcome, sequence, batch.time.log)
            }
        }
    }

    // MARK: The dictionary

    private mutating func check(_ record: Record, _ outcome: Outcome, _ sequence: LogSequence, _ now: LogTime) {
        switch (record, outcome) {
        case (.reserve(let asked), .reserved(let given)): reserved(asked, given, sequence, now)
        case (.claim(let asked), .claimed(let given)): claimed(asked, given, sequence)
        case (.claim(let asked), .stray): stray(asked, sequence, now)
        case (.release(let asked), .released(let given)): released(asked, given, sequence)
        default: break
        }
    }

    private mutating func reserved(_ asked: Reserve, _ given: Reserved, _ sequence: LogSequence, _ now: LogTime) {
        if given.repeated {
            guard let first = reservations[given.reservation], first.record.identity == asked.identity,
                first.first.key == given.key, first.first.label == given.label, first.first.callKey == given.callKey
            else { return fail("\(sequence): a repeated reservation got another answer than the first: \(given)") }
            return
        }
        if reservations[given.reservation] != nil { fail("\(sequence): \(given.reservation) was given twice") }
        if let standing = entries[given.key]?.newest.flatMap({ reservations[$0] }), standing.claimant == nil,
            !standing.isReleased, now < standing.first.expiresAt
        {
            fail("\(sequence): \(given.key) was reserved while \(standing.first.reservation) waits there")
        }
        reservations[given.reservation] = Reservation(first: given, record: asked)
        entries[given.key, default: Entry()].newest = given.reservation
    }

    private mutating func claimed(_ asked: Claim, _ given: Claimed, _ sequence: LogSequence) {
        guard var reservation = reservations[given.reservation], reservation.first.key == asked.key,
            entries[asked.key]?.newest == given.reservation
        else { return fail("\(sequence): a claim got \(given.reservation), which does not wait on \(asked.key)") }
        if let claimant = reservation.claimant {
            if claimant != asked.callID {
                fail("\(sequence): \(given.reservation) was claimed by \(asked.callID) and by \(claimant)")
            }
            if !given.repeated { fail("\(sequence): a repeated claim of \(given.reservation) is not marked") }
        } else {
            if given.repeated { fail("\(sequence): the first claim of \(given.reservation) is marked as a repeat") }
            if reservation.isReleased { fail("\(sequence): \(given.reservation) was claimed after its release") }
        }
        if reservation.first.callKey != given.callKey { fail("\(sequence): a claim got another call's key") }
        reservation.claimant = asked.callID
        reservations[given.reservation] = reservation
    }

    private mutating func stray(_ asked: Claim, _ sequence: LogSequence, _ now: LogTime) {
        var entry = entries[asked.key] ?? Entry()
        if let standing = entry.newest.flatMap({ reservations[$0] }), !standing.isReleased,
            standing.claimant == nil, now < standing.first.expiresAt, !entry.toldStray.contains(asked.callID)
        {
            fail("\(sequence): \(asked.callID) was told stray while \(standing.first.reservation) waits")
        }
        entry.toldStray.insert(asked.callID)
        entries[asked.key] = entry
    }

    private mutating func released(_ asked: Release, _ given: Released, _ sequence: LogSequence) {
        guard given.released else { return }
        guard var reservation = reservations[asked.reservation], reservation.claimant == nil, !reservation.isReleased
        else { return fail("\(sequence): \(asked.reservation) was released, and did not wait any more") }
        reservation.isReleased = true
        reservations[asked.reservation] = reservation
    }

    // MARK: What clients were told

    private mutating func compare(_ given: AcknowledgedAnswer) {
        let index = Int(given.answer.sequence.number) - 1
        guard records.indices.contains(index), records[index] == given.record else {
            return fail("\(given.record) was acknowledged at \(given.side) as \(given.answer.sequence) and is lost")
        }
        if outcomes[index] != given.answer.outcome {
            fail(
                "\(given.record) was acknowledged at \(given.side) with \(given.answer.outcome); the log says "
                    + "\(outcomes[index])")
        }
        if times[index] != given.answer.time { fail("\(given.answer.sequence) was acknowledged with another time") }
        let reservation = outcomes[index].reservedNow?.reservation ?? outcomes[index].claimedNow?.reservation
        if let reservation, let first = reservations[reservation] {
            let parked = given.answer.reservation
            if parked?.context != first.record.context || parked?.target != first.record.target {
                fail("\(given.answer.sequence) was answered with another call's context")
            }
        }
    }
}
