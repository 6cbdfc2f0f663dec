internal import CallModel
internal import Console
internal import Ledger
internal import PeripheralGateway
internal import ReplicatedLedger

/// What operators and their tools ask. Nothing here consumes anything; only an order about the pair changes something.
struct InspectionEndpoints: Sendable {
    let console: Console
    let gateways: @Sendable () async -> [GatewayStatus]
    let refusals: RefusalCounters

    var all: [Endpoint] {
        [
            Endpoint(.get, "/v1/translation-routes") { (exchange) async throws(Problem) in
                _ = try QueryReader(exchange.query, known: [])
                return try await reply { () async throws(ConsoleFault) in try await console.translationRoutes() }
            },
            Endpoint(.get, "/v1/contexts") { (exchange) async throws(Problem) in try await contexts(exchange) },
            Endpoint(.get, "/v1/dialogs") { (exchange) async throws(Problem) in try await dialogs(exchange) },
            Endpoint(.get, "/v1/gateways") { (exchange) async throws(Problem) in
                _ = try QueryReader(exchange.query, known: [])
                return try .json(GatewayList(gateways: await gateways()))
            },
            Endpoint(.get, "/v1/journeys/{call}") { (exchange) async throws(Problem) in
                _ = try QueryReader(exchange.query, known: [])
                let call = exchange.parameters["call"] ?? ""
                return try await reply { () async throws(ConsoleFault) in try await console.journey(call) }
            },
            Endpoint(.get, "/v1/pair") { (exchange) async throws(Problem) in
                _ = try QueryReader(exchange.query, known: [])
                return try await reply { () async throws(ConsoleFault) in try await console.pair() }
            },
            Endpoint(.post, "/v1/pair") { (exchange) async throws(Problem) in try await order(exchange) },
            Endpoint(.get, "/healthz") { (_) async throws(Problem) in try .json(Health(healthy: true)) },
            Endpoint(.get, "/readyz") { (_) async throws(Problem) in try await readiness() },
            Endpoint(.get, "/metrics") { (_) async throws(Problem) in try await metrics() },
        ]
    }

    private func contexts(_ exchange: Exchange) async throws(Problem) -> Reply {
        let reader = try QueryReader(
            exchange.query, known: ["state", "translationRoute", "limit", "after", "personal"])
        var query = ContextQuery()
        if let state = reader.text("state") {
            query.state = try Self.state(state, among: EntryState.allCases.filter { $0 != .free })
        }
        query.translationRoute = try reader.checked("translationRoute")
        query.limit = try reader.number("limit", 1...Console.mostPerPage, default: query.limit)
        query.after = reader.text("after")
        query.isPersonal = try reader.flag("personal")
        if query.isPersonal && !exchange.hasToken {
            throw Problem(
                .refused, "personal values are shown only to callers with the bearer token, and none is configured",
                field: "personal")
        }
        return try await reply { [query] () async throws(ConsoleFault) in try await console.contexts(query) }
    }

    private func dialogs(_ exchange: Exchange) async throws(Problem) -> Reply {
        let reader = try QueryReader(exchange.query, known: ["state", "limit", "after"])
        var query = DialogQuery()
        if let state = reader.text("state") { query.state = try Self.state(state, among: DialogState.allCases) }
        query.limit = try reader.number("limit", 1...Console.mostPerPage, default: query.limit)
        query.after = reader.text("after")
        return try await reply { [query] () async throws(ConsoleFault) in try await console.dialogs(query) }
    }

    /// Nil for `any`.
    private static func state<State: CustomStringConvertible>(
        _ name: String, among states: [State]
    ) throws(Problem) -> State? {
        if name == "any" { return nil }
        if let state = states.first(where: { $0.description == name }) { return state }
        throw Problem(
            .syntax, "state is one of \(states.map(\.description).joined(separator: ", ")), any", field: "state")
    }

    /// An operator's order about the pair.
    private func order(_ exchange: Exchange) async throws(Problem) -> Reply {
        let reader = try ObjectReader(exchange.document(), known: ["order", "acceptDataLoss"])
        let name = try reader.text("order") ?? ""
        guard let order = Self.orders[name] else {
            throw Problem(
                .syntax, "order is one of \(Self.orders.keys.sorted().joined(separator: ", "))", field: "order")
        }
        if order == .force, try reader.flag("acceptDataLoss") != true {
            throw Problem(
                .refused,
                "what only the other side acknowledged is lost by this: say acceptDataLoss when it is powered off",
                field: "acceptDataLoss")
        }
        return try await reply { () async throws(ConsoleFault) in try await console.order(order) }
    }

    private static let orders: [String: PairOrder] = [
        "switch": .switchSides, "initialise": .initialise, "force": .force,
    ]

    private func readiness() async throws(Problem) -> Reply {
        let side: SideValues
        do {
            side = try await console.side()
        } catch {
            throw Problem(error)
        }
        if let why = side.notServing { throw Problem(.unavailable, why, retryAfterSeconds: 1) }
        return try .json(Readiness(ready: true, state: side.state, busy: side.busy))
    }

    private func metrics() async throws(Problem) -> Reply {
        let links = await gateways()
        let text: String
        do {
            text = try await console.metrics(gateways: links)
        } catch {
            throw Problem(error)
        }
        return Reply(text: text + refusals.metrics, contentType: "text/plain; version=0.0.4; charset=utf-8")
    }

    private func reply<Value: Encodable>(
        _ ask: @Sendable () async throws(ConsoleFault) -> Value
    ) async throws(Problem) -> Reply {
        let value: Value
        do {
            value = try await ask()
        } catch {
            throw Problem(error)
        }
        return try .json(value)
    }

    private struct Health: Encodable {
        var healthy: Bool
    }

    private struct Readiness: Encodable {
        var ready: Bool
        var state: String
        var busy: String?
    }
}

extension Problem {
    init(_ fault: ConsoleFault) {
        switch fault {
        case .unavailable(let reason): self.init(.unavailable, reason, retryAfterSeconds: 1)
        case .unknown(let field, let name):
            self.init(.unknown, "nothing is kept of \(field) \(name) (any more)", field: field)
        case .field(let fault): self.init(fault)
        case .broken(let reason): self.init(.unavailable, reason, status: 500)
        }
    }
}
