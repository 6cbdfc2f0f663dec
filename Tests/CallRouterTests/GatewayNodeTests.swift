import CallModel
import CallRouter
import INCRP
import Ledger
import LedgerDouble
import Logging
import ReplicatedLedger
import Routing
import Testing

@Suite("The ICM Gateway node")
struct GatewayNodeTests {
    @Test("a returned label that exists for the routing client is passed on")
    func validLabel() async throws {
        let bank = try bank(
            GatewayNode(gateway: toInsurance, validateLabel: true), link: ScriptedLink(label: "95554321"))
        let answer = try await bank.router.route(.forwarded())
        #expect(answer.label == label("95554321"))
        #expect(answer.source == .gateway)
        #expect(answer.reason == nil)
    }

    @Test("a returned label that is not known, with validation on: the default label of that routing client")
    func invalidLabel() async throws {
        let link = ScriptedLink(label: "4444")
        let bank = try bank(GatewayNode(gateway: toInsurance, validateLabel: true), link: link)
        let answer = try await bank.router.route(.forwarded())

        #expect(answer.label == label("95550000", .default))
        #expect(answer.source == .default)
        #expect(answer.reason?.contains("4444") == true)
        await link.ends.first(1)
        #expect(link.ends.all.map(\.end) == [.default])
        #expect(bank.dialog(answer.dialog)?.closeReason == .default)
        #expect(bank.router.counters.gateways[toInsurance]?.invalidLabel == 1)

        // For another routing client it is that one's, or the node's own for it.
        var node = GatewayNode(gateway: toInsurance, validateLabel: true)
        node.defaultLabels = [name("bank-pg"): label("7777")]
        let other = try CallRouterTests.bank(node, link: link)
        #expect(
            try await other.router.route(.forwarded(client: "bank-pg", to: "7910")).label == label("7777", .default))
        #expect(try await other.router.route(.forwarded(client: "plain")).label == label("95550009", .default))
    }

    @Test("a returned label that is not known, with validation off, is passed on")
    func validationOff() async throws {
        let bank = try bank(link: ScriptedLink(label: "4444"))
        #expect(try await bank.router.route(.forwarded()).label == label("4444"))
    }

    @Test("the server returns no label: the default label")
    func noLabel() async throws {
        let link = ScriptedLink(.fault(.failed(.noLabel, reason: "the script ended")))
        let bank = try bank(link: link)
        let answer = try await bank.router.route(.forwarded())
        #expect(answer.label == label("95550000", .default))
        #expect(answer.source == .default)
        #expect(bank.router.counters.gateways[toInsurance]?.failed == 1)
    }

    @Test("the server's script ends without a label: the default label, and the server's dialog is closed")
    func serverScriptEnds() async throws {
        let centres = try TwoCentres()
        let answer = try await centres.bank.router.route(.forwarded(to: "0800199"))
        #expect(answer.source == .default)
        #expect(centres.insurance.dialogs.map(\.closeReason) == [.failed])
    }

    @Test("the server is offline: the default label, within the deadline")
    func offline() async throws {
        let bank = try bank(link: ScriptedLink(.fault(.offline(reason: "connection refused"))))
        let before = bank.clock.nowMilliseconds
        let answer = try await bank.router.route(.forwarded())
        #expect(answer.label == label("95550000", .default))
        #expect(bank.clock.nowMilliseconds == before)
        #expect(bank.router.counters.gateways[toInsurance]?.offline == 1)

        let unlinked = try CallRouterTests.bank(link: nil)
        #expect(try await unlinked.router.route(.forwarded()).source == .default)
    }

    @Test("the server is late: the default label while the deadline still lasts, and the server may release")
    func late() async throws {
        let link = ScriptedLink(.silent)
        let bank = try bank(link: link)
        var request = RouteRequest.forwarded()
        request.deadlineMilliseconds = 1000
        async let answering = bank.router.route(request)
        await link.asks.first(1)
        let deadline = bank.clock.nowMilliseconds + 1000
        let until = await bank.clock.sleeps.first(1)[0]
        #expect(until < deadline)
        bank.clock.advance(milliseconds: until - bank.clock.nowMilliseconds)

        let answer = try await answering
        #expect(answer.label == label("95550000", .default))
        #expect(link.asks.all[0].deadlineMilliseconds == 800)
        await link.ends.first(1)
        #expect(link.ends.all == [ScriptedLink.End(dialog: answer.dialog, end: .default)])
        #expect(bank.router.counters.gateways[toInsurance]?.late == 1)
    }

    @Test("the shorter of the node's deadline and what is left of the request's holds")
    func nodeDeadline() async throws {
        let link = ScriptedLink(label: "95554321")
        let bank = try bank(GatewayNode(gateway: toInsurance, deadlineMilliseconds: 700), link: link)
        _ = try await bank.router.route(.forwarded())
        #expect(link.asks.all.map(\.deadlineMilliseconds) == [700])
    }

    @Test("a written failure path is walked before the default label is given")
    func failurePath() async throws {
        let script = try script(
            "forward", start: "ask",
            [
                "ask": .gateway(GatewayNode(gateway: toInsurance, otherwise: name("pool"))),
                "pool": .translationRoute(TranslationRouteNode(route: name("advice"))),
            ])
        let bank = try bank(script: script, link: ScriptedLink(.fault(.late)))
        let answer = try await bank.router.route(.forwarded())
        #expect(answer.source == .script)
        #expect(answer.label == label("8001"))
    }

    @Test("a second gateway node is asked when the first one's label is invalid, and its answer is durable too")
    func secondGatewayNode() async throws {
        let script = try script(
            "forward", start: "first",
            [
                "first": .gateway(
                    GatewayNode(gateway: toInsurance, validateLabel: true, otherwise: name("second"))),
                "second": .gateway(GatewayNode(gateway: toInsurance)),
            ])
        let link = ScriptedLink(label: "4444")
        let bank = try bank(script: script, link: link)
        let answer = try await bank.router.route(.forwarded())
        #expect(answer.label == label("4444"))
        #expect(link.asks.all.map(\.id.node.text) == ["first", "second"])
        #expect(bank.dialog(answer.dialog)?.final != nil)
        #expect(try await bank.router.route(.forwarded()).label == label("4444"))
    }

    @Test("a returned context that breaks a limit is no answer: nothing is cut silently")
    func returnedContextTooLong() async throws {
        let link = ScriptedLink(
            .reply { ask in
                var context = ask.context
                context.variables[4] = String(repeating: "x", count: 41)
                return RouteReply(id: ask.id, label: label("95554321"), context: context)
            })
        let bank = try bank(link: link)
        let answer = try await bank.router.route(.forwarded())
        #expect(answer.source == .default)
        #expect(answer.context.variables[4] == nil)
        #expect(bank.log.all.contains { $0.contains("variable5 has 41 bytes; the limit is 40") })
    }

    @Test(
        "the CLID crosses as the node's masking says, and is back in the answer",
        arguments: [
            (CLIDMasking.never, false, true), (.never, true, true), (.whenRestricted, false, true),
            (.whenRestricted, true, false), (.always, false, false), (.always, true, false),
        ])
    func masking(masking: CLIDMasking, restricted: Bool, crosses: Bool) async throws {
        let link = ScriptedLink(label: "95554321")
        let bank = try bank(GatewayNode(gateway: toInsurance, clidMasking: masking), link: link)
        var request = RouteRequest.forwarded()
        request.context.aniRestricted = restricted
        let answer = try await bank.router.route(request)
        #expect(link.asks.all.map(\.context.ani) == [crosses ? "+4930123" : nil])
        #expect(link.asks.all.map(\.context.aniRestricted) == [restricted])
        #expect(answer.context.ani == "+4930123")
    }

    @Test("of the ECC variables those of the payload in scope cross, and the others are back in the answer")
    func payload() async throws {
        let link = ScriptedLink(
            .reply { ask in
                var context = ask.context
                context.ecc[name("user.account")] = .scalar("B-2")
                return RouteReply(id: ask.id, label: label("95554321"), context: context)
            })
        let bank = try bank(GatewayNode(gateway: toInsurance, payload: "sale"), link: link)
        let answer = try await bank.router.route(.forwarded())
        #expect(link.asks.all[0].context.ecc == [name("user.account"): .scalar("A-1")])
        #expect(
            answer.context.ecc == [
                name("user.account"): .scalar("B-2"), name("user.note"): .scalar("here only"),
            ])
    }

    @Test("no value of a context field is logged")
    func nothingPersonalLogged() async throws {
        let bank = try bank(link: ScriptedLink(.fault(.late)))
        _ = try await bank.router.route(.forwarded())
        #expect(!bank.log.all.isEmpty)
        #expect(!bank.log.all.contains { $0.contains("+4930123") || $0.contains("4711") || $0.contains("A-1") })
        #expect(
            bank.log.all.contains {
                $0.contains("client=carrier") && $0.contains("dialog=D") && $0.contains("callKey=bank-")
            })
    }
}
