internal import ByteCoding
package import CallModel
package import ContextStore
package import Duplex
package import Ledger
internal import WriteAheadLog

// MARK: Answers

extension ReplicatedLedger {
    /// Adds to an outcome what the store holds of it. Reads nothing that a later batch could have removed: it runs
    /// in the same turn as the commit.
    func answer(
        _ outcome: Outcome, record: Record, at sequence: LogSequence, time: BatchTime
    ) -> Result<LedgerAnswer, LedgerRefusal> {
        do throws(StoreError) {
            switch outcome {
            case .reserved(let reserved):
                let parked = try parkedReservation(reserved.reservation)
                return .success(LedgerAnswer(outcome: outcome, sequence: sequence, time: time, reservation: parked))
            case .claimed(let claimed):
                let parked = try parkedReservation(claimed.reservation)
                return .success(LedgerAnswer(outcome: outcome, sequence: sequence, time: time, reservation: parked))
            case .dialogOpened(let opened) where opened.repeated:
                return .success(try dialogAnswer(outcome, dialog: opened.dialog, at: sequence, time: time))
            case .answerRecorded:
                guard case .recordAnswer(let recorded) = record else { break }
                return .success(try dialogAnswer(outcome, dialog: recorded.dialog, at: sequence, time: time))
            default: break
            }
            return .success(LedgerAnswer(outcome: outcome, sequence: sequence, time: time))
        } catch {
            let reason = "the store holds a damaged row: \(error)"
            stop(reason)
            return .failure(.unavailable(reason: reason))
        }
    }

    private func parkedReservation(_ reservation: ReservationID) throws(StoreError) -> ParkedReservation {
        try parked(at: reservation.sequence, ParkedReservation.init(key:value:))
    }

    private func dialogAnswer(
        _ outcome: Outcome, dialog: DialogID, at sequence: LogSequence, time: BatchTime
    ) throws(StoreError) -> LedgerAnswer {
        let row = ledger.dialog(dialog)
        let answer = try (row?.final ?? row?.handoff).map { (recorded: LogSequence) throws(StoreError) in
            try parked(at: recorded, ParkedAnswer.init(key:value:))
        }
        return LedgerAnswer(
            outcome: outcome, sequence: sequence, time: time, answer: answer, closeReason: row?.closeReason)
    }

    private func parked<Row>(
        at sequence: LogSequence, _ decode: (_ key: [UInt8], _ value: [UInt8]) throws(ByteFault) -> Row
    ) throws(StoreError) -> Row {
        let key = sequence.storeKey
        guard let value = try store.value(.contexts, key: key) else {
            throw .damagedRow(path: "store", table: .contexts, key: key, reason: "it is missing")
        }
        let fault: String
        do throws(ByteFault) {
            return try decode(key, value)
        } catch {
            fault = "\(error)"
        }
        throw .damagedRow(path: "store", table: .contexts, key: key, reason: fault)
    }
}

// MARK: Inspection

extension ReplicatedLedger: LedgerView {
    package var position: Position { committed }

    package var time: BatchTime { committedTime }

    /// Finer than the state that ``status`` shows.
    package var pairState: PairState { machine.state }

    /// What this side is durably bound to.
    package var promise: PairRegister? { machine.promise }

    /// Only the other side can say whether the end of this side's log was acknowledged.
    package var isTailUndecided: Bool { machine.bond.tailUndecided }

    package var status: SideStatus {
        var status = SideStatus()
        status.instance = ledger.configuration?.instance.text ?? ""
        status.side = superblock.identity.side
        status.state = isSingle ? "single" : machine.state.shownName
        status.notServing = stopReason ?? notServing
        status.position = committed
        status.durable = log.durable
        status.stored = store.durablePosition
        let lag = store.lag
        status.lagBytes = lag.bytes
        status.lagMilliseconds = lag.milliseconds
        status.batches = batchCount
        status.records = recordCount
        status.flushMicrosecondsP50 = flushTimes.percentile(0.5)
        status.flushMicrosecondsP99 = flushTimes.percentile(0.99)
        status.busyReason = pressure
        status.pair = pairStatus
        return status
    }

    /// Damage found by an inspection stops the side, as it does when a call meets it.
    package func value(_ table: Table, key: [UInt8]) -> [UInt8]? {
        do throws(StoreError) {
            return try store.value(table, key: key)
        } catch {
            storeFailed(error)
            return nil
        }
    }

    package func rows(_ table: Table, from: [UInt8], limit: Int) -> [StoreRow] {
        do throws(StoreError) {
            return try store.rows(table, from: from, limit: limit)
        } catch {
            storeFailed(error)
            return []
        }
    }
}
