internal import ByteCoding

/// Why a text from outside is refused: the field, what is wrong with it, and the limit it breaks.
package struct FieldFault: Error, Equatable, Sendable, CustomStringConvertible {
    package enum Fault: Equatable, Sendable {
        case empty
        case tooLong(bytes: Int, limit: Int)
        case forbiddenByte(UInt8)
        case notUTF8
        case undeclared(nearest: String?)
        case wrongShape(String)
        case outOfRange(String)
    }

    package let field: String
    package let fault: Fault

    package init(field: String, fault: Fault) {
        self.field = field
        self.fault = fault
    }

    package var isLimit: Bool {
        switch fault {
        case .tooLong, .outOfRange: true
        case .empty, .forbiddenByte, .notUTF8, .undeclared, .wrongShape: false
        }
    }

    package var description: String {
        switch fault {
        case .empty: "\(field) is empty"
        case .tooLong(let bytes, let limit): "\(field) has \(bytes) bytes; the limit is \(limit)"
        case .forbiddenByte(0): "\(field) contains a NUL byte, which is not allowed"
        case .forbiddenByte(13): "\(field) contains a carriage return, which is not allowed"
        case .forbiddenByte(10): "\(field) contains a line feed, which is not allowed"
        case .forbiddenByte(let byte): "\(field) contains the byte \(byte), which is not allowed"
        case .notUTF8: "\(field) is not UTF-8"
        case .undeclared(let nearest):
            "\(field) is not declared in the configuration" + (nearest.map { "; the nearest name is \($0)" } ?? "")
        case .wrongShape(let what): "\(field) \(what)"
        case .outOfRange(let what): "\(field) \(what)"
        }
    }

    /// Checks a text: at most `limit` bytes of UTF-8, no NUL, CR or LF (DOMAIN.md, limits of a call context).
    package static func check(
        _ text: String, field: @autoclosure () -> String, limit: Int, mayBeEmpty: Bool = false
    ) throws(FieldFault) {
        var count = 0
        for byte in text.utf8 {
            if byte == 0 || byte == 13 || byte == 10 { throw FieldFault(field: field(), fault: .forbiddenByte(byte)) }
            count += 1
        }
        if count == 0 && !mayBeEmpty { throw FieldFault(field: field(), fault: .empty) }
        if count > limit { throw FieldFault(field: field(), fault: .tooLong(bytes: count, limit: limit)) }
    }
}

/// A name or id that is a checked text of its own type, so that two kinds cannot be confused.
package protocol CheckedText: Hashable, Comparable, Sendable, CustomStringConvertible {
    /// The field's name as a person reads it in an error.
    static var fieldName: String { get }
    /// The longest allowed text in bytes of UTF-8.
    static var limit: Int { get }
    var text: String { get }
    init(unchecked text: String)
}

extension CheckedText {
    /// Checks length and bytes; `field` overrides the name in the error.
    package init(_ text: String, field: String? = nil) throws(FieldFault) {
        try FieldFault.check(text, field: field ?? Self.fieldName, limit: Self.limit)
        self.init(unchecked: text)
    }

    package var description: String { text }

    package static func < (left: Self, right: Self) -> Bool { left.text < right.text }
}

/// An instance (one ICM): lower-case letters, digits and hyphens, at most 32 bytes.
package struct InstanceName: CheckedText {
    package static let fieldName = "instance"
    package static let limit = 32
    package let text: String
    package init(unchecked text: String) { self.text = text }

    package init(_ text: String, field: String? = nil) throws(FieldFault) {
        try FieldFault.check(text, field: field ?? Self.fieldName, limit: Self.limit)
        for byte in text.utf8 where !(97...122).contains(byte) && !(48...57).contains(byte) && byte != 45 {
            throw FieldFault(
                field: field ?? Self.fieldName,
                fault: .wrongShape("may hold only lower-case letters, digits and hyphens, not \"\(text)\""))
        }
        self.text = text
    }
}

/// An ACD or VRU, by its configured name.
package struct PeripheralName: CheckedText {
    package static let fieldName = "peripheral"
    package static let limit = 32
    package let text: String
    package init(unchecked text: String) { self.text = text }
}

/// A trunk group of a peripheral, by its configured name.
package struct TrunkGroupName: CheckedText {
    package static let fieldName = "trunkGroup"
    package static let limit = 32
    package let text: String
    package init(unchecked text: String) { self.text = text }
}

/// The number with which a call arrives at a peripheral.
package struct DNIS: CheckedText {
    package static let fieldName = "dnis"
    package static let limit = 32
    package let text: String
    package init(unchecked text: String) { self.text = text }
}

/// A named pool of peripheral targets reserved for temporary use.
package struct TranslationRouteName: CheckedText {
    package static let fieldName = "translationRoute"
    package static let limit = 32
    package let text: String
    package init(unchecked text: String) { self.text = text }
}

/// Who asks for a route: a NIC, a PG or another ICM.
package struct RoutingClientName: CheckedText {
    package static let fieldName = "routingClient"
    package static let limit = 32
    package let text: String
    package init(unchecked text: String) { self.text = text }
}

/// The caller's own id of a call leg.
package struct CallID: CheckedText {
    package static let fieldName = "callID"
    package static let limit = 128
    package let text: String
    package init(unchecked text: String) { self.text = text }
}

/// The caller's own id of a request; the call id unless given.
package struct RequestID: CheckedText {
    package static let fieldName = "requestID"
    package static let limit = 160
    package let text: String
    package init(unchecked text: String) { self.text = text }
}

/// Where the ACD must take the call after the claim: the ultimate target.
package struct UltimateTarget: CheckedText {
    package static let fieldName = "target"
    package static let limit = 64
    package let text: String
    package init(unchecked text: String) { self.text = text }
}

/// A routing script.
package struct ScriptName: CheckedText {
    package static let fieldName = "script"
    package static let limit = 32
    package let text: String
    package init(unchecked text: String) { self.text = text }
}

/// A node of a routing script, unique within it.
package struct NodeName: CheckedText {
    package static let fieldName = "node"
    package static let limit = 32
    package let text: String
    package init(unchecked text: String) { self.text = text }
}

/// An ICM Gateway: the client's configured connection to one Server ICM.
package struct GatewayName: CheckedText {
    package static let fieldName = "gateway"
    package static let limit = 32
    package let text: String
    package init(unchecked text: String) { self.text = text }
}

/// A customer of the instance, to whom dialed numbers and INCRP requests are mapped.
package struct CustomerName: CheckedText {
    package static let fieldName = "customer"
    package static let limit = 32
    package let text: String
    package init(unchecked text: String) { self.text = text }
}

/// The side of a duplex pair.
package enum Side: String, Hashable, Sendable, CaseIterable {
    case a = "A"
    case b = "B"

    package var other: Side { self == .a ? .b : .a }

    /// The letter, as it stands in files, frames and the witness register.
    package var formatByte: UInt8 { self == .a ? 0x41 : 0x42 }

    package init?(formatByte: UInt8) {
        switch formatByte {
        case 0x41: self = .a
        case 0x42: self = .b
        default: return nil
        }
    }
}
