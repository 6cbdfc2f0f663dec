import NIOCore
import NIOPosix
import PrivateLink
import Synchronization
import Testing

@Suite("The private link between two sides")
struct PrivateLinkTests {
    @Test("both ends hear of the session with both first frames, and frames come whole and in order, both ways")
    func order() async throws {
        let a = LinkEnd("A")
        let b = LinkEnd("B")
        let (listening, port) = try await LinkBench.listener(a)
        let dialling = try await LinkBench.dialler(b, port)
        try await LinkBench.until("a session") { a.sessions == 1 && b.sessions == 1 }
        #expect(a.heard == [.connected(mine: Array("A\u{1}".utf8), theirs: Array("B\u{1}".utf8))])
        #expect(b.heard == [.connected(mine: Array("B\u{1}".utf8), theirs: Array("A\u{1}".utf8))])
        let frames = (0..<3_000).map { LinkBench.bytes($0, count: $0 % 100 == 0 ? 200_000 : 8 + $0 % 300) }
        for frame in frames {
            dialling.send(frame)
            listening.send(frame)
        }
        try await LinkBench.until("all came") { a.frames.count == frames.count && b.frames.count == frames.count }
        #expect(a.frames == frames)
        #expect(b.frames == frames)
        #expect(await listening.counts().framesReceived == UInt64(frames.count))
        await dialling.stop()
        await listening.stop()
    }

    @Test("a frame of the greatest length passes")
    func greatest() async throws {
        let a = LinkEnd("A")
        let b = LinkEnd("B")
        let (listening, port) = try await LinkBench.listener(a)
        let dialling = try await LinkBench.dialler(b, port)
        try await LinkBench.until("a session") { a.sessions == 1 && b.sessions == 1 }
        let frame = Array(repeating: UInt8(9), count: 16 * 1024 * 1024)
        dialling.send(frame)
        try await LinkBench.until("it came") { a.frames.count == 1 }
        #expect(a.frames.first == frame)
        await dialling.stop()
        await listening.stop()
    }

    @Test("frames sent in one turn of the event loop leave in one write, and come as one turn")
    func oneFlush() async throws {
        let a = LinkEnd("A")
        let b = LinkEnd("B")
        let (listening, port) = try await LinkBench.listener(a)
        let dialling = try await LinkBench.dialler(b, port)
        try await LinkBench.until("a session") { a.sessions == 1 && b.sessions == 1 }
        let before = await dialling.counts().flushes
        let turns = a.state.withLock { $0.turns }
        try await dialling.eventLoop.submit { for number in 0..<100 { dialling.send(LinkBench.bytes(number)) } }.get()
        try await LinkBench.until("all came") { a.frames.count == 100 }
        #expect(await dialling.counts().flushes == before + 1)
        #expect(a.state.withLock { $0.turns } == turns + 1)
        await dialling.stop()
        await listening.stop()
    }

    @Test("frames sent from several threads keep each thread's order")
    func threads() async throws {
        let a = LinkEnd("A")
        let b = LinkEnd("B")
        let (listening, port) = try await LinkBench.listener(a)
        let dialling = try await LinkBench.dialler(b, port)
        try await LinkBench.until("a session") { a.sessions == 1 && b.sessions == 1 }
        await withTaskGroup(of: Void.self) { group in
            for thread in 0..<4 {
                group.addTask { for number in 0..<500 { dialling.send(LinkBench.bytes(thread * 1000 + number)) } }
            }
        }
        try await LinkBench.until("all came") { a.frames.count == 2_000 }
        for thread in 0..<4 {
            let own = a.frames.map { $0.reduce(0) { $0 << 8 | Int($1) } }.filter { $0 / 1000 == thread }
            #expect(own == (0..<500).map { thread * 1000 + $0 })
        }
        await dialling.stop()
        await listening.stop()
    }

