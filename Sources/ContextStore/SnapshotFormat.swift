internal import ByteCoding
internal import Ledger

/// A snapshot: the whole store at one position, as a stream sorted by table and key.
///
/// | part | is |
/// |---|---|
/// | header | `BATONSNP`, u16 format 1, u32 length, identity and state as in `meta`, u32 CRC-32C of all before |
/// | rows | u8 table, u16 key length, u32 value length, key, value, u32 CRC-32C of all of the row before it |
/// | trailer | u8 0xFF, u64 rows, u8 tables, the digest's sums, u32 CRC-32C of all of the trailer before it |
///
/// It is written under a temporary name and renamed when it is durable, so a crash leaves a whole snapshot or none. A
/// reader takes it only when the trailer is there, the rows are as many as it says, and they add up to its digest.
enum SnapshotFormat {
    static let magic = Array("BATONSNP".utf8)
    static let format: UInt16 = 1
    static let trailerMark: UInt8 = 0xff
    static let mostHeaderBytes = 4_096
    static let mostKeyBytes = 511
    /// Above the largest context a configuration may allow, with its record.
    static let mostValueBytes = 1 << 20

    static func header(_ identity: StoreIdentity, _ state: StoreState) -> [UInt8] {
        var payload = ByteWriter(capacity: 256)
        payload.long(MetaRows.identity(identity))
        payload.long(MetaRows.state(state))
        var writer = ByteWriter(capacity: 256)
        writer.raw(magic)
        writer.u16(format)
        writer.long(payload.bytes)
        writer.u32(CRC32C.checksum(writer.bytes))
        return writer.bytes
    }

    static func row(_ table: Table, key: [UInt8], value: [UInt8]) -> [UInt8] {
        var writer = ByteWriter(capacity: key.count + value.count + 11)
        writer.u8(table.rawValue)
        // The lengths stand together, so that a reader knows how much to read.
        writer.u16(UInt16(key.count))
        writer.u32(UInt32(value.count))
        writer.raw(key)
        writer.raw(value)
        writer.u32(CRC32C.checksum(writer.bytes))
        return writer.bytes
    }

    static func trailer(rows: UInt64, digest: Digest) -> [UInt8] {
        var writer = ByteWriter(capacity: 128)
        writer.u8(trailerMark)
        writer.u64(rows)
        writer.u8(UInt8(digest.sums.count))
        for sum in digest.sums { writer.hash(sum) }
        writer.u32(CRC32C.checksum(writer.bytes))
        return writer.bytes
    }
}
