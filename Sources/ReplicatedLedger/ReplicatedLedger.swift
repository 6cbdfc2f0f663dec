internal import ByteCoding
package import CallModel
package import ContextStore
package import Ledger
package import WriteAheadLog

/// Orders records, makes them durable, applies what is committed, and answers: order -> log -> durable -> apply ->
/// answer. The only way to change the state of a side.
///
/// Driven by events on one thread; waits for nothing and starts nothing. Whoever drives it hands in requests and
/// completions, calls ``endOfTurn()`` once they are handed in, and comes back at ``nextWakeMilliseconds``.
///
/// While one batch is being made durable the next gathers: that is the whole of group commit. Records are applied
/// when they are committed, never before, so nothing is ever rolled back, and memory and LMDB hold committed state only.
///
/// Invariant: outcomes are answered in the order of the log, each once, and only after its batch is durable.
package final class ReplicatedLedger<World: Surroundings> {
    package private(set) var ledger: Ledger
    private var log: WriteAheadLog<World.DiskSeam>
    private var superblocks: SuperblockStore<World.DiskSeam>
    private var superblock: Superblock
    private let store: World.StoreSeam
    private let clock: World.ClockSeam
    private let link: World.LinkSeam
    private let witness: World.WitnessSeam
    private let settings: LedgerSettings
    private let onStop: @Sendable (String) -> Void

    private var logClock: LogClock
    private var epoch: UInt64
    private var committed: Position
    private var committedTime: BatchTime
    private var gathering = PendingRequests()
    /// New contexts that wait for the store to catch up.
    private var held = PendingRequests()
    private var flight: Flight?
    private var guardWanted = false
    private var lastBatchElapsedMilliseconds: UInt64 = 0
    private var snapshot: LogSequence?
    private var lastTrimElapsedMilliseconds: UInt64 = 0
    /// Why a spare segment could not be made; nil when none is wanting.
    private var spareDelay: String?
    private var lastSpareElapsedMilliseconds: UInt64 = 0
    /// Why it does not serve any more.
    private var stopReason: String?
    /// Disk or store failed.
    private var hasFault = false
    private var flushTimes = FlushTimes()
    private var batchCount: UInt64 = 0
    private var recordCount: UInt64 = 0
    private var changes: [Change] = []

    /// `ledger` stands where `log` ends: recovery has replayed what the store did not hold yet.
    /// `onStop` is called once, when a fault of disk or store ends service; the process should then end.
    package init(
        recovered: RecoveredSide<World>, clock: World.ClockSeam, link: World.LinkSeam, witness: World.WitnessSeam,
        settings: LedgerSettings, onStop: @escaping @Sendable (String) -> Void
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
        self.onStop = onStop
        epoch = recovered.epoch
        committed = recovered.position
        committedTime = recovered.time
        logClock = LogClock(last: recovered.time.log, elapsedMilliseconds: clock.elapsedMilliseconds())
        if recovered.position == .zero {
            gatherOwn(.epochOpened(EpochOpened(epoch: epoch, mode: .alone, active: recovered.superblock.identity.side)))
        }
    }

    // MARK: Events

    /// A request arrived. It is answered by its reply, once.
    package func submit(_ request: LedgerRequest) {
        if let stopReason { return request.reply(.failure(.unavailable(reason: stopReason))) }
        let limit = min(
            LogFormat.maximumRecordBytes, log.configuration.maximumPayloadBytes - LogFormat.recordPrefixBytes)
        if request.bytes.count > limit {
            return request.reply(.failure(.tooLarge(bytes: request.bytes.count, limit: limit)))
        }
        let queued = gathering.chargedBytes + (request.parksContext ? held.chargedBytes : 0)
        if queued + request.chargedBytes > settings.queuedBytesLimit {
            return request.reply(
                .failure(.busy(reason: "more than \(settings.queuedBytesLimit) bytes wait to be logged")))
        }
        if request.parksContext && (!held.isEmpty || pressure != nil) {
            held.append(request)
        } else {
            gathering.append(request)
        }
    }

    /// The disk finished something the log submitted.
    package func diskCompleted(_ completion: DiskCompletion) {
        switch log.completed(completion) {
        case nil: break
        case .durable(let position, let microseconds): becameDurable(position, microseconds: microseconds)
        case .guardWritten, .trimmed: break
        case .spareReady: spareDelay = nil
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
        admitHeld()
        if flight == nil {
            if gathering.isEmpty && ledgerIsDue(elapsed) { gatherOwn(.clock) }
            if !gathering.isEmpty {
                startBatch(elapsed)
            } else if guardWanted && elapsed >= lastBatchElapsedMilliseconds + settings.guardAfterMilliseconds {
                // When the segment has no room for it, the next segment's header says the same.
                _ = log.appendGuard(committed: committed.sequence)
                guardWanted = false
            }
        }
        if spareDelay != nil && elapsed >= lastSpareElapsedMilliseconds + settings.spareRetryMilliseconds {
            lastSpareElapsedMilliseconds = elapsed
            log.requestSpares()
        }
    }

    /// When to call ``endOfTurn()`` next if nothing arrives before, in elapsed milliseconds of the side's clock.
    package var nextWakeMilliseconds: UInt64? {
        if stopReason != nil { return nil }
        var wake = min(gathering.earliestDeadline, held.earliestDeadline)
        if let flight { wake = min(wake, flight.earliestDeadline) }
        // With requests that wait for room in the log, its next event wakes.
        if flight == nil && gathering.isEmpty {
            if guardWanted { wake = min(wake, lastBatchElapsedMilliseconds + settings.guardAfterMilliseconds) }
            if let due = clockRecordDue { wake = min(wake, due) }
        }
        if !held.isEmpty { wake = min(wake, clock.elapsedMilliseconds() + settings.pressurePollMilliseconds) }
        if spareDelay != nil { wake = min(wake, lastSpareElapsedMilliseconds + settings.spareRetryMilliseconds) }
        return wake == .max ? nil : wake
    }

    /// Ends service, without a fault: what is queued is refused; a batch on its way to the disk still becomes durable.
    /// True when nothing is in flight any more.
    package func drain() -> Bool {
        refuseAll("the side is stopping")
        return flight == nil
    }

    /// After ``drain()``: notes in the superblock where the log ends, so that the next start knows of a clean stop.
    /// Nothing is written after the log has failed.
    package func closeLog() throws(LogError) {
        precondition(flight == nil, "a log is closed with nothing in flight")
        if log.failure != nil { return }
        superblock.cleanEnd = log.durable
        try superblocks.write(superblock)
    }

    // MARK: The way of a batch

    private func startBatch(_ elapsed: UInt64) {
        let requests = gathering.nextBatch(
            mostRequests: settings.mostBatchRecords,
            mostPayloadBytes: min(settings.mostBatchBytes, log.configuration.maximumPayloadBytes))
        let time = BatchTime(log: logClock.now(elapsedMilliseconds: elapsed), wall: clock.wall())
        do throws(AppendRefusal) {
            let batch = try log.append(
                records: requests.map(\.bytes), time: time, epoch: epoch, committed: committed.sequence)
            gathering.remove(requests)
            flight = Flight(requests: requests, time: time, end: batch.position)
            lastBatchElapsedMilliseconds = elapsed
            guardWanted = true
        } catch {
            // Without a spare they wait for one; anything else is a fault of the log, or of ours.
            if error != .spareMissing { stop("the log refused a batch: \(error)") }
        }
    }

    private func becameDurable(_ position: Position, microseconds: UInt64) {
        guard let landed = flight, landed.end.sequence <= position.sequence else { return }
        flight = nil
        flushTimes.add(microseconds)
        // The disk gets its next batch before this one is applied: it is the slower of the two.
        if !gathering.isEmpty && stopReason == nil {
            let elapsed = clock.elapsedMilliseconds()
            refuseExpired(elapsed)
            if !gathering.isEmpty { startBatch(elapsed) }
        }
        commit(landed)
    }

    /// Applies a durable batch and answers its requests.
    private func commit(_ batch: Flight) {
        let first = committed.sequence.next
        changes.removeAll(keepingCapacity: true)
        ledger.begin(batch.time, first: first, changes: &changes)
        var outcomes: [Outcome] = []
        outcomes.reserveCapacity(batch.requests.count)
        var sequence = first
        for request in batch.requests {
            outcomes.append(ledger.apply(request.record, sequence: sequence, changes: &changes))
            sequence = sequence.next
        }
        committed = batch.end
        committedTime = batch.time
        store.take(AppliedBatch(changes: changes, position: batch.end, time: batch.time, digest: ledger.digest))
        batchCount += 1
        recordCount += UInt64(batch.requests.count)
        answer(batch, outcomes: outcomes, first: first)
    }

    private func answer(_ batch: Flight, outcomes: [Outcome], first: LogSequence) {
        var sequence = first
        for (index, request) in batch.requests.enumerated() {
            if !batch.refused.contains(index) {
                request.reply(answer(outcomes[index], record: request.record, at: sequence, time: batch.time))
            }
            sequence = sequence.next
        }
    }

    // MARK: Time

    private func ledgerIsDue(_ elapsed: UInt64) -> Bool {
        guard let due = clockRecordDue else { return false }
        return due <= elapsed
    }

    /// When a deadline of the ledger asks for a `clock` record: not at once for each, but at most so many a second.
    private var clockRecordDue: UInt64? {
        guard let deadline = ledger.nextDeadline else { return nil }
        return max(
            logClock.elapsedMilliseconds(at: deadline),
            lastBatchElapsedMilliseconds + settings.clockRecordIntervalMilliseconds)
    }

    /// A record of the ledger's own, for which nobody waits.
    private func gatherOwn(_ record: Record) {
        gathering.append(
            LedgerRequest(record: record, bytes: record.encoded(), deadlineElapsedMilliseconds: .max, reply: { _ in }))
    }

    private func refuseExpired(_ elapsed: UInt64) {
        for request in gathering.takeExpired(elapsedMilliseconds: elapsed) {
            request.reply(.failure(.unavailable(reason: "not logged before the request's deadline; it has no effect")))
        }
        let reason = pressure ?? "new reservations wait for others to be stored"
        for request in held.takeExpired(elapsedMilliseconds: elapsed) { request.reply(.failure(.busy(reason: reason))) }
        for request in flight?.takeExpired(elapsedMilliseconds: elapsed) ?? [] {
            request.reply(
                .failure(.unavailable(reason: "not durable before the request's deadline; it may still take effect")))
        }
    }

    // MARK: Pressure

    /// Why new contexts must wait; nil when they need not.
    private var pressure: String? {
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
        let kept = min(store.durablePosition.sequence, snapshot ?? store.durablePosition.sequence)
        log.trim(keeping: kept.next, now: clock.wall())
    }

    // MARK: Stopping

    /// Ends service for a fault of disk or store, also when it was being stopped already.
    private func stop(_ reason: String) {
        if hasFault { return }
        hasFault = true
        refuseAll(reason)
        for request in flight?.takeExpired(elapsedMilliseconds: .max) ?? [] {
            request.reply(.failure(.unavailable(reason: "\(reason); the request may still take effect")))
        }
        // A failed log completes nothing any more.
        if log.failure != nil { flight = nil }
        onStop(reason)
    }

    private func refuseAll(_ reason: String) {
        if stopReason == nil { stopReason = reason }
        for request in gathering.takeAll() + held.takeAll() { request.reply(.failure(.unavailable(reason: reason))) }
    }
}

// MARK: Answers

extension ReplicatedLedger {
    /// Adds to an outcome what the store holds of it. Reads nothing that a later batch could have removed: it runs
    /// in the same turn as the commit.
    private func answer(
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

    package var status: SideStatus {
        var status = SideStatus()
        status.instance = ledger.configuration?.instance.text ?? ""
        status.side = superblock.identity.side
        status.notServing = stopReason
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
