internal import CallModel

/// Goes through the batches of a log in order and stops where one is not good. Takes no decision.
struct LogWalk<D: Disk> {
    enum Step: Equatable {
        case batch(BatchHeader)
        /// Bytes that were passed over: see ``RecoveryFinding/damagedGuard``.
        case damagedGuard(file: String, offset: Int)
        /// Not good, or the end of the newest segment.
        case stop(SegmentCursor<D>.Found)
        /// A whole batch that does not continue the log.
        case contradiction(String)
    }

    private let disk: D
    private let segments: [LogLayout.Segment]
    private var index: Int
    private(set) var cursor: SegmentCursor<D>
    /// After the last good batch.
    private(set) var position: Position

    init(disk: D, segments: [LogLayout.Segment], from index: Int = 0) {
        precondition(segments.indices.contains(index))
        self.disk = disk
        self.segments = segments
        self.index = index
        cursor = SegmentCursor(disk: disk, header: segments[index].header, limit: segments[index].limit)
        position = segments[index].header.start
    }

    var segment: LogLayout.Segment { segments[index] }
    var isNewest: Bool { index == segments.count - 1 }

    mutating func next() throws(LogError) -> Step {
        while true {
            if let end = segment.namedEnd, cursor.offset >= cursor.limit {
                guard end.sequence == position.sequence, end.chain == position.chain else {
                    return .contradiction("its successor says that it ends with \(end), but it ends with \(position)")
                }
                let header = segments[index + 1].header
                guard header.start.sequence == end.sequence, header.start.chain == end.chain else {
                    return .contradiction("its successor begins after \(header.start)")
                }
                index += 1
                cursor = SegmentCursor(disk: disk, header: header, limit: segment.limit)
                continue
            }
            let found = try cursor.look()
            switch found {
            case .batch(let batch):
                if let why = Self.contradiction(batch, position) { return .contradiction(why) }
                if batch.kind == .records { position = batch.end }
                cursor.move(to: cursor.offset + batch.totalBytes)
                return .batch(batch)
            case .newerVersion(let version):
                throw .newerVersion(file: cursor.file, offset: cursor.offset, version: version)
            case .misplaced(let what): return .contradiction(what)
            case .zero, .bad:
                let bad = cursor.offset
                guard let continuing = try findContinuing() else { return .stop(found) }
                cursor.move(to: continuing)
                return .damagedGuard(file: cursor.file, offset: bad)
            }
        }
    }

    /// Passes over batches that end at or before `sequence` by their headers alone: for a log that was verified before.
    mutating func skip(through sequence: LogSequence) throws(LogError) {
        while let batch = try cursor.peek() {
            if batch.kind == .records {
                guard batch.end.sequence <= sequence, Self.contradiction(batch, position) == nil else { return }
                position = batch.end
            }
            cursor.move(to: cursor.offset + batch.totalBytes)
        }
    }

    /// To the batch that follows the position, or behind what can be read of this segment when there is none. What lies
    /// before is neither read nor judged, since a damaged batch may stand there.
    mutating func go(behind place: Position) throws(LogError) {
        guard place.sequence > position.sequence else { return }
        var scan = cursor
        var next: Int?
        var end = cursor.offset
        try scan.scan { offset, found in
            guard case .batch(let batch) = found else { return true }
            if batch.kind == .records && Self.contradiction(batch, place) == nil {
                next = offset
                return false
            }
            end = offset + batch.totalBytes
            return true
        }
        cursor.move(to: next ?? end)
        position = place
    }

    /// Of the batch that ``next()`` found last.
    func records(of batch: BatchHeader) -> [[UInt8]]? { cursor.records(before: batch) }

    static func contradiction(_ batch: BatchHeader, _ position: Position) -> String? {
        if batch.firstSequence != position.sequence.next {
            return
                "a batch that begins with sequence \(batch.firstSequence) stands where \(position.sequence.next) is due"
        }
        if batch.previousChain != position.chain {
            return "the chain breaks: the batch follows chain \(batch.previousChain)"
        }
        if batch.epoch < position.epoch { return "the epoch goes down to \(batch.epoch)" }
        return nil
    }

    /// Where the log goes on without a gap after a bad block, if it does: at a batch that continues the chain, or at
    /// the end that the successor names.
    private func findContinuing() throws(LogError) -> Int? {
        if let end = segment.namedEnd, end.sequence == position.sequence, end.chain == position.chain {
            return cursor.limit
        }
        var scan = cursor
        scan.move(to: cursor.offset + LogFormat.blockBytes)
        var continuing: Int?
        let position = position
        try scan.scan { offset, found in
            if case .batch(let batch) = found, batch.kind == .records, Self.contradiction(batch, position) == nil {
                continuing = offset
                return false
            }
            return true
        }
        return continuing
    }
}
