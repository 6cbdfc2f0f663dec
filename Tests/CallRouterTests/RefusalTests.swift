import CallModel
import CallRouter
import INCRP
import Ledger
import LedgerDouble
import Logging
import ReplicatedLedger
import Routing
import Testing

@Suite("What is refused, and what is not stored")
struct RefusalTests {
    private func refused(_ change: (inout RouteRequest) -> Void) async throws -> RouteRefusal? {
        let bank = try bank(link: nil)
        var request = RouteRequest.forwarded()
        change(&request)
        let refusal = await refusal { () async throws(RouteRefusal) in try await bank.router.route(request) }
        #expect(bank.ledger.records.isEmpty)
        if let refusal { #expect(bank.router.counters.refusals == [refusal.code: 1]) }
        return refusal
    }

    @Test("an unknown routing client is refused with the nearest name")
    func unknownRoutingClient() async throws {
        #expect(
            try await refused { $0.routingClient = "carier" }
                == .unknown(field: "routingClient", name: "carier", nearest: "carrier"))
    }

    @Test("an unknown dialed number is refused")
    func unknownDialedNumber() async throws {
        #expect(
            try await refused { $0.dialedNumber = "1" } == .unknown(field: "dialedNumber", name: "1", nearest: nil))
    }

    @Test("an unknown customer is refused with the nearest name")
    func unknownCustomer() async throws {
        #expect(
            try await refused { $0.customer = name("retial") }
                == .unknown(field: "customer", name: "retial", nearest: "retail"))
    }

    @Test("fields over their limits are refused with field and limit")
    func limits() async throws {
        let long = String(repeating: "x", count: 41)
        #expect(
            try await refused { $0.context.variables[2] = long }?.description
                == "variable3 has 41 bytes; the limit is 40")
        #expect(
            try await refused { $0.context.ecc[name("user.acount")] = .scalar("1") }?.description
                == "ecc user.acount is not declared in the configuration; the nearest name is user.account")
        #expect(try await refused { $0.dialedNumber = "" }?.code == "syntax")
        #expect(try await refused { $0.dialedNumber = long }?.code == "limit")
    }

    @Test("a routing client of type INCRP asks over INCRP only, and a call type needs its script")
    func neverGranted() async throws {
        #expect(try await refused { $0.routingClient = "from-insurance" }?.code == "refused")
        #expect(try await refused { $0.dialedNumber = "08005" }?.code == "refused")
    }

    @Test("a ledger that cannot serve gives a clear unavailable or busy, and the same request may ask again")
    func ledgerRefuses() async throws {
        let bank = try bank(link: nil)
        let request = RouteRequest.forwarded(to: "08009")
        bank.ledger.refuse { _ in .unavailable(reason: "testing the other side") }
        #expect(
            await refusal { () async throws(RouteRefusal) in try await bank.router.route(request) }
                == .unavailable(reason: "testing the other side"))
        bank.ledger.refuse { _ in .busy(reason: "store behind") }
        #expect(
            await refusal { () async throws(RouteRefusal) in try await bank.router.route(request) }
                == .busy(reason: "store behind"))
        bank.ledger.refuse(nil)
        #expect(try await bank.router.route(request).label == label("95551234"))
    }

    @Test("the pool is exhausted or the ledger busy: the script takes its failure path")
    func exhausted() async throws {
        let bank = try bank(link: nil)
        func label(_ call: String) async throws -> String {
            try await bank.router.route(.forwarded(call, client: "bank-pg", to: "7900")).label.text
        }
        #expect(try await [label("1"), label("2"), label("3")] == ["8001", "8002", "7099"])
        #expect(bank.log.all.contains { $0.contains("translation route advice is exhausted: 2 held") })
        bank.ledger.refuse { record in if case .reserve = record { .busy(reason: "store behind") } else { nil } }
        #expect(try await label("4") == "7099")
    }

    @Test("a script that ends without a label gives the routing client's default label, with the reason")
    func scriptEnds() async throws {
        let bank = try bank(script: try script("forward", start: "end", ["end": .end]), link: nil)
        let answer = try await bank.router.route(.forwarded())
        #expect(answer.label == label("95550000", .default))
        #expect(answer.reason == "node end ends the script without a label")
        #expect(bank.router.counters.routes == [.default: 1])
    }

    @Test("new settings hold for the next request")
    func update() async throws {
        let bank = try bank(link: nil)
        #expect(try await bank.router.route(.forwarded()).source == .default)
        let link = ScriptedLink(label: "95551111")
        bank.router.update(bank.settings, links: [toInsurance: link])
        #expect(try await bank.router.route(.forwarded("call-2")).source == .gateway)
    }

    @Test("the time zones that a script names are asked for at the time of the request")
    func civilTime() async throws {
        let closed = try script(
            "forward", start: "hours",
            [
                "hours": .time(
                    TimeNode(
                        zone: "Europe/Berlin",
                        when: [
                            TimeNode.When(
                                try TimeWindow(days: [.sunday], fromMinute: 0, toMinute: 1440), then: name("open"))
                        ], otherwise: name("closed"))),
                "open": .label(LabelNode(label("1"))), "closed": .label(LabelNode(label("2"))),
            ])
        let instance = try bank(script: closed, link: nil)
        let router = CallRouter(
            settings: instance.settings, links: [:], ledger: instance.ledger,
            civilTimes: { _, zones in
                #expect(zones == ["Europe/Berlin"])
                return ["Europe/Berlin": CivilTime(weekday: .sunday, minuteOfDay: 600)]
            }, clock: instance.clock, logger: .init(label: "test"))
        #expect(try await router.route(.forwarded()).label == label("1"))
    }
}
