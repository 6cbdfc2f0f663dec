import ByteCoding
import Foundation
import NIOCore
import NIOPosix
import Synchronization
import Testing

@testable import Witnesses

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

    static func connect(_ port: Int) async throws -> (BarePeer, any Channel) {
        let peer = BarePeer()
        let channel = try await ClientBootstrap(group: MultiThreadedEventLoopGroup.singleton)
            .channelInitializer { $0.pipeline.addHandler(peer) }
            .connect(host: "127.0.0.1", port: port).get()
        return (peer, channel)
    }
}

@Suite("The witness process and its peers")
struct WitnessServerTests {
    @Test("what is no request is closed and counted, and disturbs nobody")
    func garbage() async throws {
        let witness = try await ProcessUnderTest()
        #expect(try await witness.driver().swap(expected: nil, value: [1]) == .swapped)
        let read = Array(WitnessRequest.read(pair: somePair).framed().readableBytesView)
        var cut = Array(read.dropLast())
        cut[3] -= 1
        var magic = read
        magic[4] ^= 1
        let long = Array(
            WitnessRequest.seed(pair: somePair, value: Array(repeating: 1, count: 1_024)).framed().readableBytesView)
        let attacks: [[UInt8]] = [
            [0xFF, 0xFF, 0xFF, 0xFF], [0, 1, 0, 1], [0, 0, 0, 0], Array("GET / HTTP/1.1\r\n\r\n".utf8), cut, magic,
            long,
            [0, 0, 0, 6] + Array("BTNW".utf8) + [1, 9],
        ]
        for (index, attack) in attacks.enumerated() {
            let (peer, channel) = try await BarePeer.connect(witness.port)
            try await channel.writeAndFlush(ByteBuffer(bytes: attack))
            try await until("closed: attack \(index)") { peer.ended }
            #expect(peer.bytes.isEmpty)
            #expect(await witness.server.counts().garbage == UInt64(index + 1))
        }
        #expect(try await witness.driver().read() == [1])
        try await witness.end()
    }

    @Test("random bytes never end the witness", arguments: 1...20 as ClosedRange<UInt64>)
    func random(seed: UInt64) async throws {
        let witness = try await ProcessUnderTest()
        var state = seed &* 0x9E37_79B9_7F4A_7C15
        let noise = (0..<4_000).map { _ -> UInt8 in
            state = state &* 6_364_136_223_846_793_005 &+ 1_442_695_040_888_963_407
            return UInt8(truncatingIfNeeded: state >> 33)
        }
        let (peer, channel) = try await BarePeer.connect(witness.port)
        let head: [UInt8] =
            seed % 2 == 0 ? [0, 0, 0, UInt8(seed + 5)] + Array("BTNW".utf8) + [1] : [0, 0, 0, UInt8(seed)]
        // The witness may have closed before all was written.
        try? await channel.writeAndFlush(ByteBuffer(bytes: head + noise))
        try await until("closed") { peer.ended }
        #expect(try await witness.driver().swap(expected: nil, value: [1]) == .swapped)
        try await witness.end()
    }

    @Test("a peer of another version is told both versions")
    func version() async throws {
        let witness = try await ProcessUnderTest()
        var request = Array(WitnessRequest.read(pair: somePair).framed().readableBytesView)
        request[8] = 2
        let (peer, channel) = try await BarePeer.connect(witness.port)
        try await channel.writeAndFlush(ByteBuffer(bytes: request))
        try await until("closed") { peer.ended }
        let answer = try WitnessAnswer.decode(Array(peer.bytes.dropFirst(4)))
        #expect(answer == .failed(.notApplied("witness protocol version 2; this one speaks 1")))
        try await witness.end()
    }

