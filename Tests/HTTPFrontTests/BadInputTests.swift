import CallModel
import LedgerDouble
import ReplicatedLedger
import Testing

@testable import HTTPFront

/// Issue 2, "Bad input": each is refused with its code, nothing is stored, and the side stays up.
@Suite struct HTTPBadInputTests {
    struct Case: Sendable, CustomTestStringConvertible {
        var what: String
        var path = "/v1/reservations"
        var body: String
        var status: Int
        var code: String
        var field: String?
        var nearest: String?

        var testDescription: String { what }
    }

    static let bodies: [Case] = [
        Case(
            what: "unknown routing client", body: TestFront.reservation().replacing("\"carrier\"", with: "\"carier\""),
            status: 404, code: "unknown", field: "routingClient", nearest: "carrier"),
        Case(
            what: "unknown translation route", body: #"{"translationRoute":"advise","callID":"a"}"#, status: 404,
            code: "unknown", field: "translationRoute", nearest: "advice"),
        Case(
            what: "unknown peripheral", path: "/v1/claims",
            body: TestFront.claim().replacing("insurance-acd", with: "insurance-acb"), status: 404, code: "unknown",
            field: "peripheral", nearest: "insurance-acd"),
        Case(
            what: "variable over 40 bytes",
            body: TestFront.reservation().replacing("\"gold\"", with: "\"\(String(repeating: "ü", count: 21))\""),
            status: 422, code: "limit", field: "variable1"),
        Case(
            what: "ECC variable over its size",
            body: TestFront.reservation().replacing("DE44-1", with: "DE44-1234567890"),
            status: 422, code: "limit", field: "ecc user.account"),
        Case(
            what: "ECC array with too many elements",
            body: TestFront.reservation().replacing(#"["a","b"]"#, with: #"["a","b","c","d"]"#), status: 422,
            code: "limit",
            field: "ecc user.items"),
        Case(
            what: "undeclared ECC variable",
            body: TestFront.reservation().replacing("user.account", with: "user.acount"),
            status: 404, code: "unknown", field: "ecc user.acount", nearest: "user.account"),
        Case(
            what: "unknown field", body: TestFront.reservation(extra: ",\"leaseSecond\":9"), status: 400,
            code: "syntax",
            field: "leaseSecond", nearest: "leaseSeconds"),
        Case(
            what: "unknown context field", body: TestFront.reservation().replacing("\"ced\"", with: "\"cad\""),
            status: 400,
            code: "syntax", field: "context.cad", nearest: "ced"),
        Case(
            what: "variable11", body: TestFront.reservation().replacing("variable10", with: "variable11"), status: 400,
            code: "syntax", field: "context.variables.variable11"),
        Case(
            what: "wrong type", body: TestFront.reservation(extra: ",\"leaseSeconds\":\"9\""), status: 400,
            code: "syntax",
            field: "leaseSeconds"),
        Case(
            what: "number where text is wanted", path: "/v1/claims",
            body: TestFront.claim().replacing("\"8001\"", with: "8001"), status: 400, code: "syntax", field: "dnis"),
        Case(
            what: "null", body: TestFront.reservation().replacing("\"4711\"", with: "null"), status: 400,
            code: "syntax",
            field: "context.ced"),
        Case(
            what: "missing field", body: #"{"translationRoute":"advice"}"#, status: 400, code: "syntax", field: "callID"
        ),
        Case(
            what: "empty text", body: #"{"translationRoute":"advice","callID":""}"#, status: 400, code: "syntax",
            field: "callID"),
        Case(
            what: "lease over an hour", body: TestFront.reservation(extra: ",\"leaseSeconds\":3601"), status: 422,
            code: "limit", field: "leaseSeconds"),
        Case(
            what: "call id over 128 bytes", path: "/v1/claims",
            body: TestFront.claim(callID: String(repeating: "x", count: 129)), status: 422, code: "limit",
            field: "callID"),
        Case(
            what: "field twice", body: #"{"translationRoute":"advice","callID":"a","callID":"b"}"#, status: 400,
            code: "syntax"),
        Case(what: "no JSON", body: "translationRoute=advice", status: 400, code: "syntax"),
        Case(what: "cut JSON", body: #"{"translationRoute":"adv"#, status: 400, code: "syntax"),
        Case(what: "two documents", body: "{}{}", status: 400, code: "syntax"),
        Case(what: "a list", body: "[]", status: 400, code: "syntax"),
        Case(what: "empty body", body: "", status: 400, code: "syntax"),
        Case(
            what: "deep nesting", body: String(repeating: "[", count: 60_000), status: 400, code: "syntax"),
        Case(
            what: "NUL", body: TestFront.reservation().replacing("4711", with: "47\\u000011"), status: 400,
            code: "syntax",
            field: "ced"),
        Case(
            what: "CR", body: TestFront.reservation().replacing("4711", with: "47\\r11"), status: 400, code: "syntax",
            field: "ced"),
        Case(
            what: "LF", body: TestFront.reservation().replacing("4711", with: "47\\n11"), status: 400, code: "syntax",
            field: "ced"),
        Case(
            what: "half a surrogate pair", body: TestFront.reservation().replacing("4711", with: "\\ud800"),
            status: 400,
            code: "syntax"),
    ]

    @Test("bad bodies are refused by field and code, store nothing, and the side stays up", arguments: bodies)
    func refusesBody(_ bad: Case) async throws {
        try await TestFront.run { front in
            let answer = try await front.post(bad.path, bad.body)
            #expect(answer.status == bad.status)
            #expect(answer["code"] == bad.code)
            if let field = bad.field { #expect(answer["field"] == field) }
            if let nearest = bad.nearest { #expect(answer["nearest"] == nearest) }
            #expect(answer.headers["content-type"] == "application/problem+json")
            #expect(try await front.get("/v1/contexts?state=any")["contexts"] == "[]")
            #expect(try await front.get("/readyz").status == 200)
        }
    }

    @Test("invalid UTF-8 in a body and in a query is refused")
    func refusesInvalidUTF8() async throws {
        try await TestFront.run { front in
            let body = Array(#"{"translationRoute":"advice","callID":""#.utf8) + [0xC3, 0x28] + Array("\"}".utf8)
            let answer = try await front.send("POST", "/v1/reservations", headers: [:], body: body)
            #expect(answer.status == 400)
            #expect(answer["code"] == "syntax")
            let query = try await front.get(
                "/v1/claims?peripheral=insurance-acd&trunkGroup=tg-1&dnis=8001&callID=%C3%28")
            #expect(query.status == 400)
            #expect(try await front.get("/v1/journeys/%FF").status == 400)
            #expect(front.ledger.records.isEmpty)
        }
    }

    @Test("a body over 64 KiB is refused with 413, whether its length is told or not")
    func refusesLargeBody() async throws {
        try await TestFront.run { front in
            let large = [UInt8](repeating: 32, count: 64 * 1024 + 1)
            let told = try await front.send("POST", "/v1/reservations", headers: [:], body: large)
            #expect(told.status == 413)
            #expect(told["code"] == "limit")
            #expect(told["limit"] == "65536")
            let head = """
                POST /v1/reservations HTTP/1.1\r\nHost: h\r\nConnection: close\r\nContent-Type: application/json\r\n\
                Transfer-Encoding: chunked\r\n\r\n10001\r\n
                """
            let chunked = try RawAnswer(
                try await front.exchange(Array(head.utf8) + large + Array("\r\n0\r\n\r\n".utf8)))
            #expect(chunked.status == 413)
            let fits = [UInt8](repeating: 32, count: 64 * 1024)
            #expect(try await front.send("POST", "/v1/claims", headers: [:], body: fits).status == 400)
            #expect(front.ledger.records.isEmpty)
        }
    }

    @Test("another content type than application/json, or none, is refused with 415")
    func refusesContentType() async throws {
        try await TestFront.run { front in
            for type in ["application/x-www-form-urlencoded", "text/json", ""] {
                let answer = try await front.post("/v1/claims", TestFront.claim(), headers: ["Content-Type": type])
                #expect(answer.status == 415)
                #expect(answer["code"] == "refused")
            }
            let charset = ["Content-Type": "Application/JSON; charset=utf-8"]
            #expect(try await front.post("/v1/claims", TestFront.claim(), headers: charset).status == 404)
        }
    }

    @Test("an unknown path is 404 and a wrong method 405 with Allow, both as problems")
    func refusesPathAndMethod() async throws {
        try await TestFront.run { front in
            let path = try await front.get("/v1/claim")
            #expect(path.status == 404)
            #expect(path["code"] == "unknown")
            for method in ["PUT", "DELETE", "PATCH", "HEAD", "OPTIONS"] {
                let answer = try await front.send(method, "/v1/claims", headers: [:], body: nil)
                #expect(answer.status == 405)
                #expect(answer.headers["allow"] == "POST, GET")
                if method != "HEAD" { #expect(answer["code"] == "refused") }
            }
            #expect(try await front.get("/v1/reservations/R1").status == 405)
        }
    }

    @Test("unknown and doubled query parameters are refused, with the nearest name")
    func refusesQuery() async throws {
        try await TestFront.run { front in
            let unknown = try await front.get("/v1/contexts?sate=any")
            #expect(unknown.status == 400)
            #expect(unknown["nearest"] == "state")
            #expect(try await front.get("/v1/contexts?state=any&state=waiting").status == 400)
            #expect(try await front.get("/v1/contexts?state=busy").status == 400)
            #expect(try await front.get("/v1/contexts?limit=501").status == 422)
            #expect(try await front.get("/v1/contexts?limit=x").status == 400)
            #expect(try await front.get("/v1/contexts?after=xyz").status == 400)
            #expect(try await front.get("/v1/pair?side=B").status == 400)
            let missing = try await front.get("/v1/claims?peripheral=insurance-acd&trunkGroup=tg-1&callID=a")
            #expect(missing.status == 400)
            #expect(missing["field"] == "dnis")
        }
    }

    @Test("bytes that are no HTTP close that connection only; others are served on")
    func survivesGarbage() async throws {
        try await TestFront.run { front in
            _ = try await front.exchange(Array("\u{1}\u{2} nonsense\r\n\r\n".utf8))
            _ = try await front.exchange(
                Array("GET /v1/claims?\(String(repeating: "a", count: 60_000)) HTTP/1.1\r\nHost: h\r\n\r\n".utf8))
            #expect(try await front.get("/healthz").status == 200)
        }
    }

    @Test("refusals are counted by code")
    func countsRefusals() async throws {
        try await TestFront.run { front in
            _ = try await front.post("/v1/claims", "{")
            _ = try await front.post("/v1/claims", "[]")
            _ = try await front.post("/v1/claims", TestFront.claim())
            let metrics = try await front.get("/metrics").text
            #expect(metrics.contains("baton_http_refusals_total{code=\"syntax\"} 2\n"))
            #expect(metrics.contains("baton_http_refusals_total{code=\"stray\"} 1\n"))
        }
    }
}
