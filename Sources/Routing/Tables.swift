package import CallModel

/// The labels an instance knows, by routing client: a label returned by a Server ICM is checked against them.
package struct LabelTable: Hashable, Sendable {
    package let labels: [RoutingClientName: [LabelPattern]]

    package init(labels: [RoutingClientName: [LabelPattern]]) { self.labels = labels }

    /// A busy or ring label without a text is known everywhere: its type says it all.
    package func validates(_ label: Label, for routingClient: RoutingClientName) -> Bool {
        if label.text.isEmpty && (label.type == .busy || label.type == .ring) { return true }
        return labels[routingClient]?.contains { $0.matches(label) } ?? false
    }
}

/// Labels known to a routing client: a pattern, of one type or of any.
package struct LabelPattern: Hashable, Sendable {
    package let pattern: Pattern
    package let type: LabelType?

    package init(_ pattern: Pattern, type: LabelType? = nil) {
        self.pattern = pattern
        self.type = type
    }

    package func matches(_ label: Label) -> Bool {
        (type == nil || type == label.type) && pattern.matches(label.text)
    }
}

/// Which call type a dialed number has: the entry of every request into the scripts.
package struct DialedNumberTable: Hashable, Sendable {
    package struct Entry: Hashable, Sendable {
        package let pattern: Pattern
        /// Nil: of any routing client.
        package let routingClient: RoutingClientName?
        /// Nil: of any customer. Otherwise only for requests of this customer, or that name none; they become its.
        package let customer: CustomerName?
        package let callType: String

        package init(
            pattern: Pattern, routingClient: RoutingClientName? = nil, customer: CustomerName? = nil, callType: String
        ) {
            self.pattern = pattern
            self.routingClient = routingClient
            self.customer = customer
            self.callType = callType
        }
    }

    package let entries: [Entry]

    package init(entries: [Entry]) { self.entries = entries }

    /// The first entry, in the order of the configuration, that fits.
    package func entry(
        for dialedNumber: String, routingClient: RoutingClientName, customer: CustomerName? = nil
    ) -> Entry? {
        entries.first { entry in
            (entry.routingClient == nil || entry.routingClient == routingClient)
                && (entry.customer == nil || customer == nil || entry.customer == customer)
                && entry.pattern.matches(dialedNumber)
        }
    }
}

/// Which script a call type runs.
package struct CallTypes: Hashable, Sendable {
    package let scripts: [String: ScriptName]

    package init(scripts: [String: ScriptName]) { self.scripts = scripts }

    package func script(for callType: String) -> ScriptName? { scripts[callType] }
}
