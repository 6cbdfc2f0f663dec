package import CallModel
package import CallRouter
internal import PeripheralGateway

/// What the HTTP contract needs of the CallRouter.
package protocol RouteService: Sendable {
    func route(_ request: RouteRequest) async throws(RouteRefusal) -> RouteAnswer
    func transfer(_ request: TransferRequest) async throws(RouteRefusal) -> RouteAnswer
    func abandon(_ dialog: DialogID) async throws(RouteRefusal) -> AbandonAnswer
}

extension CallRouter: RouteService {}

/// What routing clients ask: routes, transfers, and that the caller is gone.
struct RouteEndpoints: Sendable {
    let routes: any RouteService

    private static let deadlineRange: ClosedRange<UInt32> = 1...60_000

    var all: [Endpoint] {
        [
            Endpoint(.post, "/v1/routes") { (exchange) async throws(Problem) in try await route(exchange) },
            Endpoint(.delete, "/v1/dialogs/{id}") { (exchange) async throws(Problem) in try await abandon(exchange) },
            Endpoint(.post, "/v1/transfers") { (exchange) async throws(Problem) in try await transfer(exchange) },
        ]
    }

    private func route(_ exchange: Exchange) async throws(Problem) -> Reply {
        let reader = try ObjectReader(
            exchange.document(),
            known: [
                "routingClient", "dialedNumber", "callID", "requestID", "customer", "nicCallID", "deadlineMilliseconds",
                "context",
            ])
        let request = RouteRequest(
            routingClient: try reader.requiredText("routingClient"),
            dialedNumber: try reader.requiredText("dialedNumber"),
            callID: try reader.required("callID"), requestID: try reader.checked("requestID"),
            customer: try reader.checked("customer"), nicCallID: try reader.text("nicCallID"),
            deadlineMilliseconds: try reader.number("deadlineMilliseconds", Self.deadlineRange),
            context: try reader.context())
        return try await answer { () async throws(RouteRefusal) in try await routes.route(request) }
    }

    private func transfer(_ exchange: Exchange) async throws(Problem) -> Reply {
        let reader = try ObjectReader(
            exchange.document(),
            known: [
                "peripheral", "agent", "dialedNumber", "callID", "requestID", "kind", "postRoute",
                "deadlineMilliseconds",
                "context",
            ])
        let kindText = try reader.requiredText("kind")
        guard let kind = TransferKind(rawValue: kindText) else {
            throw Problem(.syntax, "kind is local or network", field: "kind")
        }
        let request = TransferRequest(
            peripheral: try reader.requiredText("peripheral"), agent: try reader.requiredText("agent"),
            dialedNumber: try reader.requiredText("dialedNumber"), callID: try reader.required("callID"),
            requestID: try reader.checked("requestID"), kind: kind, postRoute: try reader.flag("postRoute") ?? false,
            deadlineMilliseconds: try reader.number("deadlineMilliseconds", Self.deadlineRange),
            context: try reader.context())
        return try await answer { () async throws(RouteRefusal) in try await routes.transfer(request) }
    }

    private func abandon(_ exchange: Exchange) async throws(Problem) -> Reply {
        let dialog = try exchange.parameter("id") { (text) throws(FieldFault) in try DialogID(parsing: text) }
        let answer: AbandonAnswer
        do {
            answer = try await routes.abandon(dialog)
        } catch {
            throw Problem(error)
        }
        return try .json(AbandonBody(answer))
    }

    private func answer(
        _ ask: @Sendable () async throws(RouteRefusal) -> RouteAnswer
    ) async throws(Problem) -> Reply {
        let answer: RouteAnswer
        do {
            answer = try await ask()
        } catch {
            throw Problem(error)
        }
        return try .json(RouteBody(answer))
    }
}

extension Problem {
    init(_ refusal: RouteRefusal) {
        switch refusal {
        case .unknown(let field, let name, let nearest):
            self = .unknown(field: field, name: name, nearest: nearest)
        case .refused(let reason): self.init(.refused, reason)
        case .limit(let fault): self.init(fault)
        case .conflict: self.init(.conflict, refusal.description, field: "requestID")
        case .unavailable(let reason): self.init(.unavailable, reason, retryAfterSeconds: 1)
        case .busy(let reason): self.init(.busy, reason, retryAfterSeconds: 1)
        }
    }
}
