import CallModel
import INCRP
import Logging
import NIOCore
import NIOPosix
import Synchronization
import Testing
import Transport

/// A CallRouter's double: answers by the dialed number, and notes what it heard.
final class RouteDouble: RouteAskHandler {
    struct Heard: Sendable {
        var asks: [AskID] = []
        var ends: [DialogID: AskEnd] = [:]
        var held: [CheckedContinuation<Void, Never>] = []
        var isHolding = false
    }

    let heard = Mutex(Heard())
    let name: String
    let group: any EventLoopGroup = MultiThreadedEventLoopGroup.singleton

    init(name: String = "insurance") { self.name = name }

    func hold() { heard.withLock { $0.isHolding = true } }

    func release() {
        let held = heard.withLock { heard in
            heard.isHolding = false
            defer { heard.held = [] }
            return heard.held
        }
        for continuation in held { continuation.resume() }
    }

    func answer(_ ask: RouteAsk, from peer: INCRPPeer) async -> Result<RouteReply, RouteAskRefusal> {
        heard.withLock { $0.asks.append(ask.id) }
        await withCheckedContinuation { continuation in
            let runs = heard.withLock { heard in
                if heard.isHolding { heard.held.append(continuation) }
                return !heard.isHolding
            }
            if runs { continuation.resume() }
        }
        if ask.dialedNumber == "0" {
            return .failure(RouteAskRefusal(code: .unknownDialedNumber, reason: "no script\nfor it"))
        }
        var context = ask.context
        context.variables[0] = "seen by \(name) for client \(peer.clientID)"
        context.ecc[ECCName(unchecked: "user.items")] = .array(["changed"])
        return .success(RouteReply(id: ask.id, label: Label(unchecked: "97001", type: .normal), context: context))
    }

    func end(_ dialog: DialogID, as end: AskEnd, from peer: INCRPPeer) async {
        heard.withLock { $0.ends[dialog] = end }
    }
}

/// One server and the links to it, with what a test needs to wait for.
enum LinkBench {
    static let group = MultiThreadedEventLoopGroup.singleton
    static let directory: [ClientID: InstanceName] = [FrameSample.clientID(3): FrameSample.bank]

    static func server(
        _ handler: RouteDouble, port: Int = 0, version: INCRPVersion = .current, window: Int = INCRPLimits.window
    ) -> INCRPServer {
        let session = INCRPServerSession.Settings(
            instance: FrameSample.insurance, side: .a, version: version, window: window)
        return INCRPServer(
            settings: .init(host: "127.0.0.1", port: port, session: session), directory: directory, handler: handler,
            group: group, logger: Logger(label: "server", factory: { _ in SwiftLogNoOpLogHandler() }))
    }

    static func link(
        _ port: Int, client: Int = 3, number: UInt32 = 0, side: Side = .a, version: INCRPVersion = .current,
        onLate: @escaping @Sendable (RouteReply) -> Void = { _ in }
    ) -> GatewayLink {
        let session = INCRPClientSession.Settings(
            clientID: FrameSample.clientID(client), instance: FrameSample.bank, instanceNumber: number, side: side,
            version: version)
        return GatewayLink(
            settings: .init(
                gateway: GatewayName(unchecked: "toInsurance"), host: "127.0.0.1", port: port, session: session),
            group: group, logger: Logger(label: "link", factory: { _ in SwiftLogNoOpLogHandler() }), onLate: onLate)
    }

    /// Looks again each 5 ms until the condition holds; gives up, and fails the test, after ten seconds.
    static func until(
        _ what: Comment, location: SourceLocation = #_sourceLocation, _ holds: () async throws -> Bool
    ) async throws {
        let limit = ContinuousClock.now + .seconds(10)
        while try await !holds() {
            guard ContinuousClock.now < limit else {
                Issue.record("not within 10 s: \(what)", sourceLocation: location)
                return
            }
            try await Task.sleep(for: .milliseconds(5))
        }
    }

    static func up(_ link: GatewayLink, location: SourceLocation = #_sourceLocation) async throws {
        try await until("the link is up", location: location) { await link.status().up }
    }
}

