internal import ByteCoding

/// The bytes of a register file (`Schemas/witness.md`): magic, format, length, pair, inode, number of changes, value, checksum.
/// The inode is that of the file itself, known before its bytes are written: a copy that was put back has another one.
struct RegisterImage: Equatable {
    var pair: Hash128
    var inode: UInt64
    var changes: UInt64
    var value: [UInt8]

    static let mostBytes = 4_096
    private static let magic = Array("BATONREG".utf8)
    private static let format: UInt16 = 1
    private static let headBytes = 48

    func encoded() -> [UInt8] {
        var writer = ByteWriter(capacity: Self.headBytes + 2 + value.count + 4)
        writer.raw(Self.magic)
        writer.u16(Self.format)
        writer.u16(0)
        writer.u32(UInt32(Self.headBytes + 2 + value.count + 4))
        writer.hash(pair)
        writer.u64(inode)
        writer.u64(changes)
        writer.short(value)
        writer.u32(CRC32C.checksum(writer.bytes))
        return writer.bytes
    }

    enum Fault: Error, Equatable {
        case damaged(String)
        case otherFormat(UInt16)
    }

    static func decode(_ bytes: [UInt8]) throws(Fault) -> RegisterImage {
        do {
            var reader = ByteReader(bytes)
            guard try reader.raw(magic.count) == magic else { throw Fault.damaged("it does not begin as one") }
            let format = try reader.u16()
            guard format == Self.format else { throw Fault.otherFormat(format) }
            _ = try reader.u16()
            let length = Int(try reader.u32())
            guard length == bytes.count else { throw Fault.damaged("it has \(bytes.count) bytes instead of \(length)") }
            let pair = try reader.hash()
            let inode = try reader.u64()
            let changes = try reader.u64()
            let value = try reader.short()
            let sum = CRC32C.checksum(Array(bytes[..<reader.position]))
            guard try reader.u32() == sum else { throw Fault.damaged("its checksum is wrong") }
            try reader.finish()
            guard (1...WitnessLimits.valueBytes).contains(value.count) else {
                throw Fault.damaged("its value has \(value.count) bytes")
            }
            return RegisterImage(pair: pair, inode: inode, changes: changes, value: value)
        } catch let fault as Fault {
            throw fault
        } catch {
            throw .damaged("\(error)")
        }
    }
}
