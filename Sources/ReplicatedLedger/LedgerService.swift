package import CallModel
package import ContextStore
package import Ledger

/// What the services above ask of the replicated ledger: the only way to change state, and to read it as it stands.
/// The same for one side and for a pair. Safe to call from any thread; `reply` runs on the ledger's own thread and
/// must not block.
package protocol LedgerService: Sendable {
    /// Orders, logs, applies and answers a record. The reply comes once: the outcome after the record is committed
    /// (durable wherever it must be), or a refusal when it certainly has no effect, or `unavailable` at the deadline,
    /// when the effect is unknown and the same identity may ask again.
    func submit(
        _ record: Record, deadlineMilliseconds: UInt32,
        reply: @escaping @Sendable (Result<LedgerAnswer, LedgerRefusal>) -> Void
    )

    /// What an operator asks of the pair. Returns when it is done.
    func order(_ order: PairOrder) async throws(LedgerRefusal)

    /// Runs `body` on the ledger's thread with the committed state. Keep it short: nothing else is served meanwhile.
    func read<Value: Sendable>(_ body: @escaping @Sendable (any LedgerView) -> Value) async throws(LedgerRefusal)
        -> Value
}

extension LedgerService {
    package func submit(_ record: Record, deadlineMilliseconds: UInt32) async throws(LedgerRefusal) -> LedgerAnswer {
        let result = await withCheckedContinuation { continuation in
            submit(record, deadlineMilliseconds: deadlineMilliseconds) { continuation.resume(returning: $0) }
        }
        return try result.get()
    }
}

/// The outcome of a committed record, with what the store holds of it.
package struct LedgerAnswer: Sendable {
    package let outcome: Outcome
    /// Where the record stands in the log.
    package let sequence: LogSequence
    package let time: BatchTime
    /// For `reserved` and `claimed`: what is parked under the reservation.
    package let reservation: ParkedReservation?
    /// For `dialogOpened` (repeated) and `answerRecorded`: the answer that counts, if there is one (final, else handoff).
    package let answer: ParkedAnswer?
    /// For `dialogOpened` (repeated): how it was closed, if it was.
    package let closeReason: CloseReason?

    package init(
        outcome: Outcome, sequence: LogSequence, time: BatchTime, reservation: ParkedReservation? = nil,
        answer: ParkedAnswer? = nil, closeReason: CloseReason? = nil
    ) {
        self.outcome = outcome
        self.sequence = sequence
        self.time = time
        self.reservation = reservation
        self.answer = answer
        self.closeReason = closeReason
    }
}

/// Why a record got no outcome.
package enum LedgerRefusal: Error, Equatable, Sendable, CustomStringConvertible {
    /// The side cannot serve now, or could not before the deadline. Whether the record counts may be unknown: the
    /// same identity asks again.
    case unavailable(reason: String)
    /// New reservations must wait (store behind, disk or quota full, queue full); nothing was changed.
    case busy(reason: String)
    /// The record can never be taken.
    case tooLarge(bytes: Int, limit: Int)

    package var description: String {
        switch self {
        case .unavailable(let reason): "unavailable: \(reason)"
        case .busy(let reason): "busy: \(reason)"
        case .tooLarge(let bytes, let limit): "the record has \(bytes) bytes; the limit is \(limit)"
        }
    }
}

/// Committed state, for inspection.
package protocol LedgerView {
    var ledger: Ledger { get }
    /// What the ledger stands at.
    var position: Position { get }
    var time: BatchTime { get }
    var status: SideStatus { get }
    /// A row as it stands now, whether LMDB holds it already or not.
    func value(_ table: Table, key: [UInt8]) -> [UInt8]?
    /// Rows with keys not before `from`, in key order.
    func rows(_ table: Table, from: [UInt8], limit: Int) -> [StoredRow]
}

package typealias StoredRow = StoreRow

/// How one side is doing, for status, readiness and metrics.
package struct SideStatus: Hashable, Sendable {
    package var instance: String = ""
    package var side: Side = .a
    /// The state's name as in DOMAIN.md, or `single` when no other side is configured.
    package var state: String = "single"
    /// Why it does not serve; nil when it does.
    package var notServing: String?
    package var position: Position = .zero
    package var durable: Position = .zero
    /// Where LMDB stands, and how far behind.
    package var stored: Position = .zero
    package var lagBytes: Int = 0
    package var lagMilliseconds: UInt64 = 0
    package var batches: UInt64 = 0
    package var records: UInt64 = 0
    /// Of the last 1,024 batches: time from hand-over to the disk until durable, microseconds.
    package var flushMicrosecondsP50: UInt64 = 0
    package var flushMicrosecondsP99: UInt64 = 0
    package var busyReason: String?
    /// Nil on a single side.
    package var pair: PairStatus?

    package init() {}
}

/// An operator's word about the pair (`baton pair`).
package enum PairOrder: String, Hashable, Sendable, CaseIterable {
    /// Hand the order over to the other side, without refusing a request (R14).
    case switchSides
    /// Begin the pair anew on this formatted side (R0).
    case initialise
    /// Serve in the place of the other side, which is powered off; what only it knew is lost (R13).
    case force
}

/// One side's view of its pair.
package struct PairStatus: Hashable, Sendable {
    /// The sentence of the table that led to the present state.
    package var because: String = ""
    /// What this side is bound to, durably; nil on a side that never took part.
    package var promise: PairRegister?
    /// The newest register value seen, where it is another one.
    package var seen: PairRegister?
    /// An incarnation with which this side is pairing.
    package var intent: UInt64?
    package var isConnected = false
    package var otherPromise: PairRegister?
    /// Up to here the other side said that the log is durable there.
    package var otherDurable: LogSequence = .zero
    /// A swap at the witness without an answer yet.
    package var swapUnderWay = false
    /// The sides came to different states at one position.
    package var hasDiverged = false

    package init() {}
}
