package import CallModel

/// One step of a routing script. Every node has a success and a failure path. A failure path that is not written
/// ends the script, and the routing client gets its default label.
package enum Node: Hashable, Sendable {
    case `switch`(SwitchNode)
    case time(TimeNode)
    case percent(PercentNode)
    case set(SetNode)
    case label(LabelNode)
    case translationRoute(TranslationRouteNode)
    case gateway(GatewayNode)
    /// No label: the routing client gets its default label.
    case end

    /// Where the script may go on, with the path as it is written in the script file.
    package var paths: [(path: String, target: NodeName)] {
        func optional(_ path: String, _ target: NodeName?) -> [(String, NodeName)] { target.map { [(path, $0)] } ?? [] }
        switch self {
        case .switch(let node):
            return node.cases.enumerated().map { ("case \($0 + 1)", $1.then) } + optional("else", node.otherwise)
        case .time(let node):
            return node.when.enumerated().map { ("window \($0 + 1)", $1.then) } + optional("else", node.otherwise)
        case .percent(let node): return node.shares.enumerated().map { ("share \($0 + 1)", $1.then) }
        case .set(let node): return [("then", node.then)] + optional("else", node.otherwise)
        case .label(let node): return optional("else", node.otherwise)
        case .translationRoute(let node): return optional("else", node.otherwise)
        case .gateway(let node): return optional("then", node.then) + optional("else", node.otherwise)
        case .end: return []
        }
    }
}

/// Goes to the first case that the subject's text meets; `otherwise` when none does or the subject is not set.
package struct SwitchNode: Hashable, Sendable {
    package struct Case: Hashable, Sendable {
        package let match: Match
        package let then: NodeName

        package init(_ match: Match, then: NodeName) {
            self.match = match
            self.then = then
        }
    }

    package let subject: Subject
    package let cases: [Case]
    package let otherwise: NodeName?

    package init(subject: Subject, cases: [Case], otherwise: NodeName? = nil) {
        self.subject = subject
        self.cases = cases
        self.otherwise = otherwise
    }
}

/// What a switch asks of a text.
package enum Match: Hashable, Sendable {
    case equals(String)
    case prefix(String)
    case oneOf(Set<String>)
    case range(DigitRange)
    case pattern(Pattern)

    package func matches(_ text: String) -> Bool {
        switch self {
        case .equals(let expected): text == expected
        case .prefix(let prefix): text.utf8.starts(with: prefix.utf8)
        case .oneOf(let texts): texts.contains(text)
        case .range(let range): range.contains(text)
        case .pattern(let pattern): pattern.matches(text)
        }
    }
}

/// Numbers from one to another, both included, of any length. Leading zeros do not count; what is no number is outside.
package struct DigitRange: Hashable, Sendable {
    package let from: String
    package let to: String

    /// Nil unless both are digits and they do not run backwards.
    package init?(from: String, to: String) {
        guard let low = Self.significant(from), let high = Self.significant(to), !Self.less(high, low) else {
            return nil
        }
        self.from = from
        self.to = to
    }

    package func contains(_ text: String) -> Bool {
        guard let value = Self.significant(text), let low = Self.significant(from), let high = Self.significant(to)
        else {
            return false
        }
        return !Self.less(value, low) && !Self.less(high, value)
    }

    private static func significant(_ text: String) -> [UInt8]? {
        guard !text.isEmpty, text.utf8.allSatisfy({ (48...57).contains($0) }) else { return nil }
        return Array(text.utf8.drop { $0 == 48 })
    }

    private static func less(_ left: [UInt8], _ right: [UInt8]) -> Bool {
        left.count == right.count ? left.lexicographicallyPrecedes(right) : left.count < right.count
    }
}

/// Goes to the first window that holds the civil time of the zone.
package struct TimeNode: Hashable, Sendable {
    package struct When: Hashable, Sendable {
        package let window: TimeWindow
        package let then: NodeName

        package init(_ window: TimeWindow, then: NodeName) {
            self.window = window
            self.then = then
        }
    }

    /// A name of the tz database, for example `Europe/Berlin`.
    package let zone: String
    package let when: [When]
    package let otherwise: NodeName?

    package init(zone: String, when: [When], otherwise: NodeName? = nil) {
        self.zone = zone
        self.when = when
        self.otherwise = otherwise
    }
}

