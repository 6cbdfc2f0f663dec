package import ByteCoding
package import CallModel

/// What is wrong with a value of the witness register. Nothing is done on such a value.
package enum RegisterFault: Error, Hashable, Sendable, CustomStringConvertible {
    case damaged(String)
    case otherPair(Hash128)
    case newerVersion(UInt16)

    package var description: String {
        switch self {
        case .damaged(let what): "the witness register's value is damaged: \(what)"
        case .otherPair(let pair): "the witness register belongs to pair \(pair): give this pair a key of its own"
        case .newerVersion(let version):
            "the witness register has format version \(version); this program knows \(RegisterCoding.version)"
        }
    }
}

/// The register's value as the witness keeps it: mark, version, pair id, value, CRC-32C of all before.
package enum RegisterCoding {
    static let version: UInt16 = 1
    private static let magic: [UInt8] = Array("BATONREG".utf8)

    package static func encode(_ register: PairRegister, pairID: Hash128) -> [UInt8] {
        var writer = ByteWriter(capacity: 96)
        writer.raw(magic)
        writer.u16(version)
        writer.hash(pairID)
        register.encode(into: &writer)
        writer.u32(CRC32C.checksum(writer.bytes))
        return writer.bytes
    }

    package static func decode(_ bytes: [UInt8], pairID: Hash128) throws(RegisterFault) -> PairRegister {
        let found: (version: UInt16, pair: Hash128, register: PairRegister?)
        do throws(ByteFault) { found = try read(bytes) } catch { throw .damaged("\(error)") }
        guard let register = found.register else { throw .newerVersion(found.version) }
        if found.pair != pairID { throw .otherPair(found.pair) }
        return register
    }

    private static func read(
        _ bytes: [UInt8]
    ) throws(ByteFault) -> (version: UInt16, pair: Hash128, register: PairRegister?) {
        var reader = ByteReader(bytes)
        guard try reader.raw(magic.count) == magic else { throw .value("no register value", at: 0) }
        let version = try reader.u16()
        if version > Self.version { return (version, .zero, nil) }
        let pair = try reader.hash()
        let register = try PairRegister(from: &reader)
        let at = reader.position
        guard try reader.u32() == CRC32C.checksum(Array(bytes.prefix(at))) else {
            throw .value("a wrong checksum", at: at)
        }
        try reader.finish()
        return (version, pair, register)
    }
}
