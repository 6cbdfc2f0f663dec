internal import CallModel
internal import ConfigurationFiles
internal import Console
internal import INCRP
internal import Logging
internal import NIOCore
internal import Synchronization
internal import Transport

/// The links of all ICM Gateways, kept over a reload as far as their settings are the same.
final class ServerLinks: Sendable {
    private struct Kept {
        let settings: GatewaySettings
        let link: GatewayLink
    }

    private let links = Mutex<[GatewayName: Kept]>([:])
    private let group: any EventLoopGroup
    private let logger: Logger

    init(group: any EventLoopGroup, logger: Logger) {
        self.group = group
        self.logger = logger
    }

    var current: [GatewayName: GatewayLink] { links.withLock { $0.mapValues(\.link) } }

    /// Starts new and changed links; those no longer configured, or changed, close after the router has let go of them
    /// (`adopt`).
    func apply(_ configuration: SideConfiguration, adopt: ([GatewayName: GatewayLink]) -> Void) async {
        let (started, stopped) = links.withLock { kept in
            var next: [GatewayName: Kept] = [:]
            var started: [GatewayLink] = []
            for gateway in configuration.gateways {
                if let same = kept[gateway.name], same.settings == gateway {
                    next[gateway.name] = same
                } else {
                    let link = Self.link(gateway, of: configuration, group: group, logger: logger)
                    next[gateway.name] = Kept(settings: gateway, link: link)
                    started.append(link)
                }
            }
            let stopped = kept.filter { next[$0.key]?.link !== $0.value.link }.map(\.value.link)
            kept = next
            return (started, stopped)
        }
        for link in started { await link.start() }
        adopt(current)
        for link in stopped { await link.stop(reason: "the gateway's configuration changed") }
    }

    func status() async -> [GatewayStatus] {
        var status: [GatewayStatus] = []
        for (name, link) in current.sorted(by: { $0.key < $1.key }) {
            status.append(GatewayStatus(gateway: name, link: await link.status()))
        }
        return status
    }

    func stop() async {
        for link in current.values { await link.stop() }
    }

    private static func link(
        _ gateway: GatewaySettings, of configuration: SideConfiguration, group: any EventLoopGroup, logger: Logger
    ) -> GatewayLink {
        guard let address = gateway.addresses.first else { preconditionFailure("a checked gateway has an address") }
        let session = INCRPClientSession.Settings(
            clientID: gateway.clientID, instance: configuration.instance,
            instanceNumber: UInt32(configuration.instanceNumber), side: configuration.side,
            serverInstance: gateway.instance)
        // Nobody is to be told of a late answer: when its dialog took the default label, the router told the server so.
        return GatewayLink(
            settings: GatewayLink.Settings(
                gateway: gateway.name, host: address.host, port: address.port, session: session),
            group: group, logger: logger, onLate: { _ in })
    }
}
