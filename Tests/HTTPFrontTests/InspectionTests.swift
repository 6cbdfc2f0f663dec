import CallModel
import Console
import Foundation
import Hummingbird
import LedgerDouble
import Logging
import ReplicatedLedger
import ServiceLifecycle
import Synchronization
import Testing

@testable import HTTPFront

@Suite struct TokenTests {
    @Test("with a token configured everything under /v1 needs it, and health and readiness do not")
    func needsToken() async throws {
        try await TestFront.run(token: TestFront.token) { front in
            for header in [
                nil, "Bearer wrong", "Bearer s3cret-toke", "Bearer s3cret-token2", "Basic s3cret-token", "Bearer ",
            ] {
                let headers = header.map { ["Authorization": $0] } ?? [:]
                let answer = try await front.get("/v1/pair", headers: headers)
                #expect(answer.status == 401)
                #expect(answer["code"] == "refused")
                #expect(answer.headers["www-authenticate"]?.hasPrefix("Bearer") == true)
                #expect(try await front.post("/v1/claims", TestFront.claim(), headers: headers).status == 401)
                #expect(try await front.get("/v1/nothing", headers: headers).status == 401)
            }
            for path in ["//v1/pair", "/v1//pair", "/v1/pair/", "/%76%31/pair"] {
                #expect(try await front.get(path).status >= 400)
            }
            #expect(try await front.get("/healthz").status == 200)
            #expect(try await front.get("/readyz").status == 200)
            let good = ["Authorization": "bearer \(TestFront.token)"]
            #expect(try await front.get("/v1/pair", headers: good).status == 200)
            #expect(front.ledger.records.isEmpty)
        }
    }
}

@Suite struct InspectionContractTests {
    static let values = ["+4989123456", "4711", "u-77", "DE44-1", "4111-1"]

