package import CallModel
package import INCRP
package import Routing

/// Who asks for routes, as the configuration has it.
package struct RoutingClient: Hashable, Sendable {
    package enum Kind: Hashable, Sendable {
        /// A service-provider network: pre-routing.
        case nic
        /// An ACD or IVR: post-routing. When `postRouteNumbers` is not empty, its route requests (not its CTI
        /// transfers) are for these special numbers only.
        case pg(PeripheralName, postRouteNumbers: [Pattern])
        /// A Client ICM, told by its client id; `instance` is what its OPEN must say.
        case incrp(ClientID, instance: InstanceName)
    }

    package var name: RoutingClientName
    package var kind: Kind
    /// It can transfer a call in the network, so its requests may carry a NICCallID.
    package var networkTransfer: Bool
    /// Nil: a script that ends without a label is answered by a refusal (INCRP: the client then has its own).
    package var defaultLabel: Label?
    /// Nil: the instance's deadline for routes.
    package var deadlineMilliseconds: UInt32?
    /// The customer whose requests these are. For INCRP by the NIC's customer mapping; it outranks the request's.
    package var customer: CustomerName?

    package init(
        name: RoutingClientName, kind: Kind, networkTransfer: Bool = false, defaultLabel: Label? = nil,
        deadlineMilliseconds: UInt32? = nil, customer: CustomerName? = nil
    ) {
        self.name = name
        self.kind = kind
        self.networkTransfer = networkTransfer
        self.defaultLabel = defaultLabel
        self.deadlineMilliseconds = deadlineMilliseconds
        self.customer = customer
    }
}

/// An ICM Gateway as the CallRouter needs it; its link comes beside it.
package struct RouterGateway: Hashable, Sendable {
    package var name: GatewayName
    /// The longest wait for the server's answer unless the script's node says another.
    package var deadlineMilliseconds: UInt32?

    package init(name: GatewayName, deadlineMilliseconds: UInt32? = nil) {
        self.name = name
        self.deadlineMilliseconds = deadlineMilliseconds
    }
}

/// Everything local that decides a route: made by Node from the checked configuration, replaced as a whole at reload.
/// A dialog keeps the settings under which it began.
package struct RouterSettings: Sendable {
    package var instance: InstanceName
    package var side: Side
    package var limits: ContextLimits
    package var routingClients: [RoutingClientName: RoutingClient]
    package var customers: Set<CustomerName>
    package var dialedNumbers: DialedNumberTable
    package var callTypes: CallTypes
    package var scripts: [ScriptName: Script]
    package var labels: LabelTable
    package var gateways: [GatewayName: RouterGateway]
    /// How long a route request may take unless it or its routing client says less.
    package var routeDeadlineMilliseconds: UInt32 = 3000
    /// What of the deadline is kept back from a gateway's wait, so that the default label is still in time.
    package var answerMarginMilliseconds: UInt32 = 200
    /// INCRP NIC: the longest an ask may take here, whatever deadline the client sends.
    package var timeoutThresholdMilliseconds: UInt32 = 1500
    /// INCRP NIC: slower answers are counted as late.
    package var lateThresholdMilliseconds: UInt32 = 500
    /// INCRP NIC: how much before the end of an ask's time the failure is answered.
    package var nicAnswersBeforeMilliseconds: UInt32 = 50

    package init(
        instance: InstanceName, side: Side = .a, limits: ContextLimits = ContextLimits(),
        routingClients: [RoutingClient], customers: Set<CustomerName> = [], dialedNumbers: DialedNumberTable,
        callTypes: CallTypes, scripts: [ScriptName: Script], labels: LabelTable = LabelTable(labels: [:]),
        gateways: [RouterGateway] = []
    ) {
        self.instance = instance
        self.side = side
        self.limits = limits
        self.routingClients = Dictionary(routingClients.map { ($0.name, $0) }) { first, _ in first }
        self.customers = customers
        self.dialedNumbers = dialedNumbers
        self.callTypes = callTypes
        self.scripts = scripts
        self.labels = labels
        self.gateways = Dictionary(gateways.map { ($0.name, $0) }) { first, _ in first }
    }

    func client(ofPeripheral peripheral: String) -> RoutingClient? {
        routingClients.values.first {
            if case .pg(let name, _) = $0.kind { name.text == peripheral } else { false }
        }
    }

    func client(clientID: ClientID) -> (client: RoutingClient, instance: InstanceName)? {
        for client in routingClients.values {
            if case .incrp(clientID, let instance) = client.kind { return (client, instance) }
        }
        return nil
    }
}
