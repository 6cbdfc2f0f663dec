package import CallModel
package import INCRP
package import Logging
package import NIOCore
internal import NIOPosix

/// The client's link to one side of a Server ICM: connects, opens, keeps open, and connects again after 100 ms to
/// 1 s. It owns no thread; everything runs on one event loop of the group, which must outlive it.
package final class GatewayLink: ServerLink {
    package struct Settings: Sendable {
        package var gateway: GatewayName
        package var host: String
        package var port: Int
        package var session: INCRPClientSession.Settings
        package var connectMilliseconds: Int64

        package init(
            gateway: GatewayName, host: String, port: Int, session: INCRPClientSession.Settings,
            connectMilliseconds: Int64 = 2_000
        ) {
            self.gateway = gateway
            self.host = host
            self.port = port
            self.session = session
            self.connectMilliseconds = connectMilliseconds
        }
    }

    private let loop: any EventLoop
    private let core: NIOLoopBoundBox<GatewayLinkCore>

    /// `onLate` gets each answer for which nobody waits any more, so that the server can be told to release what it
    /// reserved. It runs on the event loop and must not block.
    package init(
        settings: Settings, group: any EventLoopGroup, logger: Logger, onLate: @escaping @Sendable (RouteReply) -> Void
    ) {
        let loop = group.next()
        self.loop = loop
        core = .makeBoxSendingValue(
            GatewayLinkCore(settings: settings, loop: loop, logger: logger, onLate: onLate), eventLoop: loop)
    }

    /// Begins to connect; an unreachable server is no error, but a link that is down.
    package func start() async {
        await onLoop { $0.start() }
    }

    /// Sends CLOSE with the reason; requests in flight are answered `offline`. The link does not connect again.
    package func stop(reason: String = "the side stops") async {
        await onLoop { $0.stop(reason: reason) }
    }

    package func status() async -> ServerLinkStatus {
        await onLoop { $0.status }
    }

    /// Messages from the server that were refused, by kind.
    package func refusedMessages() async -> [INCRPMisuse.Kind: UInt64] {
        await onLoop { $0.refused }
    }

    /// Throws `late` at the request's deadline at the latest, or when the task is cancelled.
    package func ask(_ ask: RouteAsk) async throws(ServerLinkFault) -> RouteReply {
        let result: Result<RouteReply, ServerLinkFault> = await withTaskCancellationHandler {
            await withCheckedContinuation { continuation in
                loop.execute { [core] in core.value.ask(ask) { continuation.resume(returning: $0) } }
            }
        } onCancel: {
            loop.execute { [core] in core.value.giveUp(ask.id) }
        }
        return try result.get()
    }

    package func end(_ dialog: DialogID, as end: AskEnd) async {
        await onLoop { $0.end(dialog, end) }
    }

    private func onLoop<Value: Sendable>(_ body: @escaping @Sendable (GatewayLinkCore) -> Value) async -> Value {
        await withCheckedContinuation { continuation in
            loop.execute { [core] in continuation.resume(returning: body(core.value)) }
        }
    }
}
