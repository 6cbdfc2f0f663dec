internal import ByteCoding
internal import CallModel
internal import Duplex
internal import Ledger
internal import WriteAheadLog

// MARK: - The private link

extension ReplicatedLedger {
    /// What this side says first on a connection. `nonce`: drawn for it.
    package func greeting(nonce: UInt64) -> PairGreeting {
        PairGreeting(
            pairID: superblock.identity.pairID, side: superblock.identity.side,
            incarnation: superblock.identity.incarnation, nonce: nonce)
    }

    /// Why no session may begin now; nil when one may.
    package var refusesSessions: String? {
        if let stopReason { return stopReason }
        let isStalled =
            isWriting && clock.elapsedMilliseconds() >= lastBatchElapsedMilliseconds + settings.stallMilliseconds
        return isStalled ? "this side's disk is stalled" : nil
    }

    /// Both greetings were good: a session begins. It replaces the one before.
    package func linkConnected(_ theirs: PairGreeting, session number: UInt64) {
        linkLost()
        if stopReason != nil { return link.endSession(reason: "this side stops") }
        session = LinkSession(
            number: number, incarnation: theirs.incarnation, lastHeardElapsedMilliseconds: clock.elapsedMilliseconds())
        send(.pair(.register(machine.standing)))
    }

    /// The session ended.
    package func linkLost() {
        guard session != nil else { return }
        session = nil
        stream = nil
        streamReader = nil
        inbound = []
        // Whoever asked them there asks again; whoever asked here is ordered by whoever orders next.
        gathering.removeForwarded()
        held.removeForwarded()
        for request in forwarded.takeAll() { gathering.append(request) }
        drive(.sessionLost)
    }

    func endSession(_ reason: String) {
        guard session != nil else { return }
        link.endSession(reason: reason)
        linkLost()
    }

    func send(_ frame: PairFrame) {
        guard let session else { return }
        let header = PairFrameHeader(
            session: session.number, epoch: machine.promise?.epoch ?? 0, incarnation: superblock.identity.incarnation)
        link.send(frame.encoded(header))
    }

    /// A frame of the present session. Garbage ends the session, and changes nothing else.
    package func linkReceived(_ bytes: [UInt8]) {
        guard session != nil, stopReason == nil else { return }
        let header: PairFrameHeader
        let frame: PairFrame
        do throws(ByteFault) {
            (header, frame) = try PairFrame.decode(bytes)
        } catch {
            return endSession("the other side sent a frame that cannot be read: \(error)")
        }
        guard let session, World.Rules.admits(header, session: session.number, incarnation: session.incarnation) else {
            return
        }
        self.session?.lastHeardElapsedMilliseconds = clock.elapsedMilliseconds()
        switch frame {
        case .pair(let message): received(message, header)
        case .heartbeat(let standing, let told, let checkpoint):
            received(.register(standing), header)
            drive(.message(header, .committed(told)))
            if let checkpoint { compare(checkpoint) }
        case .append(let batch, let told, let places): receivedBatch(batch, told, places, header)
        case .forward(let id, let deadline, let record): receivedForward(id, deadline, record)
        case .forwardRefused(let id, let refusal): forwarded.take(id)?.reply(.failure(refusal))
        }
    }

    private func received(_ message: PairMessage, _ header: PairFrameHeader) {
        if case .register(let standing) = message, session?.isOpen == false {
            session?.isOpen = true
            drive(
                .sessionOpened(
                    session: header.session, PairHello(incarnation: header.incarnation, standing: standing)))
            return
        }
        drive(.message(header, message))
        if case .durable = message {
            stream?.acknowledged(through: machine.otherDurable)
            index.streamAcknowledged(through: machine.otherDurable)
            pump()
        }
    }

    // MARK: Heartbeats

