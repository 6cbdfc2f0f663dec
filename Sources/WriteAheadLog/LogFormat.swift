package import ByteCoding
package import CallModel
internal import Crypto
internal import Glibc

/// Numbers and names of the log's format; `Schemas/log.md` gives every byte.
package enum LogFormat {
    package static let version: UInt16 = 1
    /// Nothing durable shares a block of this size with anything written later.
    package static let blockBytes = 4096
    /// What a disk writes whole or not at all, as far as one is believed.
    package static let sectorBytes = 512
    package static let batchHeaderBytes = 160
    package static let padding: UInt8 = 0xa5
    package static let maximumPayloadBytes = 8 << 20
    package static let maximumRecordBytes = 4 << 20
    /// Before each record of a batch: its length.
    package static let recordPrefixBytes = 4

    /// No log comes to have so many segments: a file with a higher number is not of this log.
    static let mostSegments = UInt64.max / 2

    package static func segmentFile(_ number: UInt64) -> String {
        let digits = String(number)
        return "segment-" + String(repeating: "0", count: max(0, 12 - digits.count)) + digits + ".log"
    }

    /// The number in a segment's file name; nil for any other file.
    package static func segmentNumber(_ file: String) -> UInt64? {
        guard file.hasPrefix("segment-"), file.hasSuffix(".log") else { return nil }
        guard let number = UInt64(file.dropFirst(8).dropLast(4)), segmentFile(number) == file else { return nil }
        return number
    }

    static func temporaryFile(_ number: UInt64) -> String { "new-" + segmentFile(number) }
    static let temporaryPrefix = "new-"

    static func asideFile(segment: UInt64, offset: Int) -> String { "aside-\(segment)-\(offset).bin" }
    static let asidePrefix = "aside-"

    /// Bytes that a batch of this payload takes in a segment.
    package static func batchBytes(payload: Int) -> Int {
        (batchHeaderBytes + payload + blockBytes - 1) / blockBytes * blockBytes
    }
}

/// Whose log it is. Another pair's or another side's files are refused; the incarnation is recorded only, since a side
/// may draw a new one and keep its log.
package struct LogIdentity: Hashable, Sendable {
    package let pairID: Hash128
    package let side: Side
    package let incarnation: UInt64

    package init(pairID: Hash128, side: Side, incarnation: UInt64) {
        self.pairID = pairID
        self.side = side
        self.incarnation = incarnation
    }
}

package struct LogConfiguration: Hashable, Sendable {
    /// Size of a segment: whole blocks. A batch must fit into one, so a small one also bounds the payload.
    package var segmentBytes = 64 << 20
    package var spareSegments = 2
    /// Whole old segments go when they are older than this, or when all segments together are larger than
    /// `retentionBytes`, whichever comes first; never while a record in them is still needed.
    package var retentionMilliseconds: Int64 = 24 * 3600 * 1000
    package var retentionBytes = 4 << 30

    package init() {}

    package init(segmentBytes: Int) {
        precondition(segmentBytes >= 2 * LogFormat.blockBytes && segmentBytes % LogFormat.blockBytes == 0)
        precondition(segmentBytes <= Int(UInt32.max))
        self.segmentBytes = segmentBytes
    }

    /// The largest payload of one batch: every record's bytes and 4 for its length.
    package var maximumPayloadBytes: Int {
        min(LogFormat.maximumPayloadBytes, segmentBytes - LogFormat.blockBytes - LogFormat.batchHeaderBytes)
    }
}

/// chain(n): 128 bits of SHA-256 over the chained part of the batch header, which begins with chain(n-1), and the
/// payload. Nothing that differs between the sides enters.
enum Chain {
    static func next(chained: UnsafeRawBufferPointer, payload: UnsafeRawBufferPointer) -> Hash128 {
        var hash = SHA256()
        hash.update(bufferPointer: chained)
        hash.update(bufferPointer: payload)
        return hash.finalize().withUnsafeBytes { bytes in
            Hash128(
                high: UInt64(littleEndian: bytes.loadUnaligned(fromByteOffset: 8, as: UInt64.self)),
                low: UInt64(littleEndian: bytes.loadUnaligned(fromByteOffset: 0, as: UInt64.self)))
        }
    }
}

extension UnsafeRawBufferPointer {
    func integer<Integer: FixedWidthInteger>(at offset: Int, as type: Integer.Type = Integer.self) -> Integer {
        Integer(littleEndian: loadUnaligned(fromByteOffset: offset, as: Integer.self))
    }

    func hash(at offset: Int) -> Hash128 {
        Hash128(high: integer(at: offset + 8), low: integer(at: offset))
    }

    func part(_ offset: Int, _ count: Int) -> UnsafeRawBufferPointer { .init(rebasing: self[offset..<offset + count]) }

    func isZero(_ offset: Int, _ count: Int) -> Bool {
        var at = offset
        let end = offset + count
        while at + 8 <= end {
            if loadUnaligned(fromByteOffset: at, as: UInt64.self) != 0 { return false }
            at += 8
        }
        while at < end {
            if self[at] != 0 { return false }
            at += 1
        }
        return true
    }

    /// Whether a whole sector of the first `count` bytes is zero.
    func holdsZeroSector(_ count: Int) -> Bool {
        stride(from: 0, to: count, by: LogFormat.sectorBytes).contains {
            isZero($0, Swift.min(LogFormat.sectorBytes, count - $0))
        }
    }

    /// Whether the checksum in the first four bytes is that of all others.
    var isSealed: Bool { integer(at: 0) == CRC32C.checksum(part(4, count - 4)) }
}

extension UnsafeMutableRawBufferPointer {
    func put<Integer: FixedWidthInteger>(_ value: Integer, at offset: Int) {
        storeBytes(of: value.littleEndian, toByteOffset: offset, as: Integer.self)
    }

    func put(_ hash: Hash128, at offset: Int) {
        put(hash.low, at: offset)
        put(hash.high, at: offset + 8)
    }

    /// Puts the checksum of all other bytes into the first four.
    func seal() { put(CRC32C.checksum(UnsafeRawBufferPointer(self).part(4, count - 4)), at: 0) }
}

/// The first 16 bytes of every structure, in this and in every later format: checksum of all that follows (4),
/// version (2), two bytes of the structure's own, magic (8).
enum Preamble {
    static func put(_ magic: StaticString, into bytes: UnsafeMutableRawBufferPointer) {
        precondition(magic.utf8CodeUnitCount == 8)
        bytes.put(LogFormat.version, at: 4)
        memcpy(bytes.baseAddress! + 8, magic.utf8Start, 8)
    }

    static func has(_ magic: StaticString, _ bytes: UnsafeRawBufferPointer) -> Bool {
        memcmp(bytes.baseAddress! + 8, magic.utf8Start, 8) == 0
    }

    static func version(_ bytes: UnsafeRawBufferPointer) -> UInt16 { bytes.integer(at: 4) }
}
