package import CallModel
internal import Glibc

/// Reads a log without changing anything: for replay, and for tools on a stopped, damaged or running side's directory.
package struct LogReader<D: Disk> {
    private var walk: LogWalk<D>?
    private let after: LogSequence
    /// Why reading ended before the end of the newest segment: beside a running side the batch being written, else a
    /// torn tail that the next start decides about. Nil at a clean end.
    package private(set) var ending: LogDamage?
    /// Guard batches that were passed over because they are damaged.
    package private(set) var damagedGuards = 0

    /// Reads the segments' headers. Batches that end at or before `after` are passed over.
    package init(_ disk: D, after: LogSequence = .zero) throws(LogError) {
        let segments = try LogLayout.read(disk, identity: nil).segments
        self.after = after
        let index = segments.lastIndex { $0.header.firstSequence <= after.next } ?? 0
        walk = segments.isEmpty ? nil : LogWalk(disk: disk, segments: segments, from: index)
    }

    /// What follows a position of this log, also where the log is damaged before it: for replay from a snapshot.
    package init(_ disk: D, behind position: Position) throws(LogError) {
        try self.init(disk, after: position.sequence)
        try walk?.go(behind: position)
    }

    /// Of a log that this process has verified: what is passed over is not verified again.
    init(_ disk: D, segments: [LogLayout.Segment], after: LogSequence) throws(LogError) {
        self.after = after
        // The last segment that begins at or before the record after `after`.
        let index = segments.lastIndex { $0.header.firstSequence <= after.next } ?? 0
        walk = segments.isEmpty ? nil : LogWalk(disk: disk, segments: segments, from: index)
        if after > .zero { try walk?.skip(through: after) }
    }

    /// Before the first batch that can be read; after each batch: its end.
    package var position: Position { walk?.position ?? .zero }

    /// The next batch with records; nil at the end. Guards are verified and passed over.
    package mutating func next() throws(LogError) -> LoggedBatch? {
        guard walk != nil, ending == nil else { return nil }
        while true {
            switch try walk!.next() {
            case .batch(let batch):
                guard batch.kind == .records, batch.end.sequence > after else { continue }
                guard let records = walk!.records(of: batch) else {
                    throw damage("the lengths of the records do not add up", .contradiction, at: batch)
                }
                return LoggedBatch(header: batch, records: records)
            case .damagedGuard: damagedGuards += 1
            case .contradiction(let what): throw damage(what, .contradiction, at: nil)
            case .stop(.zero): return nil
            case .stop(let found):
                let what = Recovery<D>.words(found)
                guard walk!.isNewest else { throw damage(what, .badKnownDurable, at: nil) }
                ending = LogDamage(
                    file: walk!.cursor.file, offset: walk!.cursor.offset, after: position, what: what,
                    finding: .badAlone)
                return nil
            }
        }
    }

    /// What reading ended at, when a batch behind it, or whoever claims `durable`, says that what is missing there was
    /// durable: rot then, and no torn tail. Reads the rest of the segment; never for the log of a running side.
    package func rot(durable: Position) throws(LogError) -> LogDamage? {
        guard let walk else { return nil }
        var known = durable.sequence
        if ending != nil { known = max(known, try LaterBatches(behind: walk.cursor).known) }
        guard known > position.sequence else { return nil }
        return LogDamage(
            file: walk.cursor.file, offset: walk.cursor.offset, after: position,
            what: "\(ending?.what ?? "the log ends"); sequence \(known) was durable", finding: .badKnownDurable)
    }

    private func damage(_ what: String, _ finding: RecoveryFinding, at batch: BatchHeader?) -> LogError {
        .damaged(
            LogDamage(
                file: walk!.cursor.file, offset: batch?.offset ?? walk!.cursor.offset, after: position, what: what,
                finding: finding))
    }

    /// Everything up to `last`, which must be there.
    func forEach<Failure: Error>(
        upTo last: LogSequence, _ body: (LoggedBatch) throws(Failure) -> Void
    ) throws(ReplayFailure<Failure>) {
        var reader = self
        while reader.position.sequence < last {
            let batch: LoggedBatch
            do throws(LogError) {
                guard let next = try reader.next() else {
                    throw reader.damage(
                        "the log ends before sequence \(last), which was durable", .badKnownDurable, at: nil)
                }
                batch = next
            } catch { throw .log(error) }
            do throws(Failure) { try body(batch) } catch { throw .body(error) }
        }
    }
}

extension DiskError {
    static var noSpace: Int32 { ENOSPC }
    static var noQuota: Int32 { EDQUOT }
}
