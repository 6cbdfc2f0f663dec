internal import CallModel
internal import INCRP
internal import Logging
internal import NIOCore

/// What ``INCRPServer`` does on its event loop: who may have a link, and what all links count.
final class INCRPServerCore {
    let settings: INCRPServer.Settings
    let loop: any EventLoop
    let logger: Logger
    let handler: any RouteAskHandler
    private let directory: any INCRPClientDirectory

    private var listener: (any Channel)?
    private var isStopped = false
    private var registry = INCRPRegistry()
    private var connections: [ObjectIdentifier: INCRPServerConnection] = [:]
    private var counters = INCRPServerStatus()

    init(
        settings: INCRPServer.Settings, directory: any INCRPClientDirectory, handler: any RouteAskHandler,
        loop: any EventLoop, logger: Logger
    ) {
        self.settings = settings
        self.directory = directory
        self.handler = handler
        self.loop = loop
        self.logger = logger
    }

    func connection() -> LinkHandler {
        LinkHandler(receiver: INCRPServerConnection(server: self))
    }

    func listening(_ channel: any Channel) {
        if isStopped { channel.close(promise: nil) } else { listener = channel }
    }

    func stop(reason: String) {
        isStopped = true
        listener?.close(promise: nil)
        listener = nil
        for connection in connections.values { connection.stop(reason: reason) }
    }

    var status: INCRPServerStatus {
        var status = counters
        status.links = connections.values.compactMap(\.status).sorted { $0.session < $1.session }
        return status
    }

    /// False when the connection is one too many.
    func began(_ connection: INCRPServerConnection) -> Bool {
        guard !isStopped, connections.count < settings.mostConnections else { return false }
        connections[ObjectIdentifier(connection)] = connection
        return true
    }

    func ended(_ connection: INCRPServerConnection, _ closure: INCRPClosure) {
        connections[ObjectIdentifier(connection)] = nil
        counters.linksClosed[closure.code, default: 0] += 1
        if let session = connection.sessionNumber { registry.left(session) }
        // A version apart is refused by the session itself, everything else by the registry below.
        if closure.code == .openRefused, !connection.wasRefusedByRegistry {
            counters.opensRefused[.version, default: 0] += 1
        }
    }

    func admit(_ open: INCRPOpen) -> Result<UInt64, INCRPOpenRefusal> {
        do {
            let admission = try registry.admit(open, directory: directory)
            if let replaced = admission.replaces {
                connections.values.first { $0.sessionNumber == replaced }?.replaced()
            }
            return .success(admission.session)
        } catch {
            counters.opensRefused[error.code, default: 0] += 1
            return .failure(error)
        }
    }

    func refused(_ kind: INCRPMisuse.Kind) { counters.messagesRefused[kind, default: 0] += 1 }
}

/// One connection at the server: the shell of ``INCRPServerSession``.
final class INCRPServerConnection: LinkReceiver {
    private let server: INCRPServerCore
    private var logger: Logger
    private var link: LinkHandler?
    private var session: INCRPServerSession?
    private(set) var sessionNumber: UInt64?
    private(set) var wasRefusedByRegistry = false
    private var address = ""
    private var asked: UInt64 = 0
    private var answered: UInt64 = 0
    private var failed: UInt64 = 0
    private var late: UInt64 = 0
    private var endsInFlight = 0

    init(server: INCRPServerCore) {
        self.server = server
        logger = server.logger
    }

    var status: INCRPServerLinkStatus? {
        guard let session, session.isOpen, let peer = session.peer, let sessionNumber else { return nil }
        return INCRPServerLinkStatus(
            peer: peer, session: sessionNumber, address: address, roundTripMicroseconds: session.roundTripMicroseconds,
            inFlight: session.inFlightCount, asked: asked, answered: answered, failed: failed, late: late)
    }

    func stop(reason: String) { handle(.stop(reason: reason)) }

    func replaced() { handle(.replaced) }

    // MARK: Connection

    func linkActive(_ link: LinkHandler) {
        guard server.began(self) else {
            logger.warning("a connection was closed: the limit of \(server.settings.mostConnections) is reached")
            return link.close()
        }
        self.link = link
        address = link.remoteAddress
        session = INCRPServerSession(settings: server.settings.session, at: LinkHandler.now())
        link.wake(at: session?.nextDeadline)
    }

