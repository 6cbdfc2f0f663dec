package import NIOCore
internal import NIOHTTP1
internal import NIOPosix

package struct HTTPReply: Sendable {
    package let status: Int
    /// Names in lower case.
    package let headers: [(name: String, value: String)]
    package let body: [UInt8]

    package func header(_ name: String) -> String? {
        let wanted = name.lowercased()
        return headers.first { $0.name == wanted }?.value
    }
}

package enum HTTPClientFault: Error, Hashable, Sendable, CustomStringConvertible {
    case refused
    /// Connecting or the reply took too long; whether the server acted is unknown in the second case.
    case timedOut
    /// The connection ended before the whole reply; whether the server acted is unknown.
    case closed
    case tooLarge(limit: Int)
    /// The server's bytes are no HTTP.
    case malformed(String)
    case other(String)

    package var description: String {
        switch self {
        case .refused: "connection refused"
        case .timedOut: "timed out"
        case .closed: "the connection was closed before the reply"
        case .tooLarge(let limit): "the reply is larger than \(limit) bytes"
        case .malformed(let what): "the reply is no HTTP: \(what)"
        case .other(let what): what
        }
    }

    init(_ error: any Error) {
        switch error {
        case let fault as HTTPClientFault: self = fault
        case let error as HTTPParserError: self = .malformed("\(error)")
        default:
            switch ConnectionFault(error) {
            case .refused: self = .refused
            case .timedOut: self = .timedOut
            case .closed: self = .closed
            case .addressInUse: self = .other("the address is in use")
            case .other(let what): self = .other(what)
            }
        }
    }
}

/// A small HTTP/1.1 client over one kept connection, for the command line and the benchmark. Requests on one client
/// go one after the other; for more at once use more clients. Nothing is sent twice: when a kept connection turns out
/// to be dead, the request that met it throws `closed`.
package actor HTTPClient {
    private let host: String
    private let port: Int
    private let group: any EventLoopGroup
    private let timeoutMilliseconds: Int64
    private let mostBodyBytes: Int

    private var connection: Connection?
    private var isBusy = false
    private var queue: [CheckedContinuation<Void, Never>] = []

    private struct Connection {
        let channel: any Channel
        let exchange: NIOLoopBound<HTTPExchangeHandler>
    }

    package init(
        host: String, port: Int, group: any EventLoopGroup, timeoutMilliseconds: Int64 = 10_000,
        mostBodyBytes: Int = 16 * 1024 * 1024
    ) {
        self.host = host
        self.port = port
        self.group = group
        self.timeoutMilliseconds = timeoutMilliseconds
        self.mostBodyBytes = mostBodyBytes
    }

    /// `Host` and `Content-Length` are added. `path` includes the query, percent-encoded.
    package func request(
        _ method: String, _ path: String, headers: [(String, String)] = [], body: [UInt8] = []
    ) async throws(HTTPClientFault) -> HTTPReply {
        await takeTurn()
        defer { passTurn() }
        do {
            let connection = try await connected()
            var head = HTTPRequestHead(version: .http1_1, method: HTTPMethod(rawValue: method), uri: path)
            head.headers = HTTPHeaders(headers)
            head.headers.replaceOrAdd(name: "Host", value: "\(host):\(port)")
            if !body.isEmpty || method == "POST" || method == "PUT" {
                head.headers.replaceOrAdd(name: "Content-Length", value: String(body.count))
            }
            let timeout = TimeAmount.milliseconds(timeoutMilliseconds)
            let (exchange, requestHead, loop) = (connection.exchange, head, connection.channel.eventLoop)
            let reply = try await loop.flatSubmit {
                exchange.value.begin(requestHead, body: body, timeout: timeout, on: loop)
            }.get()
            if !connection.channel.isActive { self.connection = nil }
            return reply
        } catch {
            connection?.channel.close(promise: nil)
            connection = nil
            throw HTTPClientFault(error)
        }
    }

    package func close() async {
        let channel = connection?.channel
        connection = nil
        // Already closed is as good.
        try? await channel?.close()
    }

    private func takeTurn() async {
        guard isBusy else {
            isBusy = true
            return
        }
        await withCheckedContinuation { queue.append($0) }
    }

    private func passTurn() {
        if queue.isEmpty { isBusy = false } else { queue.removeFirst().resume() }
    }

    private func connected() async throws -> Connection {
        if let connection, connection.channel.isActive { return connection }
        let most = mostBodyBytes
        let channel = try await ClientBootstrap(group: group)
            .connectTimeout(.milliseconds(timeoutMilliseconds))
            .channelOption(ChannelOptions.tcpOption(.tcp_nodelay), value: 1)
            .channelInitializer { channel in
                channel.eventLoop.makeCompletedFuture {
                    try channel.pipeline.syncOperations.addHTTPClientHandlers()
                    try channel.pipeline.syncOperations.addHandler(HTTPExchangeHandler(mostBodyBytes: most))
                }
            }
            .connect(host: host, port: port).get()
        let exchange = try await channel.eventLoop.submit {
            NIOLoopBound(
                try channel.pipeline.syncOperations.handler(type: HTTPExchangeHandler.self),
                eventLoop: channel.eventLoop)
        }.get()
        let made = Connection(channel: channel, exchange: exchange)
        connection = made
        return made
    }
}

