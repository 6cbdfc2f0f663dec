package import ByteCoding

/// A call context in its one byte form, which log, store and both sides hold unchanged: equal contexts have equal
/// bytes. Layout: a sequence of fields in ascending tag order, each `u8 tag, u16 length, bytes`; unset fields are
/// left out. Tags: 1 ANI, 2 restriction flag (only when set, one byte 1), 3 CED, 4 UUI, 5 DNIS, 6 dialed number,
/// 11...20 variables, 30 ECC scalar (`string name, string value`), 31 ECC array (`string name, u8 count, strings`),
/// both sorted by name. Values hold no NUL.
package struct EncodedContext: Hashable, Sendable {
    package let bytes: [UInt8]

    /// For bytes that were encoded before and come from a checked log or store; ``decoded()`` says if they are not.
    package init(bytes: [UInt8]) { self.bytes = bytes }

    package var hash: Hash128 { SipHash128.hash(bytes) }

    /// The bytes of the ANI, without decoding the rest: it is the first field when it is set.
    package var aniBytes: ArraySlice<UInt8>? {
        guard bytes.count >= 3, bytes[0] == Tag.ani else { return nil }
        let count = Int(bytes[1]) | Int(bytes[2]) << 8
        return count <= bytes.count - 3 ? bytes[3..<3 + count] : nil
    }

    package func decoded() throws(ByteFault) -> CallContext { try CallContext(decoding: bytes) }

    package static let empty = EncodedContext(bytes: [])
}

private enum Tag {
    static let ani: UInt8 = 1
    static let aniRestricted: UInt8 = 2
    static let ced: UInt8 = 3
    static let uui: UInt8 = 4
    static let dnis: UInt8 = 5
    static let dialedNumber: UInt8 = 6
    static let firstVariable: UInt8 = 11
    static let lastVariable: UInt8 = 20
    static let eccScalar: UInt8 = 30
    static let eccArray: UInt8 = 31
}

extension CallContext {
    package func encoded() -> EncodedContext {
        var writer = ByteWriter(capacity: 256)
        func text(_ value: String?, _ tag: UInt8) {
            guard let value else { return }
            writer.u8(tag)
            writer.string(value)
        }
        text(ani, Tag.ani)
        if aniRestricted {
            writer.u8(Tag.aniRestricted)
            writer.short([1])
        }
        text(ced, Tag.ced)
        text(uui, Tag.uui)
        text(dnis, Tag.dnis)
        text(dialedNumber, Tag.dialedNumber)
        for (index, value) in variables.enumerated() { text(value, Tag.firstVariable + UInt8(index)) }
        if !ecc.isEmpty { encodeECC(into: &writer) }
        return EncodedContext(bytes: writer.bytes)
    }

    private func encodeECC(into writer: inout ByteWriter) {
        let sorted = ecc.sorted { $0.key < $1.key }
        for (name, value) in sorted {
            guard case .scalar(let text) = value else { continue }
            var body = ByteWriter()
            body.string(name.text)
            body.string(text)
            writer.u8(Tag.eccScalar)
            writer.short(body.bytes)
        }
        for (name, value) in sorted {
            guard case .array(let elements) = value else { continue }
            var body = ByteWriter()
            body.string(name.text)
            body.u8(UInt8(clamping: elements.count))
            for element in elements.prefix(ECCDeclaration.mostElements) { body.string(element) }
            writer.u8(Tag.eccArray)
            writer.short(body.bytes.prefix(Int(UInt16.max)))
        }
    }

    fileprivate init(decoding bytes: [UInt8]) throws(ByteFault) {
        self.init()
        var reader = ByteReader(bytes)
        var lastTag: UInt8 = 0
        var lastName: ECCName?
        while reader.remaining > 0 {
            let at = reader.position
            let tag = try reader.u8()
            guard tag > lastTag || (tag == lastTag && tag >= Tag.eccScalar) else {
                throw .value("context field \(tag) out of order", at: at)
            }
            if tag != lastTag { lastName = nil }
            lastTag = tag
            switch tag {
            case Tag.ani: ani = try reader.string()
            case Tag.aniRestricted:
                guard try reader.short() == [1] else { throw .value("restriction flag", at: at) }
                aniRestricted = true
            case Tag.ced: ced = try reader.string()
            case Tag.uui: uui = try reader.string()
            case Tag.dnis: dnis = try reader.string()
            case Tag.dialedNumber: dialedNumber = try reader.string()
            case Tag.firstVariable...Tag.lastVariable: variables[Int(tag - Tag.firstVariable)] = try reader.string()
            case Tag.eccScalar, Tag.eccArray:
                let name = try decodeECC(tag, try reader.short(), at: at)
                if let lastName, !(lastName < name) { throw .value("ECC \(name) out of order", at: at) }
                lastName = name
            default: throw .value("context field \(tag)", at: at)
            }
        }
    }

    private mutating func decodeECC(_ tag: UInt8, _ bytes: [UInt8], at: Int) throws(ByteFault) -> ECCName {
        var body = ByteReader(bytes)
        let name = try ECCName(from: &body)
        if ecc[name] != nil { throw .value("ECC \(name) twice", at: at) }
        if tag == Tag.eccScalar {
            ecc[name] = .scalar(try body.string())
        } else {
            var elements: [String] = []
            for _ in 0..<(try body.u8()) { elements.append(try body.string()) }
            ecc[name] = .array(elements)
        }
        try body.finish()
        return name
    }
}
