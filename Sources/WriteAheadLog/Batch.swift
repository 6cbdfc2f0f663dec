package import ByteCoding
package import CallModel
internal import Glibc

/// The header of a batch. The local part differs between the sides; the chained part, and with it the chain, does not.
package struct BatchHeader: Hashable, Sendable {
    package enum Kind: UInt8, Sendable {
        case records = 1
        /// No records; leaves the chain as it is. Says what is durable by now.
        case guardian = 2
    }

    // The local part.
    package var kind: Kind
    /// A record holds 512 zero bytes in one sector, so a zero sector does not prove that the batch was never written.
    package var mayHoldZeroSector: Bool
    package var pairID: Hash128
    package var segment: UInt64
    package var offset: Int
    /// Durable here when the batch was made.
    package var durable: LogSequence
    /// Committed, as far as known here when the batch was made.
    package var committed: LogSequence
    // The chained part.
    package var previousChain: Hash128
    package var epoch: UInt64
    package var firstSequence: LogSequence
    package var count: Int
    package var payloadBytes: Int
    package var time: BatchTime
    // After it.
    package var chain: Hash128

    /// After the last record of the batch.
    package var end: Position {
        Position(epoch: epoch, sequence: LogSequence(firstSequence.number + UInt64(count) - 1), chain: chain)
    }

    package var totalBytes: Int { LogFormat.batchBytes(payload: payloadBytes) }

    /// What this batch proves durable, here or on both sides.
    package var known: LogSequence { max(durable, committed) }

    static let magic: StaticString = "BATONBAT"
    static let chainedOffset = 64
    static let chainedBytes = 56

    /// All but the checksum; `seal()` on the first 160 bytes comes last.
    func put(into bytes: UnsafeMutableRawBufferPointer) {
        memset(bytes.baseAddress!, 0, LogFormat.batchHeaderBytes)
        Preamble.put(Self.magic, into: bytes)
        bytes.put(kind.rawValue, at: 6)
        putLocal(into: bytes)
        bytes.put(previousChain, at: 64)
        bytes.put(epoch, at: 80)
        bytes.put(firstSequence.number, at: 88)
        bytes.put(UInt32(count), at: 96)
        bytes.put(UInt32(payloadBytes), at: 100)
        bytes.put(time.log.milliseconds, at: 104)
        bytes.put(time.wall.milliseconds, at: 112)
        bytes.put(chain, at: 120)
    }

    /// What a side writes anew when it takes over an encoded batch of the other side.
    func putLocal(into bytes: UnsafeMutableRawBufferPointer) {
        bytes.put(UInt8(mayHoldZeroSector ? 1 : 0), at: 7)
        bytes.put(pairID, at: 16)
        bytes.put(segment, at: 32)
        bytes.put(UInt64(offset), at: 40)
        bytes.put(durable.number, at: 48)
        bytes.put(committed.number, at: 56)
    }

    enum Reading: Equatable {
        case header(BatchHeader)
        case zero
        case bad(String)
        case newerVersion(UInt16)
    }

    /// Reads the first 160 of at least so many bytes.
    static func read(_ all: UnsafeRawBufferPointer) -> Reading {
        guard all.count >= LogFormat.batchHeaderBytes else { return .bad("the header is cut short") }
        let bytes = all.part(0, LogFormat.batchHeaderBytes)
        if bytes.isZero(0, bytes.count) { return .zero }
        guard Preamble.has(magic, bytes) else { return .bad("no batch begins here") }
        guard bytes.isSealed else { return .bad("the header's checksum is wrong") }
        let version = Preamble.version(bytes)
        if version > LogFormat.version { return .newerVersion(version) }
        let payload: UInt32 = bytes.integer(at: 100)
        let count: UInt32 = bytes.integer(at: 96)
        let first: UInt64 = bytes.integer(at: 88)
        let offset: UInt64 = bytes.integer(at: 40)
        guard version == LogFormat.version, let kind = Kind(rawValue: bytes.integer(at: 6)),
            payload <= LogFormat.maximumPayloadBytes, offset <= UInt64(UInt32.max), first > 0,
            first <= UInt64.max / 2, kind == .records ? count > 0 : count == 0 && payload == 0
        else { return .bad("the header's numbers are out of range") }
        return .header(
            BatchHeader(
                kind: kind, mayHoldZeroSector: bytes.integer(at: 7, as: UInt8.self) & 1 == 1,
                pairID: bytes.hash(at: 16), segment: bytes.integer(at: 32), offset: Int(offset),
                durable: LogSequence(bytes.integer(at: 48)), committed: LogSequence(bytes.integer(at: 56)),
                previousChain: bytes.hash(at: 64), epoch: bytes.integer(at: 80), firstSequence: LogSequence(first),
                count: Int(count), payloadBytes: Int(payload),
                time: BatchTime(
                    log: LogTime(milliseconds: bytes.integer(at: 104)),
                    wall: WallTime(milliseconds: bytes.integer(at: 112))),
                chain: bytes.hash(at: 120)))
    }

    /// Whether the payload is the one this header was made for. `all`: header and payload at least.
    func chainIsRight(_ all: UnsafeRawBufferPointer) -> Bool {
        if kind == .guardian { return chain == previousChain }
        return chain
            == Chain.next(
                chained: all.part(Self.chainedOffset, Self.chainedBytes),
                payload: all.part(LogFormat.batchHeaderBytes, payloadBytes))
    }
}

