internal import CallModel

/// Reads the batches of one segment through a window, so that a log of any size takes little memory.
struct SegmentCursor<D: Disk> {
    enum Found: Equatable {
        /// Whole by itself: header, place and payload are right. Whether it continues the log is the walk's question.
        case batch(BatchHeader)
        /// A whole header of another place: a write went astray.
        case misplaced(String)
        case newerVersion(UInt16)
        /// A zero block, or the bytes up to the limit are used up.
        case zero
        /// `header`: the batch's, when only what follows it is bad.
        case bad(String, header: BatchHeader?)
    }

    let disk: D
    let header: SegmentHeader
    let limit: Int
    private(set) var offset = LogFormat.blockBytes
    private var window: [UInt8] = []
    private var windowOffset = 0

    private static var windowBytes: Int { 256 << 10 }

    init(disk: D, header: SegmentHeader, limit: Int) {
        self.disk = disk
        self.header = header
        self.limit = limit
    }

    var file: String { LogFormat.segmentFile(header.number) }

    mutating func move(to offset: Int) { self.offset = offset }

    mutating func look() throws(LogError) -> Found {
        guard offset + LogFormat.blockBytes <= limit else { return .zero }
        guard try load(LogFormat.blockBytes) else { return .bad("the file ends inside the segment", header: nil) }
        switch withWindow(BatchHeader.read) {
        case .zero:
            return withWindow({ $0.isZero(0, LogFormat.blockBytes) })
                ? .zero : .bad("a batch without a header", header: nil)
        case .bad(let what): return .bad(what, header: nil)
        case .newerVersion(let version): return .newerVersion(version)
        case .header(let batch): return try judge(batch)
        }
    }

    /// The header of the batch that stands here, when it is a good one in its place; its payload is not looked at.
    mutating func peek() throws(LogError) -> BatchHeader? {
        guard offset + LogFormat.blockBytes <= limit, try load(LogFormat.blockBytes),
            case .header(let batch) = withWindow(BatchHeader.read), batch.pairID == header.identity.pairID,
            batch.segment == header.number, batch.offset == offset, offset + batch.totalBytes <= limit
        else { return nil }
        return batch
    }

    private mutating func judge(_ batch: BatchHeader) throws(LogError) -> Found {
        guard batch.pairID == header.identity.pairID, batch.segment == header.number, batch.offset == offset else {
            return .misplaced("a batch of segment \(batch.segment), byte \(batch.offset), stands here")
        }
        guard offset + batch.totalBytes <= limit else {
            return .bad("the batch reaches beyond the end of its segment", header: nil)
        }
        guard try load(batch.totalBytes) else { return .bad("the file ends inside the batch", header: batch) }
        guard withWindow(batch.chainIsRight) else {
            return .bad("the payload is not the one that was written", header: batch)
        }
        return .batch(batch)
    }

    /// The records of a batch that ``look()`` found and the window still holds, whether it was passed or not.
    func records(before batch: BatchHeader) -> [[UInt8]]? {
        window.withUnsafeBytes { BatchCoding.records($0.part(batch.offset - windowOffset, batch.totalBytes), batch) }
    }

    /// Whether a whole sector of the batch at the offset is zero; what is beyond an unreadable header is not known.
    mutating func holdsZeroSector(_ batch: BatchHeader?) throws(LogError) -> Bool {
        if let batch, batch.mayHoldZeroSector { return false }
        let count = batch?.totalBytes ?? LogFormat.sectorBytes
        guard try load(count) else { return false }
        return withWindow { $0.holdsZeroSector(count) }
    }

    /// From the offset on, header by header; `visit` says when to stop.
    mutating func scan(_ visit: (Int, Found) -> Bool) throws(LogError) {
        while offset + LogFormat.blockBytes <= limit {
            guard try load(LogFormat.blockBytes) else { return }
            if withWindow(Self.mayBeginBatch) {
                let found = try look()
                if !visit(offset, found) { return }
            }
            offset += LogFormat.blockBytes
        }
    }

    /// The last block before the limit that is not zero ends here; nil when all is zero from the offset on.
    mutating func endOfBytes() throws(LogError) -> Int? {
        var end: Int?
        let begin = offset
        defer { offset = begin }
        while offset < limit {
            guard try load(min(LogFormat.blockBytes, limit - offset)) else { break }
            if !withWindow({ $0.isZero(0, min(LogFormat.blockBytes, $0.count)) }) {
                end = offset + LogFormat.blockBytes
            }
            offset += LogFormat.blockBytes
        }
        return end
    }

    private static func mayBeginBatch(_ bytes: UnsafeRawBufferPointer) -> Bool {
        Preamble.has(BatchHeader.magic, bytes)
    }

    private func withWindow<Value>(_ body: (UnsafeRawBufferPointer) -> Value) -> Value {
        window.withUnsafeBytes { body(UnsafeRawBufferPointer(rebasing: $0[(offset - windowOffset)...])) }
    }

    /// Whether `count` bytes from the offset on are in the window now.
    private mutating func load(_ count: Int) throws(LogError) -> Bool {
        let from = offset - windowOffset
        if from >= 0 && from + count <= window.count { return true }
        let wanted = max(count, min(Self.windowBytes, limit - offset))
        window = try onDisk { () throws(DiskError) in try disk.read(file, offset: offset, count: wanted) }
        windowOffset = offset
        return window.count >= count
    }

    /// Whether any batch stands in the first blocks of a segment that has no header.
    static func holdsBatches(_ disk: D, _ number: UInt64) throws(LogError) -> Bool {
        let start = try onDisk { () throws(DiskError) in
            try disk.read(LogFormat.segmentFile(number), offset: LogFormat.blockBytes, count: 16 * LogFormat.blockBytes)
        }
        return start.withUnsafeBytes { bytes in
            stride(from: 0, to: bytes.count - LogFormat.blockBytes + 1, by: LogFormat.blockBytes).contains { offset in
                guard case .header(let batch) = BatchHeader.read(bytes.part(offset, LogFormat.blockBytes)) else {
                    return false
                }
                return batch.segment == number
            }
        }
    }
}