    @Test("ANI, CED, UUI and fields declared personal or payment are masked in listings; other fields are shown")
    func masks() async throws {
        try await TestFront.run { front in
            _ = try await front.post("/v1/reservations", TestFront.reservation())
            let list = try await front.get("/v1/contexts")
            for value in Self.values { #expect(!list.text.contains(value)) }
            #expect(list.text.contains(#""ani":"***","ced":"***","uui":"***""#))
            #expect(list.text.contains(#""user.account":"***","user.card":"***","user.items":["a","b"]"#))
            #expect(list.text.contains("gold"))
            let refused = try await front.get("/v1/contexts?personal=true")
            #expect(refused.status == 403)
        }
    }

    @Test("a caller with the token who asks for personal values sees them")
    func unmasks() async throws {
        try await TestFront.run(token: TestFront.token) { front in
            let headers = ["Authorization": "Bearer \(TestFront.token)"]
            _ = try await front.post("/v1/reservations", TestFront.reservation(), headers: headers)
            let masked = try await front.get("/v1/contexts", headers: headers)
            for value in Self.values { #expect(!masked.text.contains(value)) }
            let list = try await front.get("/v1/contexts?personal=true", headers: headers)
            for value in Self.values { #expect(list.text.contains(value)) }
        }
    }

    @Test("a journey tells the call's way and no value of its context")
    func journeys() async throws {
        try await TestFront.run { front in
            let reserved = try await front.post("/v1/reservations", TestFront.reservation(callID: "leg/1"))
            _ = try await front.post("/v1/claims", TestFront.claim())
            let callKey = try #require(reserved["callKey"])
            let id = try #require(reserved["id"])
            let byKey = try await front.get("/v1/journeys/\(callKey)")
            #expect(byKey.status == 200)
            #expect(byKey["callKey"] == callKey)
            #expect(byKey.text.contains(#""kind":"reserved""#))
            #expect(byKey.text.contains(#""kind":"claimed""#))
            for value in Self.values + ["gold"] { #expect(!byKey.text.contains(value)) }
            for selector in ["leg%2F1", "acd-1", id] {
                #expect(try await front.get("/v1/journeys/\(selector)").text == byKey.text)
            }
            #expect(try await front.get("/v1/journeys/nobody").status == 404)
        }
    }

    @Test("translation routes are listed with their entries by state, and the pair says that it is a single side")
    func lists() async throws {
        try await TestFront.run { front in
            _ = try await front.post("/v1/reservations", TestFront.reservation())
            let routes = try await front.get("/v1/translation-routes")
            #expect(routes.text.contains(#""entries":3,"free":2,"waiting":1,"claimed":0,"expired":0,"released":0"#))
            #expect(try await front.get("/v1/pair")["kind"] == "single")
            #expect(try await front.get("/v1/gateways").text.contains(#""gateway":"to-insurance","up":true"#))
            #expect(try await front.get("/v1/dialogs")["dialogs"] == "[]")
        }
    }

    @Test("contexts are listed page by page, each once")
    func pages() async throws {
        try await TestFront.run(entries: 5) { front in
            for number in 1...5 {
                _ = try await front.post("/v1/reservations", TestFront.reservation(callID: "leg-\(number)"))
            }
            var seen: [String] = []
            var next: String?
            repeat {
                let page = try await front.get("/v1/contexts?limit=2" + (next.map { "&after=\($0)" } ?? ""))
                seen += page.text.matches(of: /"dnis":"(\d+)"/).map { String($0.output.1) }
                next = page["next"]
            } while next != nil
            #expect(seen == ["8001", "8002", "8003", "8004", "8005"])
        }
    }

    @Test("entries that are free again take no place on a page, and a page tells of a next one only if there is more")
    func pagesHoldContexts() async throws {
        try await TestFront.run(entries: 5) { front in
            for number in 1...4 {
                _ = try await front.post("/v1/reservations", TestFront.reservation(callID: "leg-\(number)"))
            }
            // Their leases and quarantines are over.
            front.ledger.advance(seconds: 3600)
            front.ledger.advance(seconds: 3600)
            let none = try await front.get("/v1/contexts?state=any&limit=3")
            #expect(none.text.contains(#""contexts":[]"#) && none["next"] == nil, "\(none.text)")
            for number in 5...7 {
                _ = try await front.post("/v1/reservations", TestFront.reservation(callID: "leg-\(number)"))
            }
            let full = try await front.get("/v1/contexts?state=any&limit=3")
            #expect(full.text.matches(of: /"dnis":"(\d+)"/).count == 3 && full["next"] == nil, "\(full.text)")
            let first = try await front.get("/v1/contexts?state=any&limit=2")
            let next = try #require(first["next"])
            let last = try await front.get("/v1/contexts?state=any&limit=2&after=\(next)")
            let seen = (first.text + last.text).matches(of: /"callID":"(leg-\d)"/).map { String($0.output.1) }
            #expect(Set(seen) == ["leg-5", "leg-6", "leg-7"] && seen.count == 3, "\(seen)")
            #expect(last["next"] == nil)
        }
    }

    @Test("a side that does not serve is alive but not ready, and says why")
    func tellsReadiness() async throws {
        let view: @Sendable (InMemoryLedger) -> any LedgerService = {
            NotServing(base: $0, why: "the log's disk failed")
        }
        try await TestFront.run(view: view) { front in
            #expect(try await front.get("/healthz").status == 200)
            let ready = try await front.get("/readyz")
            #expect(ready.status == 503)
            #expect(ready["code"] == "unavailable")
            #expect(ready["detail"] == "the log's disk failed")
        }
    }

    @Test("metrics tell entries by state, claims by outcome, strays, exhausted, flush time and store lag")
    func metrics() async throws {
        try await TestFront.run(entries: 1, token: TestFront.token) { front in
            let headers = ["Authorization": "Bearer \(TestFront.token)"]
            _ = try await front.post("/v1/reservations", TestFront.reservation(), headers: headers)
            _ = try await front.post("/v1/reservations", TestFront.reservation(callID: "leg-2"), headers: headers)
            _ = try await front.post("/v1/claims", TestFront.claim(), headers: headers)
            _ = try await front.post("/v1/claims", TestFront.claim(callID: "acd-2"), headers: headers)
            let answer = try await front.get("/metrics")
            #expect(answer.headers["content-type"] == "text/plain; version=0.0.4; charset=utf-8")
            for line in [
                "baton_translation_route_entries{translation_route=\"advice\",state=\"claimed\"} 1",
                "baton_claims_total{outcome=\"claimed\"} 1", "baton_claims_total{outcome=\"late\"} 0",
                "baton_strays_total{why=\"claimedByAnother\"} 1",
                "baton_exhausted_total{translation_route=\"advice\"} 1",
                "baton_flush_seconds{quantile=\"0.99\"} 0.000000",
                "baton_store_lag_bytes 0", "baton_gateway_up{gateway=\"to-insurance\"} 1", "baton_serving 1",
            ] { #expect(answer.text.contains(line + "\n"), "\(line)") }
        }
    }
}

@Suite struct ServiceMetricsTests {
    @Test("metrics tell routes by source, refusals by code, what gateways and the INCRP NIC were asked, and links")
    func services() async throws {
        var services = ServiceCounters()
        services.routes = ["script": 2, "gateway": 1]
        services.routeRefusals = ["unknown": 3]
        var gateway = ServiceCounters.Gateway()
        gateway.asked = 4
        gateway.outcomes = ["answered": 3, "late": 1]
        gateway.invalidLabels = 1
        services.gateways = ["brokers": gateway]
        var nic = ServiceCounters.NIC()
        nic.asked = 5
        nic.links = 2
        nic.opensRefused = ["unknownClient": 1]
        services.nic = nic
        try await TestFront.run(services: services) { front in
            let text = try await front.get("/metrics").text
            for line in [
                "baton_routes_total{source=\"script\"} 2", "baton_routes_total{source=\"gateway\"} 1",
                "baton_route_refusals_total{code=\"unknown\"} 3",
                "baton_gateway_nodes_asked_total{gateway=\"brokers\"} 4",
                "baton_gateway_nodes_total{gateway=\"brokers\",outcome=\"late\"} 1",
                "baton_gateway_invalid_labels_total{gateway=\"brokers\"} 1", "baton_nic_asked_total 5",
                "baton_incrp_links 2", "baton_incrp_opens_refused_total{code=\"unknownClient\"} 1",
            ] { #expect(text.contains(line + "\n"), "\(line)") }
        }
    }

    @Test("a side that serves no clients has no metrics of an INCRP NIC")
    func noNIC() async throws {
        try await TestFront.run { front in
            let text = try await front.get("/metrics").text
            #expect(!text.contains("baton_nic_"))
        }
    }
}

@Suite struct ServerTests {
    @Test("a port in use is told with host and port")
    func tellsPortInUse() async throws {
        try await TestFront.run { front in
            let settings = HTTPSettings(port: front.port)
            let other = HTTPServer(
                router: .init(), settings: settings, logger: Logger(label: "test") { _ in SwiftLogNoOpLogHandler() })
            await #expect(throws: HTTPServerFault.addressInUse(host: "127.0.0.1", port: front.port)) {
                try await other.run()
            }
        }
    }

    @Test("the access log has one debug line a request, with method, path, status and time, and no value")
    func logsAccess() async throws {
        let lines = LogLines()
        var logger = Logger(label: "test") { _ in lines }
        logger.logLevel = .debug
        try await TestFront.run(logger: logger) { front in
            _ = try await front.post("/v1/reservations", TestFront.reservation())
            _ = try await front.get(
                "/v1/claims?peripheral=insurance-acd&trunkGroup=tg-1&dnis=8001&callID=acd-1&ani=+4989123456")
        }
        let requests = lines.all.filter { $0.hasPrefix("debug request") }
        #expect(requests.count == 2)
        #expect(requests[1].contains("method=GET path=/v1/claims status=200"))
        for line in lines.all { for value in InspectionContractTests.values { #expect(!line.contains(value)) } }
    }
}

/// Keeps what is logged.
final class LogLines: LogHandler {
    private let lines = Mutex<[String]>([])

    var all: [String] { lines.withLock { $0 } }
    var logLevel: Logger.Level {
        get { .trace }
        set {}
    }
    var metadata: Logger.Metadata {
        get { [:] }
        set {}
    }

    subscript(metadataKey key: String) -> Logger.Metadata.Value? {
        get { nil }
        set {}
    }

    func log(event: LogEvent) {
        let wanted = ["method", "path", "status"]
        let fields = wanted.compactMap { name in event.metadata?[name].map { "\(name)=\($0)" } }
        lines.withLock { $0.append("\(event.level) \(event.message) \(fields.joined(separator: " "))") }
    }
}
