internal import ByteCoding
package import CallModel
internal import ContextStore
package import Ledger
package import ReplicatedLedger
internal import Synchronization

/// The ledger as the services see it, without log and store: for their tests only. Each record is a batch of its own,
/// committed at once; time stands still until it is moved.
package final class InMemoryLedger: LedgerService {
    private struct State {
        var core: InMemoryCore
        var refusal: (@Sendable (Record) -> LedgerRefusal?)?
        var withheld: [@Sendable () -> Void]?
        var submissions: [(record: Record, deadlineMilliseconds: UInt32)] = []
    }

    private let state: Mutex<State>

    /// Begins at the wall time, and with the configuration as its first record.
    package init(_ configuration: LedgerConfiguration, wall: WallTime = WallTime(milliseconds: 1_795_000_000_000)) {
        var core = InMemoryCore(wall: wall)
        _ = core.commit(.configure(configuration))
        state = Mutex(State(core: core))
    }

    package func submit(
        _ record: Record, deadlineMilliseconds: UInt32,
        reply: @escaping @Sendable (Result<LedgerAnswer, LedgerRefusal>) -> Void
    ) {
        let send = state.withLock { state -> (@Sendable () -> Void)? in
            if let refusal = state.refusal?(record) { return { reply(.failure(refusal)) } }
            state.submissions.append((record, deadlineMilliseconds))
            let answer = state.core.commit(record)
            guard state.withheld != nil else { return { reply(.success(answer)) } }
            state.withheld?.append { reply(.success(answer)) }
            return nil
        }
        send?()
    }

    /// There is no pair here.
    package func order(_ order: PairOrder) async throws(LedgerRefusal) {
        throw .unavailable(reason: "no other side is configured")
    }

    package func read<Value: Sendable>(
        _ body: @escaping @Sendable (any LedgerView) -> Value
    ) async throws(LedgerRefusal) -> Value {
        body(state.withLock { $0.core })
    }

    /// Both times go on. What becomes due moves, as with a `clock` record.
    package func advance(seconds: UInt32) {
        state.withLock { state in
            state.core.advance(milliseconds: UInt64(seconds) * 1000)
            _ = state.core.commit(.clock)
        }
    }

    /// While set, records for which it gives a refusal are refused with it, and have no effect.
    package func refuse(_ refusal: (@Sendable (Record) -> LedgerRefusal?)?) { state.withLock { $0.refusal = refusal } }

    /// Records are committed from now on, but their replies wait for ``sendReplies()``.
    package func withholdReplies() { state.withLock { $0.withheld = $0.withheld ?? [] } }

    package func sendReplies() {
        let withheld = state.withLock { state -> [@Sendable () -> Void] in
            defer { state.withheld = nil }
            return state.withheld ?? []
        }
        for send in withheld { send() }
    }

    /// The records committed so far, without the configuration and clock records of this double itself.
    package var records: [Record] { state.withLock { $0.submissions.map(\.record) } }

    /// The deadlines that they were submitted with.
    package var deadlinesMilliseconds: [UInt32] { state.withLock { $0.submissions.map(\.deadlineMilliseconds) } }

    /// Committed state as it stands.
    package var view: any LedgerView { state.withLock { $0.core } }
}

/// The ledger and the rows its changes have led to.
private struct InMemoryCore: LedgerView, Sendable {
    var ledger = Ledger()
    var time: BatchTime
    private var last = LogSequence.zero
    private var tables: [Table: [[UInt8]: [UInt8]]] = [:]

    init(wall: WallTime) { time = BatchTime(log: .zero, wall: wall) }

    var position: Position { Position(epoch: 1, sequence: last, chain: .zero) }

    var status: SideStatus {
        var status = SideStatus()
        status.instance = ledger.configuration?.instance.text ?? ""
        status.position = position
        status.durable = position
        status.stored = position
        status.records = last.number
        return status
    }

    mutating func advance(milliseconds: UInt64) {
        time = BatchTime(
            log: LogTime(milliseconds: time.log.milliseconds + milliseconds),
            wall: WallTime(milliseconds: time.wall.milliseconds + Int64(milliseconds)))
    }

    mutating func commit(_ record: Record) -> LedgerAnswer {
        var changes: [Change] = []
        let sequence = last.next
        ledger.begin(time, first: sequence, changes: &changes)
        let outcome = ledger.apply(record, sequence: sequence, changes: &changes)
        last = sequence
        for change in changes { tables[change.table, default: [:]][change.key] = change.value }
        return answer(outcome, to: record, sequence)
    }

    private func answer(_ outcome: Outcome, to record: Record, _ sequence: LogSequence) -> LedgerAnswer {
        switch outcome {
        case .reserved(let reserved): answer(outcome, sequence, parked: reserved.reservation)
        case .claimed(let claimed): answer(outcome, sequence, parked: claimed.reservation)
        case .dialogOpened(let opened) where opened.repeated: answer(outcome, sequence, of: opened.dialog)
        case .answerRecorded:
            if case .recordAnswer(let answer) = record {
                self.answer(outcome, sequence, of: answer.dialog)
            } else {
                preconditionFailure("\(record) came out as a recorded answer")
            }
        default: LedgerAnswer(outcome: outcome, sequence: sequence, time: time)
        }
    }

    private func answer(_ outcome: Outcome, _ sequence: LogSequence, parked: ReservationID) -> LedgerAnswer {
        let reservation = row(parked.contextKey, ParkedReservation.init(key:value:))
        return LedgerAnswer(outcome: outcome, sequence: sequence, time: time, reservation: reservation)
    }

    private func answer(_ outcome: Outcome, _ sequence: LogSequence, of dialog: DialogID) -> LedgerAnswer {
        let dialog = ledger.dialog(dialog)
        let parked = (dialog?.final ?? dialog?.handoff).flatMap {
            row(ParkedAnswer.storeKey($0), ParkedAnswer.init(key:value:))
        }
        return LedgerAnswer(
            outcome: outcome, sequence: sequence, time: time, answer: parked, closeReason: dialog?.closeReason)
    }

    private func row<Row>(_ key: [UInt8], _ decode: ([UInt8], [UInt8]) throws(ByteFault) -> Row) -> Row? {
        guard let value = tables[.contexts]?[key] else { return nil }
        do {
            return try decode(key, value)
        } catch {
            preconditionFailure("the ledger wrote a row that it cannot read: \(error)")
        }
    }

    func value(_ table: Table, key: [UInt8]) -> [UInt8]? { tables[table]?[key] }

    func rows(_ table: Table, from: [UInt8], limit: Int) -> [StoredRow] {
        (tables[table] ?? [:]).filter { !$0.key.lexicographicallyPrecedes(from) }
            .sorted { $0.key.lexicographicallyPrecedes($1.key) }.prefix(limit)
            .map { StoredRow(key: $0.key, value: $0.value) }
    }
}
