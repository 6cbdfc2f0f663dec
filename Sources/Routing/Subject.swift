package import CallModel

/// What is known of the request besides its context, given to a script from outside.
package struct ScriptFacts: Hashable, Sendable {
    package var callKey: CallKey
    package var dialedNumber: String
    package var callType: String
    package var customer: CustomerName?
    package var routingClient: RoutingClientName
    package var arrivedOverINCRP: Bool
    /// The civil time in each of the script's zones, when the request arrived.
    package var civilTimes: [String: CivilTime]

    package init(
        callKey: CallKey, dialedNumber: String, callType: String, customer: CustomerName? = nil,
        routingClient: RoutingClientName, arrivedOverINCRP: Bool = false, civilTimes: [String: CivilTime] = [:]
    ) {
        self.callKey = callKey
        self.dialedNumber = dialedNumber
        self.callType = callType
        self.customer = customer
        self.routingClient = routingClient
        self.arrivedOverINCRP = arrivedOverINCRP
        self.civilTimes = civilTimes
    }
}

/// What a script can look at: a field of the context, or a fact of the request.
package enum Subject: Hashable, Sendable, CustomStringConvertible {
    case field(ContextField)
    /// `yes` or `no`: the caller asked that the number be withheld.
    case aniRestricted
    case callType
    case customer
    case routingClient
    case callKey

    /// The names that are no fields of the context.
    package static let factNames = ["aniRestricted", "callType", "customer", "routingClient", "callKey"]

    package init(parsing text: String) throws(FieldFault) {
        switch text {
        case "aniRestricted": self = .aniRestricted
        case "callType": self = .callType
        case "customer": self = .customer
        case "routingClient": self = .routingClient
        case "callKey": self = .callKey
        default: self = .field(try ContextField(parsing: text))
        }
    }

    /// Nil when it is not set. The dialed number is the request's unless the context says another.
    package func text(in context: CallContext, _ facts: ScriptFacts) -> String? {
        switch self {
        case .field(.dialedNumber): context.dialedNumber ?? facts.dialedNumber
        case .field(let field): context[field]
        case .aniRestricted: context.aniRestricted ? "yes" : "no"
        case .callType: facts.callType
        case .customer: facts.customer?.text
        case .routingClient: facts.routingClient.text
        case .callKey: facts.callKey.description
        }
    }

    package var description: String {
        switch self {
        case .field(let field): field.description
        case .aniRestricted: "aniRestricted"
        case .callType: "callType"
        case .customer: "customer"
        case .routingClient: "routingClient"
        case .callKey: "callKey"
        }
    }
}

/// A text with references to subjects: `account-${variable1}`. An unset subject gives nothing; `$$` is a dollar sign.
package struct ValueTemplate: Hashable, Sendable {
    private enum Part: Hashable {
        case literal(String)
        case subject(Subject)
    }

    private let parts: [Part]

    package init(parsing text: String) throws(FieldFault) {
        var parts: [Part] = []
        var literal = ""
        var rest = text[...]
        while let character = rest.popFirst() {
            guard character == "$" else {
                literal.append(character)
                continue
            }
            switch rest.popFirst() {
            case "$": literal.append("$")
            case "{":
                guard let end = rest.firstIndex(of: "}") else {
                    throw FieldFault(field: text, fault: .wrongShape("has a ${ without its }"))
                }
                if !literal.isEmpty { parts.append(.literal(literal)) }
                literal = ""
                parts.append(.subject(try Subject(parsing: String(rest[..<end]))))
                rest = rest[rest.index(after: end)...]
            default: throw FieldFault(field: text, fault: .wrongShape("has a $ that is neither ${field} nor $$"))
            }
        }
        if !literal.isEmpty { parts.append(.literal(literal)) }
        self.parts = parts
    }

    /// The text when it refers to nothing.
    package var literal: String? {
        switch parts.count {
        case 0: ""
        case 1: if case .literal(let text) = parts[0] { text } else { nil }
        default: nil
        }
    }

    package var subjects: [Subject] {
        parts.compactMap { if case .subject(let subject) = $0 { subject } else { nil } }
    }

    package func text(in context: CallContext, _ facts: ScriptFacts) -> String {
        var text = ""
        for part in parts {
            switch part {
            case .literal(let literal): text += literal
            case .subject(let subject): text += subject.text(in: context, facts) ?? ""
            }
        }
        return text
    }
}
