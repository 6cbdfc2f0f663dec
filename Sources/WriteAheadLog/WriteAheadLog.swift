internal import ByteCoding
package import CallModel

/// Why a batch was not appended. Nothing was changed, except for `stopped`, after which nothing ever will be.
package enum AppendRefusal: Error, Hashable, Sendable, CustomStringConvertible {
    /// The log failed earlier; what it wrote last is unknown until the next start.
    case stopped(reason: String)
    /// The segment is full and no spare is ready: again after ``LogEvent/spareReady(count:)``.
    case spareMissing
    case tooLarge(bytes: Int, limit: Int)
    /// A copy that does not continue this log, or is no batch.
    case notContinuing(String)

    package var description: String {
        switch self {
        case .stopped(let reason): "the log is stopped: \(reason)"
        case .spareMissing: "no spare segment is ready"
        case .tooLarge(let bytes, let limit): "the batch has \(bytes) bytes; the limit is \(limit)"
        case .notContinuing(let why): "the batch does not continue the log: \(why)"
        }
    }
}

/// A batch on its way to the disk.
package struct AppendedBatch: Sendable {
    package let header: BatchHeader
    /// As written: the other side takes these bytes through ``WriteAheadLog/appendCopy(_:committed:)``.
    package let bytes: [UInt8]

    package var firstSequence: LogSequence { header.firstSequence }
    /// After the batch.
    package var position: Position { header.end }
    package var time: BatchTime { header.time }
}

/// What a completion of the disk means for the log.
package enum LogEvent: Hashable, Sendable {
    /// Everything up to here is durable here.
    case durable(Position, flushMicroseconds: UInt64)
    case guardWritten
    case spareReady(count: Int)
    /// No spare could be made; ``WriteAheadLog/requestSpares()`` tries again. Acknowledging goes on meanwhile.
    case spareDelayed(reason: String)
    case trimmed
    /// Fail-stop: nothing is written ever again. What was not reported durable is unknown.
    case failed(reason: String)
}

