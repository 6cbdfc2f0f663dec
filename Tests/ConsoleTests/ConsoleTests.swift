import CallModel
import Console
import INCRP
import Ledger
import LedgerDouble
import ReplicatedLedger
import Testing

/// A ledger with dialogs and reservations in several states.
private struct Rig {
    let ledger: InMemoryLedger
    let console: Console
    static let account = ECCName(unchecked: "user.account")
    static let note = ECCName(unchecked: "user.note")

    init(entries: Int = 9) throws {
        let route = TranslationRoute(
            name: TranslationRouteName(unchecked: "advice"), peripheral: PeripheralName(unchecked: "acd"),
            ranges: [
                try EntryRange(
                    trunkGroup: TrunkGroupName(unchecked: "tg"), from: DNIS(unchecked: "8001"),
                    through: DNIS(unchecked: "800\(entries)"))
            ])
        var limits = ContextLimits()
        limits.declare(try ECCDeclaration(name: Self.account, maximumLength: 20, elements: 3, sensitivity: .payment))
        limits.declare(try ECCDeclaration(name: Self.note, maximumLength: 20))
        let configuration = LedgerConfiguration(
            instance: InstanceName(unchecked: "bank"), routes: [route],
            peripherals: [Peripheral(name: PeripheralName(unchecked: "acd"), defaultRoute: "7000")], limits: limits)
        ledger = InMemoryLedger(configuration)
        console = Console(ledger: ledger)
    }

    static var context: CallContext {
        var context = CallContext()
        context.ani = "+49891"
        context.ced = "4711"
        context.uui = "uui"
        context.variables[2] = "shown"
        context.ecc[account] = .array(["4111", ""])
        context.ecc[note] = .scalar("a note")
        return context
    }

    func submit(_ record: Record) async throws -> LedgerAnswer {
        try await ledger.submit(record, deadlineMilliseconds: 1000)
    }

    @discardableResult func reserve(_ callID: String) async throws -> Reserved {
        let answer = try await submit(
            .reserve(
                Reserve(
                    route: TranslationRouteName(unchecked: "advice"), identity: .request(RequestID(unchecked: callID)),
                    callID: CallID(unchecked: callID), context: Self.context.encoded())))
        guard case .reserved(let reserved) = answer.outcome else {
            Issue.record("\(answer.outcome)")
            throw LedgerRefusal.busy(reason: "no entry")
        }
        return reserved
    }
}

@Suite struct ConsoleTests {
    @Test("translation routes show entries by state and when the next one falls free")
    func routes() async throws {
        let rig = try Rig()
        try await rig.reserve("one")
        let list = try await rig.console.translationRoutes()
        let route = try #require(list.translationRoutes.first)
        #expect((route.entries, route.free, route.waiting) == (9, 8, 1))
        #expect(route.leaseSeconds == 20)
        #expect(route.nextFreeAt == "2026-11-18T11:08:00.000Z")
    }

    @Test("ANI, CED, UUI and fields declared personal or payment are masked; a fresh value is not told from its length")
    func masks() async throws {
        let rig = try Rig()
        try await rig.reserve("one")
        let context = try #require(try await rig.console.contexts(ContextQuery()).contexts.first).context
        #expect((context.ani, context.ced, context.uui) == ("***", "***", "***"))
        #expect(context.ecc["user.account"] == .array(["***", ""]))
        #expect(context.ecc["user.note"] == .scalar("a note"))
        #expect(context.variables == ["variable3": "shown"])
        var query = ContextQuery()
        query.isPersonal = true
        let open = try #require(try await rig.console.contexts(query).contexts.first).context
        #expect(open == ContextValues(Rig.context))
    }

    @Test("an ECC variable that is not declared any more is masked")
    func masksUndeclared() {
        let masked = ContextValues(Rig.context).masked(by: ContextLimits())
        #expect(masked.ecc["user.note"] == .scalar("***"))
    }

