import CallModel
import INCRP
import NIOCore
import Synchronization
import Testing
import Transport

@Suite("INCRP links over loopback")
struct LinkTests {
    /// The outcome of a request as one value.
    static func ask(_ link: GatewayLink, _ ask: RouteAsk) async -> Result<RouteReply, ServerLinkFault> {
        do { return .success(try await link.ask(ask)) } catch { return .failure(error) }
    }

    @Test("a request is answered with label and modified context, a failure with its code")
    func answered() async throws {
        let double = RouteDouble()
        let server = LinkBench.server(double)
        let link = LinkBench.link(try await server.start())
        await link.start()
        try await LinkBench.up(link)
        let reply = try await link.ask(FrameSample.ask())
        #expect(reply.label.text == "97001")
        #expect(reply.context.variables[0] == "seen by insurance for client 3")
        #expect(reply.context.ecc[ECCName(unchecked: "user.items")] == .array(["changed"]))
        var unknown = FrameSample.ask(2)
        unknown.dialedNumber = "0"
        #expect(await Self.ask(link, unknown) == .failure(.failed(.unknownDialedNumber, reason: "no script for it")))

        let status = await link.status()
        #expect(status.asked == 2 && status.answered == 1 && status.failed == 1 && status.inFlight == 0)
        #expect(status.version == .current && status.peerInstance == "insurance" && status.peerSide == .a)
        let links = await server.status().links
        #expect(links.count == 1 && links.first?.asked == 2 && links.first?.answered == 1 && links.first?.failed == 1)
        #expect(links.first?.peer.instance == FrameSample.bank)
        try await LinkBench.until("both know the round trip") {
            let far = await server.status().links.first?.roundTripMicroseconds
            return await link.status().roundTripMicroseconds != nil && far != nil
        }
        await link.stop()
        await server.stop()
    }

