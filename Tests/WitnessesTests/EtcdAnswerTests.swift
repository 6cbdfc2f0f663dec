import Foundation
import NIOCore
import NIOPosix
import Synchronization
import Testing

@testable import Witnesses

/// A peer that takes whatever it is asked and answers with bytes of the test's choice.
private final class ScriptedPeer: Sendable {
    private final class Handler: ChannelInboundHandler {
        typealias InboundIn = ByteBuffer
        private let peer: ScriptedPeer
        private var hasAnswered = false

        init(_ peer: ScriptedPeer) { self.peer = peer }

        func channelRead(context: ChannelHandlerContext, data: NIOAny) {
            if hasAnswered { return }
            hasAnswered = true
            peer.questions.withLock { $0 += 1 }
            let (bytes, ends) = (peer.answer, peer.ends)
            let channel = context.channel
            context.eventLoop.scheduleTask(in: peer.delay) {
                channel.writeAndFlush(ByteBuffer(bytes: bytes), promise: nil)
                if ends { channel.close(promise: nil) }
            }
        }
    }

    let questions = Mutex(0)
    let answer: [UInt8]
    let delay: TimeAmount
    let ends: Bool

    init(_ answer: [UInt8], after delay: TimeAmount = .zero, ends: Bool = true) {
        self.answer = answer
        self.delay = delay
        self.ends = ends
    }

    convenience init(status: String = "200 OK", _ body: String) {
        self.init(Array("HTTP/1.1 \(status)\r\nContent-Length: \(body.utf8.count)\r\n\r\n\(body)".utf8))
    }

    /// Runs `body` with a driver whose only member this peer is.
    func serve(
        timeoutMilliseconds: Int64 = 5_000, _ body: (EtcdWitness) async throws -> Void
    ) async throws {
        let server = try await ServerBootstrap(group: MultiThreadedEventLoopGroup.singleton)
            .childChannelInitializer { channel in
                channel.eventLoop.makeCompletedFuture {
                    try channel.pipeline.syncOperations.addHandler(Handler(self))
                }
            }
            .bind(host: "127.0.0.1", port: 0).get()
        let port = try #require(server.localAddress?.port)
        let driver = EtcdWitness(
            members: [WitnessMember(host: "127.0.0.1", port: port)], pair: somePair,
            group: MultiThreadedEventLoopGroup.singleton, timeoutMilliseconds: timeoutMilliseconds)
        do { try await body(driver) } catch {
            try await server.close()
            throw error
        }
        try await server.close()
    }
}

@Suite("What an etcd may answer")
struct EtcdAnswerTests {
    private static let key = Base64.encode(Array("baton/pair/\(somePair)".utf8))
    private static let image = RegisterImage(pair: somePair, inode: 0, changes: 0, value: [9]).encoded()
    private static let found = """
        {"header":{"revision":"7"},"responses":[{"response_range":{"kvs":[{"key":"\(key)","mod_revision":"5",\
        "value":"\(Base64.encode(image))"}],"count":"1"}}]}
        """

    private func fault(of peer: ScriptedPeer, timeoutMilliseconds: Int64 = 5_000) async throws -> WitnessFault? {
        var fault: WitnessFault?
        try await peer.serve(timeoutMilliseconds: timeoutMilliseconds) { driver in
            fault = await #expect(throws: WitnessFault.self) { try await driver.swap(expected: [1], value: [2]) }
        }
        #expect(peer.questions.withLock { $0 } == 1, "a question was sent again")
        return fault
    }

    private func isUnknown(_ fault: WitnessFault?) -> Bool { if case .unknown = fault { true } else { false } }

    @Test("a sound answer is taken")
    func sound() async throws {
        let put = #"{"header":{"revision":"7"},"succeeded":true,"responses":[{"response_put":{}}]}"#
        for (body, outcome) in [(Self.found, SwapOutcome.differs(current: [9])), (put, .swapped)] {
            try await ScriptedPeer(body).serve { driver in
                let said = try await driver.swap(expected: [1], value: [2])
                #expect(said == outcome)
            }
        }
    }

    @Test("an answer that is malformed in any way leaves the outcome unknown, and the question is not sent again")
    func malformed() async throws {
        let bodies = [
            "", "null", "[]", "{}", "{\"header\":", #"{"header":{"revision":"7"}}"#,
            #"{"header":{"revision":"7"},"responses":[]}"#, #"{"header":{"revision":7},"responses":[{}]}"#,
            #"{"header":{"revision":"7"},"succeeded":true,"responses":[{"response_range":{}}]}"#,
            #"{"header":{"revision":"7"},"succeeded":"yes","responses":[{"response_put":{}}]}"#,
            #"{"header":{"revision":"7"},"succeeded":true,"responses":[{"response_put":{}},{"response_put":{}}]}"#,
            #"{"header":{"revision":"7"},"responses":[{"response_put":{}}]}"#,
            #"{"header":{"revision":"-7"},"succeeded":true,"responses":[{"response_put":{}}]}"#,
            Self.found.replacing(Self.key, with: Base64.encode(Array("another".utf8))),
            Self.found.replacing("\"mod_revision\":\"5\",", with: ""),
            Self.found.replacing("\"5\"", with: "\"99999999999999999999\""),
            Self.found.replacing(Base64.encode(Self.image), with: "%%%"),
            Self.found.replacing("\"kvs\":[", with: "\"kvs\":[{},"), String(repeating: "[", count: 60_000),
        ]
        for body in bodies {
            let fault = try await fault(of: ScriptedPeer(body))
            #expect(isUnknown(fault), "\(body.prefix(100)): \(String(describing: fault))")
        }
    }

