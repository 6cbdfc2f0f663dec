internal import CallModel
internal import Foundation
internal import WriteAheadLog

/// The log of a stopped side, as far as a drill harms it or does to it what a faulty program would.
struct LogFiles {
    let directory: String

    func path(_ file: String) -> String { directory + "/" + file }

    /// The segments that make the log, oldest first.
    func segments() throws -> [LogLayout.Segment] { try LogLayout.read(try reading(), identity: nil).segments }

    func reading() throws -> PosixDisk { try PosixDisk(directory: directory, access: .reading) }

    /// After the last byte of a file that is not zero, in whole blocks.
    static func endOfBytes(_ path: String) throws -> Int {
        let file = try FileHandle(forReadingFrom: URL(filePath: path))
        defer { try? file.close() }  // only read from
        var end = 0
        var offset = 0
        // A segment is zero behind its end: a long run of zeros is taken for it.
        var zeros = 0
        while zeros < 1 << 20, let piece = try file.read(upToCount: 1 << 16), !piece.isEmpty {
            if let last = piece.lastIndex(where: { $0 != 0 }) {
                end = offset + (last - piece.startIndex) + 1
                zeros = 0
            } else {
                zeros += piece.count
            }
            offset += piece.count
        }
        return (end + LogFormat.blockBytes - 1) / LogFormat.blockBytes * LogFormat.blockBytes
    }

    /// Leaves a batch behind the log's end of which only some sectors were written, as a power cut leaves one that was
    /// under way: nobody was told of it. False when there was one already.
    func tearTail(_ generator: inout SeededGenerator) throws -> Bool {
        guard let newest = try segments().last else { return false }
        let path = path(newest.file)
        var reader = try LogReader(try reading())
        while try reader.next() != nil {}
        if reader.ending != nil { return true }
        let end = try Self.endOfBytes(path)
        guard end + 2 * LogFormat.blockBytes <= newest.header.segmentBytes else { return false }
        var torn = [UInt8](repeating: 0, count: 2 * LogFormat.blockBytes)
        for sector in 0..<(torn.count / LogFormat.sectorBytes) where sector == 0 || Bool.random(using: &generator) {
            for byte in 0..<(sector < 15 ? LogFormat.sectorBytes : 0) {
                torn[sector * LogFormat.sectorBytes + byte] = UInt8.random(in: 1...255, using: &generator)
            }
        }
        let file = try FileHandle(forUpdating: URL(filePath: path))
        try file.seek(toOffset: UInt64(end))
        try file.write(contentsOf: torn)
        try file.close()
        return true
    }

    /// A start cuts a torn tail off after it has begun the next segment; it keeps the bytes aside. Puts them back, as
    /// when the cut never reached the disk. False when there is none.
    func putTailBack() throws -> Bool {
        let segments = try segments()
        guard segments.count >= 2 else { return false }
        let before = segments[segments.count - 2]
        let aside = path("aside-\(before.header.number)-\(before.limit).bin")
        guard let bytes = FileManager.default.contents(atPath: aside), !bytes.isEmpty else { return false }
        let file = try FileHandle(forUpdating: URL(filePath: path(before.file)))
        try file.seek(toOffset: UInt64(before.limit))
        try file.write(contentsOf: bytes)
        try file.truncate(atOffset: UInt64(before.header.segmentBytes))
        try file.close()
        return true
    }

    // MARK: Known faults

    /// What a program makes of this log that forgets where a segment's successor says that it ends: a torn tail there
    /// is cut as the end of the whole log, and the later segments go with it.
    func endAtTornTails() throws {
        let segments = try segments()
        for (index, segment) in segments.enumerated().dropLast() {
            let file = path(segment.file)
            guard try Self.endOfBytes(file) > segment.limit else { continue }
            for later in segments[(index + 1)...] { try FileManager.default.removeItem(atPath: path(later.file)) }
            try zero(file, from: segment.limit, size: segment.header.segmentBytes)
            return
        }
    }

    /// What a program makes of this log that cuts it at the first bad batch, without asking what says that it was
    /// durable.
    func endAtFirstBad() throws {
        let segments = try segments()
        var damage: LogDamage?
        do throws(LogError) {
            var reader = try LogReader(try reading(throwing: ()))
            while try reader.next() != nil {}
            damage = reader.ending
        } catch {
            guard case .damaged(let found) = error else { throw error }
            damage = found
        }
        guard let damage, let index = segments.firstIndex(where: { $0.file == damage.file }) else { return }
        for later in segments[(index + 1)...] { try FileManager.default.removeItem(atPath: path(later.file)) }
        try zero(path(damage.file), from: damage.offset, size: segments[index].header.segmentBytes)
    }

    private func reading(throwing: Void) throws(LogError) -> PosixDisk {
        do throws(PosixDisk.OpenError) {
            return try PosixDisk(directory: directory, access: .reading)
        } catch {
            throw .badArgument("\(error)")
        }
    }

    private func zero(_ path: String, from offset: Int, size: Int) throws {
        let file = try FileHandle(forUpdating: URL(filePath: path))
        try file.truncate(atOffset: UInt64(offset))
        try file.truncate(atOffset: UInt64(size))
        try file.close()
    }
}