/// Divides calls by shares. Which share a call gets follows from its call key and the node's name alone, so that a
/// script run anew takes the same path.
package struct PercentNode: Hashable, Sendable {
    package static let whole = 10_000

    package struct Share: Hashable, Sendable {
        package let hundredthsOfPercent: Int
        package let then: NodeName

        package init(hundredthsOfPercent: Int, then: NodeName) {
            self.hundredthsOfPercent = hundredthsOfPercent
            self.then = then
        }
    }

    /// Their sum is 10,000 hundredths of a percent: ``Script`` refuses another.
    package let shares: [Share]

    package init(shares: [Share]) { self.shares = shares }
}

/// Sets fields of the context, all or none: when one breaks a limit none is set and the failure path is taken.
package struct SetNode: Hashable, Sendable {
    package struct Assignment: Hashable, Sendable {
        package let field: ContextField
        /// Nil clears the field.
        package let value: ValueTemplate?

        package init(_ field: ContextField, to value: ValueTemplate?) {
            self.field = field
            self.value = value
        }
    }

    /// In the order of the script file; a later one sees what an earlier one set.
    package let assignments: [Assignment]
    package let then: NodeName
    package let otherwise: NodeName?

    package init(assignments: [Assignment], then: NodeName, otherwise: NodeName? = nil) {
        self.assignments = assignments
        self.then = then
        self.otherwise = otherwise
    }
}

/// Answers with a label.
package struct LabelNode: Hashable, Sendable {
    package enum Kind: Hashable, Sendable {
        case fixed(Label)
        /// The label that the last ICM Gateway node on the way was given; without one the failure path is taken.
        case returned
    }

    package let kind: Kind
    package let otherwise: NodeName?

    package init(_ label: Label) {
        kind = .fixed(label)
        otherwise = nil
    }

    package init(returnedOr otherwise: NodeName?) {
        kind = .returned
        self.otherwise = otherwise
    }
}

/// Reserves an entry of a translation route and answers with its label.
package struct TranslationRouteNode: Hashable, Sendable {
    package let route: TranslationRouteName
    /// Where the ACD must take the call after the claim; may refer to fields.
    package let target: ValueTemplate?
    package let otherwise: NodeName?

    package init(route: TranslationRouteName, target: ValueTemplate? = nil, otherwise: NodeName? = nil) {
        self.route = route
        self.target = target
        self.otherwise = otherwise
    }
}

package enum CLIDMasking: UInt8, Hashable, Sendable, CaseIterable, CustomStringConvertible {
    case never
    /// When the caller asked that the number be withheld.
    case whenRestricted
    case always

    package var description: String {
        switch self {
        case .never: "never"
        case .whenRestricted: "whenRestricted"
        case .always: "always"
        }
    }

    package init?(name: String) {
        guard let value = Self.allCases.first(where: { $0.description == name }) else { return nil }
        self = value
    }
}

/// Asks a Server ICM. Its success path answers with the returned label unless `then` leads on.
package struct GatewayNode: Hashable, Sendable {
    package var gateway: GatewayName
    /// On: the returned label must exist at this instance for the routing client.
    package var validateLabel: Bool
    package var clidMasking: CLIDMasking
    /// Given when the returned label is invalid, absent or late or the server is offline, and no failure path is
    /// written.
    package var defaultLabels: [RoutingClientName: Label]
    /// The ECC payload that crosses; nil: every ECC variable that the context holds.
    package var payload: String?
    /// Nil: the gateway's, or what is left of the request's.
    package var deadlineMilliseconds: UInt32?
    package var then: NodeName?
    package var otherwise: NodeName?

    package init(
        gateway: GatewayName, validateLabel: Bool = false, clidMasking: CLIDMasking = .never,
        defaultLabels: [RoutingClientName: Label] = [:], payload: String? = nil, deadlineMilliseconds: UInt32? = nil,
        then: NodeName? = nil, otherwise: NodeName? = nil
    ) {
        self.gateway = gateway
        self.validateLabel = validateLabel
        self.clidMasking = clidMasking
        self.defaultLabels = defaultLabels
        self.payload = payload
        self.deadlineMilliseconds = deadlineMilliseconds
        self.then = then
        self.otherwise = otherwise
    }
}