    /// What the other side should know by the end of a turn.
    func tellOther() {
        guard let session else { return }
        let elapsed = clock.elapsedMilliseconds()
        if elapsed >= session.lastBeatElapsedMilliseconds + settings.heartbeatMilliseconds {
            self.session?.lastBeatElapsedMilliseconds = elapsed
            toldCommitted = committed.sequence
            send(.heartbeat(machine.standing, committed: committed.sequence, checkpoints.newest))
        } else if stream != nil, committed.sequence > toldCommitted {
            toldCommitted = committed.sequence
            send(.pair(.committed(committed.sequence)))
        }
    }

    /// Equal positions must mean equal ledgers; the alarm names the first table that differs.
    private func compare(_ theirs: Checkpoint) {
        guard !hasDiverged, let ours = checkpoints.at(theirs.position),
            let table = ours.digest.firstDifference(from: theirs.digest)
        else { return }
        hasDiverged = true
        observer.onAlarm(
            "the sides differ at \(theirs.position), first in table \(table): stop the side whose store does not verify, "
                + "and let it join anew")
    }

    // MARK: Streaming

    func streamAppended(_ batch: AppendedBatch) {
        guard var stream, stream.isLive else { return }
        if stream.isTooFarBehind {
            stream.fallBehind()
        } else {
            stream.sending(through: batch.position.sequence, bytes: batch.bytes.count)
            send(batch.bytes, places: flights.last.map { $0.forwardedPlaces } ?? [])
        }
        self.stream = stream
    }

    private func send(_ batch: [UInt8], places: [ForwardedPlace] = []) {
        toldCommitted = committed.sequence
        send(.append(batch: batch, committed: committed.sequence, forwarded: places))
    }

    /// Sends what the other side lacks, as much as may be on its way; of what must be read from the disk one chunk a turn,
    /// so that heartbeats and requests are not kept waiting.
    func pump() {
        guard var stream, session != nil else { return }
        while stream.mayRead {
            if stream.sent >= log.end.sequence {
                stream.caughtUp()
                streamReader = nil
            } else if let batches = recent.after(stream.sent), !batches.isEmpty {
                for batch in batches where stream.mayRead {
                    stream.sending(through: batch.end, bytes: batch.bytes.count)
                    send(batch.bytes)
                }
            } else {
                for batch in readLog(after: stream.sent, mostBytes: OtherSideStream.chunkBytes) {
                    let bytes = batch.encoded()
                    index.streaming(batch.position)
                    stream.sending(through: batch.lastSequence, bytes: bytes.count)
                    send(bytes)
                }
                break
            }
        }
        self.stream = stream
    }

    /// Batches are waiting to be read for the other side: the next turn should come at once.
    var streamWantsTurn: Bool {
        guard let stream, session != nil else { return false }
        return stream.mayRead && stream.sent < log.durable.sequence
    }

    private func readLog(after sequence: LogSequence, mostBytes: Int) -> [LoggedBatch] {
        var batches: [LoggedBatch] = []
        var bytes = 0
        do throws(LogError) {
            if streamReader?.delivered != sequence {
                streamReader = (sequence, try log.reader(after: sequence))
            }
            while bytes < mostBytes, let batch = try streamReader?.reader.next() {
                streamReader?.delivered = batch.lastSequence
                batches.append(batch)
                bytes += batch.header.totalBytes
            }
            // More may have become durable than this reader was made for.
            if batches.isEmpty { streamReader = nil }
        } catch {
            stop("the log cannot be read for the other side: \(error)")
        }
        return batches
    }

    /// The end of the batch that ends at the sequence, read from the log.
    func batchEnd(at sequence: LogSequence) -> Position? {
        guard sequence > log.base.sequence else { return sequence == log.base.sequence ? log.base : nil }
        do throws(LogError) {
            var reader = try log.reader(after: LogSequence(sequence.number - 1))
            let batch = try reader.next()
            return batch.flatMap { $0.lastSequence == sequence ? $0.position : nil }
        } catch {
            stop("the log cannot be read: \(error)")
            return nil
        }
    }

    // MARK: Following

