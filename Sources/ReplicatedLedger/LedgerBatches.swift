internal import ByteCoding
internal import CallModel
internal import ContextStore
internal import Duplex
internal import Ledger
internal import WriteAheadLog

// MARK: - The way of a batch

extension ReplicatedLedger {
    /// Starts the next batch, if the disk is free for one.
    func order(_ elapsed: UInt64) {
        if let register = epochToOpen {
            let record = Record.epochOpened(
                EpochOpened(epoch: register.epoch, mode: register.mode, active: register.active))
            guard append([own(record)], elapsed) else { return }
            epochToOpen = nil
        }
        guard !isWriting, flights.count < settings.mostFlights else { return }
        if gathering.isEmpty && flights.isEmpty && ledgerIsDue(elapsed) { gathering.append(own(.clock)) }
        if !gathering.isEmpty { startBatch(elapsed) }
    }

    private func startBatch(_ elapsed: UInt64) {
        if ledger.configuration == nil { refuseUnconfigured() }
        if gathering.isEmpty { return }
        let requests = gathering.nextBatch(
            mostRequests: settings.mostBatchRecords,
            mostPayloadBytes: min(settings.mostBatchBytes, log.configuration.maximumPayloadBytes))
        if append(requests, elapsed) { gathering.remove(requests) }
    }

    /// Before the first configuration no name is known: callers of a new pair ask again.
    private func refuseUnconfigured() {
        func configures(_ record: Record) -> Bool { if case .configure = record { true } else { false } }
        var isComing = flights.contains { $0.records.contains(where: configures) }
        for request in gathering.takeAll() {
            isComing = isComing || configures(request.record)
            if isComing || !request.needsConfiguration {
                gathering.append(request)
            } else {
                refuse(request, .unavailable(reason: "the configuration is not in the ledger yet"))
            }
        }
    }

    /// To the disk and to the other side at the same time. False when there is no room in the log yet.
    private func append(_ requests: [LedgerRequest], _ elapsed: UInt64) -> Bool {
        let time = BatchTime(log: logClock.now(elapsedMilliseconds: elapsed), wall: clock.wall())
        do throws(AppendRefusal) {
            let batch = try log.append(
                records: requests.map(\.bytes), time: time, epoch: machine.promise?.epoch ?? 1,
                committed: committed.sequence)
            flights.append(Flight(requests: requests, time: time, end: batch.position))
            appended(batch, elapsed)
            return true
        } catch {
            // Without a spare they wait for one; anything else is a fault of the log, or of ours.
            if error != .spareMissing { stop("the log refused a batch: \(error)") }
            return false
        }
    }

    func appended(_ batch: AppendedBatch, _ elapsed: UInt64) {
        lastBatchElapsedMilliseconds = elapsed
        guardWanted = true
        index.append(batch.position)
        if !isSingle {
            recent.append(batch.bytes, first: batch.firstSequence, end: batch.position.sequence)
            streamAppended(batch)
        }
        drive(.appended(batch.position))
    }

    func becameDurable(_ position: Position, microseconds: UInt64) {
        flushTimes.add(microseconds)
        // The disk gets its next batch before this one is applied: it is the slower of the two.
        if machine.state.orders && !gathering.isEmpty && stopReason == nil && epochToOpen == nil {
            let elapsed = clock.elapsedMilliseconds()
            refuseExpired(elapsed)
            order(elapsed)
        }
        drive(.logDurable(position))
    }

    // MARK: Applying

    /// Applies what is committed by now, and answers those who wait here.
    func commit(through sequence: LogSequence) {
        while !hasFault, let next = flights.first, next.end.sequence <= sequence {
            // Out of the queue first: a fault met while it is applied answers whoever still stands there.
            flights.removeFirst()
            apply(next)
        }
        takeUpWhenKnown()
    }

    /// The other side is lost: once all that was inherited is applied, its open dialogs are known.
    private func takeUpWhenKnown() {
        guard let place = takesUpBehind, committed.sequence >= place, !hasFault else { return }
        takesUpBehind = nil
        observer.onTakeUp(superblock.identity.side.other)
    }

    /// What the other side had begun is to be brought to its end here.
    func takeUpDialogs() {
        takesUpBehind = epochToOpen == nil ? log.end.sequence : log.end.sequence.next
        takeUpWhenKnown()
    }

    private func apply(_ batch: Flight) {
        changes.removeAll(keepingCapacity: true)
        ledger.begin(batch.time, first: batch.first, changes: &changes)
        var outcomes: [Outcome] = []
        outcomes.reserveCapacity(batch.records.count)
        var sequence = batch.first
        for record in batch.records {
            outcomes.append(ledger.apply(record, sequence: sequence, changes: &changes))
            sequence = sequence.next
        }
        committed = batch.end
        committedTime = batch.time
        store.take(AppliedBatch(changes: changes, position: batch.end, time: batch.time, digest: ledger.digest))
        if !isSingle { checkpoints.append(Checkpoint(position: batch.end, digest: ledger.digest)) }
        batchCount += 1
        recordCount += UInt64(batch.records.count)
        sequence = batch.first
        for (index, record) in batch.records.enumerated() {
            if let request = batch.request(at: index), request.forwardedID == nil {
                request.reply(answer(outcomes[index], record: record, at: sequence, time: batch.time))
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
    var clockRecordDue: UInt64? {
        guard let deadline = ledger.nextDeadline else { return nil }
        return max(
            logClock.elapsedMilliseconds(at: deadline),
            lastBatchElapsedMilliseconds + settings.clockRecordIntervalMilliseconds)
    }

    /// A record of the ledger's own, for which nobody waits.
    private func own(_ record: Record) -> LedgerRequest {
        LedgerRequest(record: record, bytes: record.encoded(), deadlineElapsedMilliseconds: .max, reply: { _ in })
    }
}