    @Test("requests that come byte by byte or several at once are answered in order on one connection")
    func byteByByte() async throws {
        let witness = try await ProcessUnderTest()
        let requests: [WitnessRequest] = [
            .swap(pair: somePair, expected: nil, value: [1]), .swap(pair: somePair, expected: [1], value: [2]),
            .swap(pair: somePair, expected: [1], value: [3]), .read(pair: somePair),
        ]
        let bytes = requests.flatMap { Array($0.framed().readableBytesView) }
        let (slow, slowChannel) = try await BarePeer.connect(witness.port)
        for byte in bytes { try await slowChannel.writeAndFlush(ByteBuffer(bytes: [byte])) }
        let first: [WitnessAnswer] = [.swapped, .swapped, .current([2]), .current([2])]
        let framed = first.flatMap { Array($0.framed().readableBytesView) }
        try await until("all answered") { slow.bytes.count >= framed.count }
        #expect(slow.bytes == framed)
        let (quick, quickChannel) = try await BarePeer.connect(witness.port)
        try await quickChannel.writeAndFlush(ByteBuffer(bytes: bytes))
        let second: [WitnessAnswer] = [.current([2]), .current([2]), .current([2]), .current([2])]
        let framedAgain = second.flatMap { Array($0.framed().readableBytesView) }
        try await until("all answered") { quick.bytes.count >= framedAgain.count }
        #expect(quick.bytes == framedAgain)
        try await slowChannel.close()
        try await quickChannel.close()
        try await witness.end()
    }

    @Test("a peer that sends nothing, or half a request, is closed after its time and counted")
    func silent() async throws {
        let witness = try await ProcessUnderTest { settings in
            settings.handshakeMilliseconds = 50
            settings.idleMilliseconds = 50
        }
        let (nothing, _) = try await BarePeer.connect(witness.port)
        try await until("closed") { nothing.ended }
        let (half, channel) = try await BarePeer.connect(witness.port)
        try await channel.writeAndFlush(ByteBuffer(bytes: [0, 0, 0, 40, 66]))
        try await until("closed") { half.ended }
        let (idle, idleChannel) = try await BarePeer.connect(witness.port)
        try await idleChannel.writeAndFlush(WitnessRequest.read(pair: somePair).framed())
        try await until("closed") { idle.ended }
        #expect(idle.bytes == Array(WitnessAnswer.current(nil).framed().readableBytesView))
        #expect(await witness.server.counts().silent == 3)
        try await witness.end()
    }

    @Test("connections beyond the limit are closed at once; the others stay")
    func tooMany() async throws {
        let witness = try await ProcessUnderTest { $0.mostConnections = 2 }
        let (first, firstChannel) = try await BarePeer.connect(witness.port)
        let (second, secondChannel) = try await BarePeer.connect(witness.port)
        try await firstChannel.writeAndFlush(WitnessRequest.read(pair: somePair).framed())
        try await secondChannel.writeAndFlush(WitnessRequest.read(pair: somePair).framed())
        try await until("both are served") { !first.bytes.isEmpty && !second.bytes.isEmpty }
        let (third, _) = try await BarePeer.connect(witness.port)
        try await until("closed") { third.ended }
        #expect(!first.ended && !second.ended)
        #expect(await witness.server.counts().tooMany == 1)
        try await witness.end()
    }

    @Test("each pair has its own register, and one that is damaged leaves the others in service")
    func pairs() async throws {
        let witness = try await ProcessUnderTest()
        let other = Hash128(high: 7, low: 7)
        #expect(try await witness.driver().swap(expected: nil, value: [1]) == .swapped)
        #expect(try await witness.driver(of: other).swap(expected: nil, value: [2]) == .swapped)
        let path = witness.folder.path + "/registers/\(somePair).register"
        let handle = try FileHandle(forWritingTo: URL(filePath: path))
        try handle.seek(toOffset: 50)
        try handle.write(contentsOf: [0xFF])
        try handle.close()
        for again in [false, true] {
            if again { try await witness.restart() }
            let fault = await #expect(throws: WitnessFault.self) {
                try await witness.driver().swap(expected: [1], value: [3])
            }
            guard case .notApplied(let reason) = fault else {
                Issue.record("\(String(describing: fault))")
                continue
            }
            #expect(reason.contains(path) && reason.contains("baton pair witness reset"), "\(reason)")
            #expect(try await witness.driver(of: other).read() == [2])
        }
        try await witness.driver().seed([4])
        #expect(try await witness.driver().read() == [4])
        try await witness.end()
    }

    @Test("a folder serves one witness at a time")
    func folderInUse() async throws {
        let witness = try await ProcessUnderTest()
        let fault = #expect(throws: WitnessServerFault.self) {
            try ProcessUnderTest.server(ProcessUnderTest.settings(witness.folder, port: 0))
        }
        #expect(fault.map { "\($0)".contains("in use by another process") } == true)
        try await witness.end()
    }

    @Test("an address that is taken is named")
    func addressInUse() async throws {
        let witness = try await ProcessUnderTest()
        let folder = try TemporaryFolder()
        let second = try ProcessUnderTest.server(ProcessUnderTest.settings(folder, port: witness.port))
        let fault = await #expect(throws: WitnessServerFault.self) { try await second.start() }
        #expect(fault.map { "\($0)".contains("127.0.0.1:\(witness.port)") } == true)
        await second.stop()
        try await witness.end()
    }
}

