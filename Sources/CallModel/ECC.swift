package import ByteCoding

/// The name of an expanded call context (ECC) variable, up to 32 bytes, by custom beginning with `user.`.
package struct ECCName: CheckedText {
    package static let fieldName = "ECC name"
    package static let limit = 32
    package let text: String
    package init(unchecked text: String) { self.text = text }
}

/// The value of an ECC variable: a scalar, or an array whose unset elements are empty strings.
package enum ECCValue: Hashable, Sendable {
    case scalar(String)
    case array([String])
}

/// How the field must be treated when it is shown.
package enum Sensitivity: UInt8, Sendable, CaseIterable {
    case none = 0
    case personal = 1
    case payment = 2
}

/// A declared ECC variable: what the configuration says of it.
package struct ECCDeclaration: Hashable, Sendable {
    package static let longest = 210
    package static let mostElements = 255

    package let name: ECCName
    /// Bytes of UTF-8 of the scalar, or of each element.
    package let maximumLength: Int
    /// Nil for a scalar.
    package let elements: Int?
    package let sensitivity: Sensitivity

    /// Throws when length or elements are outside 1...210 and 1...255 (or the instance's raised limits).
    package init(
        name: ECCName, maximumLength: Int, elements: Int? = nil, sensitivity: Sensitivity = .none,
        lengthLimit: Int = ECCDeclaration.longest
    ) throws(FieldFault) {
        if !(1...lengthLimit).contains(maximumLength) {
            throw FieldFault(
                field: "ecc \(name) maximumLength",
                fault: .outOfRange("is \(maximumLength); it may be 1 to \(lengthLimit)"))
        }
        if let elements, !(1...Self.mostElements).contains(elements) {
            throw FieldFault(
                field: "ecc \(name) elements", fault: .outOfRange("is \(elements); it may be 1 to \(Self.mostElements)")
            )
        }
        self.name = name
        self.maximumLength = maximumLength
        self.elements = elements
        self.sensitivity = sensitivity
    }

    /// Bytes it takes of a payload: 5 + maximum length for a scalar, 5 + (1 + maximum length) x elements for an array.
    package var payloadBytes: Int {
        if let elements { 5 + (1 + maximumLength) * elements } else { 5 + maximumLength }
    }

    package func encode(into writer: inout ByteWriter) {
        writer.string(name.text)
        writer.u32(UInt32(maximumLength))
        writer.optional(elements) { $0.u8(UInt8($1)) }
        writer.u8(sensitivity.rawValue)
    }

    package init(from reader: inout ByteReader) throws(ByteFault) {
        name = try ECCName(from: &reader)
        maximumLength = Int(try reader.u32())
        elements = try reader.optional { (reader: inout ByteReader) throws(ByteFault) in Int(try reader.u8()) }
        let at = reader.position
        guard let sensitivity = Sensitivity(rawValue: try reader.u8()) else { throw .value("sensitivity", at: at) }
        self.sensitivity = sensitivity
    }
}

/// A named set of ECC variables, of at most 2,000 bytes by the published size formula. One is in scope at a time.
package struct ECCPayload: Hashable, Sendable {
    package static let mostBytes = 2000

    package let name: String
    package let members: [ECCName]

    package init(name: String, declarations: [ECCDeclaration], bytesLimit: Int = ECCPayload.mostBytes)
        throws(FieldFault)
    {
        try FieldFault.check(name, field: "payload", limit: 32)
        let bytes = declarations.reduce(0) { $0 + $1.payloadBytes }
        if bytes > bytesLimit {
            throw FieldFault(field: "payload \(name)", fault: .tooLong(bytes: bytes, limit: bytesLimit))
        }
        self.name = name
        members = declarations.map(\.name)
    }

    package func contains(_ name: ECCName) -> Bool { members.contains(name) }
}
