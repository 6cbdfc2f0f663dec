internal import ByteCoding

/// What is known of a call besides its dialled number, and must arrive with it. An unset field is nil or absent.
package struct CallContext: Hashable, Sendable {
    /// The caller's number (up to 40 bytes).
    package var ani: String?
    /// The caller asked that the number be withheld (CLID restricted).
    package var aniRestricted = false
    /// Caller-entered digits (40).
    package var ced: String?
    /// User-to-user information (131).
    package var uui: String?
    /// The number with which the call arrived here (32).
    package var dnis: String?
    /// The number the caller dialed (40).
    package var dialedNumber: String?
    /// `variable1`...`variable10` at 0...9 (40 each).
    package var variables: [String?] = Array(repeating: nil, count: CallContext.variableCount)
    /// Declared expanded call context variables.
    package var ecc: [ECCName: ECCValue] = [:]

    package static let variableCount = 10

    package init() {}
}

/// A field of a call context by name, as scripts, errors and protocols name it.
package enum ContextField: Hashable, Sendable, CustomStringConvertible {
    case ani
    case ced
    case uui
    case dnis
    case dialedNumber
    /// 1...10.
    case variable(Int)
    case ecc(ECCName)
    /// 0-based.
    case eccElement(ECCName, Int)

    package var description: String {
        switch self {
        case .ani: "ani"
        case .ced: "ced"
        case .uui: "uui"
        case .dnis: "dnis"
        case .dialedNumber: "dialedNumber"
        case .variable(let number): "variable\(number)"
        case .ecc(let name): name.text
        case .eccElement(let name, let index): "\(name.text)[\(index)]"
        }
    }

    /// `ani`, `variable3`, `user.account`, `user.items[2]`. Anything that is no plain field is taken for an ECC name.
    package init(parsing text: String) throws(FieldFault) {
        switch text {
        case "ani": self = .ani
        case "ced": self = .ced
        case "uui": self = .uui
        case "dnis": self = .dnis
        case "dialedNumber": self = .dialedNumber
        default:
            if text.hasPrefix("variable"), let number = Int(text.dropFirst(8)) {
                guard (1...CallContext.variableCount).contains(number) else {
                    throw FieldFault(
                        field: text, fault: .outOfRange("does not exist; there are variable1 to variable10"))
                }
                self = .variable(number)
            } else if text.last == "]", let open = text.lastIndex(of: "["),
                let index = Int(text[text.index(after: open)...].dropLast()),
                (0..<ECCDeclaration.mostElements).contains(index)
            {
                self = .eccElement(try ECCName(String(text[..<open])), index)
            } else {
                self = .ecc(try ECCName(text))
            }
        }
    }
}

extension CallContext {
    /// The text of a field; nil when unset. An array as a whole has none.
    package subscript(field: ContextField) -> String? {
        switch field {
        case .ani: ani
        case .ced: ced
        case .uui: uui
        case .dnis: dnis
        case .dialedNumber: dialedNumber
        case .variable(let number): variables[number - 1]
        case .ecc(let name): if case .scalar(let text) = ecc[name] { text } else { nil }
        case .eccElement(let name, let index):
            if case .array(let elements) = ecc[name], index < elements.count { elements[index] } else { nil }
        }
    }

    /// Sets or clears a field. Limits are checked by ``ContextLimits/check(_:)``, not here. Elements before a set
    /// element that do not exist yet become empty.
    package mutating func set(_ field: ContextField, to text: String?) {
        switch field {
        case .ani: ani = text
        case .ced: ced = text
        case .uui: uui = text
        case .dnis: dnis = text
        case .dialedNumber: dialedNumber = text
        case .variable(let number): variables[number - 1] = text
        case .ecc(let name): ecc[name] = text.map { .scalar($0) }
        case .eccElement(let name, let index):
            var elements: [String] = []
            if case .array(let existing) = ecc[name] { elements = existing }
            while elements.count <= index { elements.append("") }
            elements[index] = text ?? ""
            ecc[name] = .array(elements)
        }
    }
}

/// What a call context may hold in an instance: the published limits, or those its configuration raises, and the
/// declared ECC variables and payloads.
package struct ContextLimits: Hashable, Sendable {
    package var ani = 40
    package var ced = 40
    package var uui = 131
    package var dnis = 32
    package var dialedNumber = 40
    package var variable = 40
    /// Bytes of the whole encoded context; 32 KiB at most, whatever is raised.
    package var context = 32 * 1024
    package private(set) var declarations: [ECCName: ECCDeclaration] = [:]
    package private(set) var payloads: [String: ECCPayload] = [:]

    package init() {}

    package mutating func declare(_ declaration: ECCDeclaration) { declarations[declaration.name] = declaration }

    package mutating func declare(_ payload: ECCPayload) { payloads[payload.name] = payload }

    /// Throws for the first field that is too long, holds a forbidden byte, or is not declared.
    package func check(_ callContext: CallContext) throws(FieldFault) {
        func check(_ text: String?, _ field: String, _ limit: Int) throws(FieldFault) {
            if let text { try FieldFault.check(text, field: field, limit: min(limit, context), mayBeEmpty: true) }
        }
        try check(callContext.ani, "ani", ani)
        try check(callContext.ced, "ced", ced)
        try check(callContext.uui, "uui", uui)
        try check(callContext.dnis, "dnis", dnis)
        try check(callContext.dialedNumber, "dialedNumber", dialedNumber)
        for (index, text) in callContext.variables.enumerated() { try check(text, "variable\(index + 1)", variable) }
        for (name, value) in callContext.ecc.sorted(by: { $0.key < $1.key }) { try checkECC(name, value) }
        let bytes = callContext.encoded().bytes.count
        if bytes > context { throw FieldFault(field: "context", fault: .tooLong(bytes: bytes, limit: context)) }
    }

    private func checkECC(_ name: ECCName, _ value: ECCValue) throws(FieldFault) {
        guard let declaration = declarations[name] else {
            let nearest = NearestName.of(name.text, among: declarations.keys.map(\.text))
            throw FieldFault(field: "ecc \(name)", fault: .undeclared(nearest: nearest))
        }
        switch (value, declaration.elements) {
        case (.scalar(let text), nil):
            try FieldFault.check(text, field: "ecc \(name)", limit: declaration.maximumLength, mayBeEmpty: true)
        case (.array(let elements), let most?):
            if elements.count > most {
                throw FieldFault(
                    field: "ecc \(name)", fault: .outOfRange("has \(elements.count) elements; the limit is \(most)"))
            }
            for (index, text) in elements.enumerated() {
                try FieldFault.check(
                    text, field: "ecc \(name)[\(index)]", limit: declaration.maximumLength, mayBeEmpty: true)
            }
        case (.scalar, _?): throw FieldFault(field: "ecc \(name)", fault: .wrongShape("is declared as an array"))
        case (.array, nil): throw FieldFault(field: "ecc \(name)", fault: .wrongShape("is declared as a scalar"))
        }
    }
}
