import CallModel
import CallRouter
import INCRP
import Ledger
import LedgerDouble
import Logging
import ReplicatedLedger
import Routing
import Testing

@Suite("Callers who hang up")
struct AbandonmentTests {
    @Test("a caller hangs up while the server is asked: the dialog is closed, and the server told")
    func whileAsked() async throws {
        let link = ScriptedLink(.silent)
        let bank = try bank(link: link)
        async let answering = refusal { () async throws(RouteRefusal) in try await bank.router.route(.forwarded()) }
        let ask = await link.asks.first(1)[0]
        let abandoned = try await bank.router.abandon(ask.id.dialog)

        #expect(abandoned.closed)
        #expect(await answering?.code == "refused")
        await link.ends.first(1)
        #expect(link.ends.all == [ScriptedLink.End(dialog: ask.id.dialog, end: .abandoned)])
        #expect(bank.dialog(ask.id.dialog)?.closeReason == .abandoned)
        #expect(bank.router.counters.gateways[toInsurance]?.abandoned == 1)
    }

    @Test("a caller hangs up after the answer: the reservation is released here")
    func afterAnswer() async throws {
        let bank = try bank(link: nil)
        let answer = try await bank.router.route(.forwarded(client: "bank-pg", to: "7900"))
        #expect(bank.waiting == 1)
        let abandoned = try await bank.router.abandon(answer.dialog)
        #expect(abandoned.released == answer.reservation?.reservation)
        #expect(bank.waiting == 0)
    }

    @Test("a caller hangs up while routed: the reservation is released at the server too")
    func atTheServer() async throws {
        let centres = try TwoCentres()
        let answer = try await centres.bank.router.route(.forwarded())
        await centres.link.ends.first(1)
        #expect(centres.insurance.waiting == 1)
        _ = try await centres.bank.router.abandon(answer.dialog)
        await centres.link.ends.first(2)
        #expect(centres.insurance.waiting == 0)
    }

    @Test("after a restart every server is told, since it is forgotten which was asked")
    func afterRestart() async throws {
        let centres = try TwoCentres()
        let answer = try await centres.bank.router.route(.forwarded())
        await centres.link.ends.first(1)
        _ = try await centres.bank.restarted().router.abandon(answer.dialog)
        await centres.link.ends.first(2)
        #expect(centres.insurance.waiting == 0)
    }

    @Test("the request of a caller who hung up is refused when it comes again")
    func comesAgain() async throws {
        let link = ScriptedLink(.silent)
        let bank = try bank(link: link)
        async let answering = refusal { () async throws(RouteRefusal) in try await bank.router.route(.forwarded()) }
        _ = try await bank.router.abandon(await link.asks.first(1)[0].id.dialog)
        _ = await answering
        let again = await refusal { () async throws(RouteRefusal) in try await bank.router.route(.forwarded()) }
        #expect(again?.description.contains("is closed: abandoned") == true)
    }

    @Test("the request of a caller who hung up after the answer is refused when it comes again")
    func comesAgainAfterAnswer() async throws {
        let bank = try bank(link: nil)
        let answer = try await bank.router.route(.forwarded(client: "bank-pg", to: "7900"))
        let first = try await bank.router.abandon(answer.dialog)
        #expect((first.closed, first.reason) == (false, .handedOver))
        let again = await refusal { () async throws(RouteRefusal) in
            try await bank.router.route(.forwarded(client: "bank-pg", to: "7900"))
        }
        #expect(again?.description.contains("is closed: abandoned") == true)
        #expect(bank.waiting == 0)
        #expect(try await bank.router.abandon(answer.dialog).reason == .abandoned)
    }

    @Test("a server that was not asked is not told")
    func notAsked() async throws {
        let link = ScriptedLink(label: "95551111")
        let bank = try bank(link: link)
        let own = try await bank.router.route(.forwarded("call-1", client: "bank-pg", to: "7900"))
        let forwarded = try await bank.router.route(.forwarded("call-2"))
        _ = try await bank.router.abandon(own.dialog)
        _ = try await bank.router.abandon(forwarded.dialog)
        await link.ends.first(2)
        #expect(Set(link.ends.all.map(\.dialog)) == [forwarded.dialog])
    }

    @Test("an unknown dialog is refused")
    func unknown() async throws {
        let bank = try bank(link: nil)
        await #expect(throws: RouteRefusal.unknown(field: "dialog", name: "D999", nearest: nil)) {
            try await bank.router.abandon(DialogID(LogSequence(999)))
        }
    }
}
