package import ByteCoding
package import CallModel
package import ContextStore
internal import Duplex
package import Ledger
package import WriteAheadLog

/// What a ledger tells whoever runs it. Called on the ledger's thread; must not block.
package struct LedgerObserver: Sendable {
    /// A fault of disk or store ended service; the process should then end. Called once.
    package var onStop: @Sendable (String) -> Void
    /// The side's part in the pair changed: the state's name as operators know it, and the sentence of the table.
    package var onMove: @Sendable (_ state: String, _ sentence: String) -> Void
    /// For an operator's eyes.
    package var onAlarm: @Sendable (String) -> Void
    /// The other side is lost, and everything that was inherited is applied: its open dialogs are to be taken up here.
    package var onTakeUp: @Sendable (Side) -> Void
    /// The side must begin anew from the other side's snapshot.
    package var onResync: @Sendable () -> Void

    package init(
        onStop: @escaping @Sendable (String) -> Void,
        onMove: @escaping @Sendable (_ state: String, _ sentence: String) -> Void = { _, _ in },
        onAlarm: @escaping @Sendable (String) -> Void = { _ in },
        onTakeUp: @escaping @Sendable (Side) -> Void = { _ in }, onResync: @escaping @Sendable () -> Void = {}
    ) {
        self.onStop = onStop
        self.onMove = onMove
        self.onAlarm = onAlarm
        self.onTakeUp = onTakeUp
        self.onResync = onResync
    }
}