    @Test("what is no HTTP, or is cut off at any byte, leaves the outcome unknown")
    func cutOff() async throws {
        let whole = Array("HTTP/1.1 200 OK\r\nContent-Length: \(Self.found.utf8.count)\r\n\r\n\(Self.found)".utf8)
        for length in stride(from: 0, to: whole.count, by: 7) {
            #expect(isUnknown(try await fault(of: ScriptedPeer(Array(whole[..<length])))), "cut at \(length)")
        }
        for garbage in [Array(repeating: 0xFF, count: 3_000), Array("SSH-2.0-x\r\n".utf8), Array(0...255)] as [[UInt8]]
        {
            #expect(isUnknown(try await fault(of: ScriptedPeer(garbage))))
        }
    }

    @Test("an answer that is too large ends the exchange and leaves the outcome unknown")
    func tooLarge() async throws {
        let large = ScriptedPeer(String(repeating: " ", count: 70_000) + Self.found)
        #expect(try await fault(of: large).map { $0.reason.contains("larger than 65536 bytes") } == true)
    }

    @Test("an answer that is late, or of which only a part comes, is unknown after the time limit")
    func late() async throws {
        let whole = Array("HTTP/1.1 200 OK\r\nContent-Length: \(Self.found.utf8.count)\r\n\r\n\(Self.found)".utf8)
        let late = ScriptedPeer(whole, after: .seconds(3))
        #expect(isUnknown(try await fault(of: late, timeoutMilliseconds: 150)))
        let stuck = ScriptedPeer(Array(whole.dropLast()), ends: false)
        #expect(isUnknown(try await fault(of: stuck, timeoutMilliseconds: 150)))
    }

    @Test("only a refusal that etcd gives before it carries anything out is certain to have done nothing")
    func refusals() async throws {
        let certain: [(String, Int)] = [("400 Bad Request", 3), ("403 Forbidden", 7), ("401 Unauthorized", 16)]
        for (status, code) in certain {
            let fault = try await fault(
                of: ScriptedPeer(status: status, #"{"error":"no","message":"etcdserver: no","code":\#(code)}"#))
            guard case .notApplied(let reason) = fault else {
                Issue.record("\(status): \(String(describing: fault))")
                continue
            }
            #expect(reason.contains("etcdserver: no"))
        }
        let unknown: [(String, Int)] = [
            // "mvcc: database space exceeded" may come after the transaction was carried out.
            ("429 Too Many Requests", 8), ("503 Service Unavailable", 14), ("504 Gateway Timeout", 4),
            ("500 Internal Server Error", 13),
        ]
        for (status, code) in unknown {
            #expect(isUnknown(try await fault(of: ScriptedPeer(status: status, #"{"error":"x","code":\#(code)}"#))))
        }
        #expect(isUnknown(try await fault(of: ScriptedPeer(status: "502 Bad Gateway", "<html>"))))
        let noGateway = try await fault(of: ScriptedPeer(status: "404 Not Found", "Not Found\n"))
        #expect(noGateway.map { "\($0)".contains("no etcd v3 gateway") } == true)
    }

    @Test("a key that holds something else than a register is named and left alone until it is set anew")
    func noRegister() async throws {
        let body = Self.found.replacing(Base64.encode(Self.image), with: Base64.encode(Array("mine".utf8)))
        guard case .notApplied(let reason) = try await fault(of: ScriptedPeer(body)) else {
            Issue.record("taken for a register")
            return
        }
        #expect(reason.contains("holds no register") && reason.contains("baton pair witness reset"))
    }

    @Test("base64 is RFC 4648's, and nothing else is taken for it")
    func base64() {
        let pairs = ["": "", "f": "Zg==", "fo": "Zm8=", "foo": "Zm9v", "foob": "Zm9vYg==", "foobar": "Zm9vYmFy"]
        for (plain, text) in pairs {
            #expect(Base64.encode(Array(plain.utf8)) == text)
            #expect(Base64.decode(text) == Array(plain.utf8))
        }
        for length in 0..<300 {
            let bytes = (0..<length).map { UInt8(truncatingIfNeeded: $0 &* 37 &+ length) }
            #expect(Base64.decode(Base64.encode(bytes)) == bytes)
        }
        for text in ["Z", "Zg", "Zg=", "Zh==", "Zg==Zg==", "Zm 8=", "Zm9v\n", "=", "é", "Zm9-"] {
            #expect(Base64.decode(text) == nil, "\(text)")
        }
    }
}