    @Test("many requests at once each get their own answer, up to a context of 32 KiB")
    func multiplexed() async throws {
        let server = LinkBench.server(RouteDouble())
        let link = LinkBench.link(try await server.start())
        await link.start()
        try await LinkBench.up(link)
        await withTaskGroup(of: Bool.self) { group in
            for dialog: UInt64 in 1...300 {
                group.addTask {
                    var ask = FrameSample.ask(dialog)
                    ask.context.ced = "\(dialog)"
                    guard case .success(let reply) = await Self.ask(link, ask) else { return false }
                    return reply.id == ask.id && reply.context.ced == "\(dialog)"
                }
            }
            for await isRight in group { #expect(isRight) }
        }
        var largest = FrameSample.largestAsk
        largest.context.uui?.removeLast(60)
        #expect(try await link.ask(largest).context.uui == largest.context.uui)
        await link.stop()
        await server.stop()
    }

    @Test("a request that breaks a limit fails before it is sent, and the link stays")
    func limit() async throws {
        let double = RouteDouble()
        let server = LinkBench.server(double)
        let link = LinkBench.link(try await server.start())
        await link.start()
        try await LinkBench.up(link)
        var ask = FrameSample.ask()
        ask.context.uui = FrameSample.text(33_000)
        guard case .failure(.failed(.limit, let reason)) = await Self.ask(link, ask) else {
            Issue.record("not refused by its limit")
            return
        }
        #expect(reason == "uui has 33000 bytes; the limit is 32768")
        _ = try await link.ask(FrameSample.ask(2))
        await link.stop()
        await server.stop()
    }

    @Test("at its deadline a request is late; its answer is handed on for release, and counted on both sides")
    func late() async throws {
        let double = RouteDouble()
        let server = LinkBench.server(double)
        let released = Mutex<[AskID]>([])
        let link = LinkBench.link(try await server.start()) { reply in released.withLock { $0.append(reply.id) } }
        await link.start()
        try await LinkBench.up(link)
        double.hold()
        #expect(await Self.ask(link, FrameSample.ask(1, deadline: 50)) == .failure(.late))
        double.release()
        try await LinkBench.until("the late answer came") { released.withLock { $0 } == [FrameSample.askID(1)] }
        #expect(await link.status().late == 1)
        #expect(await server.status().links.first?.late == 1)
        await link.stop()
        await server.stop()
    }

    @Test("a request whose caller has gone is given up at once")
    func cancelled() async throws {
        let double = RouteDouble()
        let server = LinkBench.server(double)
        let released = Mutex<[AskID]>([])
        let link = LinkBench.link(try await server.start()) { reply in released.withLock { $0.append(reply.id) } }
        await link.start()
        try await LinkBench.up(link)
        double.hold()
        let task = Task { await Self.ask(link, FrameSample.ask(1, deadline: 60_000)) }
        try await LinkBench.until("the server has it") { double.heard.withLock { $0.asks.count } == 1 }
        task.cancel()
        #expect(await task.value == .failure(.late))
        double.release()
        try await LinkBench.until("its answer came") { released.withLock { $0.count } == 1 }
        await link.stop()
        await server.stop()
    }

    @Test("after a restart of the server the link opens again, and ends kept meanwhile are told")
    func restart() async throws {
        let double = RouteDouble()
        let first = LinkBench.server(double)
        let port = try await first.start()
        let link = LinkBench.link(port)
        await link.start()
        try await LinkBench.up(link)
        double.hold()
        let asking = Task { await Self.ask(link, FrameSample.ask(1, deadline: 60_000)) }
        try await LinkBench.until("the server has it") { double.heard.withLock { $0.asks.count } == 1 }
        await first.stop(reason: "for an update")
        guard case .failure(.offline(let reason)) = await asking.value else {
            Issue.record("not offline")
            return
        }
        #expect(reason.contains("for an update"))
        double.release()
        #expect(await link.status().up == false)
        await link.end(DialogID(LogSequence(1)), as: .default)
        let second = LinkBench.server(double, port: port)
        try await second.start()
        try await LinkBench.up(link)
        try await LinkBench.until("the end was told") {
            double.heard.withLock { $0.ends[DialogID(LogSequence(1))] } == .default
        }
        _ = try await link.ask(FrameSample.ask(1))
        await link.stop()
        await second.stop()
    }

    @Test("a link on which the other side falls silent is lost after 2 s at both ends, and opens again")
    func silence() async throws {
        let server = LinkBench.server(RouteDouble())
        let proxy = SilentProxy()
        let link = LinkBench.link(try await proxy.start(to: try await server.start()))
        await link.start()
        try await LinkBench.up(link)
        proxy.silence(true)
        try await LinkBench.until("the client has lost it") {
            await link.status().reason?.hasPrefix("heartbeatsMissed") == true
        }
        #expect(await Self.ask(link, FrameSample.ask()) != .failure(.late))
        try await LinkBench.until("the server has lost it") {
            await server.status().linksClosed[.heartbeatsMissed] == 1
        }
        proxy.silence(false)
        try await LinkBench.up(link)
        await link.stop()
        await server.stop()
        try await proxy.stop()
    }

    @Test(
        "an unknown client id, one client id from two instances, and a major version apart are refused with the reason")
    func refusedOpens() async throws {
        let server = LinkBench.server(RouteDouble())
        let port = try await server.start()
        let good = LinkBench.link(port)
        await good.start()
        try await LinkBench.up(good)
        let refused: [(GatewayLink, String)] = [
            (LinkBench.link(port, client: 4), "client id 4 is not configured here"),
            (LinkBench.link(port, number: 1), "client id 3 is in use by bank number 0"),
            (
                LinkBench.link(port, version: INCRPVersion(major: 2, minor: 0)),
                "the client speaks INCRP 2.0, this server 1.1"
            ),
        ]
        for (link, reason) in refused {
            await link.start()
            try await LinkBench.until("refused: \(reason)") { await link.status().reason?.contains(reason) == true }
            #expect(await link.status().up == false)
            await link.stop()
        }
        let counted = await server.status().opensRefused
        #expect(Set(counted.keys) == [.unknownClient, .clientIDOfAnotherInstance, .version])
        #expect(await good.status().up)
        await good.stop()
        await server.stop()
    }

    @Test("both sides of a client are linked at once; the same side again takes its older link's place")
    func sides() async throws {
        let server = LinkBench.server(RouteDouble())
        let port = try await server.start()
        let (sideA, sideB) = (LinkBench.link(port), LinkBench.link(port, side: .b))
        for link in [sideA, sideB] {
            await link.start()
            try await LinkBench.up(link)
        }
        #expect(await server.status().links.map(\.peer.side) == [.a, .b])
        let (raw, channel) = try await RawPeer.connect(port)
        var open = FrameSample.open
        (open.instanceNumber, open.side) = (0, .a)
        try await channel.writeAndFlush(
            ByteBuffer(bytes: try RawPeer.framed([INCRPFrame(number: 1, body: .open(open))])))
        try await LinkBench.until("replaced") { await server.status().linksClosed[.replaced] ?? 0 >= 1 }
        try await LinkBench.until("the newer one is open") { try !raw.frames().isEmpty }
        await sideA.stop()
        await sideB.stop()
        await server.stop()
    }

    @Test("a link with an older side has its version, and answers without arrays leave the client's own")
    func olderVersion() async throws {
        let server = LinkBench.server(RouteDouble(), version: INCRPVersion(major: 1, minor: 0))
        let link = LinkBench.link(try await server.start())
        await link.start()
        try await LinkBench.up(link)
        #expect(await link.status().version == INCRPVersion(major: 1, minor: 0))
        let reply = try await link.ask(FrameSample.ask())
        #expect(reply.context.ecc == FrameSample.context.ecc)
        #expect(reply.context.variables[0] == "seen by insurance for client 3")
        await link.stop()
        await server.stop()
    }

    @Test("a window that is full refuses as busy at once")
    func windowFull() async throws {
        let double = RouteDouble()
        let server = LinkBench.server(double, window: 1)
        let link = LinkBench.link(try await server.start())
        await link.start()
        try await LinkBench.up(link)
        double.hold()
        let first = Task { await Self.ask(link, FrameSample.ask(1)) }
        try await LinkBench.until("the server has it") { double.heard.withLock { $0.asks.count } == 1 }
        guard case .failure(.failed(.busy, _)) = await Self.ask(link, FrameSample.ask(2)) else {
            Issue.record("not refused as busy")
            return
        }
        double.release()
        guard case .success = await first.value else {
            Issue.record("the first was not answered")
            return
        }
        await link.stop()
        await server.stop()
    }

    @Test("a server that is not there makes a link that says so, and requests that are offline at once")
    func offline() async throws {
        let server = LinkBench.server(RouteDouble())
        let port = try await server.start()
        await server.stop()
        let link = LinkBench.link(port)
        await link.start()
        try await LinkBench.until("it says so") { await link.status().reason?.contains("connection refused") == true }
        guard case .failure(.offline) = await Self.ask(link, FrameSample.ask()) else {
            Issue.record("not offline")
            return
        }
        await link.stop()
    }

    @Test("a port in use is an error that names the address")
    func portInUse() async throws {
        let server = LinkBench.server(RouteDouble())
        let port = try await server.start()
        do {
            try await LinkBench.server(RouteDouble(), port: port).start()
            Issue.record("it listens twice")
        } catch {
            #expect(error.fault == .addressInUse)
            #expect(error.description.contains("127.0.0.1:\(port)"))
        }
        await server.stop()
    }
}
