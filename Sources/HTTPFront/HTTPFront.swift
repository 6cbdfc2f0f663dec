package import Console
package import Hummingbird
package import PeripheralGateway

/// The HTTP contract whole (DESIGN.md, contracts; `Schemas/openapi.yaml`) over the three services. Requests are parsed
/// strictly at this edge; what they mean is the services' business.
package struct HTTPFront: Sendable {
    /// Every method of every path, in the contract's order.
    let endpoints: [Endpoint]
    private let token: BearerToken?
    private let refusals = RefusalCounters()

    package init(
        routes: any RouteService, desk: ClaimDesk, console: Console,
        gateways: @escaping @Sendable () async -> [GatewayStatus], settings: HTTPSettings
    ) {
        endpoints =
            RouteEndpoints(routes: routes).all + ClaimEndpoints(desk: desk).all
            + InspectionEndpoints(console: console, gateways: gateways, refusals: refusals).all
        token = settings.bearerToken.map { BearerToken($0) }
    }

    /// A router with the contract's paths on it. Others may add theirs before the server is made of it.
    package func router() -> Router<BasicRequestContext> {
        FrontRouter(endpoints: endpoints, token: token, refusals: refusals).router()
    }
}
