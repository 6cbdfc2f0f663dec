internal import ByteCoding
internal import CallModel
internal import ContextStore
internal import Duplex
internal import Ledger
internal import WriteAheadLog

/// One connection of the private link, from its greeting on.
struct LinkSession {
    let number: UInt64
    let incarnation: UInt64
    /// The other side has said what it promises: the pair's machine knows of the session.
    var isOpen = false
    var lastHeardElapsedMilliseconds: UInt64
    var lastBeatElapsedMilliseconds: UInt64 = 0
}

/// A batch of the other side on its way into this side's log.
struct InboundBatch {
    let batch: LoggedBatch
    let bytes: [UInt8]
    let forwarded: [ForwardedPlace]
}

/// When what is waited for in the pair is overdue, in elapsed milliseconds of the side's clock.
struct PairTimers {
    private(set) var startWait: UInt64 = .max
    var swapOverdue: UInt64 = .max
    var handOverOverdue: UInt64 = .max
    private var startedAt: UInt64 = 0
    /// When this side gave way because it stalled.
    var stalls: [UInt64] = []

    mutating func started(at elapsed: UInt64) { startedAt = elapsed }

    mutating func waitForOther(until deadline: UInt64) { if startWait == .max { startWait = deadline } }

    mutating func waitEnded() { startWait = .max }
}

/// An operator's order that is being carried out.
struct WaitingOrder {
    let done: Set<PairState>
    let failed: Set<PairState>
    let reply: @Sendable (Result<Void, LedgerRefusal>) -> Void
}

/// The witness's answer as it comes from a driver.
package enum WitnessAnswer: Hashable, Sendable {
    case swapped
    case differs(current: [UInt8]?)
}

// MARK: - Driving the machine

extension ReplicatedLedger {
    func drive(_ input: PairInput) { run(machine.handle(input, log: index)) }

    func run(_ actions: [PairAction]) {
        for action in actions { run(action) }
    }

    private func run(_ action: PairAction) {
        switch action {
        case .send(let message): send(.pair(message))
        case .swap(let expected, let value, let token): ask(expected, value, token)
        case .writeBond(let bond): write(bond)
        case .stream(let position):
            stream = OtherSideStream(after: position.sequence)
            pump()
        case .openEpoch(let register): epochToOpen = register
        case .cutLog(let position): cutWanted = position
        case .resync: observer.onResync()
        case .takeUpDialogs: takeUpDialogs()
        case .endSession(let reason): endSession(reason)
        case .alarm(let sentence): alarm(sentence)
        case .committed(let sequence): commit(through: sequence)
        case .readConfirmed(let token): reads.take(token)?(.success(self))
        case .readVoid(let token): reads.void(token)
        case .moved(let from, _, let row): moved(from: from, row)
        }
    }

    private func moved(from: PairState, _ row: PairRow) {
        let next = row.next
        if next.orders && !from.orders {
            // Log time goes on from the last batch of the log, whoever ordered it.
            logClock = LogClock(last: log.lastTime.log, elapsedMilliseconds: clock.elapsedMilliseconds())
            // The other side ordered what it could before the order came over: the rest is for this one.
            for request in forwarded.takeAll() { gathering.append(request) }
        } else if !next.orders && next != .handingOver {
            // Whoever asked them at the other side finds them there, and this side orders no more.
            gathering.removeForwarded()
            held.removeForwarded()
        }
        if !next.orders {
            epochToOpen = nil
            takesUpBehind = nil
        }
        if next != from { cutWanted = nil }
        if next == .pairedDisabled || next.orders { notServing = nil } else { notServing = row.sentence }
        because = row.sentence
        if from != next { observer.onMove(next.shownName, row.sentence) }
        settleOrder(next, row.sentence)
    }

    /// A side that is not in the sync set answers at once, so that the caller can turn to the other one; while the pair
    /// decides, requests wait.
    var refusesAtOnce: Bool {
        switch machine.state {
        case .isolatedDisabled, .joining, .following: true
        default: false
        }
    }

    private func write(_ bond: PairBond) {
        superblock.promise = bond.promise
        superblock.jointIntent = bond.intent
        superblock.tailUndecided = bond.tailUndecided
        _ = superblocks.submit(superblock)
    }

    // MARK: Witness

    private func ask(_ expected: PairRegister?, _ value: PairRegister, _ token: UInt64) {
        let pairID = superblock.identity.pairID
        timers.swapOverdue = clock.elapsedMilliseconds() + settings.swapRetryMilliseconds
        witness.swap(
            expected: expected.map { RegisterCoding.encode($0, pairID: pairID) },
            value: RegisterCoding.encode(value, pairID: pairID), token: token)
    }

    /// The witness answered a swap. A value that is not this pair's has no effect but an alarm.
    package func witnessAnswered(token: UInt64, _ answer: WitnessAnswer) {
        switch answer {
        case .swapped: drive(.swapAnswered(token: token, .swapped))
        case .differs(nil): drive(.swapAnswered(token: token, .differs(nil)))
        case .differs(let bytes?):
            do throws(RegisterFault) {
                let current = try RegisterCoding.decode(bytes, pairID: superblock.identity.pairID)
                drive(.swapAnswered(token: token, .differs(current)))
            } catch {
                notServing = "\(error)"
                alarm("\(error)")
            }
        }
    }

