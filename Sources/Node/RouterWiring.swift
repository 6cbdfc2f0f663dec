package import CallModel
package import CallRouter
package import ConfigurationFiles
package import INCRP
package import PeripheralGateway
internal import Routing

/// From the checked configuration to what the CallRouter and the INCRP ends need of it.
extension SideConfiguration {
    package var routerSettings: RouterSettings {
        var settings = RouterSettings(
            instance: instance, side: side, limits: limits, routingClients: routingClients.map(routingClient),
            customers: Set(customers), dialedNumbers: dialedNumbers, callTypes: callTypes, scripts: scripts,
            labels: labelTable,
            gateways: gateways.map { RouterGateway(name: $0.name, deadlineMilliseconds: $0.deadlineMilliseconds) })
        settings.routeDeadlineMilliseconds = deadlines.routeMilliseconds
        if let incrpNIC {
            settings.timeoutThresholdMilliseconds = incrpNIC.timeoutThresholdMilliseconds
            settings.lateThresholdMilliseconds = incrpNIC.lateThresholdMilliseconds
        }
        return settings
    }

    private func routingClient(_ client: RoutingClientSettings) -> RoutingClient {
        RoutingClient(
            name: client.name, kind: kind(of: client), networkTransfer: client.networkTransfer,
            defaultLabel: client.defaultLabel, deadlineMilliseconds: client.deadlineMilliseconds,
            customer: client.customer)
    }

    private func kind(of client: RoutingClientSettings) -> RoutingClient.Kind {
        switch client.type {
        case .nic: return .nic
        case .pg:
            guard let name = client.peripheral else { preconditionFailure("a checked PG has its peripheral") }
            return .pg(name, postRouteNumbers: peripheral(name)?.postRouteNumbers ?? [])
        case .incrp:
            guard let clientID = client.clientID, let instance = client.instance else {
                preconditionFailure("a checked INCRP client has client id and instance")
            }
            return .incrp(clientID, instance: instance)
        }
    }

    /// The clients whose links the INCRP NIC takes.
    package var incrpClients: [ClientID: InstanceName] {
        var clients: [ClientID: InstanceName] = [:]
        for client in routingClients {
            if let clientID = client.clientID { clients[clientID] = client.instance }
        }
        return clients
    }

    /// What the claim desk must know of it.
    package var deskRules: DeskRules {
        var rules = DeskRules(limits: limits, routingClients: Set(routingClients.map(\.name)))
        rules.claimDeadlineMilliseconds = deadlines.claimMilliseconds
        rules.reservationDeadlineMilliseconds = deadlines.reservationMilliseconds
        return rules
    }
}
