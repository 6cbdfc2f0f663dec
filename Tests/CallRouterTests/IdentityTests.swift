import CallModel
import CallRouter
import INCRP
import Ledger
import LedgerDouble
import Logging
import ReplicatedLedger
import Routing
import Testing

@Suite("Requests that come again")
struct IdentityTests {
    @Test("the same request again gets the same answer, with repeat")
    func repeated() async throws {
        let centres = try TwoCentres()
        let first = try await centres.bank.router.route(.forwarded())
        let second = try await centres.bank.router.route(.forwarded())
        #expect(second.repeated)
        var expected = first
        expected.repeated = true
        #expect(second == expected)
        #expect(centres.link.asks.all.count == 1)
        #expect(centres.bank.router.counters.repeated == 1)
    }

    @Test("a default label is repeated too, with its reason")
    func repeatedDefault() async throws {
        let bank = try bank(link: ScriptedLink(.fault(.late)))
        let first = try await bank.router.route(.forwarded())
        let second = try await bank.router.route(.forwarded())
        #expect(second.repeated && second.label == first.label && second.reason == first.reason)
        #expect(second.reason != nil)
    }

    @Test("one call lawfully routed twice gets two labels")
    func routedTwice() async throws {
        let centres = try TwoCentres()
        var request = RouteRequest.forwarded()
        let first = try await centres.bank.router.route(request)
        request.requestID = name("again")
        let second = try await centres.bank.router.route(request)
        #expect(first.label != second.label)
        #expect(first.dialog != second.dialog)
        #expect(centres.insurance.waiting == 2)
    }

    @Test("the same identity with other content is a conflict")
    func conflict() async throws {
        let bank = try bank(link: ScriptedLink(label: "95551111"))
        let first = try await bank.router.route(.forwarded())
        for change in 0..<2 {
            var other = RouteRequest.forwarded()
            if change == 0 { other.context.ced = "other" } else { other.dialedNumber = "080011" }
            let refusal = await refusal { () async throws(RouteRefusal) in try await bank.router.route(other) }
            #expect(refusal == .conflict(first: first.dialog.sequence))
        }
    }

    @Test("duplicates at the same time join one running request")
    func joined() async throws {
        let link = ScriptedLink(.silent)
        let bank = try bank(link: link)
        async let first = bank.router.route(.forwarded())
        await link.asks.first(1)
        async let second = bank.router.route(.forwarded())
        // The first one's wait for the server, then the second one's for the first.
        let sleeps = await bank.clock.sleeps.first(2)
        let until = try #require(sleeps.min())
        bank.clock.advance(milliseconds: until - bank.clock.nowMilliseconds)
        let answers = try await (first, second)
        #expect(answers.0.label == answers.1.label)
        #expect(!answers.0.repeated && answers.1.repeated)
        #expect(link.asks.all.count == 1)
    }

    @Test("a restart while the server is asked: the request runs anew under the same identity")
    func restartWhileAsked() async throws {
        let link = ScriptedLink(label: "95551111")
        let bank = try bank(link: link)
        bank.ledger.refuse { record in
            if case .recordAnswer = record { .unavailable(reason: "stopping") } else { nil }
        }
        let refusal = await refusal { () async throws(RouteRefusal) in try await bank.router.route(.forwarded()) }
        #expect(refusal == .unavailable(reason: "stopping"))
        bank.ledger.refuse(nil)

        let answer = try await bank.restarted().router.route(.forwarded())
        #expect(answer.label == label("95551111"))
        #expect(answer.repeated)
        #expect(Set(link.asks.all.map(\.id)).count == 1)
        #expect(link.asks.all.count == 2)
    }

    @Test("a restart after the label handoff: the answer is that of the handoff, and the server is not asked again")
    func restartAfterHandoff() async throws {
        // As a side leaves it that stopped between the handoff and its answer.
        let link = ScriptedLink(label: "95551111")
        let bank = try bank(GatewayNode(gateway: toInsurance, validateLabel: true), link: link)
        var request = context()
        request.dialedNumber = "08001"
        let opened = try await bank.ledger.submit(
            .openDialog(
                OpenDialog(
                    routingClient: name("carrier"), requestID: name("call-1"), callID: name("call-1"),
                    dialedNumber: "08001", side: .a, context: request.encoded())), deadlineMilliseconds: 1000)
        guard case .dialogOpened(let dialog) = opened.outcome else {
            Issue.record("\(opened.outcome)")
            return
        }
        var modified = request
        modified.variables[1] = "seen"
        _ = try await bank.ledger.submit(
            .recordAnswer(
                RecordAnswer(
                    dialog: dialog.dialog, node: name("ask"), kind: .handoff, label: label("95558888"),
                    source: .gateway, context: modified.encoded())), deadlineMilliseconds: 1000)

        let answer = try await bank.router.route(.forwarded())
        #expect(answer.label == label("95558888"))
        #expect(answer.context.variables[1] == "seen")
        #expect(answer.repeated)
        #expect(link.asks.all.isEmpty)
        #expect(bank.dialog(answer.dialog)?.closeReason == .handedOver)
        await link.ends.first(1)
        #expect(link.ends.all == [ScriptedLink.End(dialog: answer.dialog, end: .handedOver)])
    }

    @Test("a restart between reservation and answer: the same entry again")
    func restartAfterReservation() async throws {
        let bank = try bank(link: nil)
        bank.ledger.refuse { record in
            if case .recordAnswer = record { .unavailable(reason: "stopping") } else { nil }
        }
        let request = RouteRequest.forwarded(client: "bank-pg", to: "7900")
        _ = await refusal { () async throws(RouteRefusal) in try await bank.router.route(request) }
        bank.ledger.refuse(nil)
        let answer = try await bank.restarted().router.route(request)
        #expect(answer.label == label("8001"))
        #expect(bank.waiting == 1)
    }

    @Test("a dialog that was closed without an answer is refused with the reason")
    func aged() async throws {
        let bank = try bank(link: nil)
        bank.ledger.refuse { record in
            if case .recordAnswer = record { .unavailable(reason: "stopping") } else { nil }
        }
        _ = await refusal { () async throws(RouteRefusal) in try await bank.router.route(.forwarded(to: "08009")) }
        bank.ledger.refuse(nil)
        bank.ledger.advance(seconds: 61)
        let refusal = await refusal { () async throws(RouteRefusal) in
            try await bank.router.route(.forwarded(to: "08009"))
        }
        #expect(refusal?.description.contains("is closed: aged") == true)
    }

    @Test("when the kept answers' time is over the identity is new")
    func forgotten() async throws {
        let bank = try bank(link: nil)
        let first = try await bank.router.route(.forwarded(to: "08009"))
        bank.ledger.advance(seconds: 121)
        let second = try await bank.router.route(.forwarded(to: "08009"))
        #expect(!second.repeated)
        #expect(first.dialog != second.dialog)
    }
}
