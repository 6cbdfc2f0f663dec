import ByteCoding
import Testing

@Suite("Checksums and hashes")
struct ChecksumTests {
    @Test("CRC-32C of the digits 1 to 9 is the published check value")
    func crcVector() {
        #expect(CRC32C.checksum(Array("123456789".utf8)) == 0xe306_9283)
        #expect(CRC32C.checksum([]) == 0)
        #expect(CRC32C.checksum([UInt8](repeating: 0, count: 32)) == 0x8a91_36aa)
        #expect(CRC32C.checksum([UInt8](repeating: 0xff, count: 32)) == 0x62a8_ab43)
    }
}
