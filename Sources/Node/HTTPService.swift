internal import CallRouter
internal import Console
internal import HTTPFront
internal import Logging
internal import PeripheralGateway
internal import ServiceLifecycle

/// The side's one HTTP server, running.
struct HTTPService: Sendable {
    let port: Int
    private let services: ServiceGroup
    private let run: Task<Void, any Error>

    /// Returns when it listens. Throws a ``SideFault`` when it cannot.
    static func start(
        host: String, port: Int, bearerToken: String?, router: CallRouter, desk: ClaimDesk, console: Console,
        gateways: @escaping @Sendable () async -> [GatewayStatus], logger: Logger
    ) async throws(SideFault) -> HTTPService {
        let settings = HTTPSettings(host: host, port: port, bearerToken: bearerToken)
        let front = HTTPFront(routes: router, desk: desk, console: console, gateways: gateways, settings: settings)
        let bound = AsyncStream.makeStream(of: Int.self)
        let server = HTTPServer(router: front.router(), settings: settings, logger: logger) { port in
            bound.continuation.yield(port)
            bound.continuation.finish()
        }
        let services = ServiceGroup(services: [server], logger: logger)
        let run = Task {
            defer { bound.continuation.finish() }
            try await services.run()
        }
        for await port in bound.stream { return HTTPService(port: port, services: services, run: run) }
        if case .failure(let error) = await run.result { throw SideFault("\(error)") }
        throw SideFault("HTTP: the server ended before it listened")
    }

    /// Requests under way are answered first.
    func stop() async {
        await services.triggerGracefulShutdown()
        _ = await run.result
    }
}
