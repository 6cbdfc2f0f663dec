internal import Logging
internal import NIOCore
internal import NIOPosix
internal import Synchronization

/// What ``PrivateLink`` does on its event loop: which connection has the session, and when to dial.
final class PrivateLinkCore {
    let settings: PrivateLink.Settings
    private let loop: any EventLoop
    private let gauge: LinkGauge
    private let logger: Logger
    private var owner: (any PrivateLinkOwner)?
    private var listener: (any Channel)?
    private var isStopped = false

    private var current: LinkConnection?
    /// Of the connection that has it; 0 while none has.
    private(set) var session: UInt64 = 0
    private var wasCongested = false
    /// Connections without a session, the oldest first.
    private var strangers: [LinkConnection] = []
    private var lastAttempt: NIODeadline?
    private var attempt: Scheduled<Void>?
    private var lastComplaint: (sentence: String, at: NIODeadline)?
    var counts = PrivateLinkCounts()

    init(settings: PrivateLink.Settings, loop: any EventLoop, gauge: LinkGauge, logger: Logger) {
        self.settings = settings
        self.loop = loop
        self.gauge = gauge
        self.logger = logger
    }

    // MARK: Begin and end

    func start(owner: any PrivateLinkOwner) -> EventLoopFuture<Int?> {
        precondition(self.owner == nil && !isStopped, "a private link is started once")
        self.owner = owner
        switch settings.role {
        case .dials:
            dial()
            return loop.makeSucceededFuture(nil)
        case .listens(let host, let port): return listen(host, port)
        }
    }

    private func listen(_ host: String, _ port: Int) -> EventLoopFuture<Int?> {
        let core = NIOLoopBound(self, eventLoop: loop)
        return ServerBootstrap(group: loop)
            .serverChannelOption(ChannelOptions.socketOption(.so_reuseaddr), value: 1)
            .childChannelOption(ChannelOptions.tcpOption(.tcp_nodelay), value: 1)
            .childChannelOption(ChannelOptions.recvAllocator, value: Self.receiving)
            .childChannelInitializer { channel in
                channel.eventLoop.makeCompletedFuture { try core.value.prepare(channel, .accepting) }
            }
            .bind(host: host, port: port)
            .map { channel in
                if core.value.isStopped { channel.close(promise: nil) } else { core.value.listener = channel }
                return channel.localAddress?.port
            }
    }

    private static let receiving = AdaptiveRecvByteBufferAllocator(
        minimum: 4 * 1024, initial: 64 * 1024, maximum: 1024 * 1024)

    private func prepare(_ channel: any Channel, _ end: LinkConnection.End) throws {
        try settings.secure?(channel)
        try channel.pipeline.syncOperations.addHandler(LinkConnection(end: end, core: self))
    }

    func stop() {
        isStopped = true
        owner = nil
        listener?.close(promise: nil)
        listener = nil
        attempt?.cancel()
        attempt = nil
        let last = current
        clearSession()
        last?.close()
        for stranger in strangers { stranger.close() }
        strangers = []
    }

    // MARK: Dialling

    private func dial() {
        guard case .dials(let host, let port) = settings.role, !isStopped else { return }
        lastAttempt = .now()
        counts.attempts += 1
        let core = NIOLoopBound(self, eventLoop: loop)
        let bootstrap = ClientBootstrap(group: loop)
            .connectTimeout(.milliseconds(settings.connectMilliseconds))
            .channelOption(ChannelOptions.tcpOption(.tcp_nodelay), value: 1)
            .channelOption(ChannelOptions.recvAllocator, value: Self.receiving)
            .channelInitializer { channel in
                channel.eventLoop.makeCompletedFuture { try core.value.prepare(channel, .dialling) }
            }
        let connecting: EventLoopFuture<any Channel>
        do {
            connecting = bootstrap.connect(to: try SocketAddress(ipAddress: host, port: port))
        } catch {
            // A name, not an address.
            connecting = bootstrap.connect(host: host, port: port)
        }
        connecting.assumeIsolated().whenFailure { error in
            self.complain("\(host):\(port) is not reached: \(faultText(error))")
            self.dialAgain(after: self.settings.retryMilliseconds)
        }
    }

    /// At once when the last attempt is long enough ago.
    private func dialAgain(after milliseconds: Int64) {
        guard case .dials = settings.role, !isStopped, attempt == nil, let lastAttempt else { return }
        let due = max(lastAttempt + .milliseconds(milliseconds), .now())
        attempt = loop.assumeIsolated().scheduleTask(deadline: due) {
            self.attempt = nil
            self.dial()
        }
    }

    // MARK: Connections