/// Orders records, makes them durable wherever they must be, applies what is committed, and answers: order -> log ->
/// durable on both sides -> apply -> answer. The only way to change the state of a side.
///
/// Driven by events on one thread; waits for nothing and starts nothing. Whoever drives it hands in requests, completions
/// and frames, calls ``endOfTurn()`` once they are handed in, and comes back at ``nextWakeMilliseconds``.
///
/// While one batch is being made durable the next gathers: that is the whole of group commit. A batch goes to the other
/// side and to the disk at the same time. Records are applied when they are committed, never before, so nothing is ever
/// rolled back, and memory and LMDB hold committed state only. What a side may commit, and when it orders, is the
/// business of its ``PairMachine``; a single side's machine serves alone for ever.
///
/// Invariant: outcomes are answered in the order of the log, each once, and only after their batch is committed.
package final class ReplicatedLedger<World: Surroundings> {
    package internal(set) var ledger: Ledger
    var log: WriteAheadLog<World.DiskSeam>
    var superblocks: SuperblockStore<World.DiskSeam>
    var superblock: Superblock
    let store: World.StoreSeam
    let clock: World.ClockSeam
    let link: World.LinkSeam
    let witness: World.WitnessSeam
    let settings: LedgerSettings
    let observer: LedgerObserver
    let isSingle: Bool

    // The pair.
    var machine: PairMachine<World.Rules>
    let index: LogIndex
    var session: LinkSession?
    var stream: OtherSideStream?
    /// Reads old batches for the stream; `delivered`: through here.
    var streamReader: (delivered: LogSequence, reader: LogReader<World.DiskSeam>)?
    var recent = RecentBatches()
    var forwarded = ForwardedRequests()
    /// Batches of the other side that wait for room in the log.
    var inbound: [InboundBatch] = []
    var checkpoints = Checkpoints()
    var hasDiverged = false
    /// What an operator was told last.
    var lastAlarm: (sentence: String, elapsedMilliseconds: UInt64)?
    /// The epoch's record, to be the next one in the log.
    var epochToOpen: PairRegister?
    /// The other side is lost; its open dialogs are all known once this is committed.
    var takesUpBehind: LogSequence?
    /// Where the log is to be cut, as soon as the disk is quiet.
    var cutWanted: Position?
    /// What the other side was told is committed.
    var toldCommitted: LogSequence = .zero
    var timers = PairTimers()
    /// Why it does not serve, in the table's words.
    var notServing: String?
    /// The table's last sentence, whether it serves or not.
    var because = ""
    var waitingOrder: WaitingOrder?
    var reads = CurrentReads()

    var logClock: LogClock
    var committed: Position
    var committedTime: BatchTime
    var gathering = PendingRequests()
    /// New contexts that wait for the store to catch up.
    var held = PendingRequests()
    /// Batches of the log that are not committed yet, oldest first.
    var flights: [Flight] = []
    var guardWanted = false
    var lastBatchElapsedMilliseconds: UInt64 = 0
    private var snapshot: LogSequence?
    private var lastTrimElapsedMilliseconds: UInt64 = 0
    /// Why a spare segment could not be made; nil when none is wanting.
    var spareDelay: String?
    private var lastSpareElapsedMilliseconds: UInt64 = 0
    /// Why it does not serve any more.
    var stopReason: String?
    /// Disk or store failed.
    var hasFault = false
    var flushTimes = FlushTimes()
    var batchCount: UInt64 = 0
    var recordCount: UInt64 = 0
    var changes: [Change] = []

    /// `ledger` stands where the committed part of `log` ends: recovery has replayed what the store did not hold yet.
    /// `nonce`: drawn at each start (``PairMachine``).
    package init(
        recovered: RecoveredSide<World>, clock: World.ClockSeam, link: World.LinkSeam, witness: World.WitnessSeam,
        settings: LedgerSettings, nonce: Hash128 = .zero, observer: LedgerObserver
    ) {
        ledger = recovered.ledger
        log = recovered.log
        superblocks = recovered.superblocks
        superblock = recovered.superblock
        store = recovered.store
        self.clock = clock
        self.link = link
        self.witness = witness
        self.settings = settings
        self.observer = observer
        isSingle = recovered.isSingle
        committed = recovered.committed
        committedTime = recovered.committedTime
        logClock = LogClock(last: recovered.time.log, elapsedMilliseconds: clock.elapsedMilliseconds())
        index = LogIndex(end: recovered.committed)
        machine = PairMachine(
            side: superblock.identity.side, incarnation: superblock.identity.incarnation,
            bond: PairBond(
                promise: superblock.promise, intent: superblock.jointIntent, tailUndecided: superblock.tailUndecided),
            end: recovered.position, committed: recovered.committed.sequence, nonce: nonce)
        for batch in recovered.uncommitted {
            flights.append(Flight(records: batch.records, time: batch.time, end: batch.end))
            index.append(batch.end)
        }
        index.lookUp = { [unowned self] in batchEnd(at: $0) }
        index.logBase = { [unowned self] in log.base.sequence }
        timers.started(at: clock.elapsedMilliseconds())
        run(isSingle ? machine.startSingle(log: index) : machine.start(index))
        // An earlier life may have ended before it had taken them all up.
        if !isSingle && machine.state == .isolatedEnabled { takeUpDialogs() }
    }

    // MARK: Events

    /// A request arrived. It is answered by its reply, once.
    package func submit(_ request: LedgerRequest) {
        if let stopReason { return refuse(request, .unavailable(reason: stopReason)) }
        if refusesAtOnce { return refuse(request, .unavailable(reason: notServing ?? "the side does not serve")) }
        let limit = min(
            LogFormat.maximumRecordBytes, log.configuration.maximumPayloadBytes - LogFormat.recordPrefixBytes)
        if request.bytes.count > limit { return refuse(request, .tooLarge(bytes: request.bytes.count, limit: limit)) }
        let queued =
            gathering.chargedBytes + forwarded.chargedBytes + (request.parksContext ? held.chargedBytes : 0)
        if queued + request.chargedBytes > settings.queuedBytesLimit {
            return refuse(request, .busy(reason: "more than \(settings.queuedBytesLimit) bytes wait to be logged"))
        }
        if request.parksContext && (!held.isEmpty || pressure != nil) {
            held.append(request)
        } else {
            gathering.append(request)
        }
    }

    /// The disk finished something the log submitted.
    package func diskCompleted(_ completion: DiskCompletion) {
        switch superblocks.completed(completion) {
        case nil: break
        case .durable: return drive(.bondDurable)
        case .failed(let reason): return stop("the superblock could not be written: \(reason)")
        }
        switch log.completed(completion) {
        case nil: break
        case .durable(let position, let microseconds): becameDurable(position, microseconds: microseconds)
        case .guardWritten, .trimmed: break
        case .spareReady:
            spareDelay = nil
            takeInbound()
        case .spareDelayed(let reason): spareDelay = reason
        case .failed(let reason): stop("the log failed: \(reason)")
        }
    }

    /// The store's durable image moved on.
    package func storeBecameDurable() {
        trimLog()
    }

    /// The newest good snapshot stands here: the log is kept from there on, so that the store can be rebuilt of both.
    /// Never called where no snapshots are taken.
    package func keepLog(after sequence: LogSequence) { snapshot = sequence }

    package func storeFailed(_ error: StoreError) { stop("the store failed: \(error)") }

    /// Everything that had arrived is handed in: start what can start.
    package func endOfTurn() {
        if stopReason != nil { return }
        let elapsed = clock.elapsedMilliseconds()
        refuseExpired(elapsed)
        pairTurn(elapsed)
        cutLogWhenQuiet()
        if stopReason != nil { return }
        admitHeld()
        if machine.state.orders {
            order(elapsed)
        } else if machine.state == .pairedDisabled {
            forwardGathered(elapsed)
        }
        if guardWanted && !isWriting && gathering.isEmpty && cutWanted == nil
            && elapsed >= lastBatchElapsedMilliseconds + settings.guardAfterMilliseconds
        {
            // When the segment has no room for it, the next segment's header says the same.
            _ = log.appendGuard(committed: committed.sequence)
            guardWanted = false
        }
        if spareDelay != nil && elapsed >= lastSpareElapsedMilliseconds + settings.spareRetryMilliseconds {
            lastSpareElapsedMilliseconds = elapsed
            log.requestSpares()
        }
        tellOther()
    }

    /// When to call ``endOfTurn()`` next if nothing arrives before, in elapsed milliseconds of the side's clock.
    package var nextWakeMilliseconds: UInt64? {
        if stopReason != nil { return nil }
        var wake = min(gathering.earliestDeadline, held.earliestDeadline, forwarded.earliestDeadline)
        for flight in flights { wake = min(wake, flight.earliestDeadline) }
        // With requests that wait for room in the log, its next event wakes.
        if !isWriting && gathering.isEmpty {
            if guardWanted { wake = min(wake, lastBatchElapsedMilliseconds + settings.guardAfterMilliseconds) }
            if machine.state.orders, flights.isEmpty, let due = clockRecordDue { wake = min(wake, due) }
        }
        if !held.isEmpty { wake = min(wake, clock.elapsedMilliseconds() + settings.pressurePollMilliseconds) }
        if spareDelay != nil { wake = min(wake, lastSpareElapsedMilliseconds + settings.spareRetryMilliseconds) }
        wake = min(wake, pairWake, reads.earliestDeadline)
        return wake == .max ? nil : wake
    }

    /// Ends service, without a fault: what is queued is refused; a batch on its way to the disk still becomes durable.
    /// True when nothing is in flight any more.
    package func drain() -> Bool {
        refuseAll("the side is stopping")
        if isWriting || superblocks.isWriting { return false }
        for index in flights.indices { refuseInFlight(flights[index].takeAll(), "the side is stopping") }
        return true
    }

    /// After ``drain()``: notes in the superblock where the log ends, so that the next start knows of a clean stop.
    /// Nothing is written after the log has failed.
    package func closeLog() throws(LogError) {
        if log.failure != nil { return }
        precondition(!isWriting, "a log is closed with nothing in flight")
        superblock.cleanEnd = log.durable
        try superblocks.write(superblock)
    }

    /// A batch of this side's log is on its way to the disk.
    var isWriting: Bool { log.failure == nil && log.durable.sequence < log.end.sequence }

    // MARK: Deadlines

    func refuseExpired(_ elapsed: UInt64) {
        for request in gathering.takeExpired(elapsedMilliseconds: elapsed) {
            let why = notServing.map { "\($0) " } ?? ""
            refuse(
                request,
                .unavailable(reason: "\(why)not logged before the request's deadline; it has no effect"))
        }
        let reason = pressure ?? "new reservations wait for others to be stored"
        for request in held.takeExpired(elapsedMilliseconds: elapsed) { refuse(request, .busy(reason: reason)) }
        for request in forwarded.takeExpired(elapsedMilliseconds: elapsed) {
            refuse(
                request,
                .unavailable(reason: "the ordering side did not answer before the deadline; it may still take effect"))
        }
        for index in flights.indices {
            for request in flights[index].takeExpired(elapsedMilliseconds: elapsed) {
                refuse(
                    request,
                    .unavailable(reason: "not durable before the request's deadline; it may still take effect"))
            }
        }
        for read in reads.takeExpired(elapsedMilliseconds: elapsed) {
            read(.failure(.unavailable(reason: notServing ?? "the other side did not confirm before the deadline")))
        }
    }

    /// Whoever asked here is told here; the other side's askers are told there.
    func refuse(_ request: LedgerRequest, _ refusal: LedgerRefusal) {
        if let id = request.forwardedID {
            send(.forwardRefused(id: id, refusal))
        } else {
            request.reply(.failure(refusal))
        }
    }

    // MARK: Pressure

    /// Why new contexts must wait; nil when they need not.
    var pressure: String? {
        if case .busy(let reason) = store.pressure { return reason }
        return spareDelay.map { "no space for another log segment: \($0)" }
    }

    private func admitHeld() {
        guard !held.isEmpty, pressure == nil else { return }
        for request in held.takeAll() { gathering.append(request) }
    }

    private func trimLog() {
        let elapsed = clock.elapsedMilliseconds()
        guard elapsed >= lastTrimElapsedMilliseconds + settings.trimIntervalMilliseconds else { return }
        lastTrimElapsedMilliseconds = elapsed
        var kept = min(store.durablePosition.sequence, snapshot ?? store.durablePosition.sequence)
        // What is being streamed to the other side; while it is away, retention alone decides.
        if let stream { kept = min(kept, stream.sent) }
        log.trim(keeping: kept.next, now: clock.wall())
    }

    // MARK: Stopping

    /// Ends service for a fault of disk or store, also when it was being stopped already.
    func stop(_ reason: String) {
        if hasFault { return }
        hasFault = true
        refuseAll(reason)
        for index in flights.indices { refuseInFlight(flights[index].takeAll(), reason) }
        // A failed log completes nothing any more.
        if log.failure != nil { flights = [] }
        if session != nil { link.endSession(reason: "this side stops: \(reason)") }
        observer.onStop(reason)
    }

    private func refuseInFlight(_ requests: [LedgerRequest], _ reason: String) {
        for request in requests {
            refuse(request, .unavailable(reason: "\(reason); the request may still take effect"))
        }
    }

    private func refuseAll(_ reason: String) {
        if stopReason == nil { stopReason = reason }
        for request in gathering.takeAll() + held.takeAll() + forwarded.takeAll() {
            refuse(request, .unavailable(reason: reason))
        }
        for read in reads.takeAll() { read(.failure(.unavailable(reason: reason))) }
        waitingOrder?.reply(.failure(.unavailable(reason: reason)))
        waitingOrder = nil
    }
}
