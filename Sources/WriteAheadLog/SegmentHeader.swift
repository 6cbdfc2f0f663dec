package import ByteCoding
package import CallModel
internal import Glibc

/// Where a segment's predecessor ends. Recovery reads a segment only so far as its successor says.
package struct SegmentEnd: Hashable, Sendable {
    package let segment: UInt64
    package let offset: Int
    package let position: Position

    package init(segment: UInt64, offset: Int, position: Position) {
        self.segment = segment
        self.offset = offset
        self.position = position
    }
}

/// The first block of a segment. Durable before the first batch behind it is written, so a segment whose header is
/// bad or zero holds nothing that anybody was told of, unless the disk lost it.
package struct SegmentHeader: Hashable, Sendable {
    package let identity: LogIdentity
    package let number: UInt64
    package let segmentBytes: Int
    package let firstSequence: LogSequence
    package let previousChain: Hash128
    /// Epoch of the record before `firstSequence`.
    package let previousEpoch: UInt64
    /// Times of the last batch before this segment, so that log time goes on also when that batch is trimmed away.
    package let previousTime: BatchTime
    /// Nil for the first segment of a log.
    package let predecessor: SegmentEnd?

    /// The position before the first batch of the segment.
    package var start: Position {
        Position(epoch: previousEpoch, sequence: LogSequence(firstSequence.number - 1), chain: previousChain)
    }

    static let magic: StaticString = "BATONSEG"

    func encoded() -> [UInt8] {
        let count = LogFormat.blockBytes
        return [UInt8](unsafeUninitializedCapacity: count) { buffer, filled in
            let bytes = UnsafeMutableRawBufferPointer(rebasing: UnsafeMutableRawBufferPointer(buffer)[0..<count])
            memset(bytes.baseAddress!, Int32(LogFormat.padding), count)
            Preamble.put(Self.magic, into: bytes)
            bytes.put(identity.side.formatByte, at: 6)
            bytes.put(UInt8(predecessor == nil ? 0 : 1), at: 7)
            bytes.put(identity.pairID, at: 16)
            bytes.put(identity.incarnation, at: 32)
            bytes.put(number, at: 40)
            bytes.put(UInt64(segmentBytes), at: 48)
            bytes.put(firstSequence.number, at: 56)
            bytes.put(previousChain, at: 64)
            bytes.put(previousEpoch, at: 80)
            bytes.put(previousTime.log.milliseconds, at: 88)
            bytes.put(previousTime.wall.milliseconds, at: 96)
            bytes.put(predecessor?.segment ?? 0, at: 104)
            bytes.put(UInt64(predecessor?.offset ?? 0), at: 112)
            bytes.put(predecessor?.position.epoch ?? 0, at: 120)
            bytes.put(predecessor?.position.sequence.number ?? 0, at: 128)
            bytes.put(predecessor?.position.chain ?? .zero, at: 136)
            bytes.seal()
            filled = count
        }
    }

    enum Reading: Equatable {
        case header(SegmentHeader)
        /// All zero: a spare.
        case zero
        case bad(String)
        case newerVersion(UInt16)
    }

    static func read(_ block: [UInt8], file number: UInt64) -> Reading {
        guard block.count == LogFormat.blockBytes else { return .bad("it has \(block.count) bytes") }
        return block.withUnsafeBytes { bytes in
            if bytes.isZero(0, bytes.count) { return .zero }
            guard Preamble.has(magic, bytes) else { return .bad("it does not begin with BATONSEG") }
            guard bytes.isSealed else { return .bad("its checksum is wrong") }
            let version = Preamble.version(bytes)
            if version > LogFormat.version { return .newerVersion(version) }
            guard version == LogFormat.version else { return .bad("its format version is \(version)") }
            return parse(bytes, file: number)
        }
    }

    private static func parse(_ bytes: UnsafeRawBufferPointer, file number: UInt64) -> Reading {
        guard let side = Side(formatByte: bytes.integer(at: 6)) else { return .bad("it names no side") }
        let segmentBytes: UInt64 = bytes.integer(at: 48)
        let endOffset: UInt64 = bytes.integer(at: 112)
        let first: UInt64 = bytes.integer(at: 56)
        guard segmentBytes <= UInt64(UInt32.max), endOffset <= UInt64(UInt32.max), first > 0 else {
            return .bad("its numbers are out of range")
        }
        guard bytes.integer(at: 40) == number else {
            return .bad("it is the header of segment \(bytes.integer(at: 40, as: UInt64.self))")
        }
        let position = Position(
            epoch: bytes.integer(at: 120), sequence: LogSequence(bytes.integer(at: 128)), chain: bytes.hash(at: 136))
        let named = bytes.integer(at: 7, as: UInt8.self) == 1
        return .header(
            SegmentHeader(
                identity: LogIdentity(
                    pairID: bytes.hash(at: 16), side: side, incarnation: bytes.integer(at: 32)),
                number: number, segmentBytes: Int(segmentBytes), firstSequence: LogSequence(first),
                previousChain: bytes.hash(at: 64), previousEpoch: bytes.integer(at: 80),
                previousTime: BatchTime(
                    log: LogTime(milliseconds: bytes.integer(at: 88)),
                    wall: WallTime(milliseconds: bytes.integer(at: 96))),
                predecessor: named
                    ? SegmentEnd(segment: bytes.integer(at: 104), offset: Int(endOffset), position: position) : nil))
    }
}