    @Test("the dialling side dials until the other one is there, and again at once when the connection breaks")
    func reconnect() async throws {
        let a = LinkEnd("A")
        let b = LinkEnd("B")
        let (first, port) = try await LinkBench.listener(a)
        await first.stop()
        let dialling = try await LinkBench.dialler(b, port)
        try await LinkBench.until("several attempts") { await dialling.counts().attempts >= 3 }
        #expect(b.heard.isEmpty)
        let (second, _) = try await LinkBench.listener(a, port: port)
        try await LinkBench.until("a session") { a.sessions == 1 && b.sessions == 1 }
        await second.stop()
        try await LinkBench.until("the loss is seen") { b.losses.count == 1 }
        #expect(b.losses == ["the other side closed the connection"])
        // What is sent while no session stands goes nowhere.
        dialling.send([1, 2, 3])
        let (third, _) = try await LinkBench.listener(a, port: port)
        try await LinkBench.until("a session") { a.sessions == 2 && b.sessions == 2 }
        dialling.send([4])
        try await LinkBench.until("a frame") { !a.frames.isEmpty }
        #expect(a.frames == [[4]])
        #expect(
            b.heard.last == .connected(mine: [b.name, 2], theirs: [a.name, 2]) || b.state.withLock { $0.greetings } > 2)
        await dialling.stop()
        await third.stop()
    }

    @Test("the owner ends a session, from either end: it hears no loss, the other end does, and a new one begins")
    func endSession() async throws {
        let a = LinkEnd("A")
        let b = LinkEnd("B")
        let (listening, port) = try await LinkBench.listener(a)
        let dialling = try await LinkBench.dialler(b, port)
        try await LinkBench.until("a session") { a.sessions == 1 && b.sessions == 1 }
        listening.send([1])
        listening.endSession(reason: "a test")
        try await LinkBench.until("a second session") { a.sessions == 2 && b.sessions == 2 }
        #expect(b.frames == [[1]], "what was sent before the end came")
        #expect(a.losses.isEmpty && b.losses.count == 1)
        dialling.endSession(reason: "a test")
        try await LinkBench.until("a third session") { a.sessions == 3 && b.sessions == 3 }
        #expect(a.losses.count == 1 && b.losses.count == 1)
        await dialling.stop()
        await listening.stop()
    }

    @Test("a newer good connection replaces the session, and the old one is lost with that reason")
    func replaced() async throws {
        let a = LinkEnd("A")
        let (listening, port) = try await LinkBench.listener(a)
        let (old, oldChannel) = try await BarePeer.connect(port)
        try await oldChannel.writeAndFlush(ByteBuffer(bytes: BarePeer.framed([[1, 66, 1], [10]])))
        try await LinkBench.until("a session") { a.frames == [[10]] }
        let (new, newChannel) = try await BarePeer.connect(port)
        try await newChannel.writeAndFlush(ByteBuffer(bytes: BarePeer.framed([[1, 66, 2], [20]])))
        try await LinkBench.until("the old one is closed") { old.ended && a.frames.count == 2 }
        // Too late: its session is gone.
        try? await oldChannel.writeAndFlush(ByteBuffer(bytes: BarePeer.framed([[11]])))
        try await newChannel.writeAndFlush(ByteBuffer(bytes: BarePeer.framed([[21]])))
        try await LinkBench.until("the new one is heard") { a.frames.count == 3 }
        #expect(
            a.heard == [
                .connected(mine: [65, 1], theirs: [66, 1]), .frame([10]),
                .lost("a newer connection of the other side replaced it"),
                .connected(mine: [65, 2], theirs: [66, 2]), .frame([20]), .frame([21]),
            ])
        #expect(new.bytes == BarePeer.framed([[1, 65, 2]]))
        try await newChannel.close()
        await listening.stop()
    }

    @Test("whoever does not read makes the link congested, then ends the session; sending never waits")
    func congestion() async throws {
        let a = LinkEnd("A")
        let (listening, port) = try await LinkBench.listener(a) { settings in
            settings.congestedBytes = 1 << 20
            settings.mostUnsentBytes = 64 << 20
        }
        let (_, channel) = try await BarePeer.connect(port, reads: false)
        try await channel.writeAndFlush(ByteBuffer(bytes: BarePeer.framed([[1, 66]])))
        try await LinkBench.until("a session") { a.sessions == 1 }
        let frame = Array(repeating: UInt8(1), count: 1 << 20)
        for _ in 0..<24 { listening.send(frame) }
        try await LinkBench.until("congested") { listening.isCongested }
        #expect(listening.unsentBytes <= 24 * (frame.count + 4))
        try await channel.setOption(ChannelOptions.autoRead, value: true).get()
        try await LinkBench.until("all was taken") { a.heard.contains(.congestionEnded) && listening.unsentBytes == 0 }
        #expect(!listening.isCongested && a.losses.isEmpty)
        try await channel.setOption(ChannelOptions.autoRead, value: false).get()
        for _ in 0..<100 { listening.send(frame) }
        try await LinkBench.until("the session ends") { a.losses.count == 1 }
        #expect(a.losses.first?.contains("wait for the other side") == true)
        #expect(listening.unsentBytes == 0)
        try await channel.close()
        await listening.stop()
    }

    @Test("an address that is taken is named")
    func addressInUse() async throws {
        let a = LinkEnd("A")
        let (listening, port) = try await LinkBench.listener(a)
        let fault = await #expect(throws: PrivateLinkFault.self) {
            try await LinkBench.listener(LinkEnd("B"), port: port)
        }
        #expect(fault?.address == "127.0.0.1:\(port)")
        await listening.stop()
    }
}

