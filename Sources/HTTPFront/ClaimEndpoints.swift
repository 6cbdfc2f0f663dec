internal import CallModel
internal import PeripheralGateway
internal import StrictJSON

/// What ACDs, VRUs and voice bots ask: reservations and claims.
struct ClaimEndpoints: Sendable {
    let desk: ClaimDesk

    var all: [Endpoint] {
        [
            Endpoint(.post, "/v1/reservations") { (exchange) async throws(Problem) in try await reserve(exchange) },
            Endpoint(.delete, "/v1/reservations/{id}") { (exchange) async throws(Problem) in try await release(exchange)
            },
            Endpoint(.post, "/v1/claims") { (exchange) async throws(Problem) in
                try await claim(try Self.claimRequest(in: exchange.document()))
            },
            Endpoint(.get, "/v1/claims") { (exchange) async throws(Problem) in
                try await claim(try Self.claimRequest(inQuery: exchange.query))
            },
        ]
    }

    private func reserve(_ exchange: Exchange) async throws(Problem) -> Reply {
        let reader = try ObjectReader(
            exchange.document(),
            known: ["translationRoute", "callID", "requestID", "routingClient", "context", "target", "leaseSeconds"])
        let request = ReservationRequest(
            translationRoute: try reader.required("translationRoute"), callID: try reader.required("callID"),
            requestID: try reader.checked("requestID"), routingClient: try reader.checked("routingClient"),
            context: try reader.context(), target: try reader.checked("target"),
            leaseSeconds: try reader.number("leaseSeconds", ClaimDesk.leaseSecondsRange))
        let answer: ReservationAnswer
        do {
            answer = try await desk.reserve(request)
        } catch {
            throw Problem(error)
        }
        return try .json(ReservationBody(answer), status: 201)
    }

    private func release(_ exchange: Exchange) async throws(Problem) -> Reply {
        let id = try exchange.parameter("id") { (text) throws(FieldFault) in try ReservationID(parsing: text) }
        let answer: ReleaseAnswer
        do {
            answer = try await desk.release(id)
        } catch {
            throw Problem(error)
        }
        return try .json(ReleaseBody(answer))
    }

    private func claim(_ request: ClaimRequest) async throws(Problem) -> Reply {
        let answer: ClaimAnswer
        do {
            answer = try await desk.claim(request)
        } catch {
            throw Problem(error)
        }
        return try .json(ClaimBody(answer))
    }

    private static let claimFields = ["peripheral", "trunkGroup", "dnis", "callID", "ani"]

    private static func claimRequest(in document: JSONValue) throws(Problem) -> ClaimRequest {
        let reader = try ObjectReader(document, known: claimFields)
        return ClaimRequest(
            key: TranslationRouteKey(
                peripheral: try reader.required("peripheral"), trunkGroup: try reader.required("trunkGroup"),
                dnis: try reader.required("dnis")),
            callID: try reader.required("callID"), ani: try reader.text("ani"))
    }

    private static func claimRequest(inQuery query: String?) throws(Problem) -> ClaimRequest {
        let reader = try QueryReader(query, known: claimFields)
        return ClaimRequest(
            key: TranslationRouteKey(
                peripheral: try reader.required("peripheral"), trunkGroup: try reader.required("trunkGroup"),
                dnis: try reader.required("dnis")),
            callID: try reader.required("callID"), ani: reader.text("ani"))
    }
}
