import CallModel
import Ledger
import LedgerDouble
import ReplicatedLedger
import Testing

@testable import CallRouter
@testable import HTTPFront

private func routeAnswer(repeated: Bool = false, reservation: Bool = true) throws -> RouteAnswer {
    var context = CallContext()
    context.ani = "+4989123456"
    context.ecc[ECCName(unchecked: "user.account")] = .scalar("DE44-1")
    let key = TranslationRouteKey(
        peripheral: PeripheralName(unchecked: "insurance-acd"), trunkGroup: TrunkGroupName(unchecked: "tg-1"),
        dnis: DNIS(unchecked: "8001"))
    return RouteAnswer(
        label: Label(unchecked: "95558001", type: .normal), dialog: DialogID(LogSequence(17)),
        callKey: try CallKey(parsing: "bank-20779-17"), callKeySequence: 0, source: .gateway, context: context,
        reservation: reservation
            ? Arrival(
                reservation: ReservationID(LogSequence(12)), key: key,
                expiresAt: WallTime(milliseconds: 1_795_000_000_000)) : nil,
        repeated: repeated, reason: nil)
}

@Suite struct RouteContractTests {
    static let request = """
        {"routingClient":"carrier","dialedNumber":"0800555001","callID":"4f1d-1","requestID":"r-1","customer":"retail",\
        "nicCallID":"n-1","deadlineMilliseconds":900,"context":\(TestFront.context)}
        """

    @Test("a route is answered with label, dialog, call key, source, context and where the call will arrive")
    func routes() async throws {
        try await TestFront.run { front in
            front.routes.answer(with: .success(try routeAnswer()))
            let answer = try await front.post("/v1/routes", Self.request)
            #expect(answer.status == 200)
            #expect(
                answer.text == """
                    {"label":"95558001","labelType":"normal","dialog":"D17","callKey":"bank-20779-17","source":"gateway",\
                    "context":{"ani":"+4989123456","variables":{},"ecc":{"user.account":"DE44-1"}},\
                    "reservation":{"id":"R12","peripheral":"insurance-acd","trunkGroup":"tg-1","dnis":"8001",\
                    "generation":12,"expiresAt":"2026-11-18T11:06:40.000Z"}}
                    """)
            let asked = try #require(front.routes.routed.first)
            #expect(asked.routingClient == "carrier")
            #expect(asked.dialedNumber == "0800555001")
            #expect(asked.requestID?.text == "r-1")
            #expect(asked.customer?.text == "retail")
            #expect(asked.nicCallID == "n-1")
            #expect(asked.deadlineMilliseconds == 900)
            #expect(asked.context[.variable(10)] == "ten")
            #expect(asked.context[.eccElement(ECCName(unchecked: "user.items"), 1)] == "b")
        }
    }

    @Test("a route asked again has the same body plus repeat")
    func repeats() async throws {
        try await TestFront.run { front in
            front.routes.answer(with: .success(try routeAnswer(reservation: false)))
            let first = try await front.post("/v1/routes", Self.request)
            front.routes.answer(with: .success(try routeAnswer(repeated: true, reservation: false)))
            let second = try await front.post("/v1/routes", Self.request)
            #expect(second.text == first.text.dropLast() + ",\"repeat\":true}")
        }
    }

    @Test(
        "every refusal of the CallRouter has its status and its stable code",
        arguments: [
            (RouteRefusal.unknown(field: "dialedNumber", name: "0801", nearest: "0800"), 404, "unknown"),
            (.refused(reason: "a network transfer across instances is refused"), 403, "refused"),
            (.limit(FieldFault(field: "dialedNumber", fault: .tooLong(bytes: 41, limit: 40))), 422, "limit"),
            (.limit(FieldFault(field: "dialedNumber", fault: .empty)), 400, "syntax"),
            (.conflict(first: LogSequence(3)), 409, "conflict"),
            (.unavailable(reason: "deadline"), 503, "unavailable"),
            (.busy(reason: "store behind"), 503, "busy"),
        ])
    func refuses(_ refusal: RouteRefusal, _ status: Int, _ code: String) async throws {
        try await TestFront.run { front in
            front.routes.answer(with: .failure(refusal))
            let answer = try await front.post("/v1/routes", Self.request)
            #expect(answer.status == status)
            #expect(answer["code"] == code)
            #expect(answer["status"] == String(status))
            #expect(answer.headers["content-type"] == "application/problem+json")
            #expect((answer.headers["retry-after"] != nil) == (status == 503))
        }
    }

    @Test(
        "a transfer carries agent, kind and the post-route flag; without the flag it is passed on as unset, to be refused"
    )
    func transfers() async throws {
        try await TestFront.run { front in
            front.routes.answer(with: .success(try routeAnswer()))
            let body = """
                {"peripheral":"bank-acd","agent":"1207","dialedNumber":"7901","callID":"4f1d-2","kind":"network"}
                """
            _ = try await front.post("/v1/transfers", body)
            _ = try await front.post("/v1/transfers", body.dropLast() + ",\"postRoute\":true}")
            let asked = front.routes.transferred
            #expect(asked.map(\.postRoute) == [false, true])
            #expect(asked[0].kind == .network)
            #expect(asked[0].agent == "1207")
        }
    }

    @Test("a transfer of another kind than local or network is refused")
    func refusesKind() async throws {
        try await TestFront.run { front in
            let answer = try await front.post(
                "/v1/transfers",
                #"{"peripheral":"bank-acd","agent":"1","dialedNumber":"7901","callID":"c","kind":"blind","postRoute":true}"#
            )
            #expect(answer.status == 400)
            #expect(answer["field"] == "kind")
        }
    }

    @Test("when the caller hangs up the dialog is closed, and the answer names what was released")
    func abandons() async throws {
        try await TestFront.run { front in
            front.routes.abandon(
                with: .success(
                    AbandonAnswer(
                        dialog: DialogID(LogSequence(17)), closed: true, reason: .abandoned,
                        released: ReservationID(LogSequence(12)))))
            let answer = try await front.delete("/v1/dialogs/D17")
            #expect(answer.status == 200)
            #expect(answer.text == #"{"dialog":"D17","closed":true,"reason":"abandoned","released":"R12"}"#)
            #expect(try await front.delete("/v1/dialogs/17").status == 400)
        }
    }
}