    /// The same again is worth saying once a minute.
    private func alarm(_ sentence: String) {
        let elapsed = clock.elapsedMilliseconds()
        if let said = lastAlarm, said.sentence == sentence, elapsed < said.elapsedMilliseconds + 60_000 { return }
        lastAlarm = (sentence, elapsed)
        observer.onAlarm(sentence)
    }

    // MARK: Operators

    /// `reply` is called once: when the pair has done it, or with why not.
    package func order(_ order: PairOrder, reply: @escaping @Sendable (Result<Void, LedgerRefusal>) -> Void) {
        func refused(_ reason: String) { reply(.failure(.unavailable(reason: reason))) }
        if isSingle { return refused("no other side is configured") }
        if let stopReason { return refused(stopReason) }
        if waitingOrder != nil { return refused("another order is under way") }
        let state = machine.state
        switch order {
        case .switchSides:
            guard state == .pairedEnabled else {
                return refused("this side is \(state.shownName): only a paired-enabled side can hand over")
            }
            timers.handOverOverdue = clock.elapsedMilliseconds() + settings.handOverMilliseconds
            waitingOrder = WaitingOrder(done: [.pairedDisabled], failed: [.pairedEnabled], reply: reply)
            drive(.switchAsked)
        case .initialise:
            guard machine.promise == nil else {
                return refused("this side is part of a pair already (\(machine.promise?.description ?? ""))")
            }
            waitingOrder = WaitingOrder(done: [.isolatedEnabled], failed: [], reply: reply)
            drive(.initAsked)
        case .force:
            guard state == .isolatedDisabled, session == nil else {
                return refused(
                    session == nil
                        ? "this side is \(state.shownName): only an isolated-disabled side can take the other's place"
                        : "the other side answers on the private link: it is not powered off")
            }
            waitingOrder = WaitingOrder(done: [.isolatedEnabled], failed: [], reply: reply)
            drive(.forceAsked)
        }
    }

    /// Tells whoever gave an order what became of it.
    private func settleOrder(_ state: PairState, _ sentence: String) {
        guard let order = waitingOrder else { return }
        if order.done.contains(state) {
            waitingOrder = nil
            order.reply(.success(()))
        } else if order.failed.contains(state) {
            waitingOrder = nil
            order.reply(.failure(.unavailable(reason: sentence)))
        }
    }

    var pairStatus: PairStatus? {
        if isSingle { return nil }
        var status = PairStatus()
        status.because = because
        status.promise = machine.promise
        status.seen = machine.known == machine.promise ? nil : machine.known
        status.intent = machine.bond.intent?.incarnation
        status.isConnected = machine.hasSession
        status.otherPromise = machine.otherPromise
        status.otherDurable = machine.otherDurable
        status.swapUnderWay = machine.hasSwapUnderWay
        status.hasDiverged = hasDiverged
        return status
    }

    /// Runs `body` with committed state that is current: nothing acknowledged anywhere before the call is missing (R8).
    package func readCurrent(
        deadlineElapsedMilliseconds: UInt64, _ body: @escaping (Result<any LedgerView, LedgerRefusal>) -> Void
    ) {
        if let stopReason { return body(.failure(.unavailable(reason: stopReason))) }
        reads.add(deadlineElapsedMilliseconds: deadlineElapsedMilliseconds, body)
    }

    // MARK: Time

    var pairWake: UInt64 {
        if isSingle { return .max }
        if streamWantsTurn { return 0 }
        var wake = min(timers.startWait, machine.hasSwapUnderWay ? timers.swapOverdue : .max)
        if machine.state == .handingOver { wake = min(wake, timers.handOverOverdue) }
        if let session {
            wake = min(
                wake, session.lastBeatElapsedMilliseconds + settings.heartbeatMilliseconds,
                session.lastHeardElapsedMilliseconds + settings.silenceMilliseconds)
        }
        if isWriting && machine.state == .pairedEnabled {
            wake = min(wake, lastBatchElapsedMilliseconds + settings.stallMilliseconds)
        }
        return wake
    }

    func pairTurn(_ elapsed: UInt64) {
        if isSingle { return }
        if let session, elapsed >= session.lastHeardElapsedMilliseconds + settings.silenceMilliseconds {
            endSession("nothing was heard for \(settings.silenceMilliseconds) ms")
        }
        if machine.waitsForOther {
            timers.waitForOther(until: elapsed + settings.startWaitMilliseconds)
            if elapsed >= timers.startWait {
                timers.waitEnded()
                drive(.waitOver)
            }
        } else {
            timers.waitEnded()
        }
        if machine.hasSwapUnderWay && elapsed >= timers.swapOverdue { drive(.swapOverdue) }
        if machine.state == .handingOver && elapsed >= timers.handOverOverdue { drive(.switchOverdue(stalled: false)) }
        giveWayWhenStalled(elapsed)
        for token in machine.state.commits == .nothing ? [] : reads.takeUnasked() { drive(.read(token: token)) }
        pump()
    }

    /// R14: a side whose own disk does not answer lets the other go on.
    private func giveWayWhenStalled(_ elapsed: UInt64) {
        guard machine.state == .pairedEnabled, isWriting,
            elapsed >= lastBatchElapsedMilliseconds + settings.stallMilliseconds
        else { return }
        timers.stalls.removeAll { $0 + 3_600_000 < elapsed }
        guard timers.stalls.count < settings.mostStallsPerHour else { return }
        timers.stalls.append(elapsed)
        observer.onAlarm("a flush of this side's disk takes longer than \(settings.stallMilliseconds) ms")
        drive(.switchAsked)
        drive(.switchOverdue(stalled: true))
    }
}
