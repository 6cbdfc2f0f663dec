internal import CallModel

/// Carries out what recovery decided, in an order in which a crash at any step leaves a log that recovers the same way:
/// cut bytes are kept first; then the new segment names where its predecessor ends; only then is anything removed.
struct LogStart<D: Disk> {
    let disk: D
    let identity: LogIdentity
    let configuration: LogConfiguration

    /// fsync before reading: what the page cache shows must be what the disk holds.
    static func syncAll(_ disk: D) throws(LogError) {
        try onDisk { () throws(DiskError) in
            for file in try disk.list().sorted() where LogFormat.segmentNumber(file) != nil { try disk.sync(file) }
            try disk.syncDirectory()
        }
    }

    /// Copies the bytes into a file of their own.
    func keepAside(_ range: Range<Int>, of segment: UInt64, as name: String) throws(LogError) {
        try onDisk { () throws(DiskError) in
            let temporary = LogFormat.temporaryPrefix + name
            try disk.zeroFill(temporary, count: 0)
            var offset = range.lowerBound
            while offset < range.upperBound {
                let bytes = try disk.read(
                    LogFormat.segmentFile(segment), offset: offset, count: min(1 << 20, range.upperBound - offset))
                if bytes.isEmpty { break }
                try disk.write(temporary, offset: offset - range.lowerBound, bytes: bytes)
                offset += bytes.count
            }
            try disk.sync(temporary)
            try disk.rename(temporary, to: name)
            try disk.syncDirectory()
        }
    }

    /// Takes a whole segment out of the log; its bytes are kept. Newest first: a crash between two leaves a shorter log.
    func supersede(_ segment: LogLayout.Segment) throws(LogError) {
        let number = segment.header.number
        var cursor = SegmentCursor(disk: disk, header: segment.header, limit: segment.limit)
        let end = try cursor.endOfBytes() ?? LogFormat.blockBytes
        try keepAside(
            0..<max(end, LogFormat.blockBytes), of: number, as: LogFormat.asideFile(segment: number, offset: 0))
        try onDisk { () throws(DiskError) in
            try disk.remove(LogFormat.segmentFile(number))
            try disk.syncDirectory()
        }
    }

    /// Begins the segment: a spare when one is there, else a new file. Returns its number and the spares left.
    func begin(_ header: (UInt64) -> SegmentHeader, _ layout: LogLayout) throws(LogError) -> (SegmentHeader, [UInt64]) {
        try onDisk { () throws(DiskError) in
            var usable: [UInt64] = []
            for number in layout.spares where number > (layout.tornHeaders.max() ?? 0) {
                if try disk.size(LogFormat.segmentFile(number)) == configuration.segmentBytes { usable.append(number) }
            }
            let number: UInt64
            if let spare = usable.first {
                number = spare
                usable.removeFirst()
            } else {
                number = layout.highestNumber + 1
                let temporary = LogFormat.temporaryFile(number)
                try disk.zeroFill(temporary, count: configuration.segmentBytes)
                try disk.sync(temporary)
                try disk.rename(temporary, to: LogFormat.segmentFile(number))
                try disk.syncDirectory()
            }
            let made = header(number)
            try disk.write(LogFormat.segmentFile(number), offset: 0, bytes: made.encoded())
            try disk.sync(LogFormat.segmentFile(number))
            return (made, usable)
        }
    }

    /// Frees what the new segment made superfluous: unused files, and the room behind the predecessor's end.
    func clean(_ layout: LogLayout, active: UInt64, spares: [UInt64]) throws(LogError) {
        try onDisk { () throws(DiskError) in
            let useless =
                layout.tornHeaders + layout.orphans + layout.spares.filter { $0 != active && !spares.contains($0) }
            for number in useless { try disk.remove(LogFormat.segmentFile(number)) }
            var asides: [String] = []
            for file in try disk.list() {
                if file.hasPrefix(LogFormat.temporaryPrefix) { try disk.remove(file) }
                if file.hasPrefix(LogFormat.asidePrefix) { asides.append(file) }
            }
            for file in asides.sorted(by: Self.isOlderAside).dropLast(Self.asidesKept) { try disk.remove(file) }
            try disk.syncDirectory()
            if let last = layout.segments.last, let end = endOfPredecessor {
                let file = LogFormat.segmentFile(last.header.number)
                if try disk.size(file) > end { try disk.truncate(file, size: end) }
            }
        }
    }

    var endOfPredecessor: Int?

    /// Cut tails kept for an operator; older ones go, so that many crashes cannot fill the disk.
    private static var asidesKept: Int { 32 }

    private static func isOlderAside(_ left: String, _ right: String) -> Bool {
        // By segment number; the names differ in length.
        (left.count, left) < (right.count, right)
    }
}
