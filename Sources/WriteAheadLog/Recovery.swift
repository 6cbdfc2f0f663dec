package import CallModel

/// What others say is durable, and whom to believe about a tail.
package struct DurableEvidence: Hashable, Sendable {
    /// Where the store stands. The log must reach back to it, because the ledger is replayed from there.
    package var stored: Position?
    /// The superblock's end at a clean stop.
    package var cleanEnd: Position?
    /// What the other side says this log acknowledged.
    package var otherSide: Position?
    /// The superblock's promise says PAIRED: a tail may have been acknowledged together with the other side.
    package var epochWasPaired = false
    package var otherSideWord = OtherSideWord.notAsked
    /// What both sides hold ends here: whatever follows is moved aside, good or not (R11). It must be on this log.
    package var cutAfter: Position?

    package init(stored: Position? = nil, cleanEnd: Position? = nil) {
        self.stored = stored
        self.cleanEnd = cleanEnd
    }
}

/// One thing that the start found and did.
package struct RecoveryNote: Hashable, Sendable, CustomStringConvertible {
    package let file: String
    package let offset: Int
    package let finding: RecoveryFinding
    /// Where cut bytes are kept.
    package let aside: String?

    package var description: String {
        "\(file) at byte \(offset): \(RecoveryTable.row(finding).sentence)" + (aside.map { " Kept as \($0)." } ?? "")
    }
}

/// What a start found. Every note is worth a line in the operator's log.
package struct RecoveryReport: Hashable, Sendable {
    /// Before the oldest record that the log still holds.
    package var base = Position.zero
    package var end = Position.zero
    /// Times of the last batch.
    package var time = BatchTime(log: .zero, wall: .zero)
    /// The highest sequence that a batch says was committed.
    package var committed = LogSequence.zero
    package var segments = 0
    package var batches: UInt64 = 0
    package var records: UInt64 = 0
    package var notes: [RecoveryNote] = []
    /// A bad tail was cut of which only the other side can say whether it was acknowledged; its bytes are kept aside.
    package var tailUndecided = false
}

/// A segment that is complete, as far as trimming and replay need it.
struct ClosedSegment: Hashable, Sendable {
    let layout: LogLayout.Segment
    let lastWall: WallTime

    var number: UInt64 { layout.header.number }
    var bytes: Int { layout.limit }
}

/// Verifies a whole log and decides by the table. Reads only; what was decided is carried out by the start.
struct Recovery<D: Disk> {
    let disk: D
    let evidence: DurableEvidence
    private var layout: LogLayout
    private(set) var report = RecoveryReport()
    private(set) var closed: [ClosedSegment] = []
    private(set) var end: SegmentEnd?
    /// Bytes of the end's segment that were cut and are to be kept.
    private(set) var cut: Range<Int>?
    /// Segments behind the end's, newest first: wholly cut.
    private(set) var superseded: [LogLayout.Segment] = []

    init(disk: D, layout: LogLayout, evidence: DurableEvidence) {
        self.disk = disk
        self.layout = layout
        self.evidence = evidence
    }

    private var claims: [Position] {
        [evidence.stored, evidence.cleanEnd, evidence.otherSide].compactMap { $0 }.sorted { $0.sequence < $1.sequence }
    }

    mutating func run() throws(LogError) {
        guard let oldest = layout.segments.first else { return try checkEmpty() }
        let base = oldest.header.start
        report.base = base
        report.segments = layout.segments.count
        report.time = oldest.header.previousTime
        if let stored = evidence.stored, stored.sequence < base.sequence {
            throw .gap(
                file: oldest.file,
                text: "the log begins after sequence \(base.sequence), but the store ends with \(stored.sequence)")
        }
        var waiting = claims.filter { $0.sequence >= base.sequence }
        var walk = LogWalk(disk: disk, segments: layout.segments)
        var newest = walk.segment
        try confirm(&waiting, at: base, walk)
        while true {
            if try endsHere(walk) { return }
            let step = try walk.next()
            if walk.segment != newest {
                // Also those between without a batch: of starts after which nothing was written.
                for passed in layout.segments.drop(while: { $0 != newest }).prefix(while: { $0 != walk.segment }) {
                    closed.append(ClosedSegment(layout: passed, lastWall: report.time.wall))
                }
                newest = walk.segment
            }
            switch step {
            case .batch(let batch):
                report.batches += 1
                report.records += UInt64(batch.count)
                report.time = batch.time
                report.committed = max(report.committed, batch.committed)
                try confirm(&waiting, at: walk.position, walk)
            case .damagedGuard(let file, let offset):
                report.notes.append(RecoveryNote(file: file, offset: offset, finding: .damagedGuard, aside: nil))
            case .contradiction(let what):
                throw damage(walk, what, .contradiction)
            case .stop(let found):
                return try judge(&walk, found, waiting)
            }
        }
    }

