/// A JSON text as a value. Members keep their order and numbers their digits, so that what a side answered can be
/// shown as it was said.
package enum JSONValue: Hashable, Sendable {
    case null
    case bool(Bool)
    /// As written.
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
    /// On one line.
    package var compact: String {
        var out = ""
        write(to: &out, indentation: nil, depth: 0)
        return out
    }

    /// On several lines, two spaces a level.
    package var pretty: String {
        var out = ""
        write(to: &out, indentation: "  ", depth: 0)
        return out
    }

    private func write(to out: inout String, indentation: String?, depth: Int) {
        switch self {
        case .null: out += "null"
        case .bool(let value): out += value ? "true" : "false"
        case .number(let digits): out += digits
        case .string(let text): Self.quote(text, to: &out)
        case .array(let elements):
            Self.list(elements, "[", "]", to: &out, indentation, depth) { element, out in
                element.write(to: &out, indentation: indentation, depth: depth + 1)
            }
        case .object(let members):
            Self.list(members, "{", "}", to: &out, indentation, depth) { member, out in
                Self.quote(member.name, to: &out)
                out += indentation == nil ? ":" : ": "
                member.value.write(to: &out, indentation: indentation, depth: depth + 1)
            }
        }
    }

    private static func list<Item>(
        _ items: [Item], _ open: String, _ close: String, to out: inout String, _ indentation: String?, _ depth: Int,
        each: (Item, inout String) -> Void
    ) {
        out += open
        for (index, item) in items.enumerated() {
            if index > 0 { out += "," }
            if let indentation { out += "\n" + String(repeating: indentation, count: depth + 1) }
            each(item, &out)
        }
        if let indentation, !items.isEmpty { out += "\n" + String(repeating: indentation, count: depth) }
        out += close
    }

    private static func quote(_ text: String, to out: inout String) {
        out += "\""
        for scalar in text.unicodeScalars {
            switch scalar {
            case "\"": out += "\\\""
            case "\\": out += "\\\\"
            case "\n": out += "\\n"
            case "\r": out += "\\r"
            case "\t": out += "\\t"
            case _ where scalar.value < 0x20:
                let digits = String(scalar.value, radix: 16)
                out += "\\u" + String(repeating: "0", count: 4 - digits.count) + digits
            default: out.unicodeScalars.append(scalar)
            }
        }
        out += "\""
    }
}