@Suite("Strangers on the private link's port")
struct HostilePeerTests {
    @Test("what is no greeting, is refused or too long is closed and counted; the present session hears nothing of it")
    func strangers() async throws {
        let a = LinkEnd("A", verdict: { $0.first == 66 ? .accepted : .refused("another\npair") })
        let b = LinkEnd("B")
        let (listening, port) = try await LinkBench.listener(a)
        let dialling = try await LinkBench.dialler(b, port)
        try await LinkBench.until("a session") { a.sessions == 1 && b.sessions == 1 }
        let attacks: [(bytes: [UInt8], answer: [UInt8], count: KeyPath<PrivateLinkCounts, UInt64>)] = [
            (Array("GET / HTTP/1.1\r\n\r\n".utf8), [], \.badFrames),
            ([0xFF, 0xFF, 0xFF, 0xFF], [], \.badFrames),
            ([0, 1, 0, 1], [], \.badFrames),
            ([0, 0, 0, 0], [], \.badFrames),
            (BarePeer.framed([[9, 66]]), [], \.badFrames),
            (BarePeer.framed([[2, 66]]), [], \.badFrames),
            (BarePeer.framed([[1, 67]]), BarePeer.framed([[2] + Array("another\npair".utf8)]), \.refused),
        ]
        for (index, attack) in attacks.enumerated() {
            let before = await listening.counts()[keyPath: attack.count]
            let (peer, channel) = try await BarePeer.connect(port)
            try await channel.writeAndFlush(ByteBuffer(bytes: attack.bytes))
            try await LinkBench.until("closed: attack \(index)") { peer.ended }
            #expect(peer.bytes == attack.answer, "attack \(index)")
            #expect(await listening.counts()[keyPath: attack.count] == before + 1, "attack \(index)")
        }
        dialling.send([1])
        listening.send([2])
        try await LinkBench.until("the session goes on") { a.frames == [[1]] && b.frames == [[2]] }
        #expect(a.sessions == 1 && a.losses.isEmpty && b.losses.isEmpty)
        await dialling.stop()
        await listening.stop()
    }

    @Test("random bytes never end the session", arguments: 1...20 as ClosedRange<UInt64>)
    func random(seed: UInt64) async throws {
        let a = LinkEnd("A", verdict: { $0.first == 66 && $0.count == 2 ? .accepted : .refused("no") })
        let b = LinkEnd("B")
        let (listening, port) = try await LinkBench.listener(a)
        let dialling = try await LinkBench.dialler(b, port)
        try await LinkBench.until("a session") { a.sessions == 1 && b.sessions == 1 }
        var state = seed &* 0x9E37_79B9_7F4A_7C15
        let noise = (0..<4_000).map { _ -> UInt8 in
            state = state &* 6_364_136_223_846_793_005 &+ 1_442_695_040_888_963_407
            return UInt8(truncatingIfNeeded: state >> 33)
        }
        let (peer, channel) = try await BarePeer.connect(port)
        // The link may have closed before all was written.
        try? await channel.writeAndFlush(ByteBuffer(bytes: [0, 0, 0, UInt8(seed), UInt8(seed % 3)] + noise))
        try await LinkBench.until("closed") { peer.ended }
        #expect(a.sessions == 1 && a.losses.isEmpty && b.losses.isEmpty)
        await dialling.stop()
        await listening.stop()
    }

