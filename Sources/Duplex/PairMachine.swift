package import ByteCoding
package import CallModel

/// One side's part in the pair: which events mean what, and what the table lets it do about them. A value without
/// clock, chance or I/O: whoever drives it hands in what happened and carries out what comes back, in order. The same
/// code runs in production, in the simulation and in the model check.
///
/// Invariants: it commits by the present state's rule only (``PairState/commits``); it is bound by `bond` only when that
/// is durable, and acts on a register value only when bound to it; frames of another session or incarnation change
/// nothing.
package struct PairMachine<Rules: PairRules>: Hashable, Sendable {
    package let side: Side
    package let incarnation: UInt64
    package internal(set) var state: PairState
    /// What is durable of promise and intent.
    package internal(set) var bond: PairBond
    /// The newest register value known, from the witness or the other side; our promise where nothing newer is.
    package internal(set) var known: PairRegister?

    // This side's log.
    package internal(set) var end: Position
    package internal(set) var durable: Position
    package internal(set) var committed: LogSequence
    /// What was in the log when this side began to order: read only when all of it is committed (R8).
    var inheritedEnd: LogSequence = .zero

    // The other side, in the present session.
    var other: Other?
    var swap: Swap?
    var swapToken: UInt64 = 0
    var nonce: Hash128
    /// Bonds on their way to the disk, oldest first.
    var bonds: [PairBond] = []
    /// While comparing as the active side: how far the other's longer log is to be fetched, and whether it comes.
    var fetching: Fetching?
    var reads: [PendingRead] = []
    /// The log is to be cut, and is not yet: no bond written before that says that it is aligned.
    var awaitsCut = false

    struct Other: Hashable, Sendable {
        let session: UInt64
        let incarnation: UInt64
        var promise: PairRegister?
        var end: Position
        /// On our log, acknowledged in this session.
        var durable: LogSequence = .zero
        /// What it said is committed.
        var committed: LogSequence = .zero
        var tailUndecided: Bool
        /// It has aligned its log with ours in this session.
        var isAligned = false
    }

    struct Swap: Hashable, Sendable {
        let expected: PairRegister?
        let value: PairRegister
        var token: UInt64
        /// Still wanted; else only its answer is waited for.
        var isWanted = true
    }

    struct Fetching: Hashable, Sendable {
        let target: LogSequence
        var comes = false
    }

    struct PendingRead: Hashable, Sendable {
        let token: UInt64
        /// The other side's word has come: what must be committed here before it is served.
        var confirmed: LogSequence?
    }

    /// A side as its disk shows it. `nonce`: drawn at each start, so that no two swaps ever have equal values.
    package init(
        side: Side, incarnation: UInt64, bond: PairBond, end: Position, committed: LogSequence, nonce: Hash128
    ) {
        self.side = side
        self.incarnation = incarnation
        self.bond = bond
        self.end = end
        self.committed = committed
        self.nonce = nonce
        durable = end
        known = bond.promise
        state = .connecting
    }

    /// The first thing after a start.
    package mutating func start(_ log: some PairLog) -> [PairAction] {
        var actions: [PairAction] = []
        guard let promise = bond.promise else {
            // R0: only side A begins a pair by itself; B, and a side that finds a register, joins.
            state = side == .a && end == .zero ? .connecting : .isolatedDisabled
            if state == .connecting { follow(.initAsked, log, &actions) }
            return actions
        }
        switch (promise.mode, promise.active == side) {
        case (.alone, true):
            if bond.intent != nil || promise.incarnation(of: side) == 0 {
                state = .settling
                perform(.swapToSettle, .moved, log, &actions)
            } else {
                state = .isolatedEnabled
                perform(.openEpoch, .moved, log, &actions)
            }
        case (.alone, false): state = .isolatedDisabled
        case (.paired, _): state = .connecting
        }
        progress(log, &actions)
        return actions
    }

    /// No other side is configured: this one serves alone, and nobody is asked.
    package mutating func startSingle(log: some PairLog) -> [PairAction] {
        var actions: [PairAction] = []
        state = .isolatedEnabled
        perform(.openEpoch, .moved, log, &actions)
        progress(log, &actions)
        return actions
    }

    package var promise: PairRegister? { bond.promise }
    /// Up to here the other side has acknowledged in this session.
    package var otherDurable: LogSequence { other?.durable ?? .zero }
    package var otherPromise: PairRegister? { other?.promise }
    package var hasSession: Bool { other != nil }
    package var session: UInt64? { other?.session }

    /// For the next frame of the present session.
    package var header: PairFrameHeader {
        PairFrameHeader(session: other?.session ?? 0, epoch: bond.promise?.epoch ?? 0, incarnation: incarnation)
    }

    /// What this side says of itself when a session begins, at each change, and with each heartbeat.
    package var standing: PairStanding {
        PairStanding(promise: bond.promise, end: end, tailUndecided: bond.tailUndecided)
    }

    /// Batches of the other side are taken now.
    package var takesBatches: Bool { state.follows || fetching?.comes == true }

    package var hasSwapUnderWay: Bool { swap?.isWanted == true }

    /// Waits for a session that may never come: ``PairInput/waitOver`` ends that.
    package var waitsForOther: Bool {
        switch state {
        case .connecting, .comparing: bond.promise?.mode == .paired
        case .isolatedDisabled: other == nil && bond.promise?.mode == .alone
        default: false
        }
    }

    /// Whether a frame counts. When not, ``PairMessage/register(_:)`` is the answer (R2).
    package func admits(_ header: PairFrameHeader) -> Bool {
        guard let other else { return false }
        return Rules.admits(header, session: other.session, incarnation: other.incarnation)
    }

    // MARK: Inputs

    package mutating func handle(_ input: PairInput, log: some PairLog) -> [PairAction] {
        var actions: [PairAction] = []
        switch input {
        case .sessionOpened(let session, let hello): sessionOpened(session, hello, log, &actions)
        case .sessionLost: sessionLost(log, &actions)
        case .message(let header, let message):
            if admits(header) {
                take(message, log, &actions)
            } else if other != nil {
                actions.append(.send(.register(standing)))
            }
        case .waitOver: if waitsForOther && other?.promise != bond.promise { lost(.otherAbsent, log, &actions) }
        case .swapAnswered(let token, let answer): swapAnswered(token, answer, log, &actions)
        case .swapOverdue: if hasSwapUnderWay { follow(.witnessSilent, log, &actions) }
        case .bondDurable: bondDurable(log, &actions)
        case .appended(let position): end = position
        case .logDurable(let position):
            durable = position
            acknowledge(&actions)
        case .logCut(let position):
            awaitsCut = false
            end = position
            durable = position
            follow(.logAligned, log, &actions)
        case .read(let token): read(token, &actions)
        case .switchAsked: follow(.switchAsked, log, &actions)
        case .switchOverdue(let stalled):
            if state == .handingOver { follow(stalled ? .stalledOverdue : .switchOverdue, log, &actions) }
        case .forceAsked: follow(.forceAsked, log, &actions)
        case .initAsked: if bond.promise == nil { follow(.initAsked, log, &actions) }
        }
        progress(log, &actions)
        return actions
    }

    /// Follows the table's row.
    mutating func follow(_ event: PairEvent, _ log: some PairLog, _ actions: inout [PairAction]) {
        let row = Rules.row(state, event)
        if row.isIgnored { return }
        let from = state
        state = row.next
        actions.append(.moved(from: from, event, row))
        if from != row.next { entered(row.next, from: from, &actions) }
        for step in row.steps { perform(step, .row(event, sentence: row.sentence), log, &actions) }
    }

    /// What belongs to a state ends with it.
    private mutating func entered(_ next: PairState, from: PairState, _ actions: inout [PairAction]) {
        if from == .comparing { fetching = nil }
        awaitsCut = false
        if from.orders && !next.orders {
            for read in reads { actions.append(.readVoid(token: read.token)) }
            reads = []
        }
        switch next {
        case .comparing, .pairedEnabled, .pairedDisabled, .promising, .isolatedEnabled:
            // Its answer still counts when it comes; asking again could part what has just come together.
            swap?.isWanted = false
        default: break
        }
        if next.follows { acknowledge(&actions) }
        if next.orders { inheritedEnd = end.sequence }
    }

    /// What follows from positions alone, after any input.
    mutating func progress(_ log: some PairLog, _ actions: inout [PairAction]) {
        if let fetch = fetching, fetch.comes, durable.sequence >= fetch.target {
            fetching = nil
            follow(.logsAgree, log, &actions)
        }
        if state == .handingOver, swap?.isWanted != true, let other, other.durable == end.sequence, durable == end {
            follow(.allAcknowledged, log, &actions)
        }
        commit(&actions)
        if state == .isolatedEnabled || state == .settling, let other, other.isAligned, other.durable >= committed,
            log.holds(other.end), other.promise == bond.promise, Rules.mayJoin(other.incarnation, intent: latestIntent)
        {
            follow(.otherCaughtUp, log, &actions)
        }
        serveReads(&actions)
    }

    private mutating func commit(_ actions: inout [PairAction]) {
        let reached: LogSequence
        switch state.commits {
        case .nothing: return
        case .asTold: reached = min(other?.committed ?? .zero, durable.sequence)
        case .here:
            // The epoch's record commits what was inherited, and not before it is durable itself.
            let possible = Rules.committable(
                .here, durable: durable.sequence, otherDurable: .zero, end: end.sequence)
            reached = possible >= inheritedEnd ? possible : .zero
        case .both:
            reached = Rules.committable(
                .both, durable: durable.sequence, otherDurable: other?.durable ?? .zero, end: end.sequence)
        }
        if reached > committed {
            committed = reached
            actions.append(.committed(reached))
        }
    }
}