    func link(_ link: LinkHandler, received: Result<INCRPFrame, WireFault>) {
        switch received {
        case .success(let frame): handle(.received(frame))
        case .failure(.message(let message)): handle(.receivedFaulty(message))
        case .failure(let fault): handle(.unreadable(fault.closure))
        }
    }

    func linkTimer(_ link: LinkHandler) { handle(.timer) }

    func linkEnded(_ link: LinkHandler, reason: String) { handle(.disconnected(reason: reason)) }

    // MARK: Session

    private func handle(_ event: INCRPServerSession.Event) {
        guard let actions = session?.handle(event, at: LinkHandler.now()) else { return }
        for action in actions { perform(action) }
        link?.flush()
        link?.wake(at: session?.nextDeadline)
    }

    private func perform(_ action: INCRPServerSession.Action) {
        switch action {
        case .send(let frame): link?.send(frame)
        case .admit(let open): admit(open)
        case .opened(let peer, let session):
            logger.info(
                "link open from \(peer.instance) side \(peer.side.rawValue), INCRP \(peer.version)",
                metadata: ["session": "\(session)"])
        case .ask(let ask): hand(ask)
        case .end(let dialog, let end): hand(dialog, end)
        case .answered(let id, let callKey, let isLate):
            answered += 1
            if isLate { tellLate(id, callKey) }
        case .failed(let id, let callKey, let code, let isLate):
            failed += 1
            logger.debug("a route request gets no label: \(code)", metadata: metadata(id, callKey))
            if isLate { tellLate(id, callKey) }
        case .refused(let misuse):
            server.refused(misuse.kind)
            logger.warning(
                "a message from the client was refused: \(misuse.kind.rawValue)",
                metadata: ["dialog": "\(misuse.id.dialog)"])
        case .arraysLeftOut(let id):
            logger.notice(
                "the link's version has no modified arrays: ECC arrays are left out of its answers",
                metadata: ["dialog": "\(id.dialog)"])
        case .close(let closure): closed(closure)
        }
    }

    private func metadata(_ id: AskID, _ callKey: CallKey) -> Logger.Metadata {
        ["dialog": "\(id.dialog)", "callKey": "\(callKey)"]
    }

    private func tellLate(_ id: AskID, _ callKey: CallKey) {
        late += 1
        logger.notice("a route request was answered after its deadline", metadata: metadata(id, callKey))
    }

    private func admit(_ open: INCRPOpen) {
        logger[metadataKey: "client"] = "\(open.clientID)"
        let result = server.admit(open)
        switch result {
        case .success(let number): sessionNumber = number
        case .failure: wasRefusedByRegistry = true
        }
        handle(.admitted(result))
    }

    private func hand(_ ask: RouteAsk) {
        guard let peer = session?.peer else { return }
        asked += 1
        let connection = NIOLoopBound(self, eventLoop: server.loop)
        let (handler, loop) = (server.handler, server.loop)
        // Bounded by the session's window; not cancelled with the link, since the request may come again on another.
        Task {
            let result = await handler.answer(ask, from: peer)
            loop.execute { connection.value.answer(ask.id, result) }
        }
    }

    private func answer(_ id: AskID, _ result: Result<RouteReply, RouteAskRefusal>) {
        var checked = result
        if case .success(let reply) = result {
            do {
                try reply.checkForLink()
            } catch {
                checked = .failure(RouteAskRefusal(code: .limit, reason: "the answer: \(error.description)"))
            }
        }
        handle(.answer(id, checked))
    }

    private func hand(_ dialog: DialogID, _ end: AskEnd) {
        guard let peer = session?.peer else { return }
        guard endsInFlight < server.settings.session.window else {
            logger.warning("an end of dialog was dropped: too many are in work", metadata: ["dialog": "\(dialog)"])
            return
        }
        endsInFlight += 1
        let connection = NIOLoopBound(self, eventLoop: server.loop)
        let (handler, loop) = (server.handler, server.loop)
        Task {
            await handler.end(dialog, as: end, from: peer)
            loop.execute { connection.value.endsInFlight -= 1 }
        }
    }

    private func closed(_ closure: INCRPClosure) {
        // A connection that ends before OPEN was answered is a stranger's or a probe's.
        let level: Logger.Level = closure.code == .stopped || sessionNumber == nil ? .info : .warning
        logger.log(level: level, "link closed: \(closure)", metadata: ["address": "\(address)"])
        server.ended(self, closure)
        let ended = link
        link = nil
        ended?.close()
    }
}
