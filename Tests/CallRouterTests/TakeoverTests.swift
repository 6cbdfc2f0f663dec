import CallModel
import CallRouter
import INCRP
import Ledger
import LedgerDouble
import Logging
import ReplicatedLedger
import Routing
import Testing

/// Dialogs of a lost side, taken up by the other one: both have the same ledger.
@Suite("Dialogs of a lost side")
struct TakeoverTests {
    /// Side B of the instance, over the ledger that A has left behind.
    private func sideB(of instance: Instance, links: [GatewayName: any ServerLink]? = nil) -> Instance {
        var settings = instance.settings
        settings.side = .b
        return Instance(
            settings, LedgerConfiguration(instance: instance.name), links: links ?? instance.links,
            ledger: instance.ledger)
    }

    /// Routes at a side that is lost before the answer is recorded.
    private func lose(_ side: Instance, while request: RouteRequest) async {
        side.ledger.refuse { record in
            if case .recordAnswer = record { .unavailable(reason: "lost") } else { nil }
        }
        let refusal = await refusal { () async throws(RouteRefusal) in try await side.router.route(request) }
        #expect(refusal == .unavailable(reason: "lost"))
        side.ledger.refuse(nil)
    }

    @Test("an open dialog of the lost side gets its answer here, under the same dialog, with the entry reserved there")
    func takenUp() async throws {
        let a = try bank(link: nil)
        let request = RouteRequest.forwarded(client: "bank-pg", to: "7900")
        await lose(a, while: request)
        #expect(a.waiting == 1)
        let dialog = try #require(a.dialogs.first)
        #expect(dialog.side == .a && dialog.state == .open)

        let b = sideB(of: a)
        await b.router.takeUp(from: .a)
        #expect(b.dialog(dialog.dialog)?.closeReason == .handedOver)
        #expect(b.router.counters.takenUp == 1)
        #expect(b.waiting == 1)

        let answer = try await b.router.route(request)
        #expect(answer.repeated)
        #expect(answer.dialog == dialog.dialog)
        #expect(answer.label == label("8001"))
        #expect(b.waiting == 1 && b.dialogs.count == 1)
    }

    @Test("its server is asked again under the same dialog and node, and a client that asks here meanwhile joins it")
    func joined() async throws {
        let link = ScriptedLink(label: "95551111")
        let a = try bank(link: link)
        await lose(a, while: .forwarded())

        let silent = ScriptedLink(.silent)
        let b = sideB(of: a, links: [toInsurance: silent])
        let taking = Task { await b.router.takeUp(from: .a) }
        await silent.asks.first(1)
        async let again = b.router.route(.forwarded())
        let until = try #require(await b.clock.sleeps.first(2).min())
        b.clock.advance(milliseconds: until - b.clock.nowMilliseconds)
        let answer = try await again
        await taking.value
        #expect(answer.repeated)
        #expect(answer.dialog == a.dialogs.first?.dialog)
        #expect(Set((link.asks.all + silent.asks.all).map(\.id)).count == 1)
        #expect(silent.asks.all.count == 1)
        #expect(b.dialogs.count == 1)
    }

    @Test("dialogs of this side, and closed ones, are left alone")
    func others() async throws {
        let a = try bank(link: nil)
        _ = try await a.router.route(.forwarded("done", to: "08009"))
        let b = sideB(of: a)
        await lose(b, while: .forwarded("mine", to: "08009"))
        let before = a.dialogs
        await b.router.takeUp(from: .a)
        #expect(a.dialogs == before)
        #expect(b.router.counters.takenUp == 0)
    }

    @Test("an answered dialog whose close was lost is closed")
    func answered() async throws {
        let a = try bank(link: nil)
        a.ledger.refuse { record in
            if case .closeDialog = record { .unavailable(reason: "lost") } else { nil }
        }
        let first = try await a.router.route(.forwarded(to: "08009"))
        a.ledger.refuse(nil)
        #expect(a.dialog(first.dialog)?.state == .answered)
        let b = sideB(of: a)
        await b.router.takeUp(from: .a)
        #expect(b.dialog(first.dialog)?.closeReason == .handedOver)
        #expect(try await b.router.route(.forwarded(to: "08009")).label == first.label)
    }

    @Test("a dialog of a client that is not configured here is left to age")
    func unknownClient() async throws {
        let a = try bank(link: nil)
        await lose(a, while: .forwarded(to: "08009"))
        let b = sideB(of: a)
        var settings = b.settings
        settings.routingClients[name("carrier")] = nil
        b.router.update(settings, links: [:])
        await b.router.takeUp(from: .a)
        #expect(b.dialogs.first?.state == .open)
        #expect(b.router.counters.takenUp == 0)
    }

    @Test("a Client ICM's dialog gets its answer here, and its end, which finds it, releases what waits")
    func clientICM() async throws {
        let a = try insurance()
        a.ledger.refuse { record in
            if case .recordAnswer = record { .unavailable(reason: "lost") } else { nil }
        }
        let asking = ask(dialog: 40)
        let peer = try peer(5, "bank")
        _ = await a.nic.answer(asking, from: peer)
        a.ledger.refuse(nil)
        #expect(a.waiting == 1)

        let b = sideB(of: a)
        // It has looked for open dialogs before: those of A were none of its own then.
        await b.nic.end(DialogID(LogSequence(1)), as: .default, from: peer)
        await b.router.takeUp(from: .a)
        #expect(b.dialogs.first?.state == .answered)
        await b.nic.end(asking.id.dialog, as: .abandoned, from: peer)
        #expect(b.dialogs.first?.closeReason == .abandoned)
        #expect(b.waiting == 0)
    }

    private func ask(dialog: UInt64) -> RouteAsk {
        var context = context()
        context.dialedNumber = "08001"
        return RouteAsk(
            id: AskID(dialog: DialogID(LogSequence(dialog)), node: name("ask")),
            callKey: CallKey(origin: name("bank"), day: 20_000, number: 1),
            callKeySequence: 0, callID: name("call-1"), dialedNumber: "08001",
            deadlineMilliseconds: 1000, context: context)
    }
}