@Suite("What a caller of a witness process knows after a fault")
struct ProcessWitnessFaultTests {
    private func driver(_ port: Int, timeoutMilliseconds: Int64 = 5_000) -> ProcessWitness {
        ProcessWitness(
            member: WitnessMember(host: "127.0.0.1", port: port), pair: somePair,
            group: MultiThreadedEventLoopGroup.singleton, timeoutMilliseconds: timeoutMilliseconds)
    }

    private func listener(_ initialize: @escaping @Sendable (any Channel) -> EventLoopFuture<Void>) async throws
        -> (any Channel, Int)
    {
        let channel = try await ServerBootstrap(group: MultiThreadedEventLoopGroup.singleton)
            .childChannelInitializer(initialize).bind(host: "127.0.0.1", port: 0).get()
        return (channel, try #require(channel.localAddress?.port))
    }

    private func fault(_ driver: ProcessWitness) async -> WitnessFault? {
        await #expect(throws: WitnessFault.self) { try await driver.swap(expected: nil, value: [1]) }
    }

    @Test("nobody listens: nothing was done")
    func refused() async throws {
        let (channel, port) = try await listener { $0.eventLoop.makeSucceededVoidFuture() }
        try await channel.close()
        #expect(await fault(driver(port)) == .notApplied("127.0.0.1:\(port): Connection refused"))
    }

    @Test("no answer in time: unknown")
    func timedOut() async throws {
        let (channel, port) = try await listener { $0.eventLoop.makeSucceededVoidFuture() }
        #expect(
            await fault(driver(port, timeoutMilliseconds: 50)) == .unknown("127.0.0.1:\(port): no answer in time"))
        try await channel.close()
    }

    @Test("the connection ends instead of an answer: unknown")
    func closed() async throws {
        final class Closing: ChannelInboundHandler {
            typealias InboundIn = ByteBuffer
            func channelRead(context: ChannelHandlerContext, data: NIOAny) { context.close(promise: nil) }
        }
        let (channel, port) = try await listener { child in
            child.eventLoop.makeCompletedFuture { try child.pipeline.syncOperations.addHandler(Closing()) }
        }
        guard case .unknown? = await fault(driver(port)) else {
            Issue.record("the outcome was not unknown")
            return
        }
        try await channel.close()
    }

    @Test("an answer that is none: unknown", arguments: [[0xFF, 0xFF, 0xFF, 0xFF], [0, 0, 0, 1, 1]] as [[UInt8]])
    func garbage(_ bytes: [UInt8]) async throws {
        final class Babbling: ChannelInboundHandler {
            typealias InboundIn = ByteBuffer
            let bytes: [UInt8]
            init(_ bytes: [UInt8]) { self.bytes = bytes }
            func channelRead(context: ChannelHandlerContext, data: NIOAny) {
                context.writeAndFlush(NIOAny(ByteBuffer(bytes: bytes)), promise: nil)
            }
        }
        let (channel, port) = try await listener { child in
            child.eventLoop.makeCompletedFuture { try child.pipeline.syncOperations.addHandler(Babbling(bytes)) }
        }
        guard case .unknown? = await fault(driver(port)) else {
            Issue.record("the outcome was not unknown")
            return
        }
        try await channel.close()
    }
}
