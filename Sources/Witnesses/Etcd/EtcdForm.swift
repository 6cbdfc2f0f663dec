internal import NIOCore
internal import NIOHTTP1
internal import NIOSSL

/// What the gateway said, whole.
struct EtcdReply: Sendable, Equatable {
    var status: Int
    var body: [UInt8]
}

/// A transaction over one HTTP/1.1 connection, in TLS where the members speak it.
struct EtcdForm: ExchangeForm {
    typealias Answer = EtcdReply

    /// Longest answer. A register's is under 3,000 bytes.
    static let mostBodyBytes = 65_536

    let member: WitnessMember
    let body: [UInt8]
    let tls: EtcdTLS?

    var waitsForTLS: Bool { tls != nil }

    func addHandlers(to pipeline: ChannelPipeline.SynchronousOperations) throws {
        if let tls { try pipeline.addHandler(tls.handler(for: member)) }
        try pipeline.addHTTPClientHandlers()
        try pipeline.addHandler(EtcdReplyCollector())
    }

    func ask(_ context: ChannelHandlerContext) {
        var head = HTTPRequestHead(version: .http1_1, method: .POST, uri: "/v3/kv/txn")
        head.headers = [
            "Host": "\(member)", "Content-Type": "application/json", "Content-Length": String(body.count),
            "Connection": "close",
        ]
        context.write(NIOAny(HTTPClientRequestPart.head(head)), promise: nil)
        context.write(NIOAny(HTTPClientRequestPart.body(.byteBuffer(ByteBuffer(bytes: body)))), promise: nil)
        context.writeAndFlush(NIOAny(HTTPClientRequestPart.end(nil)), promise: nil)
    }
}

private final class EtcdReplyCollector: ChannelInboundHandler {
    typealias InboundIn = HTTPClientResponsePart
    typealias InboundOut = EtcdReply

    private var reply: EtcdReply?

    func channelRead(context: ChannelHandlerContext, data: NIOAny) {
        switch unwrapInboundIn(data) {
        case .head(let head): reply = EtcdReply(status: Int(head.status.code), body: [])
        case .body(let part):
            guard let length = reply?.body.count, length + part.readableBytes <= EtcdForm.mostBodyBytes else {
                reply = nil
                return context.fireErrorCaught(
                    WitnessFault.unknown("its answer is larger than \(EtcdForm.mostBodyBytes) bytes"))
            }
            reply?.body.append(contentsOf: part.readableBytesView)
        case .end:
            guard let reply else { return }
            self.reply = nil
            context.fireChannelRead(wrapInboundOut(reply))
        }
    }

    func errorCaught(context: ChannelHandlerContext, error: any Error) {
        guard error is HTTPParserError else { return context.fireErrorCaught(error) }
        context.fireErrorCaught(WitnessFault.unknown("its answer is no HTTP, or was cut off: \(error)"))
    }
}

/// What proves the members to this side, and this side to them. Read once.
package struct EtcdTLS: Sendable {
    private let context: NIOSSLContext

    /// Why the files cannot be used.
    package struct Fault: Error, Hashable, Sendable, CustomStringConvertible {
        package let description: String
    }

    /// PEM files. Without `trust` the host's own list of authorities decides; without `certificate` and `key` this side
    /// shows none.
    package init(trust: String?, certificate: String?, key: String?) throws(Fault) {
        var configuration = TLSConfiguration.makeClientConfiguration()
        configuration.minimumTLSVersion = .tlsv12
        if let trust {
            configuration.trustRoots = .certificates(
                try Self.read(trust, "certificates") { try NIOSSLCertificate.fromPEMFile($0) })
        }
        if let certificate, let key {
            configuration.certificateChain = try Self.read(certificate, "certificates") { path in
                try NIOSSLCertificate.fromPEMFile(path).map { .certificate($0) }
            }
            configuration.privateKey = try Self.read(key, "a private key without a passphrase") { path in
                .privateKey(try NIOSSLPrivateKey(file: path, format: .pem))
            }
        }
        do {
            context = try NIOSSLContext(configuration: configuration)
        } catch {
            let files = [certificate, key].compactMap { $0 }.joined(separator: " and ")
            throw Fault(description: "TLS to etcd cannot be used with \(files): do they belong together? (\(error))")
        }
    }

    private static func read<Content>(
        _ path: String, _ what: String, _ read: (String) throws -> Content
    ) throws(Fault) -> Content {
        do {
            return try read(path)
        } catch {
            throw Fault(description: "\(path) does not hold \(what) in PEM form (\(error))")
        }
    }

    /// The member must show a certificate for the name, or the address, that the configuration gives it.
    func handler(for member: WitnessMember) throws -> NIOSSLClientHandler {
        try NIOSSLClientHandler(context: context, serverHostname: member.isAddress ? nil : member.host)
    }
}

extension WitnessMember {
    /// An address is not sent as a server name; the certificate must then name the peer's address.
    fileprivate var isAddress: Bool { (try? SocketAddress(ipAddress: host, port: port)) != nil }
}