@Suite struct ReservationContractTests {
    @Test("a reservation is answered with 201 and everything of its entry")
    func reserves() async throws {
        try await TestFront.run { front in
            let answer = try await front.post("/v1/reservations", TestFront.reservation())
            #expect(answer.status == 201)
            #expect(answer["label"] == "95558001")
            #expect(answer["peripheral"] == "insurance-acd")
            #expect(answer["trunkGroup"] == "tg-1")
            #expect(answer["dnis"] == "8001")
            #expect(answer["id"] == "R" + (answer["generation"] ?? ""))
            #expect(answer["expiresAt"]?.hasSuffix("Z") == true)
            #expect(answer["repeat"] == nil)
        }
    }

    @Test("a reservation asked again has the same status and body plus repeat")
    func repeats() async throws {
        try await TestFront.run { front in
            let first = try await front.post("/v1/reservations", TestFront.reservation())
            let second = try await front.post("/v1/reservations", TestFront.reservation())
            #expect(second.status == 201)
            #expect(second.text == first.text.dropLast() + ",\"repeat\":true}")
        }
    }

    @Test("the same identity with another context is a conflict")
    func conflicts() async throws {
        try await TestFront.run { front in
            _ = try await front.post("/v1/reservations", TestFront.reservation())
            let answer = try await front.post(
                "/v1/reservations", TestFront.reservation().replacing("gold", with: "silver"))
            #expect(answer.status == 409)
            #expect(answer["code"] == "conflict")
        }
    }

    @Test("an exhausted pool says how many entries are held and when the next one falls free")
    func exhausts() async throws {
        try await TestFront.run(entries: 1) { front in
            _ = try await front.post("/v1/reservations", TestFront.reservation())
            let answer = try await front.post("/v1/reservations", TestFront.reservation(callID: "leg-2"))
            #expect(answer.status == 503)
            #expect(answer["code"] == "exhausted")
            #expect(answer["held"] == "1")
            #expect(answer["nextFreeAt"] == "2026-11-18T11:08:00.000Z")
            #expect(answer.headers["retry-after"] == "80")
        }
    }

