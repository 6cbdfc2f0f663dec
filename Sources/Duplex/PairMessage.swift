package import CallModel

/// Where a side stands.
package struct PairStanding: Hashable, Sendable {
    /// Nil on a formatted side.
    package var promise: PairRegister?
    /// After the last batch of its log.
    package var end: Position
    /// Its log had a bad tail, and only the other side can say whether that was acknowledged.
    package var tailUndecided: Bool

    package init(promise: PairRegister?, end: Position, tailUndecided: Bool = false) {
        self.promise = promise
        self.end = end
        self.tailUndecided = tailUndecided
    }
}

/// What a side says of itself when a session begins.
package struct PairHello: Hashable, Sendable {
    package var incarnation: UInt64
    package var standing: PairStanding

    package init(incarnation: UInt64, standing: PairStanding) {
        self.incarnation = incarnation
        self.standing = standing
    }
}

/// Stands on every frame (R2).
package struct PairFrameHeader: Hashable, Sendable {
    /// Of the connection: both sides' numbers, drawn at the handshake, make it.
    package var session: UInt64
    /// The sender's promise.
    package var epoch: UInt64
    package var incarnation: UInt64

    package init(session: UInt64, epoch: UInt64, incarnation: UInt64) {
        self.session = session
        self.epoch = epoch
        self.incarnation = incarnation
    }
}

/// What the sides say to each other about the pair. Batches, forwarded records and snapshots travel beside it.
package enum PairMessage: Hashable, Sendable {
    /// At each change, and with each heartbeat.
    case register(PairStanding)
    /// A register value that the sender saw at the witness.
    case seen(PairRegister)
    /// Whether the receiver's end lies on the sender's log. When it does, what follows is streamed.
    case compared(agrees: Bool)
    case resume
    /// Asks where the sender's log is to go on: its batch ends from the last committed one on, oldest first.
    case join(ends: [Position])
    case alignTo(Position)
    case snapshotNeeded
    case aligned(end: Position)
    /// Everything up to here is durable at the sender.
    case durable(Position)
    /// What the ordering side knows to be committed.
    case committed(LogSequence)
    /// Does the receiver still stand by this epoch and session? (R8)
    case confirm(token: UInt64)
    case confirmed(token: UInt64, committed: LogSequence)
}

/// What the machine asks about this side's log.
package protocol PairLog {
    /// A batch ends exactly here, by sequence and chain. Zero lies on every log.
    func holds(_ position: Position) -> Bool
    /// Ends of batches from the one at or before `sequence` on, oldest first, as many as a frame may carry.
    func ends(from sequence: LogSequence) -> [Position]
    /// Before the oldest record that is still there.
    var base: LogSequence { get }
}

/// What a side is bound to, durably.
package struct PairBond: Hashable, Sendable {
    package var promise: PairRegister?
    package var intent: JointIntent?
    package var tailUndecided: Bool

    package init(promise: PairRegister?, intent: JointIntent? = nil, tailUndecided: Bool = false) {
        self.promise = promise
        self.intent = intent
        self.tailUndecided = tailUndecided
    }
}

/// The witness's answer to a swap. No answer is no answer: the outcome is then unknown (R6).
package enum SwapAnswer: Hashable, Sendable {
    case swapped
    case differs(PairRegister?)
}

/// What happened.
package enum PairInput: Hashable, Sendable {
    case sessionOpened(session: UInt64, PairHello)
    case sessionLost
    case message(PairFrameHeader, PairMessage)
    /// A start has waited long enough for the other side.
    case waitOver
    case swapAnswered(token: UInt64, SwapAnswer)
    /// A swap has waited long enough for its answer.
    case swapOverdue
    /// The oldest bond written is durable.
    case bondDurable
    /// A batch was put at the end of the log, by this side's order or from the other side's stream.
    case appended(Position)
    case logDurable(Position)
    /// What ``PairAction/cutLog(to:)`` asked is done.
    case logCut(Position)
    case read(token: UInt64)
    case switchAsked
    case switchOverdue(stalled: Bool)
    case forceAsked
    case initAsked
}

/// What is to be done, in order.
package enum PairAction: Hashable, Sendable {
    case send(PairMessage)
    case swap(expected: PairRegister?, value: PairRegister, token: UInt64)
    /// Answered by ``PairInput/bondDurable``, in order.
    case writeBond(PairBond)
    /// From here on the other side gets every batch behind the position, old ones and new ones.
    case stream(after: Position)
    /// The epoch's record is to be the next one in the log.
    case openEpoch(PairRegister)
    case cutLog(to: Position)
    case resync
    case takeUpDialogs
    case endSession(reason: String)
    case alarm(String)
    case committed(LogSequence)
    /// The read may be served: what is committed here is current.
    case readConfirmed(token: UInt64)
    /// Ask again, or give up at the deadline.
    case readVoid(token: UInt64)
    /// A row of the table was followed.
    case moved(from: PairState, PairEvent, PairRow)
}
