package import Hummingbird
internal import HummingbirdCore
package import Logging
internal import NIOCore
internal import ServiceLifecycle

/// Why the server could not begin.
package enum HTTPServerFault: Error, Equatable, Sendable, CustomStringConvertible {
    case addressInUse(host: String, port: Int)
    case cannotBind(host: String, port: Int, reason: String)

    package var description: String {
        switch self {
        case .addressInUse(let host, let port):
            "HTTP: \(host) port \(port) is in use by another process; end that one or set another http.port"
        case .cannotBind(let host, let port, let reason): "HTTP: cannot listen on \(host) port \(port): \(reason)"
        }
    }
}

/// The one HTTP server of a side, run under ServiceLifecycle. A graceful shutdown ends requests under way first.
package struct HTTPServer: Service {
    private let responder: RouterResponder<BasicRequestContext>
    private let settings: HTTPSettings
    private let logger: Logger
    private let onBound: @Sendable (_ port: Int) -> Void

    /// `onBound` tells the port that was taken (another one than in the settings only when that is 0).
    package init(
        router: Router<BasicRequestContext>, settings: HTTPSettings, logger: Logger,
        onBound: @escaping @Sendable (_ port: Int) -> Void = { _ in }
    ) {
        responder = router.buildResponder()
        self.settings = settings
        self.logger = logger
        self.onBound = onBound
    }

    package func run() async throws {
        let application = Application(
            responder: responder,
            server: .http1(
                configuration: .init(
                    idleTimeout: .seconds(Int64(settings.idleSeconds)),
                    httpDecoderConfiguration: .init(
                        maxHeaderFieldSize: 16 * 1024, maxHeaderListSize: 32 * 1024, maxHeaderFieldCount: 100))),
            configuration: ApplicationConfiguration(
                address: .hostname(settings.host, port: settings.port), serverName: "baton",
                availableConnectionsDelegate: MaximumAvailableConnections(settings.mostConnections, logger: logger)),
            onServerRunning: { [onBound, settings] channel in onBound(channel.localAddress?.port ?? settings.port) },
            logger: logger)
        do {
            try await application.run()
        } catch let error as IOError where error.errnoCode == Self.addressInUse {
            throw HTTPServerFault.addressInUse(host: settings.host, port: settings.port)
        } catch let error as IOError {
            throw HTTPServerFault.cannotBind(host: settings.host, port: settings.port, reason: error.description)
        }
    }

    /// EADDRINUSE of Linux.
    private static let addressInUse: CInt = 98
}

package struct HTTPSettings: Hashable, Sendable {
    package var host: String
    /// 0 takes any free port.
    package var port: Int
    /// Needed for `/v1/*` when set.
    package var bearerToken: String?
    package var mostConnections = 4096
    /// A connection without traffic for so long is closed.
    package var idleSeconds = 60

    package init(host: String = "127.0.0.1", port: Int, bearerToken: String? = nil) {
        self.host = host
        self.port = port
        self.bearerToken = bearerToken
    }
}