enum BatchCoding {
    /// One padded batch, written once and copied nowhere.
    static func encode(_ draft: BatchHeader, records: [[UInt8]]) -> (bytes: [UInt8], header: BatchHeader) {
        var header = draft
        let total = header.totalBytes
        let bytes = [UInt8](unsafeUninitializedCapacity: total) { buffer, filled in
            let bytes = UnsafeMutableRawBufferPointer(rebasing: UnsafeMutableRawBufferPointer(buffer)[0..<total])
            header.put(into: bytes)
            var offset = LogFormat.batchHeaderBytes
            for record in records {
                bytes.put(UInt32(record.count), at: offset)
                offset += LogFormat.recordPrefixBytes
                record.withUnsafeBytes { source in
                    if let start = source.baseAddress { memcpy(bytes.baseAddress! + offset, start, source.count) }
                }
                offset += record.count
            }
            memset(bytes.baseAddress! + offset, Int32(LogFormat.padding), total - offset)
            let read = UnsafeRawBufferPointer(bytes)
            if header.kind == .records {
                header.chain = Chain.next(
                    chained: read.part(BatchHeader.chainedOffset, BatchHeader.chainedBytes),
                    payload: read.part(LogFormat.batchHeaderBytes, header.payloadBytes))
                bytes.put(header.chain, at: 120)
            }
            header.mayHoldZeroSector = read.holdsZeroSector(total)
            if header.mayHoldZeroSector { bytes.put(UInt8(1), at: 7) }
            UnsafeMutableRawBufferPointer(rebasing: bytes[0..<LogFormat.batchHeaderBytes]).seal()
            filled = total
        }
        return (bytes, header)
    }

    /// The records of a payload whose chain is right; nil when their lengths do not add up, which only a program
    /// that wrote them wrongly can bring about.
    static func records(_ all: UnsafeRawBufferPointer, _ header: BatchHeader) -> [[UInt8]]? {
        var records: [[UInt8]] = []
        // Every record has a length: a false count cannot reserve memory.
        guard header.count <= header.payloadBytes / LogFormat.recordPrefixBytes || header.count == 0 else { return nil }
        records.reserveCapacity(header.count)
        var offset = LogFormat.batchHeaderBytes
        let end = offset + header.payloadBytes
        for _ in 0..<header.count {
            guard offset + LogFormat.recordPrefixBytes <= end else { return nil }
            let length = Int(all.integer(at: offset, as: UInt32.self))
            offset += LogFormat.recordPrefixBytes
            guard length <= end - offset else { return nil }
            records.append(Array(all[offset..<offset + length]))
            offset += length
        }
        return offset == end ? records : nil
    }
}

/// A batch as it stands in the log.
package struct LoggedBatch: Hashable, Sendable {
    package let header: BatchHeader
    package let records: [[UInt8]]

    package var segment: UInt64 { header.segment }
    package var offset: Int { header.offset }
    package var firstSequence: LogSequence { header.firstSequence }
    package var lastSequence: LogSequence { header.end.sequence }
    /// After the batch.
    package var position: Position { header.end }
    package var time: BatchTime { header.time }

    /// The batch as the side that ordered it encoded it, apart from the local part: the other side takes it through
    /// ``WriteAheadLog/appendCopy(_:committed:)``.
    package func encoded() -> [UInt8] { BatchCoding.encode(header, records: records).bytes }

    init(header: BatchHeader, records: [[UInt8]]) {
        self.header = header
        self.records = records
    }

    /// Reads a whole encoded batch of the other side; nil when it is none.
    package init?(encoded: [UInt8]) {
        guard case .header(let header) = encoded.withUnsafeBytes(BatchHeader.read), header.kind == .records,
            encoded.count == header.totalBytes, encoded.withUnsafeBytes(header.chainIsRight),
            let records = encoded.withUnsafeBytes({ BatchCoding.records($0, header) })
        else { return nil }
        self.init(header: header, records: records)
    }
}
