/// A JSON text as a value. Members keep their order and numbers their digits, so that what was said can be shown, or
/// told again, as it was said.
package enum JSONValue: Hashable, Sendable {
    case null
    case bool(Bool)
    /// As written; a parsed one has the grammar of RFC 8259.
    case number(String)
    case string(String)
    case array([JSONValue])
    case object([JSONMember])
}

package struct JSONMember: Hashable, Sendable {
    package let name: String
    package let value: JSONValue

    package init(_ name: String, _ value: JSONValue) {
        self.name = name
        self.value = value
    }
}

extension JSONValue: ExpressibleByStringLiteral, ExpressibleByIntegerLiteral, ExpressibleByBooleanLiteral {
    package init(stringLiteral text: String) { self = .string(text) }
    package init(integerLiteral number: Int) { self = .number(String(number)) }
    package init(booleanLiteral value: Bool) { self = .bool(value) }

    package static func integer(_ number: some BinaryInteger) -> JSONValue { .number(String(number)) }

    /// An object of the members that have a value.
    package static func object(_ members: (name: String, value: JSONValue?)...) -> JSONValue {
        .object(members.compactMap { member in member.value.map { JSONMember(member.name, $0) } })
    }
}

extension JSONValue {
    /// The member of an object; nil when this is none, or has none of that name.
    package subscript(name: String) -> JSONValue? {
        guard case .object(let members) = self else { return nil }
        return members.first { $0.name == name }?.value
    }

    package var members: [JSONMember] { if case .object(let members) = self { members } else { [] } }

    package var elements: [JSONValue] { if case .array(let elements) = self { elements } else { [] } }

    /// The text of a scalar; nil for null, arrays and objects.
    package var text: String? {
        switch self {
        case .string(let text), .number(let text): text
        case .bool(let value): value ? "true" : "false"
        case .null, .array, .object: nil
        }
    }

    package var integer: Int? { if case .number(let digits) = self { Int(digits) } else { nil } }

    package var isTrue: Bool { self == .bool(true) }
}

extension JSONValue {
    /// What a person calls it in an error.
    package var kindName: String {
        switch self {
        case .null: "null"
        case .bool: "true or false"
        case .number: "a number"
        case .string: "text"
        case .array: "a list"
        case .object: "an object"
        }
    }
}