    @Test("a frame that comes byte by byte is read; one that is cut off by the connection's end is not")
    func halfFrame() async throws {
        let a = LinkEnd("A")
        let (listening, port) = try await LinkBench.listener(a)
        let (_, channel) = try await BarePeer.connect(port)
        for byte in BarePeer.framed([[1, 66], [1, 2, 3]]) { try await channel.writeAndFlush(ByteBuffer(bytes: [byte])) }
        try await LinkBench.until("a frame") { a.frames == [[1, 2, 3]] }
        try await channel.writeAndFlush(ByteBuffer(bytes: BarePeer.framed([[4, 5, 6]]).dropLast()))
        try await channel.close()
        try await LinkBench.until("the loss") { a.losses.count == 1 }
        #expect(a.frames == [[1, 2, 3]])
        await listening.stop()
    }

    @Test("in a session, a frame above the limit or an empty one ends it, with the numbers in the reason")
    func oversize() async throws {
        let a = LinkEnd("A")
        let (listening, port) = try await LinkBench.listener(a)
        for (index, bytes) in ([[1, 0, 0, 1], [0xFF, 0, 0, 0], [0, 0, 0, 0]] as [[UInt8]]).enumerated() {
            let (peer, channel) = try await BarePeer.connect(port)
            try await channel.writeAndFlush(ByteBuffer(bytes: BarePeer.framed([[1, 66]]) + bytes))
            try await LinkBench.until("closed") { peer.ended && a.losses.count == index + 1 }
        }
        #expect(a.losses.first == "a frame of 16777217 bytes came; it may have 1 to 16777216")
        #expect(await listening.counts().badFrames == 3)
        await listening.stop()
    }

    @Test("who says nothing is closed after the handshake's time; when too many wait, the one that waits longest goes")
    func silent() async throws {
        let a = LinkEnd("A")
        let (listening, port) = try await LinkBench.listener(a) { settings in
            settings.handshakeMilliseconds = 300
            settings.mostStrangers = 2
        }
        var peers: [BarePeer] = []
        for _ in 0..<3 { peers.append(try await BarePeer.connect(port).0) }
        try await LinkBench.until("the oldest is closed") { peers[0].ended }
        #expect(await listening.counts().tooMany == 1)
        let b = LinkEnd("B")
        let dialling = try await LinkBench.dialler(b, port)
        try await LinkBench.until("the other side comes through") { a.sessions == 1 && b.sessions == 1 }
        try await LinkBench.until("the silent one is closed") { peers[2].ended }
        #expect(await listening.counts().silent == 1)
        #expect(a.losses.isEmpty)
        await dialling.stop()
        await listening.stop()
    }

    @Test("a refused side is told why, never has a session, and asks again")
    func refused() async throws {
        let mayCome = Mutex(false)
        let a = LinkEnd("A", verdict: { _ in mayCome.withLock { $0 } ? .accepted : .refused("pair ids differ") })
        let b = LinkEnd("B")
        let (listening, port) = try await LinkBench.listener(a)
        let dialling = try await LinkBench.dialler(b, port)
        try await LinkBench.until("refused twice") { await listening.counts().refused >= 2 }
        #expect(a.heard.isEmpty && b.heard.isEmpty)
        mayCome.withLock { $0 = true }
        try await LinkBench.until("a session") { a.sessions == 1 && b.sessions == 1 }
        await dialling.stop()
        await listening.stop()
    }

    @Test("the dialling side refuses as well: a server of something else is never a session")
    func wrongServer() async throws {
        let babbling = try await ServerBootstrap(group: MultiThreadedEventLoopGroup.singleton)
            .childChannelInitializer { channel in
                // Once the connection stands; before that nothing would leave.
                channel.eventLoop.scheduleTask(in: .milliseconds(5)) {
                    channel.writeAndFlush(ByteBuffer(string: "220 mail.example ESMTP\r\n"), promise: nil)
                }
                return channel.eventLoop.makeSucceededVoidFuture()
            }
            .bind(host: "127.0.0.1", port: 0).get()
        let b = LinkEnd("B")
        let dialling = try await LinkBench.dialler(b, try #require(babbling.localAddress?.port))
        try await LinkBench.until("closed several times") { await dialling.counts().badFrames >= 2 }
        #expect(b.heard.isEmpty)
        await dialling.stop()
        try await babbling.close()
    }
}
