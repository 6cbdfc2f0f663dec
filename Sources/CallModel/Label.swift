package import ByteCoding

package enum LabelType: UInt8, Sendable, CaseIterable, CustomStringConvertible {
    case normal = 1
    case busy = 2
    case ring = 3
    case `default` = 5

    package var description: String {
        switch self {
        case .normal: "normal"
        case .busy: "busy"
        case .ring: "ring"
        case .default: "default"
        }
    }

    package init?(name: String) {
        guard let type = Self.allCases.first(where: { $0.description == name }) else { return nil }
        self = type
    }
}

/// The destination given to a routing client. Busy and ring labels may be empty: their type says it all.
package struct Label: Hashable, Sendable, CustomStringConvertible {
    package static let limit = 64
    package let text: String
    package let type: LabelType

    package init(_ text: String, type: LabelType = .normal, field: String = "label") throws(FieldFault) {
        try FieldFault.check(text, field: field, limit: Self.limit, mayBeEmpty: type == .busy || type == .ring)
        self.init(unchecked: text, type: type)
    }

    package init(unchecked text: String, type: LabelType) {
        self.text = text
        self.type = type
    }

    package var description: String { text.isEmpty ? "(\(type))" : "\(text) (\(type))" }

    package func encode(into writer: inout ByteWriter) {
        writer.u8(type.rawValue)
        writer.string(text)
    }

    package init(from reader: inout ByteReader) throws(ByteFault) {
        let at = reader.position
        let raw = try reader.u8()
        guard let type = LabelType(rawValue: raw) else { throw .value("label type \(raw)", at: at) }
        self.type = type
        text = try reader.string()
    }
}

/// Who found the label that a routing client gets.
package enum LabelSource: UInt8, Sendable, CaseIterable, CustomStringConvertible {
    case script = 1
    case gateway = 2
    case `default` = 3

    package var description: String {
        switch self {
        case .script: "script"
        case .gateway: "gateway"
        case .default: "default"
        }
    }
}
