import CallModel
import INCRP
import NIOCore
import Synchronization
import Testing
import Transport

/// Peers that do not keep the protocol: the link is closed with the named reason, or the message refused; the server
/// stays up and serves its other links.
@Suite("INCRP peers that break the protocol")
struct HostilePeerTests {
    static var open: INCRPFrame {
        var open = FrameSample.open
        (open.instanceNumber, open.side) = (0, .b)
        return INCRPFrame(number: 1, body: .open(open))
    }

    struct Attack: Sendable, CustomTestStringConvertible {
        let name: String
        let opensFirst: Bool
        let bytes: [UInt8]
        let code: INCRPClosure.Code
        var testDescription: String { name }
    }

    static func attacks() throws -> [Attack] {
        let ask = try RawPeer.framed([INCRPFrame(number: 2, body: .ask(FrameSample.ask()))])
        let far = try RawPeer.framed([INCRPFrame(number: 9, body: .ask(FrameSample.ask()))])
        let reply = try RawPeer.framed([INCRPFrame(number: 2, body: .reply(FrameSample.reply()))])
        let again = try RawPeer.framed([INCRPFrame(number: 2, body: Self.open.body)])
        var cut = ask
        cut[3] -= 7
        return [
            Attack(name: "length of 4 GiB", opensFirst: true, bytes: [0xFF, 0xFF, 0xFF, 0xFF], code: .oversizedFrame),
            Attack(name: "length of 64 KiB and 1", opensFirst: false, bytes: [0, 1, 0, 1], code: .oversizedFrame),
            Attack(name: "length of 0", opensFirst: true, bytes: [0, 0, 0, 0], code: .malformedFrame),
            Attack(
                name: "no protobuf", opensFirst: true, bytes: [0, 0, 0, 4, 0xFF, 0xFF, 0xFF, 0xFF],
                code: .malformedFrame),
            Attack(name: "HTTP", opensFirst: false, bytes: Array("GET / HTTP/1.1\r\n\r\n".utf8), code: .oversizedFrame),
            Attack(name: "truncated envelope", opensFirst: true, bytes: cut, code: .malformedFrame),
            Attack(name: "number out of order", opensFirst: true, bytes: far, code: .frameOutOfOrder),
            Attack(name: "same frame twice", opensFirst: true, bytes: ask + ask, code: .frameOutOfOrder),
            Attack(name: "response from a client", opensFirst: true, bytes: reply, code: .unexpectedFrame),
            Attack(name: "OPEN twice", opensFirst: true, bytes: again, code: .unexpectedFrame),
            Attack(
                name: "request before OPEN", opensFirst: false,
                bytes: try RawPeer.framed([INCRPFrame(number: 1, body: .ask(FrameSample.ask()))]),
                code: .unexpectedFrame),
        ]
    }

    @Test("a client that breaks framing, order or direction is closed with the named reason")
    func closed() async throws {
        let server = LinkBench.server(RouteDouble())
        let port = try await server.start()
        let good = LinkBench.link(port)
        await good.start()
        try await LinkBench.up(good)
        for attack in try Self.attacks() {
            let before = await server.status().linksClosed[attack.code] ?? 0
            let (peer, channel) = try await RawPeer.connect(port)
            let first = attack.opensFirst ? try RawPeer.framed([Self.open]) : []
            try await channel.writeAndFlush(ByteBuffer(bytes: first + attack.bytes))
            try await LinkBench.until("closed: \(attack.name)") { peer.ended }
            let after = await server.status().linksClosed[attack.code] ?? 0
            #expect(after == before + 1, "\(attack.name)")
            guard case .close(let closure)? = try peer.frames().last?.body else {
                Issue.record("no CLOSE: \(attack.name)")
                continue
            }
            #expect(closure.code == attack.code, "\(attack.name): \(closure)")
        }
        _ = try await good.ask(FrameSample.ask())
        #expect(await server.status().links.count == 1)
        await good.stop()
        await server.stop()
    }

    @Test("a frame that comes byte by byte is read, and one cut off by the end of the connection is not")
    func byteByByte() async throws {
        let double = RouteDouble()
        let server = LinkBench.server(double)
        let (peer, channel) = try await RawPeer.connect(try await server.start())
        let ask = INCRPFrame(number: 2, body: .ask(FrameSample.ask(1)))
        let cut = try RawPeer.framed([INCRPFrame(number: 3, body: .ask(FrameSample.ask(2)))]).dropLast()
        for byte in try RawPeer.framed([Self.open, ask]) { try await channel.writeAndFlush(ByteBuffer(bytes: [byte])) }
        try await LinkBench.until("answered") {
            try peer.frames().contains { if case .reply = $0.body { true } else { false } }
        }
        try await channel.writeAndFlush(ByteBuffer(bytes: cut))
        try await channel.close()
        try await LinkBench.until("the link is gone") { await server.status().links.isEmpty }
        #expect(double.heard.withLock { $0.asks } == [FrameSample.askID(1)])
        #expect(await server.status().linksClosed[.disconnected] == 1)
        await server.stop()
    }

    @Test("a request that breaks a limit fails alone, is counted, and does not reach the CallRouter")
    func faultyAsk() async throws {
        let double = RouteDouble()
        let server = LinkBench.server(double)
        let (peer, channel) = try await RawPeer.connect(try await server.start())
        var bad = FrameSample.ask(7)
        bad.context.ced = "1\n2"
        let good = INCRPFrame(number: 3, body: .ask(FrameSample.ask(8)))
        let bytes = try RawPeer.framed([Self.open, INCRPFrame(number: 2, body: .ask(bad)), good])
        try await channel.writeAndFlush(ByteBuffer(bytes: bytes))
        try await LinkBench.until("both answered") { try peer.frames().count >= 3 }
        let bodies = try peer.frames().map(\.body)
        let failure = RouteFailure(
            id: bad.id, code: .limit, reason: "ced contains a line feed, which is not allowed")
        #expect(bodies.contains(.failure(failure)))
        #expect(await server.status().messagesRefused == [.limit: 1])
        #expect(double.heard.withLock { $0.asks } == [FrameSample.askID(8)])
        try await channel.close()
        await server.stop()
    }

    @Test("random bytes close the link and leave the server up", arguments: 1...20 as ClosedRange<UInt64>)
    func random(seed: UInt64) async throws {
        let server = LinkBench.server(RouteDouble())
        let port = try await server.start()
        var generator = Xorshift(state: seed &* 0x9E37_79B9_7F4A_7C15)
        let first = seed % 2 == 0 ? try RawPeer.framed([Self.open]) : []
        let noise = (0..<4_000).map { _ in UInt8(truncatingIfNeeded: generator.next()) }
        // A short length first, so that some of it is taken for frames.
        let (peer, _) = try await RawPeer.connect(port, greeting: first + [0, 0, 0, UInt8(seed)] + noise)
        try await LinkBench.until("closed") { peer.ended }
        let link = LinkBench.link(port)
        await link.start()
        try await LinkBench.up(link)
        await link.stop()
        await server.stop()
    }
}