/// One request and its reply on a connection, with one time limit.
private final class HTTPExchangeHandler: ChannelInboundHandler {
    typealias InboundIn = HTTPClientResponsePart
    typealias OutboundOut = HTTPClientRequestPart

    private let mostBodyBytes: Int
    private var context: ChannelHandlerContext?
    private var promise: EventLoopPromise<HTTPReply>?
    private var timer: Scheduled<Void>?
    private var head: HTTPResponseHead?
    private var body: [UInt8] = []

    init(mostBodyBytes: Int) { self.mostBodyBytes = mostBodyBytes }

    func handlerAdded(context: ChannelHandlerContext) { self.context = context }

    func handlerRemoved(context: ChannelHandlerContext) {
        self.context = nil
        finish(.failure(HTTPClientFault.closed))
    }

    func begin(
        _ request: HTTPRequestHead, body: [UInt8], timeout: TimeAmount, on loop: any EventLoop
    ) -> EventLoopFuture<HTTPReply> {
        // The server may have closed a kept connection a moment ago.
        guard let context, context.channel.isActive else { return loop.makeFailedFuture(HTTPClientFault.closed) }
        let promise = context.eventLoop.makePromise(of: HTTPReply.self)
        self.promise = promise
        timer = context.eventLoop.assumeIsolated().scheduleTask(in: timeout) {
            self.fail(HTTPClientFault.timedOut)
        }
        context.write(wrapOutboundOut(.head(request)), promise: nil)
        if !body.isEmpty {
            context.write(wrapOutboundOut(.body(.byteBuffer(ByteBuffer(bytes: body)))), promise: nil)
        }
        context.writeAndFlush(wrapOutboundOut(.end(nil)), promise: nil)
        return promise.futureResult
    }

    func channelRead(context: ChannelHandlerContext, data: NIOAny) {
        switch unwrapInboundIn(data) {
        case .head(let head): self.head = head
        case .body(let part):
            guard body.count + part.readableBytes <= mostBodyBytes else {
                return fail(HTTPClientFault.tooLarge(limit: mostBodyBytes))
            }
            body.append(contentsOf: part.readableBytesView)
        case .end:
            guard let head else { return }
            let headers = head.headers.map { (name: $0.name.lowercased(), value: $0.value) }
            let reply = HTTPReply(status: Int(head.status.code), headers: headers, body: body)
            let keepAlive = head.isKeepAlive
            let waiting = takePromise()
            // Closed before the caller hears of it, so that the next request finds no dying connection.
            if !keepAlive { context.close(promise: nil) }
            waiting?.succeed(reply)
        }
    }

    func channelInactive(context: ChannelHandlerContext) {
        finish(.failure(HTTPClientFault.closed))
        context.fireChannelInactive()
    }

    func errorCaught(context: ChannelHandlerContext, error: any Error) { fail(error) }

    private func fail(_ error: any Error) {
        finish(.failure(error))
        context?.close(promise: nil)
    }

    private func finish(_ result: Result<HTTPReply, any Error>) { takePromise()?.completeWith(result) }

    private func takePromise() -> EventLoopPromise<HTTPReply>? {
        timer?.cancel()
        timer = nil
        head = nil
        body = []
        defer { promise = nil }
        return promise
    }
}