/// A connection of bare bytes, for peers that do not keep the protocol.
final class RawPeer: ChannelInboundHandler, Sendable {
    typealias InboundIn = ByteBuffer
    private let state = Mutex((bytes: [UInt8](), ended: false))

    func channelRead(context: ChannelHandlerContext, data: NIOAny) {
        let bytes = Array(unwrapInboundIn(data).readableBytesView)
        state.withLock { $0.bytes += bytes }
    }

    /// Sent as soon as the connection stands, however busy the tests' own threads are: the server waits 5 s only.
    private let greeting: [UInt8]

    init(greeting: [UInt8] = []) { self.greeting = greeting }

    func channelActive(context: ChannelHandlerContext) {
        if !greeting.isEmpty { context.writeAndFlush(NIOAny(ByteBuffer(bytes: greeting)), promise: nil) }
    }

    func channelInactive(context: ChannelHandlerContext) { state.withLock { $0.ended = true } }

    var ended: Bool { state.withLock { $0.ended } }

    /// The whole frames that came so far.
    func frames() throws -> [INCRPFrame] {
        var rest = state.withLock { $0.bytes }[...]
        var frames: [INCRPFrame] = []
        while rest.count >= 4 {
            let length = rest.prefix(4).reduce(0) { $0 << 8 | Int($1) }
            guard rest.count >= 4 + length else { break }
            frames.append(try INCRPWire.decode(Array(rest.dropFirst(4).prefix(length))))
            rest = rest.dropFirst(4 + length)
        }
        return frames
    }

    static func connect(_ port: Int, greeting: [UInt8] = []) async throws -> (RawPeer, any Channel) {
        let peer = RawPeer(greeting: greeting)
        let channel = try await ClientBootstrap(group: LinkBench.group)
            .channelInitializer { $0.pipeline.addHandler(peer) }
            .connect(host: "127.0.0.1", port: port).get()
        return (peer, channel)
    }

    static func framed(_ frames: [INCRPFrame]) throws -> [UInt8] {
        try frames.flatMap { frame in
            let bytes = try INCRPWire.encode(frame)
            return withUnsafeBytes(of: UInt32(bytes.count).bigEndian) { Array($0) } + bytes
        }
    }
}

/// Hands bytes on between one client and a server, until it falls silent without closing.
final class SilentProxy: Sendable {
    private let isSilent = Mutex(false)
    private let listener = Mutex<(any Channel)?>(nil)

    func silence(_ on: Bool) { isSilent.withLock { $0 = on } }

    func start(to port: Int) async throws -> Int {
        let channel = try await ServerBootstrap(group: LinkBench.group)
            .childChannelInitializer { [self] near in
                // The far side is dialled on the same loop, so that both handlers may hold both channels.
                ClientBootstrap(group: near.eventLoop).connect(host: "127.0.0.1", port: port).flatMap { far in
                    near.pipeline.addHandler(Pipe(self, to: far)).flatMap {
                        far.pipeline.addHandler(Pipe(self, to: near))
                    }
                }
            }
            .bind(host: "127.0.0.1", port: 0).get()
        listener.withLock { $0 = channel }
        return channel.localAddress?.port ?? 0
    }

    func stop() async throws { try await listener.withLock { $0 }?.close() }

    private final class Pipe: ChannelInboundHandler, Sendable {
        typealias InboundIn = ByteBuffer
        private let proxy: SilentProxy
        private let other: any Channel

        init(_ proxy: SilentProxy, to other: any Channel) {
            self.proxy = proxy
            self.other = other
        }

        func channelRead(context: ChannelHandlerContext, data: NIOAny) {
            if proxy.isSilent.withLock({ $0 }) { return }
            other.writeAndFlush(unwrapInboundIn(data), promise: nil)
        }

        /// A silent network hands on no end either.
        func channelInactive(context: ChannelHandlerContext) {
            if !proxy.isSilent.withLock({ $0 }) { other.close(promise: nil) }
        }
    }
}