    @Test("contexts are filtered by state, and pages follow one another without loss")
    func filtersAndPages() async throws {
        let rig = try Rig()
        for number in 1...5 { try await rig.reserve("call-\(number)") }
        let key = TranslationRouteKey(
            peripheral: PeripheralName(unchecked: "acd"), trunkGroup: TrunkGroupName(unchecked: "tg"),
            dnis: DNIS(unchecked: "8002"))
        _ = try await rig.submit(.claim(Claim(key: key, callID: CallID(unchecked: "acd-1"))))
        var query = ContextQuery()
        #expect(try await rig.console.contexts(query).contexts.map(\.dnis) == ["8001", "8003", "8004", "8005"])
        query.state = .claimed
        #expect(try await rig.console.contexts(query).contexts.map(\.dnis) == ["8002"])
        query.state = nil
        query.limit = 2
        var seen: [String] = []
        repeat {
            let page = try await rig.console.contexts(query)
            seen += page.contexts.map(\.dnis)
            query.after = page.next
        } while query.after != nil
        #expect(seen == ["8001", "8002", "8003", "8004", "8005"])
        query.translationRoute = TranslationRouteName(unchecked: "other")
        #expect(try await rig.console.contexts(query).contexts.isEmpty)
    }

    @Test("dialogs show who asked, what was answered and how they closed")
    func dialogs() async throws {
        let rig = try Rig()
        let opened = try await rig.submit(
            .openDialog(
                OpenDialog(
                    routingClient: RoutingClientName(unchecked: "carrier"), requestID: RequestID(unchecked: "r-1"),
                    callID: CallID(unchecked: "c-1"), dialedNumber: "0800", side: .a, context: Rig.context.encoded())))
        guard case .dialogOpened(let dialog) = opened.outcome else {
            Issue.record("\(opened.outcome)")
            return
        }
        _ = try await rig.submit(
            .recordAnswer(
                RecordAnswer(
                    dialog: dialog.dialog, node: NodeName(unchecked: "end"), kind: .final,
                    label: Label(unchecked: "7000", type: .normal), source: .script, context: Rig.context.encoded())))
        _ = try await rig.submit(.closeDialog(CloseDialog(dialog: dialog.dialog, reason: .handedOver)))
        let shown = try #require(try await rig.console.dialogs(DialogQuery()).dialogs.first)
        #expect(shown.dialog == dialog.dialog.description)
        #expect((shown.state, shown.closeReason) == ("closed", "handedOver"))
        #expect((shown.routingClient, shown.dialedNumber, shown.callID) == ("carrier", "0800", "c-1"))
        #expect((shown.label, shown.source) == ("7000", "script"))
        var open = DialogQuery()
        open.state = .open
        #expect(try await rig.console.dialogs(open).dialogs.isEmpty)
        #expect(try await rig.console.journey(dialog.dialog.description).callKey == dialog.callKey.description)
    }

    @Test("a call is found by its call key, the call id of any leg and its reservation; its journey holds no value")
    func journeys() async throws {
        let rig = try Rig()
        let reserved = try await rig.reserve("leg-1")
        _ = try await rig.submit(.claim(Claim(key: reserved.key, callID: CallID(unchecked: "acd-1"))))
        let journey = try await rig.console.journey(reserved.callKey.description)
        #expect(journey.events.contains { $0.kind == "reserved" })
        #expect(journey.events.contains { $0.kind == "claimed" })
        let text = "\(journey)"
        for value in ["+49891", "4711", "4111", "a note", "shown"] { #expect(!text.contains(value)) }
        for selector in ["leg-1", "acd-1", reserved.reservation.description] {
            #expect(try await rig.console.journey(selector) == journey)
        }
        await #expect(throws: ConsoleFault.unknown(field: "call", name: "nobody")) {
            try await rig.console.journey("nobody")
        }
    }

    @Test("a single side says that it is one")
    func pair() async throws {
        let pair = try await Rig().console.pair()
        #expect(pair.kind == "single")
        #expect(pair.sides.map(\.serving) == [true])
    }

    @Test("metrics are Prometheus text: each family with help and type, labels escaped")
    func metrics() async throws {
        let rig = try Rig()
        try await rig.reserve("one")
        var link = ServerLinkStatus()
        link.roundTripMicroseconds = 1_250_000
        let status = GatewayStatus(gateway: GatewayName(unchecked: "to \"b\""), link: link)
        let text = try await rig.console.metrics(gateways: [status])
        #expect(text.contains("# TYPE baton_translation_route_entries gauge\n"))
        #expect(text.contains("baton_translation_route_entries{translation_route=\"advice\",state=\"waiting\"} 1\n"))
        #expect(text.contains("baton_gateway_round_trip_seconds{gateway=\"to \\\"b\\\"\"} 1.250000\n"))
        for line in text.split(separator: "\n") where !line.hasPrefix("#") {
            #expect(line.wholeMatch(of: /baton_[a-z0-9_]+(\{[^}]*\})? [0-9.]+/) != nil, "\(line)")
        }
    }
}
