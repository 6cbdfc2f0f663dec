package import CallModel

/// A call context as HTTP and the command line show it. Fields that are unset are left out.
package struct ContextValues: Hashable, Sendable, Codable {
    package enum ECCText: Hashable, Sendable {
        case scalar(String)
        case array([String])
    }

    package var ani: String?
    /// True or left out.
    package var aniRestricted: Bool?
    package var ced: String?
    package var uui: String?
    package var dnis: String?
    package var dialedNumber: String?
    /// `variable1`...`variable10`.
    package var variables: [String: String]
    package var ecc: [String: ECCText]

    /// Everything as it is: for the caller whose context it is.
    package init(_ context: CallContext) {
        ani = context.ani
        aniRestricted = context.aniRestricted ? true : nil
        ced = context.ced
        uui = context.uui
        dnis = context.dnis
        dialedNumber = context.dialedNumber
        variables = [:]
        for (index, text) in context.variables.enumerated() { variables["variable\(index + 1)"] = text }
        ecc = [:]
        for (name, value) in context.ecc {
            switch value {
            case .scalar(let text): ecc[name.text] = .scalar(text)
            case .array(let elements): ecc[name.text] = .array(elements)
            }
        }
    }
}

extension ContextValues {
    /// What stands for a masked value. It tells neither content nor length, only that there is one.
    package static let mask = "***"

    /// For listings: ANI, CED, UUI and ECC variables declared personal or payment are masked. A variable that is not
    /// declared any more is masked too, since nobody can say what it holds.
    package func masked(by limits: ContextLimits) -> ContextValues {
        var masked = self
        masked.ani = ani.map { _ in Self.mask }
        masked.ced = ced.map { _ in Self.mask }
        masked.uui = uui.map { _ in Self.mask }
        for (name, value) in ecc where limits.declarations[ECCName(unchecked: name)]?.sensitivity != Sensitivity.none {
            switch value {
            case .scalar: masked.ecc[name] = .scalar(Self.mask)
            case .array(let elements): masked.ecc[name] = .array(elements.map { $0.isEmpty ? "" : Self.mask })
            }
        }
        return masked
    }
}

extension ContextValues {
    private enum CodingKeys: String, CodingKey {
        case ani, aniRestricted, ced, uui, dnis, dialedNumber, variables, ecc
    }

    private struct Name: CodingKey {
        let stringValue: String
        var intValue: Int? { nil }
        init(stringValue: String) { self.stringValue = stringValue }
        init?(intValue: Int) { nil }
    }

    package init(from decoder: any Decoder) throws {
        let container = try decoder.container(keyedBy: CodingKeys.self)
        ani = try container.decodeIfPresent(String.self, forKey: .ani)
        aniRestricted = try container.decodeIfPresent(Bool.self, forKey: .aniRestricted)
        ced = try container.decodeIfPresent(String.self, forKey: .ced)
        uui = try container.decodeIfPresent(String.self, forKey: .uui)
        dnis = try container.decodeIfPresent(String.self, forKey: .dnis)
        dialedNumber = try container.decodeIfPresent(String.self, forKey: .dialedNumber)
        variables = try container.decodeIfPresent([String: String].self, forKey: .variables) ?? [:]
        ecc = try container.decodeIfPresent([String: ECCText].self, forKey: .ecc) ?? [:]
    }

    /// Variables in the order of their numbers, ECC variables in that of their names: the same context reads the same.
    package func encode(to encoder: any Encoder) throws {
        var container = encoder.container(keyedBy: CodingKeys.self)
        try container.encodeIfPresent(ani, forKey: .ani)
        try container.encodeIfPresent(aniRestricted, forKey: .aniRestricted)
        try container.encodeIfPresent(ced, forKey: .ced)
        try container.encodeIfPresent(uui, forKey: .uui)
        try container.encodeIfPresent(dnis, forKey: .dnis)
        try container.encodeIfPresent(dialedNumber, forKey: .dialedNumber)
        var inner = container.nestedContainer(keyedBy: Name.self, forKey: .variables)
        for number in 1...CallContext.variableCount {
            let name = "variable\(number)"
            if let text = variables[name] { try inner.encode(text, forKey: Name(stringValue: name)) }
        }
        inner = container.nestedContainer(keyedBy: Name.self, forKey: .ecc)
        for (name, value) in ecc.sorted(by: { $0.key < $1.key }) {
            try inner.encode(value, forKey: Name(stringValue: name))
        }
    }
}

extension ContextValues.ECCText: Codable {
    package init(from decoder: any Decoder) throws {
        let container = try decoder.singleValueContainer()
        // A failed try means the other shape, and that one says what is wrong.
        if let text = try? container.decode(String.self) {
            self = .scalar(text)
        } else {
            self = .array(try container.decode([String].self))
        }
    }

    package func encode(to encoder: any Encoder) throws {
        var container = encoder.singleValueContainer()
        switch self {
        case .scalar(let text): try container.encode(text)
        case .array(let elements): try container.encode(elements)
        }
    }
}
