import CallModel
import CallRouter
import INCRP
import Ledger
import LedgerDouble
import Logging
import ReplicatedLedger
import Routing
import Testing

@Suite("Pre-routing from one instance to another")
struct PreRoutingTests {
    @Test("a pre-routed call with a translation route gets its label, and its ACD the context")
    func withTranslationRoute() async throws {
        let centres = try TwoCentres()
        let answer = try await centres.bank.router.route(.forwarded())

        #expect(answer.label == label("95559001"))
        #expect(answer.source == .gateway)
        #expect(!answer.repeated)
        let reservation = try #require(answer.reservation)
        #expect(reservation.key.description == "insurance-acd/tg-9/9001")
        #expect(centres.insurance.waiting == 1)

        let claim = try await centres.insurance.claim(reservation.key, callID: "leg-1")
        guard case .claimed(let claimed) = claim.outcome else {
            Issue.record("\(claim.outcome)")
            return
        }
        #expect(claimed.callKey == answer.callKey)
        #expect(claim.reservation?.target == name("skill-9"))
        let arrived = try #require(try claim.reservation?.context.decoded())
        #expect(arrived == answer.context)
        #expect(arrived.ani == "+4930123")
    }

    @Test("the dialogs of both instances are closed as handed over")
    func dialogsClosed() async throws {
        let centres = try TwoCentres()
        let answer = try await centres.bank.router.route(.forwarded())
        await centres.link.ends.first(1)

        #expect(centres.bank.dialog(answer.dialog)?.closeReason == .handedOver)
        #expect(centres.insurance.dialogs.map(\.closeReason) == [.handedOver])
        #expect(centres.link.ends.all.map(\.end) == [.handedOver])
        #expect(centres.insurance.waiting == 1)
    }

    @Test("a call is one call in both centres: its key crosses, with the next sequence number")
    func callKeyCrosses() async throws {
        let centres = try TwoCentres()
        let answer = try await centres.bank.router.route(.forwarded())
        let served = try #require(centres.insurance.dialogs.first)

        #expect(answer.callKey.origin == name("bank"))
        #expect(served.callKey == answer.callKey)
        #expect(answer.callKeySequence == 0)
        #expect(served.callKeySequence == 1)
    }

    @Test("pre-routed without a translation route: the context is not parked, and still sent to the server")
    func withoutTranslationRoute() async throws {
        let link = ScriptedLink(label: "95551111")
        let bank = try bank(link: link)
        let answer = try await bank.router.route(.forwarded())

        #expect(answer.label == label("95551111"))
        #expect(answer.reservation == nil)
        let ask = try #require(link.asks.all.first)
        #expect(ask.context == answer.context)
        #expect(ask.context.ecc[name("user.account")] == .scalar("A-1"))
        #expect(ask.context.dialedNumber == "08001")
    }

    @Test("the server's script modifies the context, and the client and the ACD see the modified one")
    func modifiedContext() async throws {
        let centres = try TwoCentres()
        let answer = try await centres.bank.router.route(.forwarded())

        #expect(answer.context.variables[1] == "seen")
        let key = try #require(answer.reservation?.key)
        let claim = try await centres.insurance.claim(key, callID: "leg-1")
        #expect(try claim.reservation?.context.decoded().variables[1] == "seen")
    }

    @Test("the handoff is durable before the answer, and is the only record of a gateway's answer")
    func oneHandoff() async throws {
        let bank = try bank(link: ScriptedLink(label: "95551111"))
        _ = try await bank.router.route(.forwarded())
        let kinds = bank.ledger.records.compactMap { record -> RecordAnswer.Kind? in
            if case .recordAnswer(let answer) = record { answer.kind } else { nil }
        }
        #expect(kinds == [.handoff])
    }

    @Test("a script that goes on after the gateway's answer records what it changed")
    func goesOnAfterTheGateway() async throws {
        let script = try script(
            "forward", start: "ask",
            [
                "ask": .gateway(GatewayNode(gateway: toInsurance, then: name("mark"))),
                "mark": .set(
                    SetNode(
                        assignments: [SetNode.Assignment(.variable(9), to: try ValueTemplate(parsing: "back"))],
                        then: name("give"))),
                "give": .label(LabelNode(returnedOr: nil)),
            ])
        let bank = try bank(script: script, link: ScriptedLink(label: "95551111"))
        let answer = try await bank.router.route(.forwarded())

        #expect(answer.label == label("95551111"))
        #expect(answer.source == .gateway)
        #expect(answer.context.variables[8] == "back")
        let row = try #require(bank.dialog(answer.dialog))
        #expect(row.handoff != nil && row.final != nil)
        let again = try await bank.router.route(.forwarded())
        #expect(again.context.variables[8] == "back")
    }

    @Test("a script that sets the dialed number asks the server for that one")
    func otherDialedNumber() async throws {
        let script = try script(
            "forward", start: "set",
            [
                "set": .set(
                    SetNode(
                        assignments: [SetNode.Assignment(.dialedNumber, to: try ValueTemplate(parsing: "4400"))],
                        then: name("ask"))),
                "ask": .gateway(GatewayNode(gateway: toInsurance)),
            ])
        let link = ScriptedLink(label: "95551111")
        let bank = try bank(script: script, link: link)
        _ = try await bank.router.route(.forwarded())
        #expect(link.asks.all.map(\.dialedNumber) == ["4400"])
    }

    @Test(
        "a NICCallID is present for a routing client that can transfer in the network, absent for others and for a PG",
        arguments: [("carrier", "08001", "N-1"), ("plain", "08001", nil), ("net-pg", "7910", nil)])
    func nicCallID(client: String, number: String, expected: String?) async throws {
        let link = ScriptedLink(label: "95551111")
        let bank = try bank(link: link)
        var request = RouteRequest.forwarded(client: client, to: number)
        request.nicCallID = "N-1"
        _ = try await bank.router.route(request)
        #expect(link.asks.all.map(\.nicCallID) == [expected])
    }

    @Test("a NICCallID does not decide a pre-route: another one gives the same label")
    func nicCallIDDecidesNothing() async throws {
        let bank = try bank(link: ScriptedLink(label: "95551111"))
        var first = RouteRequest.forwarded("call-1")
        first.nicCallID = "N-1"
        let second = RouteRequest.forwarded("call-2")
        let labels = [try await bank.router.route(first).label, try await bank.router.route(second).label]
        #expect(labels[0] == labels[1])
    }
}
