internal import NIOCore
internal import NIOPosix

/// A stretch of network between a drilled process and what it dials. It passes bytes on until it is cut. A cut is silent,
/// as in a network: connections stay, nothing comes through, and a new one gets no answer, until the cable is mended.
final class Cable: Sendable {
    /// Where it is dialled on loopback.
    let port: Int
    private let loop: any EventLoop
    private let server: any Channel
    private let core: NIOLoopBoundBox<CableCore>

    private init(port: Int, loop: any EventLoop, server: any Channel, core: NIOLoopBoundBox<CableCore>) {
        self.port = port
        self.loop = loop
        self.server = server
        self.core = core
    }

    /// Begins to listen; `target` is dialled on loopback for each connection.
    static func laid(to target: Int) async throws -> Cable {
        // The process's own group: it lives as long as the program. Everything runs on one of its loops.
        let loop = MultiThreadedEventLoopGroup.singleton.next()
        let core = NIOLoopBoundBox.makeBoxSendingValue(CableCore(target: target, loop: loop), eventLoop: loop)
        let server = try await ServerBootstrap(group: loop)
            .serverChannelOption(.socketOption(.so_reuseaddr), value: 1)
            .childChannelOption(.autoRead, value: false)
            .childChannelInitializer { channel in
                core.value.accepted(channel)
                return channel.eventLoop.makeSucceededVoidFuture()
            }
            .bind(host: "127.0.0.1", port: 0).get()
        return Cable(port: server.localAddress?.port ?? 0, loop: loop, server: server, core: core)
    }

    func cut() async { await onLoop { $0.set(isCut: true) } }

    func mend() async { await onLoop { $0.set(isCut: false) } }

    func remove() async {
        await onLoop { $0.closeAll() }
        try? await server.close()  // Closed already: nothing is left to do.
    }

    private func onLoop(_ body: @escaping @Sendable (CableCore) -> Void) async {
        // The loop ends with the program only.
        try? await loop.submit { body(self.core.value) }.get()
    }
}

/// What a cable knows of its connections. Everything here runs on one event loop.
private final class CableCore {
    private let target: Int
    private let loop: any EventLoop
    private var isCut = false
    /// Both ends of each connection that came through.
    private var ends: [ObjectIdentifier: any Channel] = [:]
    /// Accepted while the cable was cut.
    private var waiting: [any Channel] = []

    init(target: Int, loop: any EventLoop) {
        self.target = target
        self.loop = loop
    }

    func set(isCut: Bool) {
        self.isCut = isCut
        for channel in ends.values { read(channel) }
        if isCut { return }
        let accepted = waiting
        waiting = []
        for channel in accepted { dial(for: channel) }
    }

    func accepted(_ channel: any Channel) {
        if isCut { waiting.append(channel) } else { dial(for: channel) }
    }

    func closeAll() {
        for channel in Array(ends.values) + waiting { channel.close(promise: nil) }
        ends = [:]
        waiting = []
    }

    private func read(_ channel: any Channel) {
        channel.setOption(.autoRead, value: !isCut).whenFailure { _ in channel.close(promise: nil) }
    }

    private func dial(for near: any Channel) {
        let core = NIOLoopBound(self, eventLoop: loop)
        ClientBootstrap(group: loop).channelOption(.autoRead, value: false)
            .connect(host: "127.0.0.1", port: target)
            .whenComplete { result in
                switch result {
                case .success(let far): core.value.join(near, far)
                case .failure: near.close(promise: nil)
                }
            }
    }

    private func join(_ near: any Channel, _ far: any Channel) {
        for (end, partner) in [(near, far), (far, near)] {
            ends[ObjectIdentifier(end)] = end
            let core = NIOLoopBound(self, eventLoop: loop)
            end.closeFuture.whenComplete { _ in
                core.value.ends[ObjectIdentifier(end)] = nil
                partner.close(promise: nil)
            }
            do {
                try end.pipeline.syncOperations.addHandler(CableEnd(partner: partner))
                read(end)
            } catch {
                end.close(promise: nil)  // It was closed meanwhile.
            }
        }
    }
}

/// Hands on what comes in at one end of a connection.
private final class CableEnd: ChannelInboundHandler {
    typealias InboundIn = ByteBuffer

    private let partner: any Channel

    init(partner: any Channel) { self.partner = partner }

    func channelRead(context: ChannelHandlerContext, data: NIOAny) {
        partner.writeAndFlush(unwrapInboundIn(data), promise: nil)
    }

    func errorCaught(context: ChannelHandlerContext, error: any Error) { context.close(promise: nil) }
}
