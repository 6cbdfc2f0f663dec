import ByteCoding
import Testing

@Suite("Checksums and hashes")
struct ChecksumTests {
    @Test("CRC-32C has the published check values")
    func crcVectors() {
        #expect(CRC32C.checksum(Array("123456789".utf8)) == 0xe306_9283)
        #expect(CRC32C.checksum([]) == 0)
        #expect(CRC32C.checksum([UInt8](repeating: 0, count: 32)) == 0x8a91_36aa)
        #expect(CRC32C.checksum([UInt8](repeating: 0xff, count: 32)) == 0x62a8_ab43)
        #expect(CRC32C.checksum((0..<32).map { UInt8($0) }) == 0x46dd_794e)
    }

    /// The first vectors of the reference implementation (`vectors_sip128`): key 00...0f, input 00, 01, ... of that
    /// length.
    @Test(
        "SipHash-2-4 with 128 bits has the reference implementation's vectors",
        arguments: [
            (0, "a3817f04ba25a8e66df67214c7550293"), (1, "da87c1d86b99af44347659119b22fc45"),
            (2, "8177228da4a45dc7fca38bdef60affe4"), (3, "9c70b60c5267a94e5f33b6b02985ed51"),
            (6, "14eeca338b208613485ea0308fd7a15e"), (7, "a1f1ebbed8dbc153c0b84aa61ff08239"),
            (8, "3b62a9ba6258f5610f83e264f31497b4"),
        ])
    func sipHashVectors(length: Int, expected: String) {
        let key: (UInt64, UInt64) = (0x0706_0504_0302_0100, 0x0f0e_0d0c_0b0a_0908)
        let hash = SipHash128.hash((0..<length).map { UInt8($0) }, key: key)
        var writer = ByteWriter()
        writer.hash(hash)
        #expect(writer.bytes.map { ($0 < 16 ? "0" : "") + String($0, radix: 16) }.joined() == expected)
    }

    @Test("sums of hashes carry between their halves and can be taken back")
    func sums() {
        let large = Hash128(high: 7, low: .max)
        let one = Hash128(high: 0, low: 1)
        #expect(large + one == Hash128(high: 8, low: 0))
        #expect(large + one - one == large)
        #expect(Hash128.zero - one == Hash128(high: .max, low: .max))
        #expect(Hash128(high: 1, low: 255).description == "000000000000000100000000000000ff")
    }
}

@Suite("Bytes")
struct ByteTests {
    @Test("what a writer wrote a reader reads")
    func roundTrip() throws {
        var writer = ByteWriter()
        writer.u8(1)
        writer.u16(0x0203)
        writer.u32(0x0405_0607)
        writer.u64(.max)
        writer.i64(-2)
        writer.flag(true)
        writer.hash(Hash128(high: 1, low: 2))
        writer.bigEndian(UInt32(0x0102_0304))
        writer.string("äö")
        writer.long([9, 9])
        writer.optional(nil as UInt8?) { $0.u8($1) }
        writer.list([1, 2] as [UInt8]) { $0.u8($1) }
        var reader = ByteReader(writer.bytes)
        #expect(try reader.u8() == 1)
        #expect(try reader.u16() == 0x0203)
        #expect(try reader.u32() == 0x0405_0607)
        #expect(try reader.u64() == .max)
        #expect(try reader.i64() == -2)
        #expect(try reader.flag())
        #expect(try reader.hash() == Hash128(high: 1, low: 2))
        #expect(try reader.bigEndian(UInt32.self) == 0x0102_0304)
        #expect(try reader.string() == "äö")
        #expect(try reader.long() == [9, 9])
        #expect(try reader.optional { (reader: inout ByteReader) throws(ByteFault) in try reader.u8() } == nil)
        #expect(try reader.list { (reader: inout ByteReader) throws(ByteFault) in try reader.u8() } == [1, 2])
        try reader.finish()
    }

    @Test("integers are little-endian, and big-endian where order is meaning")
    func order() {
        var writer = ByteWriter()
        writer.u32(1)
        writer.bigEndian(UInt16(1))
        #expect(writer.bytes == [1, 0, 0, 0, 0, 1])
    }

    @Test("a reader says what is wrong and never reads beyond its end")
    func faults() {
        var reader = ByteReader([1, 2, 3])
        #expect(throws: ByteFault.truncated(at: 0, wanted: 1)) { try reader.u32() }
        #expect(throws: ByteFault.truncated(at: 2, wanted: 512)) { try reader.short() }
        var flag = ByteReader([2])
        #expect(throws: ByteFault.value("flag 2", at: 0)) { try flag.flag() }
        var text = ByteReader([1, 0, 0xff])
        #expect(throws: ByteFault.notUTF8(at: 2)) { try text.string() }
        var list = ByteReader([0xff, 0xff, 0xff, 0xff])
        #expect(throws: ByteFault.self) {
            try list.list { (reader: inout ByteReader) throws(ByteFault) in try reader.u8() }
        }
        #expect(throws: ByteFault.trailing(3)) { try ByteReader([1, 2, 3]).finish() }
        var part = ByteReader([1, 2, 3, 4], range: 1..<2)
        #expect(throws: ByteFault.truncated(at: 1, wanted: 1)) { try part.u16() }
    }
}
