package import INCRP
package import Logging
package import NIOCore
internal import NIOPosix

/// One link of a client, for status.
package struct INCRPServerLinkStatus: Hashable, Sendable {
    package var peer: INCRPPeer
    package var session: UInt64
    package var address: String
    package var roundTripMicroseconds: UInt64?
    package var inFlight = 0
    package var asked: UInt64 = 0
    package var answered: UInt64 = 0
    package var failed: UInt64 = 0
    /// Answers and failures that were sent after the request's deadline.
    package var late: UInt64 = 0
}

/// The INCRP NIC's end of all links, for status and metrics.
package struct INCRPServerStatus: Hashable, Sendable {
    package var links: [INCRPServerLinkStatus] = []
    package var opensRefused: [INCRPOpenRefusal.Code: UInt64] = [:]
    package var linksClosed: [INCRPClosure.Code: UInt64] = [:]
    package var messagesRefused: [INCRPMisuse.Kind: UInt64] = [:]

    package init() {}
}

package struct INCRPServerFault: Error, Hashable, Sendable, CustomStringConvertible {
    package let address: String
    package let fault: ConnectionFault

    package var description: String { "cannot listen on \(address): \(fault)" }
}

/// The server's listener: takes the links of the clients that the directory knows, hands their requests to the
/// handler, one task each, and sends the answers. It owns no thread; everything but the handler runs on one event loop
/// of the group, which must outlive it.
package final class INCRPServer: Sendable {
    package struct Settings: Sendable {
        package var host: String
        /// 0 takes any free port.
        package var port: Int
        package var session: INCRPServerSession.Settings
        /// Connections at once, opened or not; more are closed at once.
        package var mostConnections: Int

        package init(host: String, port: Int, session: INCRPServerSession.Settings, mostConnections: Int = 512) {
            self.host = host
            self.port = port
            self.session = session
            self.mostConnections = mostConnections
        }
    }

    private let settings: Settings
    private let loop: any EventLoop
    private let core: NIOLoopBoundBox<INCRPServerCore>

    package init(
        settings: Settings, directory: any INCRPClientDirectory, handler: any RouteAskHandler,
        group: any EventLoopGroup, logger: Logger
    ) {
        let loop = group.next()
        self.settings = settings
        self.loop = loop
        core = .makeBoxSendingValue(
            INCRPServerCore(settings: settings, directory: directory, handler: handler, loop: loop, logger: logger),
            eventLoop: loop)
    }

    /// Listens, and says on which port. Throws when the address cannot be had.
    @discardableResult
    package func start() async throws(INCRPServerFault) -> Int {
        let core = self.core
        let bootstrap = ServerBootstrap(group: loop)
            .serverChannelOption(ChannelOptions.backlog, value: 256)
            .serverChannelOption(ChannelOptions.socketOption(.so_reuseaddr), value: 1)
            .childChannelOption(ChannelOptions.socketOption(.so_keepalive), value: 1)
            .childChannelOption(ChannelOptions.tcpOption(.tcp_nodelay), value: 1)
            .childChannelOption(
                ChannelOptions.writeBufferWaterMark,
                value: .init(low: LinkHandler.mostUnsentBytes / 2, high: LinkHandler.mostUnsentBytes)
            )
            .childChannelInitializer { channel in
                channel.eventLoop.makeCompletedFuture {
                    try channel.pipeline.syncOperations.addHandler(core.value.connection())
                }
            }
        do {
            let channel = try await bootstrap.bind(host: settings.host, port: settings.port).get()
            await onLoop { $0.listening(channel) }
            return channel.localAddress?.port ?? settings.port
        } catch {
            throw INCRPServerFault(address: "\(settings.host):\(settings.port)", fault: ConnectionFault(error))
        }
    }

    /// Stops listening and sends CLOSE with the reason on every link. Answers that come later go nowhere: their
    /// requests come again under the same id.
    package func stop(reason: String = "the side stops") async {
        await onLoop { $0.stop(reason: reason) }
    }

    package func status() async -> INCRPServerStatus {
        await onLoop { $0.status }
    }

    private func onLoop<Value: Sendable>(_ body: @escaping @Sendable (INCRPServerCore) -> Value) async -> Value {
        await withCheckedContinuation { continuation in
            loop.execute { [core] in continuation.resume(returning: body(core.value)) }
        }
    }
}