    /// The place that both sides hold: reading ends here, and what follows is cut.
    private mutating func endsHere(_ walk: LogWalk<D>) throws(LogError) -> Bool {
        guard let place = evidence.cutAfter, place.sequence <= walk.position.sequence else { return false }
        guard place.sequence == walk.position.sequence, place.chain == walk.position.chain else {
            throw .badArgument("the log is to be cut after \(place), where no batch of it ends")
        }
        let number = walk.segment.header.number
        end = SegmentEnd(segment: number, offset: walk.cursor.offset, position: walk.position)
        report.end = walk.position
        superseded = layout.segments.filter { $0.header.number > number }.reversed()
        var cursor = walk.cursor
        if let lastByte = try cursor.endOfBytes(), lastByte > cursor.offset { cut = cursor.offset..<lastByte }
        return true
    }

    /// No segment: right for a new log only.
    private func checkEmpty() throws(LogError) {
        guard let claim = claims.last, claim.sequence > .zero else { return }
        throw .damaged(
            LogDamage(
                file: LogFormat.segmentFile(1), offset: 0, after: .zero,
                what: "there is no log, but \(claim) was durable", finding: .badKnownDurable))
    }

    /// Every claim at or before a position must be that of a batch's end, with the same chain.
    private func confirm(_ waiting: inout [Position], at position: Position, _ walk: LogWalk<D>) throws(LogError) {
        while let claim = waiting.first, claim.sequence <= position.sequence {
            guard claim.sequence == position.sequence, claim.chain == position.chain else {
                throw damage(
                    walk, "the store, the superblock or the other side stands at \(claim), which is not on this log",
                    .contradiction)
            }
            waiting.removeFirst()
        }
    }

    private func damage(_ walk: LogWalk<D>, _ what: String, _ finding: RecoveryFinding) -> LogError {
        .damaged(
            LogDamage(
                file: walk.cursor.file, offset: walk.cursor.offset, after: walk.position, what: what, finding: finding))
    }

    /// Reading stopped: the end of the log, a tail, or rot.
    private mutating func judge(
        _ walk: inout LogWalk<D>, _ found: SegmentCursor<D>.Found, _ waiting: [Position]
    ) throws(LogError) {
        let what = Self.words(found)
        if !walk.isNewest { throw damage(walk, "\(what); a later segment says that it was durable", .badKnownDurable) }
        try checkSize(walk)
        let later = try LaterBatches(behind: walk.cursor)
        if let claim = waiting.last {
            throw damage(
                walk, "\(what); the store, the superblock or the other side says that \(claim) was durable",
                .badKnownDurable)
        }
        if later.known >= walk.position.sequence.next {
            throw damage(walk, "\(what); a later batch says that \(later.known) was durable", .badKnownDurable)
        }
        var cursor = walk.cursor
        let lastByte = try cursor.endOfBytes()
        end = SegmentEnd(segment: walk.segment.header.number, offset: walk.cursor.offset, position: walk.position)
        report.end = walk.position
        guard let lastByte else {
            report.notes.append(note(walk, .zerosToTheEnd, aside: nil))
            return
        }
        if later.any { report.notes.append(note(walk, .holeBeforeUndurable, aside: nil)) }
        var header: BatchHeader?
        if case .bad(_, let read) = found { header = read }
        let finding = BadPosition(
            knownDurable: false, epochWasPaired: evidence.epochWasPaired, otherSide: evidence.otherSideWord,
            zeroSector: try cursor.holdsZeroSector(header)
        ).finding
        switch RecoveryTable.row(finding).decision {
        case .cut: break
        case .ask: report.tailUndecided = true
        default: throw damage(walk, what, finding)
        }
        cut = walk.cursor.offset..<lastByte
        let aside = LogFormat.asideFile(segment: walk.segment.header.number, offset: walk.cursor.offset)
        report.notes.append(note(walk, finding, aside: aside))
    }

    /// A segment has its full size, durably, before it has a header; a crash cannot shorten it.
    private func checkSize(_ walk: LogWalk<D>) throws(LogError) {
        let size = try onDisk { () throws(DiskError) in try disk.size(walk.cursor.file) }
        let stated = walk.segment.header.segmentBytes
        if size < stated { throw damage(walk, "the file has \(size) bytes, its header says \(stated)", .contradiction) }
    }

    private func note(_ walk: LogWalk<D>, _ finding: RecoveryFinding, aside: String?) -> RecoveryNote {
        RecoveryNote(file: walk.cursor.file, offset: walk.cursor.offset, finding: finding, aside: aside)
    }

    static func words(_ found: SegmentCursor<D>.Found) -> String {
        switch found {
        case .bad(let what, _), .misplaced(let what): what
        case .zero: "a zero block"
        case .batch, .newerVersion: "a batch"
        }
    }
}

/// What the batches behind a bad position say.
struct LaterBatches {
    private(set) var any = false
    private(set) var known = LogSequence.zero

    /// Reads the rest of the segment, from the block behind the cursor's place on.
    init<D: Disk>(behind bad: SegmentCursor<D>) throws(LogError) {
        var cursor = bad
        cursor.move(to: bad.offset + LogFormat.blockBytes)
        var (any, known) = (false, LogSequence.zero)
        try cursor.scan { _, found in
            switch found {
            case .batch(let batch), .bad(_, .some(let batch)):
                any = true
                known = max(known, batch.known)
            case .misplaced, .newerVersion, .zero, .bad(_, nil): break
            }
            return true
        }
        (self.any, self.known) = (any, known)
    }
}
