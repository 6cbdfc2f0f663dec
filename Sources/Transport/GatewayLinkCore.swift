internal import CallModel
internal import INCRP
internal import Logging
internal import NIOCore
internal import NIOPosix

/// What ``GatewayLink`` does on its event loop: the shell of ``INCRPClientSession``.
final class GatewayLinkCore: LinkReceiver {
    typealias Answer = @Sendable (Result<RouteReply, ServerLinkFault>) -> Void

    private let settings: GatewayLink.Settings
    private let loop: any EventLoop
    private let logger: Logger
    private let onLate: @Sendable (RouteReply) -> Void

    private var isStarted = false
    private var isStopped = false
    private var link: LinkHandler?
    private var session: INCRPClientSession?
    private var lastSession: UInt64?
    private var backoff = ReconnectBackoff()
    private var ends = PendingEnds()
    private var waiting: [AskID: Answer] = [:]
    private var counters = ServerLinkStatus()
    private(set) var refused: [INCRPMisuse.Kind: UInt64] = [:]

    init(
        settings: GatewayLink.Settings, loop: any EventLoop, logger: Logger,
        onLate: @escaping @Sendable (RouteReply) -> Void
    ) {
        var logger = logger
        logger[metadataKey: "gateway"] = "\(settings.gateway)"
        logger[metadataKey: "client"] = "\(settings.session.clientID)"
        self.settings = settings
        self.loop = loop
        self.logger = logger
        self.onLate = onLate
        counters.address = "\(settings.host):\(settings.port)"
        counters.reason = "not started"
    }

    func start() {
        guard !isStarted, !isStopped else { return }
        isStarted = true
        counters.reason = "the link is opening"
        connect()
    }

    func stop(reason: String) {
        isStopped = true
        handle(.stop(reason: reason))
        counters.reason = reason
    }

    var status: ServerLinkStatus {
        var status = counters
        status.up = session?.isOpen ?? false
        status.inFlight = session?.inFlightCount ?? 0
        status.roundTripMicroseconds = session?.roundTripMicroseconds
        return status
    }

    // MARK: Requests

    func ask(_ ask: RouteAsk, answer: @escaping Answer) {
        guard let link, session != nil else {
            return answer(.failure(.offline(reason: counters.reason ?? "the link is down")))
        }
        do {
            try ask.checkForLink()
        } catch {
            return answer(.failure(.failed(.limit, reason: error.description)))
        }
        if waiting[ask.id] != nil {
            return answer(.failure(.failed(.conflict, reason: "the request \(ask.id) is already in flight")))
        }
        if link.isCongested {
            return answer(.failure(.failed(.busy, reason: "the link is congested: the server reads too slowly")))
        }
        counters.asked += 1
        waiting[ask.id] = answer
        handle(.ask(ask))
    }

    func giveUp(_ id: AskID) { handle(.giveUp(id)) }

    func end(_ dialog: DialogID, _ end: AskEnd) {
        guard session?.isOpen == true else { return keep(dialog, end) }
        ends.noteSent(dialog, end, at: LinkHandler.now())
        handle(.end(dialog, end))
    }

    private func keep(_ dialog: DialogID, _ end: AskEnd) {
        if !ends.keep(dialog, end, at: LinkHandler.now()) {
            logger.warning(
                "an end of dialog was dropped: too many wait for the link", metadata: ["dialog": "\(dialog)"])
        }
    }

    // MARK: Connection

    private func connect() {
        guard !isStopped else { return }
        let receiver = NIOLoopBound(self, eventLoop: loop)
        ClientBootstrap(group: loop)
            .connectTimeout(.milliseconds(settings.connectMilliseconds))
            .channelOption(ChannelOptions.socketOption(.so_keepalive), value: 1)
            .channelOption(ChannelOptions.tcpOption(.tcp_nodelay), value: 1)
            .channelOption(
                ChannelOptions.writeBufferWaterMark,
                value: .init(low: LinkHandler.mostUnsentBytes / 2, high: LinkHandler.mostUnsentBytes)
            )
            .channelInitializer { channel in
                channel.eventLoop.makeCompletedFuture {
                    try channel.pipeline.syncOperations.addHandler(LinkHandler(receiver: receiver.value))
                }
            }
            .connect(host: settings.host, port: settings.port)
            .assumeIsolated()
            .whenFailure { error in self.connectFailed(error) }
    }