    @Test("a reservation is released once; releasing again says so")
    func releases() async throws {
        try await TestFront.run { front in
            let id = try #require(try await front.post("/v1/reservations", TestFront.reservation())["id"])
            let first = try await front.delete("/v1/reservations/\(id)")
            #expect(first.status == 200)
            #expect(first.text == "{\"id\":\"\(id)\",\"released\":true,\"state\":\"released\"}")
            let second = try await front.delete("/v1/reservations/\(id)")
            #expect(second.text == first.text.dropLast() + ",\"repeat\":true}")
        }
    }

    @Test("an unknown reservation is unknown, and what is no reservation's id is a syntax error")
    func refusesIDs() async throws {
        try await TestFront.run { front in
            let unknown = try await front.delete("/v1/reservations/R999")
            #expect(unknown.status == 404)
            #expect(unknown["code"] == "unknown")
            let wrong = try await front.delete("/v1/reservations/999")
            #expect(wrong.status == 400)
            #expect(wrong["field"] == "reservation")
        }
    }

    @Test("busy and unavailable are 503 with Retry-After")
    func tellsBusy() async throws {
        try await TestFront.run { front in
            front.ledger.refuse { _ in .busy(reason: "the store is behind") }
            let busy = try await front.post("/v1/reservations", TestFront.reservation())
            #expect(busy.status == 503)
            #expect(busy["code"] == "busy")
            #expect(busy.headers["retry-after"] == "1")
            front.ledger.refuse { _ in .unavailable(reason: "deadline") }
            let unavailable = try await front.post("/v1/claims", TestFront.claim())
            #expect(unavailable.status == 503)
            #expect(unavailable["code"] == "unavailable")
        }
    }
}

@Suite struct ClaimContractTests {
    @Test("a claim gets outcome, call key, ultimate target and the whole context, and must not be cached")
    func claims() async throws {
        try await TestFront.run { front in
            let reserved = try await front.post("/v1/reservations", TestFront.reservation())
            let answer = try await front.post("/v1/claims", TestFront.claim())
            #expect(answer.status == 200)
            let callKey = try #require(reserved["callKey"])
            #expect(
                answer.text == """
                    {"outcome":"claimed","repeat":false,"aniMatched":true,"callKey":"\(callKey)","target":"skill-car",\
                    "context":\(TestFront.context)}
                    """)
            #expect(answer.headers["cache-control"] == "no-store")
        }
    }

    @Test("GET claims as POST does, and a repeat has the same body with repeat true")
    func claimsByQuery() async throws {
        try await TestFront.run { front in
            _ = try await front.post("/v1/reservations", TestFront.reservation())
            let first = try await front.get(
                "/v1/claims?peripheral=insurance-acd&trunkGroup=tg-1&dnis=8001&callID=acd%201&ani=+4989123456")
            #expect(first.status == 200)
            #expect(first.headers["cache-control"] == "no-store")
            let second = try await front.post("/v1/claims", TestFront.claim(callID: "acd 1"))
            #expect(second.text == first.text.replacing("\"repeat\":false", with: "\"repeat\":true"))
        }
    }

    @Test("a stray call gets 404 with the default route and why, and stays stray though a new call waits there by then")
    func strays() async throws {
        try await TestFront.run { front in
            let first = try await front.post("/v1/claims", TestFront.claim())
            #expect(first.status == 404)
            #expect(first["code"] == "stray")
            #expect(first["defaultRoute"] == "7000")
            #expect(first["why"] == "nothingWaits")
            _ = try await front.post("/v1/reservations", TestFront.reservation())
            let second = try await front.post("/v1/claims", TestFront.claim())
            #expect(second.status == 404)
            #expect(second["why"] == "toldBefore")
            #expect(try await front.post("/v1/claims", TestFront.claim(callID: "acd-2")).status == 200)
        }
    }

    @Test("a call that never arrives expires; a claim in quarantine is late, and a stray after")
    func expires() async throws {
        try await TestFront.run { front in
            _ = try await front.post("/v1/reservations", TestFront.reservation())
            front.ledger.advance(seconds: 25)
            #expect(try await front.post("/v1/claims", TestFront.claim())["outcome"] == "late")
            front.ledger.advance(seconds: 100)
            #expect(try await front.post("/v1/claims", TestFront.claim(callID: "acd-2")).status == 404)
        }
    }
}