    private func receivedBatch(
        _ bytes: [UInt8], _ told: LogSequence, _ places: [ForwardedPlace], _ header: PairFrameHeader
    ) {
        guard machine.admits(header), machine.takesBatches, header.epoch == machine.promise?.epoch else { return }
        guard let batch = LoggedBatch(encoded: bytes) else {
            return endSession("the other side sent a batch that is none")
        }
        inbound.append(InboundBatch(batch: batch, bytes: bytes, forwarded: places))
        takeInbound()
        drive(.message(header, .committed(told)))
    }

    /// Puts what the other side ordered into this side's log; without a spare segment it waits for one.
    func takeInbound() {
        while let next = inbound.first, stopReason == nil {
            let records: [Record]
            do throws(ByteFault) {
                records = try next.batch.records.map { (bytes) throws(ByteFault) in try Record(decoding: bytes) }
            } catch {
                return endSession("the other side sent a record that cannot be read: \(error)")
            }
            do throws(AppendRefusal) {
                let taken = try log.appendCopy(next.bytes, committed: committed.sequence)
                inbound.removeFirst()
                flights.append(
                    Flight(
                        records: records, time: taken.time, end: taken.position,
                        forwarded: waiting(next.forwarded, in: taken)))
                appended(taken, clock.elapsedMilliseconds())
            } catch {
                switch error {
                case .spareMissing: return
                case .stopped: return stop("the log refused a batch: \(error)")
                case .notContinuing, .tooLarge: return endSession("the other side's batch was refused: \(error)")
                }
            }
        }
    }

    private func waiting(_ places: [ForwardedPlace], in batch: AppendedBatch) -> [Int: LedgerRequest] {
        var waiting: [Int: LedgerRequest] = [:]
        for place in places where place.sequence >= batch.firstSequence && place.sequence <= batch.position.sequence {
            waiting[Int(place.sequence.number - batch.firstSequence.number)] = forwarded.take(place.id)
        }
        return waiting
    }

    // MARK: Forwarding

    /// Everything that gathered here goes to the side that orders.
    func forwardGathered(_ elapsed: UInt64) {
        for request in gathering.takeAll() {
            let left = request.deadlineElapsedMilliseconds > elapsed ? request.deadlineElapsedMilliseconds - elapsed : 0
            send(
                .forward(
                    id: forwarded.add(request), deadlineMilliseconds: UInt32(clamping: left), record: request.bytes))
        }
    }

    private func receivedForward(_ id: UInt64, _ deadlineMilliseconds: UInt32, _ bytes: [UInt8]) {
        let record: Record
        do throws(ByteFault) { record = try Record(decoding: bytes) } catch {
            return endSession("the other side forwarded a record that cannot be read: \(error)")
        }
        let deadline = clock.elapsedMilliseconds() + UInt64(deadlineMilliseconds)
        submit(LedgerRequest(forwarded: id, record: record, bytes: bytes, deadlineElapsedMilliseconds: deadline))
    }

    // MARK: Cutting

    /// Moves aside what only this side holds behind a place that both do, once nothing is on its way to the disk any
    /// more. Waits for the disk: nothing is served now.
    func cutLogWhenQuiet() {
        guard let position = cutWanted, stopReason == nil, log.isQuiet, !superblocks.isWriting else { return }
        cutWanted = nil
        cutLog(to: position)
    }

    private func cutLog(to position: Position) {
        do throws(LogError) {
            superblock.cleanEnd = nil
            try superblocks.write(superblock)
            var evidence = DurableEvidence()
            evidence.cutAfter = position
            let (cut, _) = try WriteAheadLog.open(
                log.disk, identity: log.identity, configuration: log.configuration, evidence: evidence)
            log = cut
        } catch {
            return stop("the log could not be aligned with the other side's: \(error)")
        }
        observer.onAlarm("records behind \(position) that only this side held were moved aside")
        while let last = flights.last, last.end.sequence > position.sequence {
            for request in flights[flights.count - 1].takeAll() { gathering.append(request) }
            flights.removeLast()
        }
        index.cut(after: position)
        recent.removeAll()
        streamReader = nil
        drive(.logCut(position))
    }
}