/// The ordered log of one side: padded, chained batches in segments (`Schemas/log.md`). A single-threaded state
/// machine: it is called by its owner's thread only, hands work to the disk and learns of its end by ``completed(_:)``.
///
/// Invariants: a block that holds durable bytes is never written again; `durable` never runs ahead of a returned
/// fdatasync; after the first failure nothing is submitted.
package struct WriteAheadLog<D: Disk>: Sendable {
    package let disk: D
    package let identity: LogIdentity
    package let configuration: LogConfiguration
    /// After the last batch appended.
    package private(set) var end: Position
    /// After the last batch known durable.
    package private(set) var durable: Position
    /// Times of the last batch; the next one's log time is not before it.
    package private(set) var lastTime: BatchTime
    /// Why nothing is written any more.
    package private(set) var failure: String?

    private var active: SegmentHeader
    private var offset: Int
    /// Bytes of the active segment that are durable: so far replay may read.
    private var durableOffset: Int
    private var closed: [ClosedSegment]
    private var spares: [UInt64]
    private var spareInFlight: UInt64?
    private var highestNumber: UInt64
    private var pending: [Pending] = []
    private var trimsInFlight = 0
    private var nextToken: UInt64 = 1
    /// What the last batch says is durable: a guard is due while more is.
    private var lastTold: LogSequence
    private var committed: LogSequence

    private struct Pending {
        let token: DiskToken
        let position: Position
        let segment: UInt64
        let offset: Int
        let isGuard: Bool
    }

    // MARK: Opening

    /// Verifies the whole log, decides about its tail by the recovery table, and begins a new segment. Waits for the
    /// disk.
    /// An empty directory becomes a new log, if nothing says that one was there.
    /// `beforeCut` is called before anything is cut of which only the other side can say whether it counts.
    package static func open(
        _ disk: D, identity: LogIdentity, configuration: LogConfiguration = LogConfiguration(),
        evidence: DurableEvidence = DurableEvidence(), beforeCut: () throws(LogError) -> Void = {}
    ) throws(LogError) -> (log: WriteAheadLog, report: RecoveryReport) {
        try LogStart.syncAll(disk)
        var layout = try LogLayout.read(disk, identity: identity)
        guard layout.highestNumber < LogFormat.mostSegments else {
            throw .badArgument(
                "\(LogFormat.segmentFile(layout.highestNumber)): no log has so many segments. It is not of this log: "
                    + "move it aside, then start again")
        }
        var recovery = Recovery(disk: disk, layout: layout, evidence: evidence)
        try recovery.run()
        if recovery.report.tailUndecided { try beforeCut() }
        var start = LogStart(disk: disk, identity: identity, configuration: configuration)
        for segment in recovery.superseded { try start.supersede(segment) }
        layout.segments.removeLast(recovery.superseded.count)
        if let cut = recovery.cut, let end = recovery.end {
            try start.keepAside(
                cut, of: end.segment, as: LogFormat.asideFile(segment: end.segment, offset: cut.lowerBound))
        }
        let report = recovery.report
        let (active, spares) = try start.begin(
            { number in
                SegmentHeader(
                    identity: identity, number: number, segmentBytes: configuration.segmentBytes,
                    firstSequence: report.end.sequence.next, previousChain: report.end.chain,
                    previousEpoch: report.end.epoch, previousTime: report.time, predecessor: recovery.end)
            }, layout)
        start.endOfPredecessor = recovery.end?.offset
        try start.clean(layout, active: active.number, spares: spares)
        var closed = recovery.closed
        if let last = layout.segments.last, let end = recovery.end {
            closed.append(
                ClosedSegment(
                    layout: LogLayout.Segment(header: last.header, limit: end.offset, namedEnd: end.position),
                    lastWall: report.time.wall))
        }
        var log = WriteAheadLog(
            disk: disk, identity: identity, configuration: configuration, active: active, closed: closed,
            spares: spares,
            report: report)
        log.highestNumber = max(layout.highestNumber, active.number)
        log.requestSpares()
        return (log, report)
    }

    /// Begins a log after a position that did not come from it: a side restored from a snapshot, or a joiner.
    /// Only in a directory without segments.
    package static func format(
        _ disk: D, identity: LogIdentity, configuration: LogConfiguration = LogConfiguration(), at position: Position,
        time: BatchTime
    ) throws(LogError) {
        try LogStart.syncAll(disk)
        let layout = try LogLayout.read(disk, identity: identity)
        if let first = layout.segments.first { throw .notEmpty(file: first.file) }
        let start = LogStart(disk: disk, identity: identity, configuration: configuration)
        _ = try start.begin(
            { number in
                SegmentHeader(
                    identity: identity, number: number, segmentBytes: configuration.segmentBytes,
                    firstSequence: position.sequence.next, previousChain: position.chain, previousEpoch: position.epoch,
                    previousTime: time, predecessor: nil)
            }, layout)
    }

    private init(
        disk: D, identity: LogIdentity, configuration: LogConfiguration, active: SegmentHeader, closed: [ClosedSegment],
        spares: [UInt64], report: RecoveryReport
    ) {
        self.disk = disk
        self.identity = identity
        self.configuration = configuration
        self.active = active
        self.closed = closed
        self.spares = spares
        end = report.end
        durable = report.end
        lastTime = report.time
        offset = LogFormat.blockBytes
        durableOffset = LogFormat.blockBytes
        highestNumber = active.number
        lastTold = report.end.sequence
        committed = report.committed
    }

    // MARK: Appending

    /// Encodes one batch and hands it to the disk. `committed`: what is known durable wherever it must be.
    package mutating func append(
        records: [[UInt8]], time: BatchTime, epoch: UInt64, committed: LogSequence
    ) throws(AppendRefusal) -> AppendedBatch {
        precondition(!records.isEmpty, "a batch holds a record at least")
        precondition(epoch >= end.epoch, "the epoch went down from \(end.epoch) to \(epoch)")
        precondition(time.log >= lastTime.log, "log time went back from \(lastTime.log) to \(time.log)")
        var payload = 0
        for record in records {
            if record.count > LogFormat.maximumRecordBytes {
                throw .tooLarge(bytes: record.count, limit: LogFormat.maximumRecordBytes)
            }
            payload += LogFormat.recordPrefixBytes + record.count
        }
        if payload > configuration.maximumPayloadBytes {
            throw .tooLarge(bytes: payload, limit: configuration.maximumPayloadBytes)
        }
        let steps = try makeRoom(LogFormat.batchBytes(payload: payload))
        self.committed = max(self.committed, committed)
        let draft = draft(.records, count: records.count, payload: payload, time: time, epoch: epoch)
        let (bytes, header) = BatchCoding.encode(draft, records: records)
        submit(header, bytes, after: steps)
        return AppendedBatch(header: header, bytes: bytes)
    }

    /// Takes over a batch that the other side encoded: the same chained part and payload, this side's local part.
    package mutating func appendCopy(_ encoded: [UInt8], committed: LogSequence) throws(AppendRefusal) -> AppendedBatch
    {
        guard case .header(let theirs) = encoded.withUnsafeBytes(BatchHeader.read), theirs.kind == .records,
            encoded.count == theirs.totalBytes, encoded.withUnsafeBytes(theirs.chainIsRight)
        else { throw .notContinuing("it is not a whole batch") }
        if theirs.pairID != identity.pairID { throw .notContinuing("it belongs to pair \(theirs.pairID)") }
        if let why = LogWalk<D>.contradiction(theirs, end) { throw .notContinuing(why) }
        if theirs.time.log < lastTime.log { throw .notContinuing("its log time goes back to \(theirs.time.log)") }
        if theirs.payloadBytes > configuration.maximumPayloadBytes {
            throw .tooLarge(bytes: theirs.payloadBytes, limit: configuration.maximumPayloadBytes)
        }
        let steps = try makeRoom(theirs.totalBytes)
        self.committed = max(self.committed, committed)
        var header = theirs
        header.segment = active.number
        header.offset = offset
        header.durable = durable.sequence
        header.committed = self.committed
        var bytes = encoded
        bytes.withUnsafeMutableBytes { buffer in
            header.putLocal(into: buffer)
            UnsafeMutableRawBufferPointer(rebasing: buffer[0..<LogFormat.batchHeaderBytes]).seal()
        }
        submit(header, bytes, after: steps)
        return AppendedBatch(header: header, bytes: bytes)
    }

    /// Whether more is durable than any batch says. After 50 ms of quiet the owner then calls
    /// ``appendGuard(committed:)``.
    package var guardIsDue: Bool { failure == nil && pending.isEmpty && lastTold < durable.sequence }

    /// Writes down what is durable, so that rot of the last records can be told from a torn tail. Returns whether one
    /// was submitted: not when none is due, nor when the segment has no room left (the next batch's segment header
    /// says the same).
    package mutating func appendGuard(committed: LogSequence) -> Bool {
        guard guardIsDue, offset + LogFormat.blockBytes <= configuration.segmentBytes else { return false }
        self.committed = max(self.committed, committed)
        let draft = draft(.guardian, count: 0, payload: 0, time: lastTime, epoch: end.epoch)
        let (bytes, header) = BatchCoding.encode(draft, records: [])
        submit(header, bytes, after: [])
        return true
    }

    private func draft(
        _ kind: BatchHeader.Kind, count: Int, payload: Int, time: BatchTime, epoch: UInt64
    ) -> BatchHeader {
        BatchHeader(
            kind: kind, mayHoldZeroSector: false, pairID: identity.pairID, segment: active.number, offset: offset,
            durable: durable.sequence, committed: committed, previousChain: end.chain, epoch: epoch,
            firstSequence: end.sequence.next, count: count, payloadBytes: payload, time: time, chain: end.chain)
    }

    /// The steps that must come before a batch of so many bytes: none, or the header of a new segment.
    private mutating func makeRoom(_ bytes: Int) throws(AppendRefusal) -> [DiskStep] {
        if let failure { throw .stopped(reason: failure) }
        if offset + bytes <= active.segmentBytes { return [] }
        guard let number = spares.first else { throw .spareMissing }
        spares.removeFirst()
        let before = SegmentEnd(segment: active.number, offset: offset, position: end)
        closed.append(
            ClosedSegment(
                layout: LogLayout.Segment(header: active, limit: offset, namedEnd: end), lastWall: lastTime.wall))
        active = SegmentHeader(
            identity: identity, number: number, segmentBytes: configuration.segmentBytes,
            firstSequence: end.sequence.next, previousChain: end.chain, previousEpoch: end.epoch,
            previousTime: lastTime,
            predecessor: before)
        offset = LogFormat.blockBytes
        durableOffset = LogFormat.blockBytes
        requestSpares()
        let file = LogFormat.segmentFile(number)
        return [.write(file: file, offset: 0, bytes: active.encoded()), .sync(file: file)]
    }

    private mutating func submit(_ header: BatchHeader, _ bytes: [UInt8], after steps: [DiskStep]) {
        let file = LogFormat.segmentFile(active.number)
        let token = token(.log)
        let place = offset
        end = header.end
        lastTime = header.time
        lastTold = header.durable
        offset += bytes.count
        pending.append(
            Pending(
                token: token, position: end, segment: active.number, offset: offset, isGuard: header.kind == .guardian))
        disk.submit(
            DiskWork(
                token: token, lane: .log,
                steps: steps + [.write(file: file, offset: place, bytes: bytes), .sync(file: file)]))
    }

    private mutating func token(_ owner: DiskToken.Owner) -> DiskToken {
        defer { nextToken += 1 }
        return DiskToken(owner: owner, number: nextToken)
    }

    // MARK: Completions

    /// Takes a completion of the disk. Nil for one that is not the log's, or changes nothing.
    package mutating func completed(_ completion: DiskCompletion) -> LogEvent? {
        switch completion.token.owner {
        case .log: completedBatch(completion)
        case .spare: completedSpare(completion)
        case .trim: completedTrim(completion)
        case .superblock, .other: nil
        }
    }

    private mutating func completedTrim(_ completion: DiskCompletion) -> LogEvent? {
        trimsInFlight -= 1
        if case .failure(let error) = completion.result { return fail("\(error)") }
        return .trimmed
    }

    private mutating func completedBatch(_ completion: DiskCompletion) -> LogEvent? {
        if failure != nil { return nil }
        guard let first = pending.first, first.token == completion.token else {
            preconditionFailure("the disk completed \(completion.token) out of order")
        }
        if case .failure(let error) = completion.result { return fail("\(error)") }
        pending.removeFirst()
        durable = first.position
        if first.segment == active.number { durableOffset = first.offset }
        return first.isGuard ? .guardWritten : .durable(durable, flushMicroseconds: completion.elapsedMicroseconds)
    }

    /// Stops the log for good; also for the owner, when it must not be written any more.
    @discardableResult
    package mutating func fail(_ reason: String) -> LogEvent? {
        if failure != nil { return nil }
        failure = reason
        return .failed(reason: reason)
    }

    // MARK: Spares and trimming

    /// Nothing of this log is on its way to the disk: its files may be opened anew.
    package var isQuiet: Bool { pending.isEmpty && spareInFlight == nil && trimsInFlight == 0 }

    /// Whole, zero-filled segments that are ready.
    package var spareCount: Int { spares.count }

    /// Makes the next spare, one at a time, until there are enough.
    package mutating func requestSpares() {
        guard failure == nil, spareInFlight == nil, spares.count < configuration.spareSegments else { return }
        highestNumber += 1
        spareInFlight = highestNumber
        let temporary = LogFormat.temporaryFile(highestNumber)
        disk.submit(
            DiskWork(
                token: token(.spare), lane: .background,
                steps: [
                    .zeroFill(file: temporary, count: configuration.segmentBytes), .sync(file: temporary),
                    .rename(from: temporary, to: LogFormat.segmentFile(highestNumber)), .syncDirectory,
                ]))
    }

    private mutating func completedSpare(_ completion: DiskCompletion) -> LogEvent? {
        guard let number = spareInFlight else { return nil }
        spareInFlight = nil
        switch completion.result {
        case .success:
            spares.append(number)
            requestSpares()
            return .spareReady(count: spares.count)
        case .failure(let error):
            guard error.isNoSpace else { return fail("\(error)") }
            // The half-made file gives its room back; nothing waits for that.
            disk.submit(
                DiskWork(
                    token: token(.other), lane: .background, steps: [.remove(file: LogFormat.temporaryFile(number))]))
            return .spareDelayed(reason: "\(error)")
        }
    }

    /// Before the oldest record that the log still holds.
    package var base: Position { closed.first?.layout.header.start ?? active.start }

    /// Bytes of all segments that hold records or may.
    package var retainedBytes: Int { closed.reduce(active.segmentBytes) { $0 + $1.bytes } }

    /// Removes whole old segments that retention does not want and nobody needs. `keeping`: the first sequence that the
    /// store, its snapshots or the other side still need. Returns how many go.
    @discardableResult
    package mutating func trim(keeping: LogSequence, now: WallTime) -> Int {
        guard failure == nil else { return 0 }
        var steps: [DiskStep] = []
        var retained = retainedBytes
        var count = 0
        while count < closed.count {
            let segment = closed[count]
            let next = count + 1 < closed.count ? closed[count + 1].layout.header : active
            let isOld = now.milliseconds - segment.lastWall.milliseconds > configuration.retentionMilliseconds
            guard next.firstSequence <= keeping, isOld || retained > configuration.retentionBytes else { break }
            // One by one, oldest first: a crash never leaves a hole between segments.
            steps += [.remove(file: segment.layout.file), .syncDirectory]
            retained -= segment.bytes
            count += 1
        }
        if count == 0 { return 0 }
        closed.removeFirst(count)
        trimsInFlight += 1
        disk.submit(DiskWork(token: token(.trim), lane: .background, steps: steps))
        return count
    }

    // MARK: Reading

    /// Reads every durable batch with a record after `sequence`, oldest first. Waits for the disk.
    package func replay<Failure: Error>(
        after sequence: LogSequence, _ body: (LoggedBatch) throws(Failure) -> Void
    ) throws(ReplayFailure<Failure>) {
        if durable.sequence <= sequence { return }
        if sequence < base.sequence {
            throw .log(
                .gap(
                    file: LogFormat.segmentFile(active.number),
                    text: "the log begins after \(base.sequence), not \(sequence)"))
        }
        let reader: LogReader<D>
        do throws(LogError) { reader = try self.reader(after: sequence) } catch { throw .log(error) }
        try reader.forEach(upTo: durable.sequence, body)
    }

    /// Reads what is durable now behind `sequence`, batch by batch. What becomes durable later needs another reader.
    package func reader(after sequence: LogSequence) throws(LogError) -> LogReader<D> {
        let newest = LogLayout.Segment(header: active, limit: durableOffset, namedEnd: nil)
        return try LogReader(disk, segments: closed.map(\.layout) + [newest], after: sequence)
    }
}

package enum ReplayFailure<Failure: Error>: Error {
    case log(LogError)
    case body(Failure)
}

extension DiskError {
    /// No room, by disk or quota: passes by itself, unlike every other error.
    package var isNoSpace: Bool { errno == Self.noSpace || errno == Self.noQuota }
}