    private func connectFailed(_ error: any Error) {
        // A connection that was open and ended has its own reason.
        guard link == nil else { return }
        counters.reason = "cannot connect to \(counters.address): \(ConnectionFault(error).description)"
        logger.debug("\(counters.reason ?? "")")
        connectLater()
    }

    private func connectLater() {
        guard !isStopped else { return }
        let milliseconds = Int64(backoff.nextMilliseconds())
        _ = loop.assumeIsolated().scheduleTask(in: .milliseconds(milliseconds)) { self.connect() }
    }

    func linkActive(_ link: LinkHandler) {
        // Of two addresses of one host both may connect: the first is the link.
        guard !isStopped, self.link == nil else { return link.close() }
        self.link = link
        session = INCRPClientSession(settings: settings.session, at: LinkHandler.now())
        // The reason of the last link's end stays until this one is open.
        let first = session?.start(lastSession: lastSession) ?? []
        perform(first)
    }

    func link(_ link: LinkHandler, received: Result<INCRPFrame, WireFault>) {
        guard link === self.link else { return }
        switch received {
        case .success(let frame): handle(.received(frame))
        case .failure(.message(let message)): handle(.receivedFaulty(message))
        case .failure(let fault): handle(.unreadable(fault.closure))
        }
    }

    func linkTimer(_ link: LinkHandler) {
        if link === self.link { handle(.timer) }
    }

    func linkEnded(_ link: LinkHandler, reason: String) {
        if link === self.link { handle(.disconnected(reason: reason)) }
    }

    // MARK: Session

    private func handle(_ event: INCRPClientSession.Event) {
        guard let actions = session?.handle(event, at: LinkHandler.now()) else { return }
        perform(actions)
    }

    private func perform(_ actions: [INCRPClientSession.Action]) {
        for action in actions { perform(action) }
        link?.flush()
        link?.wake(at: session?.nextDeadline)
    }

    private func perform(_ action: INCRPClientSession.Action) {
        switch action {
        case .send(let frame): link?.send(frame)
        case .opened(let peer): opened(peer)
        case .resolve(let id, let callKey, let result): resolve(id, callKey, result)
        case .late(let reply, let callKey):
            logger.notice(
                "a route response came late", metadata: ["dialog": "\(reply.id.dialog)", "callKey": "\(callKey)"])
            onLate(reply)
        case .refused(let misuse):
            refused[misuse.kind, default: 0] += 1
            logger.warning(
                "a message from the server was refused: \(misuse.kind.rawValue)",
                metadata: ["dialog": "\(misuse.id.dialog)"])
        case .keepEnd(let dialog, let end): keep(dialog, end)
        case .close(let closure): closed(closure)
        }
    }

    private func opened(_ peer: INCRPServerPeer) {
        backoff.reset()
        lastSession = peer.session
        counters.peerInstance = peer.instance.text
        counters.peerSide = peer.side
        counters.version = peer.version
        counters.reason = nil
        logger.info(
            "link open to \(peer.instance) side \(peer.side.rawValue), INCRP \(peer.version) (\(peer.features))",
            metadata: ["session": "\(peer.session)", "address": "\(counters.address)"])
        for entry in ends.take(at: LinkHandler.now()) { end(entry.dialog, entry.end) }
    }

    private func resolve(_ id: AskID, _ callKey: CallKey, _ result: Result<RouteReply, ServerLinkFault>) {
        switch result {
        case .success: counters.answered += 1
        case .failure(let fault):
            if fault == .late { counters.late += 1 } else { counters.failed += 1 }
            // The CallRouter tells what comes of it, at a level that is read.
            logger.debug(
                "a route request got no label: \(fault)",
                metadata: ["dialog": "\(id.dialog)", "callKey": "\(callKey)"])
        }
        waiting.removeValue(forKey: id)?(result)
    }

    private func closed(_ closure: INCRPClosure) {
        logger.log(level: closure.code == .stopped ? .info : .warning, "link closed: \(closure)")
        counters.reason = closure.description
        ends.linkLost(at: LinkHandler.now())
        let ended = link
        link = nil
        session = nil
        ended?.close()
        connectLater()
    }
}
