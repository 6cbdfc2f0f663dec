import CallModel
import CallRouter
import INCRP
import Testing

@Suite("Both sides of a Server ICM as one link")
struct ServerSidesTests {
    private let clock = ManualClock()
    private let a = ScriptedLink(label: "from A")
    private let b = ScriptedLink(label: "from B")

    private func sides(_ preference: ServerSides.Preference = .side(.a)) -> ServerSides {
        ServerSides(
            [ServerSides.Way(side: .a, link: a), ServerSides.Way(side: .b, link: b)], preferring: preference,
            clock: clock)
    }

    private func ask(dialog: UInt64 = 1, deadline: UInt32 = 3000) throws -> RouteAsk {
        RouteAsk(
            id: AskID(dialog: DialogID(LogSequence(dialog)), node: try NodeName("ask")),
            callKey: CallKey(origin: try InstanceName("bank"), day: 20_000, number: 1), callKeySequence: 0,
            callID: try CallID("call"), dialedNumber: "0800", deadlineMilliseconds: deadline, context: CallContext())
    }

    @Test("the preferred side is asked, and the other one is left alone", arguments: Side.allCases)
    func preferred(side: Side) async throws {
        let reply = try await sides(.side(side)).ask(ask())
        #expect(reply.label.text == "from \(side.rawValue)")
        #expect((side == .a ? b : a).asks.all.isEmpty)
    }

    @Test("without a preferred side dialogs go in turn to the one and the other")
    func both() async throws {
        let sides = sides(.both)
        #expect(try await sides.ask(ask(dialog: 2)).label.text == "from A")
        #expect(try await sides.ask(ask(dialog: 3)).label.text == "from B")
    }

    @Test(
        "a side that is offline, unavailable or busy is passed over at once",
        arguments: [
            ServerLinkFault.offline(reason: "down"), .failed(.unavailable, reason: ""), .failed(.busy, reason: ""),
        ])
    func passedOver(fault: ServerLinkFault) async throws {
        a.behave(.fault(fault))
        #expect(try await sides().ask(ask()).label.text == "from B")
    }

    @Test("what the server decided is not asked again at its other side")
    func decided() async throws {
        a.behave(.fault(.failed(.noLabel, reason: "busy hour")))
        await #expect(throws: ServerLinkFault.failed(.noLabel, reason: "busy hour")) { try await sides().ask(ask()) }
        #expect(b.asks.all.isEmpty)
    }

    @Test(
        "an unanswered request goes to the other side after 500 ms, under the same id and with what is left of its time"
    )
    func resent() async throws {
        a.behave(.silent)
        let sides = sides()
        let request = try ask()
        async let reply = sides.ask(request)
        await clock.sleeps.first(1)
        clock.advance(milliseconds: 499)
        #expect(b.asks.all.isEmpty)
        clock.advance(milliseconds: 1)
        #expect(try await reply.label.text == "from B")
        let resent = b.asks.all[0]
        #expect(resent.id == request.id && resent.deadlineMilliseconds == 2500)
    }

    @Test("when both sides are offline the request fails at once, and says why")
    func bothOffline() async throws {
        a.behave(.fault(.offline(reason: "A is down")))
        b.behave(.fault(.offline(reason: "B is down")))
        await #expect(throws: ServerLinkFault.offline(reason: "B is down")) { try await sides().ask(ask()) }
    }

    @Test("a dialog's end is told to the side that was asked, or to the other one while that link is down")
    func ends() async throws {
        let sides = sides()
        _ = try await sides.ask(ask())
        a.isUp = true
        b.isUp = true
        await sides.end(DialogID(LogSequence(1)), as: .default)
        #expect(a.ends.all.count == 1 && b.ends.all.isEmpty)
        _ = try await sides.ask(ask(dialog: 2))
        a.isUp = false
        await sides.end(DialogID(LogSequence(2)), as: .default)
        let second = ScriptedLink.End(dialog: DialogID(LogSequence(2)), end: .default)
        #expect(a.ends.all.count == 1 && b.ends.all == [second])
        b.isUp = false
        _ = try await sides.ask(ask(dialog: 3))
        await sides.end(DialogID(LogSequence(3)), as: .abandoned)
        let third = ScriptedLink.End(dialog: DialogID(LogSequence(3)), end: .abandoned)
        #expect(a.ends.all.last == third, "kept for its link")
    }
}