    /// False when the connection is not wanted.
    func began(_ connection: LinkConnection) -> Bool {
        guard !isStopped else { return false }
        // A name with several addresses may give several connections to dial with; the first one is taken.
        if connection.end == .dialling, !strangers.isEmpty { return false }
        if strangers.count == settings.mostStrangers {
            // The oldest goes: the other side speaks at once, so whoever is silent longest is not it.
            counts.tooMany += 1
            let oldest = strangers.removeFirst()
            complain("the connection from \(oldest.address) was closed: too many wait without a greeting")
            oldest.close()
        }
        strangers.append(connection)
        return true
    }

    func greeting() -> [UInt8] { owner?.greeting() ?? [] }

    func judge(_ theirs: [UInt8]) -> GreetingVerdict { owner?.judge(theirs) ?? .refused("this side stops") }

    func opened(_ connection: LinkConnection, theirs: [UInt8]) {
        strangers.removeAll { $0 === connection }
        if let old = current {
            clearSession()
            old.close()
            logger.warning("the private link's session was replaced by a newer connection from \(connection.address)")
            owner?.lost(reason: "a newer connection of the other side replaced it")
        }
        current = connection
        counts.sessions += 1
        session = counts.sessions
        gauge.session.store(session, ordering: .releasing)
        lastComplaint = nil
        logger.notice("private link up with \(connection.address)")
        owner?.connected(mine: connection.mine, theirs: theirs)
    }

    func received(_ connection: LinkConnection, _ frame: [UInt8]) {
        if connection === current { owner?.received(frame) }
    }

    func readsEnded(_ connection: LinkConnection) {
        if connection === current { owner?.readsEnded() }
    }

    func ended(_ connection: LinkConnection, hadSession: Bool, reason: String, refused: Bool) {
        strangers.removeAll { $0 === connection }
        guard hadSession else {
            complain("the connection with \(connection.address) came to nothing: \(reason)")
            if connection.end == .dialling {
                dialAgain(after: refused ? settings.refusedRetryMilliseconds : settings.retryMilliseconds)
            }
            return
        }
        guard connection === current else { return }
        clearSession()
        logger.warning("private link lost: \(reason)")
        owner?.lost(reason: reason)
        dialAgain(after: settings.retryMilliseconds)
    }

    func endSession(reason: String) {
        guard let connection = current else { return }
        clearSession()
        connection.close()
        logger.warning("private link ended by this side: \(reason)")
        dialAgain(after: settings.retryMilliseconds)
    }

    private func clearSession() {
        session = 0
        current = nil
        wasCongested = false
        gauge.session.store(0, ordering: .releasing)
        gauge.unsentBytes.store(0, ordering: .relaxed)
    }

    // MARK: Sending

    func send(_ frame: [UInt8]) {
        guard let connection = current else { return }
        connection.send(frame)
        counts.framesSent += 1
        counts.bytesSent += UInt64(frame.count) + 4
        noteUnsent(connection)
        if connection.unsentBytes > settings.mostUnsentBytes {
            // Told after this call: the owner is in the middle of sending.
            let session = session
            loop.assumeIsolated().execute {
                guard self.session == session else { return }
                let reason = "more than \(self.settings.mostUnsentBytes) bytes wait for the other side"
                self.endSession(reason: reason)
                self.owner?.lost(reason: reason)
            }
        }
    }

    func flush() { current?.flush() }

    func written(_ connection: LinkConnection) {
        guard connection === current else { return }
        noteUnsent(connection)
        if wasCongested, connection.unsentBytes <= settings.congestedBytes / 2 {
            wasCongested = false
            owner?.congestionEnded()
        }
    }

    private func noteUnsent(_ connection: LinkConnection) {
        gauge.unsentBytes.store(connection.unsentBytes, ordering: .relaxed)
        if connection.unsentBytes > settings.congestedBytes { wasCongested = true }
    }

    // MARK: Complaints

    /// The same sentence at most each minute, any sentence at most each second: the other side may be away for days,
    /// and a stranger must not fill the disk with our log.
    private func complain(_ sentence: String) {
        let now = NIODeadline.now()
        if let last = lastComplaint {
            let pause: TimeAmount = last.sentence == sentence ? .minutes(1) : .seconds(1)
            if now - last.at < pause { return }
        }
        lastComplaint = (sentence, now)
        logger.warning("\(sentence)")
    }

    /// A peer's text as one line of a log.
    static func printable(_ text: String) -> String {
        String(text.map { $0.isASCII && !($0.asciiValue.map { $0 < 32 || $0 == 127 } ?? false) ? $0 : "?" })
    }
}
