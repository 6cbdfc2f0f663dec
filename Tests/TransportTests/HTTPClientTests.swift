import NIOCore
import NIOHTTP1
import NIOPosix
import Testing
import Transport

/// Answers each request with its method, path and body; some paths do something else.
private final class EchoHandler: ChannelInboundHandler {
    typealias InboundIn = HTTPServerRequestPart
    typealias OutboundOut = HTTPServerResponsePart
    private var head: HTTPRequestHead?
    private var body = ByteBuffer()

    func channelRead(context: ChannelHandlerContext, data: NIOAny) {
        switch unwrapInboundIn(data) {
        case .head(let head): (self.head, body) = (head, ByteBuffer())
        case .body(var part): body.writeBuffer(&part)
        case .end: if let head { answer(head, context) }
        }
    }

    private func answer(_ head: HTTPRequestHead, _ context: ChannelHandlerContext) {
        if head.uri == "/silent" { return }
        if head.uri == "/hangup" { return context.close(promise: nil) }
        var text = ByteBuffer(string: "\(head.method.rawValue) \(head.uri) ")
        text.writeBuffer(&body)
        var headers = HTTPHeaders([("Content-Length", "\(text.readableBytes)")])
        headers.add(name: "X-Port", value: "\(context.channel.remoteAddress?.port ?? 0)")
        headers.add(name: "X-Token", value: head.headers.first(name: "authorization") ?? "")
        if head.uri == "/last" { headers.add(name: "Connection", value: "close") }
        let status: HTTPResponseStatus = head.uri == "/missing" ? .notFound : .ok
        context.write(wrapOutboundOut(.head(.init(version: .http1_1, status: status, headers: headers))), promise: nil)
        context.write(wrapOutboundOut(.body(.byteBuffer(text))), promise: nil)
        let done = context.writeAndFlush(wrapOutboundOut(.end(nil)))
        if head.uri == "/last" {
            let channel = context.channel
            done.whenComplete { _ in channel.close(promise: nil) }
        }
    }
}

@Suite("HTTP client")
struct HTTPClientTests {
    private func serving(_ body: (Int) async throws -> Void) async throws {
        let server = try await ServerBootstrap(group: MultiThreadedEventLoopGroup.singleton)
            .childChannelInitializer { channel in
                channel.eventLoop.makeCompletedFuture {
                    try channel.pipeline.syncOperations.configureHTTPServerPipeline()
                    try channel.pipeline.syncOperations.addHandler(EchoHandler())
                }
            }
            .bind(host: "127.0.0.1", port: 0).get()
        try await body(server.localAddress?.port ?? 0)
        try await server.close()
    }

    private func client(_ port: Int, timeout: Int64 = 5_000, most: Int = 1024) -> HTTPClient {
        HTTPClient(
            host: "127.0.0.1", port: port, group: MultiThreadedEventLoopGroup.singleton, timeoutMilliseconds: timeout,
            mostBodyBytes: most)
    }

    private func fault(_ client: HTTPClient, _ path: String) async -> HTTPClientFault? {
        do {
            _ = try await client.request("GET", path)
            return nil
        } catch {
            return error
        }
    }

    @Test("requests go one after the other over one kept connection, with status, headers and body")
    func keptConnection() async throws {
        try await serving { port in
            let client = client(port)
            let first = try await client.request(
                "POST", "/a", headers: [("Authorization", "Bearer t")], body: Array("hello".utf8))
            #expect(first.status == 200)
            #expect(String(decoding: first.body, as: UTF8.self) == "POST /a hello")
            #expect(first.header("X-Token") == "Bearer t")
            let missing = try await client.request("GET", "/missing")
            #expect(missing.status == 404)
            #expect(missing.header("x-port") == first.header("x-port"))
            try await withThrowingTaskGroup(of: String.self) { group in
                for number in 0..<20 {
                    group.addTask {
                        String(decoding: try await client.request("GET", "/\(number)").body, as: UTF8.self)
                    }
                }
                var answers: Set<String> = []
                for try await answer in group { answers.insert(answer) }
                #expect(answers.count == 20)
            }
            await client.close()
        }
    }

    @Test("a connection that the server ends after its reply is followed by a new one")
    func connectionClose() async throws {
        try await serving { port in
            let client = client(port)
            let last = try await client.request("GET", "/last")
            let next = try await client.request("GET", "/next")
            #expect(last.header("x-port") != next.header("x-port"))
            await client.close()
        }
    }

    @Test("a refused connection, a silent server, a hang-up and a reply too large are told apart")
    func faults() async throws {
        try await serving { port in
            #expect(await fault(client(port), "/hangup") == .closed)
            #expect(await fault(client(port, timeout: 50), "/silent") == .timedOut)
            #expect(await fault(client(port, most: 3), "/long") == .tooLarge(limit: 3))
        }
        let free = try await ServerBootstrap(group: MultiThreadedEventLoopGroup.singleton).bind(
            host: "127.0.0.1", port: 0
        ).get()
        let port = free.localAddress?.port ?? 0
        try await free.close()
        #expect(await fault(client(port), "/") == .refused)
    }

    @Test("after a fault the client connects anew")
    func afterFault() async throws {
        try await serving { port in
            let client = client(port)
            #expect(await fault(client, "/hangup") == .closed)
            let again = try await client.request("GET", "/again")
            #expect(again.status == 200)
            await client.close()
        }
    }
}
