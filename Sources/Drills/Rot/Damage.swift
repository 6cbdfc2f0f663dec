internal import CallModel
internal import Foundation
internal import WriteAheadLog

/// One harm done to one file.
struct Damage: CustomStringConvertible {
    enum Kind: CaseIterable {
        case bitFlips
        case zeroedBlock
        case swappedBlocks
        case truncation
    }

    let kind: Kind
    let file: String
    /// The changed bytes; up to the old end for a truncation.
    let ranges: [Range<Int>]

    var description: String {
        let bytes = ranges.map { "\($0.lowerBound)..<\($0.upperBound)" }.joined(separator: ", ")
        return "\(kind) of \((file as NSString).lastPathComponent) at \(bytes)"
    }

    /// Harms the file within `region`; nil when the chosen harm would change nothing.
    static func harm(
        _ file: String, within region: Range<Int>, _ kind: Kind, using generator: inout SeededGenerator
    ) throws -> Damage? {
        let handle = try FileHandle(forUpdating: URL(filePath: file))
        defer { try? handle.close() }  // what was written is looked at by the side
        func read(_ range: Range<Int>) throws -> [UInt8] {
            try handle.seek(toOffset: UInt64(range.lowerBound))
            return Array(try handle.read(upToCount: range.count) ?? Data())
        }
        func write(_ bytes: [UInt8], at offset: Int) throws {
            try handle.seek(toOffset: UInt64(offset))
            try handle.write(contentsOf: bytes)
        }
        func block() -> Range<Int> {
            let size = [512, 4096].randomElement(using: &generator) ?? 4096
            let begin = Int.random(in: region, using: &generator) / size * size
            return max(begin, region.lowerBound)..<min(begin + size, region.upperBound)
        }
        switch kind {
        case .bitFlips:
            let byte = Int.random(in: region, using: &generator)
            var bytes = try read(byte..<byte + 1)
            guard !bytes.isEmpty else { return nil }
            for _ in 0..<Int.random(in: 1...3, using: &generator) {
                bytes[0] ^= 1 << UInt8.random(in: 0...7, using: &generator)
            }
            if try read(byte..<byte + 1) == bytes { return nil }
            try write(bytes, at: byte)
            return Damage(kind: kind, file: file, ranges: [byte..<byte + 1])
        case .zeroedBlock:
            let block = block()
            guard try read(block).contains(where: { $0 != 0 }) else { return nil }
            try write([UInt8](repeating: 0, count: block.count), at: block.lowerBound)
            return Damage(kind: kind, file: file, ranges: [block])
        case .swappedBlocks:
            let (one, other) = (block(), block())
            let (first, second) = (try read(one), try read(other))
            guard one.count == other.count, first != second else { return nil }
            try write(second, at: one.lowerBound)
            try write(first, at: other.lowerBound)
            return Damage(kind: kind, file: file, ranges: [one, other])
        case .truncation:
            let size = Int(try handle.seekToEnd())
            let cut = Int.random(in: region, using: &generator)
            guard cut < size else { return nil }
            try handle.truncate(atOffset: UInt64(cut))
            return Damage(kind: kind, file: file, ranges: [cut..<size])
        }
    }
}

/// The parts of a log that must be found when they change: headers of segments, and header and records of each batch.
/// Padding and guard batches belong to nothing.
struct LogExtents {
    private var extents: [String: [Range<Int>]] = [:]

    init(_ log: LogFiles) throws {
        for segment in try log.segments() { extents[segment.file] = [0..<LogFormat.blockBytes] }
        var reader = try LogReader(try log.reading())
        while let batch = try reader.next() {
            extents[LogFormat.segmentFile(batch.segment), default: []]
                .append(batch.offset..<batch.offset + LogFormat.batchHeaderBytes + batch.header.payloadBytes)
        }
    }

    /// A part of the file that matters.
    func random(in path: String, using generator: inout SeededGenerator) -> Range<Int>? {
        extents[(path as NSString).lastPathComponent]?.randomElement(using: &generator)
    }

    func matter(_ damage: Damage) -> Bool {
        let parts = extents[(damage.file as NSString).lastPathComponent] ?? []
        return damage.ranges.contains { range in parts.contains { $0.overlaps(range) } }
    }
}
