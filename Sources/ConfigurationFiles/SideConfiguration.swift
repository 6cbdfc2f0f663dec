package import CallModel
package import INCRP
package import Ledger
package import Routing

/// Everything one side of an instance needs to run, checked: every name in it exists, every value is in range.
/// Made by ``Configuration/load(path:environment:)``.
package struct SideConfiguration: Hashable, Sendable {
    /// The file it was read from.
    package var file: String
    package var instance: InstanceName
    /// 0...24; the default ports of INCRP follow from it.
    package var instanceNumber: Int
    package var side: Side
    /// Absolute.
    package var dataDirectory: String
    package var http: HTTPSettings
    /// The published limits or the raised ones, with the declared ECC variables and payloads.
    package var limits: ContextLimits
    package var peripherals: [PeripheralSettings]
    package var translationRoutes: [TranslationRoute]
    package var routingClients: [RoutingClientSettings]
    package var customers: [CustomerName]
    package var dialedNumbers: DialedNumberTable
    package var callTypes: CallTypes
    package var scripts: [ScriptName: Script]
    package var gateways: [GatewaySettings]
    /// Nil: this instance is no server.
    package var incrpNIC: INCRPNICSettings?
    package var dialogs: DialogSettings
    package var store: StoreSettings
    package var log: LogSettings
    package var deadlines: DeadlineSettings
    /// Nil: this side is a single one.
    package var pair: PairSettings?
    /// Sentences to log at each start, for example that a listener speaks clear text beyond this host.
    package var warnings: [String]

    package func routingClient(_ name: RoutingClientName) -> RoutingClientSettings? {
        routingClients.first { $0.name == name }
    }

    package func routingClient(clientID: ClientID) -> RoutingClientSettings? {
        routingClients.first { $0.clientID == clientID }
    }

    /// The PG in front of a peripheral, which asks for its routes and transfers.
    package func routingClient(ofPeripheral name: PeripheralName) -> RoutingClientSettings? {
        routingClients.first { $0.type == .pg && $0.peripheral == name }
    }

    package func gateway(_ name: GatewayName) -> GatewaySettings? { gateways.first { $0.name == name } }

    package func peripheral(_ name: PeripheralName) -> PeripheralSettings? { peripherals.first { $0.name == name } }

    /// What apply depends on, for the `configure` record.
    package var ledgerConfiguration: LedgerConfiguration {
        var ledger = LedgerConfiguration(
            instance: instance, routes: translationRoutes,
            peripherals: peripherals.map { Peripheral(name: $0.name, defaultRoute: $0.defaultRoute) }, limits: limits)
        ledger.answersKeptSeconds = dialogs.answersKeptSeconds
        ledger.dialogAgeSeconds = dialogs.ageSeconds
        return ledger
    }

    /// The labels each routing client knows, its default label among them.
    package var labelTable: LabelTable {
        var labels: [RoutingClientName: [LabelPattern]] = [:]
        for client in routingClients { labels[client.name] = client.labels }
        return LabelTable(labels: labels)
    }

    /// The script of a call type; every call type has one.
    package func script(for callType: String) -> Script? {
        callTypes.script(for: callType).flatMap { scripts[$0] }
    }
}

package struct HTTPSettings: Hashable, Sendable {
    package var host: String
    /// 0: any free port.
    package var port: Int
    /// Absolute; holds the bearer token. Nil: no token is asked for.
    package var tokenFile: String?
    /// The operator accepts that a listener beyond loopback speaks clear text.
    package var allowClearText: Bool
}

package struct PeripheralSettings: Hashable, Sendable {
    package var name: PeripheralName
    /// Where its stray calls go.
    package var defaultRoute: String
    package var trunkGroups: [TrunkGroupName]
    /// The special dialed numbers for which the ACD asks its PG for a route; empty: any number.
    package var postRouteNumbers: [Pattern]
}

package enum RoutingClientType: String, Hashable, Sendable, CaseIterable {
    case nic = "NIC"
    case pg = "PG"
    case incrp = "INCRP"
}

package struct RoutingClientSettings: Hashable, Sendable {
    package var name: RoutingClientName
    package var type: RoutingClientType
    /// It can transfer a call in the network, so its requests may carry a NICCallID. Never for a PG.
    package var networkTransfer: Bool
    /// Of type `default`. Nil only for INCRP: the client ICM then has its own.
    package var defaultLabel: Label?
    /// The labels that exist for it, its default label among them.
    package var labels: [LabelPattern]
    /// For a PG: the peripheral it stands in front of.
    package var peripheral: PeripheralName?
    /// Nil: the instance's deadline for routes.
    package var deadlineMilliseconds: UInt32?
    /// For INCRP: who the client is, as it says in its OPEN.
    package var clientID: ClientID?
    package var instance: InstanceName?
    /// The customer of its requests: its own, or by the INCRP NIC's customer mapping.
    package var customer: CustomerName?
}

package enum GatewayConnection: String, Hashable, Sendable, CaseIterable {
    case duplex
    case simplexA
    case simplexB
}

package enum SidePreference: String, Hashable, Sendable, CaseIterable {
    case a = "A"
    case b = "B"
    case none
    case both
}

/// One side of a Server ICM.
package struct ServerAddress: Hashable, Sendable {
    package var side: Side
    package var host: String
    package var port: Int
    package var instanceNumber: Int
}

package struct GatewaySettings: Hashable, Sendable {
    package var name: GatewayName
    /// Our id at that server.
    package var clientID: ClientID
    /// The server's instance.
    package var instance: InstanceName
    package var connection: GatewayConnection
    package var sidePreference: SidePreference
    package var sideA: ServerAddress?
    package var sideB: ServerAddress?
    /// The longest wait for the server's answer, unless a script's node says another; nil: what is left of the
    /// request's.
    package var deadlineMilliseconds: UInt32?

    /// The configured sides that the connection uses, the preferred one first.
    package var addresses: [ServerAddress] {
        let sides = sidePreference == .b ? [sideB, sideA] : [sideA, sideB]
        return sides.compactMap { $0 }
    }
}

package struct INCRPNICSettings: Hashable, Sendable {
    package var host: String
    /// 0: any free port.
    package var port: Int
    package var allowClearText: Bool
    /// The NIC answers with a default response slightly before.
    package var timeoutThresholdMilliseconds: UInt32
    /// Answers slower than this are counted as late.
    package var lateThresholdMilliseconds: UInt32
    /// With as many timeouts in a row, or none but timeouts for so long, the NIC stops asking until it recovers.
    package var timeoutLimitSeconds: UInt32
    package var consecutiveTimeoutLimit: UInt32
}

package struct DialogSettings: Hashable, Sendable {
    package var answersKeptSeconds: UInt32
    package var ageSeconds: UInt32
}

package struct StoreSettings: Hashable, Sendable {
    /// Size of the sparse LMDB map.
    package var mapBytes: UInt64
    /// How many journeys are kept.
    package var journeysKept: Int
}

package struct LogSettings: Hashable, Sendable {
    /// Segments are kept for so long or so many bytes, whichever is less.
    package var retentionHours: Int
    package var retentionBytes: UInt64
}

/// How long a request may wait unless it says less.
package struct DeadlineSettings: Hashable, Sendable {
    package var claimMilliseconds: UInt32
    package var reservationMilliseconds: UInt32
    package var routeMilliseconds: UInt32
}
