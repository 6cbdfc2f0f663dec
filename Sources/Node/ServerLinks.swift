internal import CallModel
internal import CallRouter
internal import ConfigurationFiles
internal import Console
internal import INCRP
internal import Logging
internal import NIOCore
internal import Synchronization
internal import Transport

/// The links of all ICM Gateways, one to each side of a Server ICM, kept over a reload as far as their settings are the
/// same.
final class ServerLinks: Sendable {
    private struct Kept {
        let settings: GatewaySettings
        let links: [(side: Side, link: GatewayLink)]
        let sides: ServerSides
    }

    private let gateways = Mutex<[GatewayName: Kept]>([:])
    private let group: any EventLoopGroup
    private let logger: Logger

    init(group: any EventLoopGroup, logger: Logger) {
        self.group = group
        self.logger = logger
    }

    private var current: [GatewayName: Kept] { gateways.withLock { $0 } }

    /// Starts new and changed gateways; those no longer configured, or changed, close after the router has let go of
    /// them (`adopt`).
    func apply(_ configuration: SideConfiguration, adopt: ([GatewayName: ServerSides]) -> Void) async {
        let (started, stopped) = gateways.withLock { kept in
            var next: [GatewayName: Kept] = [:]
            var started: [Kept] = []
            for gateway in configuration.gateways {
                if let same = kept[gateway.name], same.settings == gateway {
                    next[gateway.name] = same
                } else {
                    let new = Self.gateway(gateway, of: configuration, group: group, logger: logger)
                    next[gateway.name] = new
                    started.append(new)
                }
            }
            let stopped = kept.filter { next[$0.key]?.sides !== $0.value.sides }.map(\.value)
            kept = next
            return (started, stopped)
        }
        for (_, link) in started.flatMap(\.links) { await link.start() }
        adopt(current.mapValues(\.sides))
        for (_, link) in stopped.flatMap(\.links) { await link.stop(reason: "the gateway's configuration changed") }
    }

    /// A row for each link.
    func status() async -> [GatewayStatus] {
        var status: [GatewayStatus] = []
        for (name, kept) in current.sorted(by: { $0.key < $1.key }) {
            for (side, link) in kept.links {
                status.append(GatewayStatus(gateway: name, side: side, link: await link.status()))
            }
        }
        return status
    }

    func stop() async {
        for (_, link) in current.values.flatMap(\.links) { await link.stop() }
    }

    private static func gateway(
        _ gateway: GatewaySettings, of configuration: SideConfiguration, group: any EventLoopGroup, logger: Logger
    ) -> Kept {
        let session = INCRPClientSession.Settings(
            clientID: gateway.clientID, instance: configuration.instance,
            instanceNumber: UInt32(configuration.instanceNumber), side: configuration.side,
            serverInstance: gateway.instance)
        let links = gateway.addresses.map { address in
            // Nobody is to be told of a late answer: when its dialog took the default label, the router told the server.
            let link = GatewayLink(
                settings: GatewayLink.Settings(
                    gateway: gateway.name, host: address.host, port: address.port, session: session),
                group: group, logger: logger, onLate: { _ in })
            return (side: address.side, link: link)
        }
        let sides = ServerSides(
            links.map { ServerSides.Way(side: $0.side, link: $0.link) },
            preferring: gateway.preference(of: configuration.side), clock: MonotonicClock())
        return Kept(settings: gateway, links: links, sides: sides)
    }
}

extension GatewaySettings {
    /// Without a preference the side of the same letter, which stands in the same place as a rule.
    fileprivate func preference(of own: Side) -> ServerSides.Preference {
        switch sidePreference {
        case .a: .side(.a)
        case .b: .side(.b)
        case .none: .side(own)
        case .both: .both
        }
    }
}
