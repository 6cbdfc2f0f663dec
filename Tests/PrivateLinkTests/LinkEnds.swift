import Logging
import NIOCore
import NIOPosix
import PrivateLink
import Synchronization
import Testing

/// One end's owner: notes what it hears, and takes the greetings it is told to.
final class LinkEnd: PrivateLinkOwner {
    enum Heard: Equatable, Sendable {
        case connected(mine: [UInt8], theirs: [UInt8])
        case frame([UInt8])
        case lost(String)
        case congestionEnded
    }

    struct State: Sendable {
        var heard: [Heard] = []
        var turns = 0
        var greetings: UInt8 = 0
        var judged: [[UInt8]] = []
    }

    let name: UInt8
    let state = Mutex(State())
    let onFrame: @Sendable ([UInt8]) -> Void
    let verdict: @Sendable ([UInt8]) -> GreetingVerdict

    init(
        _ name: Character, verdict: @escaping @Sendable ([UInt8]) -> GreetingVerdict = { _ in .accepted },
        onFrame: @escaping @Sendable ([UInt8]) -> Void = { _ in }
    ) {
        self.name = name.asciiValue ?? 0
        self.verdict = verdict
        self.onFrame = onFrame
    }

    func greeting() -> [UInt8] {
        state.withLock { state in
            state.greetings += 1
            return [name, state.greetings]
        }
    }

    func judge(_ theirs: [UInt8]) -> GreetingVerdict {
        state.withLock { $0.judged.append(theirs) }
        return verdict(theirs)
    }

    func connected(mine: [UInt8], theirs: [UInt8]) { hear(.connected(mine: mine, theirs: theirs)) }

    func received(_ frame: [UInt8]) {
        hear(.frame(frame))
        onFrame(frame)
    }

    func readsEnded() { state.withLock { $0.turns += 1 } }
    func lost(reason: String) { hear(.lost(reason)) }
    func congestionEnded() { hear(.congestionEnded) }

    private func hear(_ heard: Heard) { state.withLock { $0.heard.append(heard) } }

    var heard: [Heard] { state.withLock { $0.heard } }
    var frames: [[UInt8]] { heard.compactMap { if case .frame(let frame) = $0 { frame } else { nil } } }
    var losses: [String] { heard.compactMap { if case .lost(let reason) = $0 { reason } else { nil } } }
    var sessions: Int { heard.count { if case .connected = $0 { true } else { false } } }
}

enum LinkBench {
    static let quiet = Logger(label: "link", factory: { _ in SwiftLogNoOpLogHandler() })

    static func link(
        _ role: PrivateLink.Role, on loop: (any EventLoop)? = nil,
        change: (inout PrivateLink.Settings) -> Void = { _ in }
    ) -> PrivateLink {
        var settings = PrivateLink.Settings(role: role)
        change(&settings)
        return PrivateLink(
            settings: settings, eventLoop: loop ?? MultiThreadedEventLoopGroup.singleton.next(), logger: quiet)
    }

    static func listener(
        _ owner: LinkEnd, port: Int = 0, change: (inout PrivateLink.Settings) -> Void = { _ in }
    ) async throws -> (PrivateLink, Int) {
        let link = link(.listens(host: "127.0.0.1", port: port), change: change)
        return (link, try #require(try await link.start(owner: owner)))
    }

    static func dialler(
        _ owner: LinkEnd, _ port: Int, change: (inout PrivateLink.Settings) -> Void = { _ in }
    ) async throws -> PrivateLink {
        let link = link(.dials(host: "127.0.0.1", port: port), change: change)
        try await link.start(owner: owner)
        return link
    }

    /// Looks again each 2 ms until the condition holds; gives up, and fails the test, after ten seconds.
    static func until(
        _ what: Comment, location: SourceLocation = #_sourceLocation, _ holds: () async throws -> Bool
    ) async throws {
        let limit = ContinuousClock.now + .seconds(10)
        while try await !holds() {
            guard ContinuousClock.now < limit else {
                Issue.record("not within 10 s: \(what)", sourceLocation: location)
                return
            }
            try await Task.sleep(for: .milliseconds(2))
        }
    }

    static func bytes(_ number: Int, count: Int = 8) -> [UInt8] {
        withUnsafeBytes(of: UInt64(number).bigEndian) { Array($0) } + Array(repeating: 7, count: max(0, count - 8))
    }
}

/// A connection of bare bytes, for peers that do not keep the protocol.
final class BarePeer: ChannelInboundHandler, Sendable {
    typealias InboundIn = ByteBuffer
    private let state = Mutex((bytes: [UInt8](), ended: false))

    func channelRead(context: ChannelHandlerContext, data: NIOAny) {
        let bytes = Array(unwrapInboundIn(data).readableBytesView)
        state.withLock { $0.bytes += bytes }
    }

    func channelInactive(context: ChannelHandlerContext) { state.withLock { $0.ended = true } }

    var ended: Bool { state.withLock { $0.ended } }
    var bytes: [UInt8] { state.withLock { $0.bytes } }

    static func connect(_ port: Int, reads: Bool = true) async throws -> (BarePeer, any Channel) {
        let peer = BarePeer()
        let channel = try await ClientBootstrap(group: MultiThreadedEventLoopGroup.singleton)
            .channelOption(ChannelOptions.autoRead, value: reads)
            .channelInitializer { $0.pipeline.addHandler(peer) }
            .connect(host: "127.0.0.1", port: port).get()
        return (peer, channel)
    }

    static func framed(_ frames: [[UInt8]]) -> [UInt8] {
        frames.flatMap { frame in withUnsafeBytes(of: UInt32(frame.count).bigEndian) { Array($0) } + frame }
    }
}
