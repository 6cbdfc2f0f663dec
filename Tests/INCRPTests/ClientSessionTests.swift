import CallModel
import INCRP
import Testing

@Suite("INCRP client session")
struct ClientSessionTests {
    /// A client session with a server of the test's own, which numbers its frames.
    struct Link {
        var session: INCRPClientSession
        var number: UInt64 = 0

        init(_ settings: INCRPClientSession.Settings = Sample.client, confirmed: INCRPOpenConfirmed? = Sample.confirmed)
        {
            session = INCRPClientSession(settings: settings, at: Sample.start)
            _ = session.start()
            if let confirmed { _ = receive(.openConfirmed(confirmed)) }
        }

        mutating func receive(_ body: INCRPFrame.Body, at now: LinkTime = Sample.start) -> [INCRPClientSession.Action] {
            number += 1
            return session.handle(.received(INCRPFrame(number: number, body: body)), at: now)
        }

        mutating func faulty(_ kind: FaultyMessage.Kind, _ dialog: UInt64) -> [INCRPClientSession.Action] {
            number += 1
            let message = FaultyMessage(number: number, kind: kind, id: Sample.askID(dialog), reason: "ani is too long")
            return session.handle(.receivedFaulty(message), at: Sample.start)
        }
    }

    static func closing(_ actions: [INCRPClientSession.Action]) -> INCRPClosure.Code? {
        for case .close(let closure) in actions { return closure.code }
        return nil
    }

    static func bodies(_ actions: [INCRPClientSession.Action]) -> [INCRPFrame.Body] {
        actions.compactMap { if case .send(let frame) = $0 { frame.body } else { nil } }
    }

    @Test("the first frame is OPEN with version, instance, side and client id")
    func openFirst() {
        var session = INCRPClientSession(settings: Sample.client, at: Sample.start)
        let outcome1 = session.start()
        #expect(outcome1 == [.send(INCRPFrame(number: 1, body: .open(Sample.open)))])
        #expect(session.nextDeadline == Sample.start.later(5_000))
    }

    enum State: CaseIterable { case opening, open, closed }
    enum Outcome: Equatable {
        case opened
        case nothing
        case refused(INCRPMisuse.Kind)
        case resolved
        case keepsEnd
        case sends(String)
        case closes(INCRPClosure.Code)
    }

    static func outcome(_ actions: [INCRPClientSession.Action]) -> Outcome {
        if let code = closing(actions) { return .closes(code) }
        for action in actions {
            switch action {
            case .opened: return .opened
            case .refused(let misuse): return .refused(misuse.kind)
            case .resolve: return .resolved
            case .keepEnd: return .keepsEnd
            case .send(let frame): return .sends(frame.body.name)
            case .late, .close: continue
            }
        }
        return .nothing
    }

    static func events(_ link: inout Link) -> [(String, INCRPClientSession.Event)] {
        let number = link.number + 1
        func frame(_ body: INCRPFrame.Body) -> INCRPClientSession.Event {
            .received(INCRPFrame(number: number, body: body))
        }
        func faulty(_ kind: FaultyMessage.Kind) -> INCRPClientSession.Event {
            .receivedFaulty(FaultyMessage(number: number, kind: kind, id: Sample.askID(9), reason: "limit"))
        }
        return [
            ("OPEN", frame(.open(Sample.open))),
            ("confirmed", frame(.openConfirmed(Sample.confirmed))),
            ("refused", frame(.openRefused(INCRPOpenRefusal(code: .unknownClient, reason: "unknown")))),
            ("heartbeat", frame(.heartbeat(INCRPHeartbeat(heard: 0, heldMicroseconds: 0)))),
            ("ask frame", frame(.ask(Sample.ask(9)))),
            ("reply", frame(.reply(Sample.reply(9)))),
            ("failure", frame(.failure(Sample.failure(9)))),
            ("end frame", frame(.end(DialogID(LogSequence(9)), .abandoned))),
            ("close", frame(.close(INCRPClosure(.stopped, "the side stops")))),
            ("out of order", .received(INCRPFrame(number: number + 1, body: .reply(Sample.reply(9))))),
            ("repeated number", .received(INCRPFrame(number: number - 1, body: .reply(Sample.reply(9))))),
            ("faulty ask", faulty(.ask)), ("faulty reply", faulty(.reply)), ("faulty failure", faulty(.failure)),
            ("unreadable", .unreadable(INCRPClosure(.malformedFrame, "no envelope"))),
            ("ask", .ask(Sample.ask(8))),
            ("give up", .giveUp(Sample.askID(8))),
            ("end", .end(DialogID(LogSequence(8)), .abandoned)),
            ("timer", .timer),
            ("stop", .stop(reason: "the side stops")),
            ("disconnected", .disconnected(reason: "reset")),
        ]
    }

    /// Outcomes of opening, open, closed for each event.
    static let table: [String: [Outcome]] = [
        "OPEN": [.closes(.unexpectedFrame), .closes(.unexpectedFrame), .nothing],
        "confirmed": [.opened, .closes(.unexpectedFrame), .nothing],
        "refused": [.closes(.openRefused), .closes(.unexpectedFrame), .nothing],
        "heartbeat": [.closes(.unexpectedFrame), .nothing, .nothing],
        "ask frame": [.closes(.unexpectedFrame), .closes(.unexpectedFrame), .nothing],
        "reply": [.closes(.unexpectedFrame), .refused(.unknownDialog), .nothing],
        "failure": [.closes(.unexpectedFrame), .refused(.unknownDialog), .nothing],
        "end frame": [.closes(.unexpectedFrame), .closes(.unexpectedFrame), .nothing],
        "close": [.closes(.stopped), .closes(.stopped), .nothing],
        "out of order": [.closes(.frameOutOfOrder), .closes(.frameOutOfOrder), .nothing],
        "repeated number": [.closes(.frameOutOfOrder), .closes(.frameOutOfOrder), .nothing],
        "faulty ask": [.closes(.unexpectedFrame), .closes(.unexpectedFrame), .nothing],
        "faulty reply": [.closes(.unexpectedFrame), .refused(.limit), .nothing],
        "faulty failure": [.closes(.unexpectedFrame), .refused(.limit), .nothing],
        "unreadable": [.closes(.malformedFrame), .closes(.malformedFrame), .nothing],
        "ask": [.resolved, .sends("route request"), .resolved],
        "give up": [.nothing, .nothing, .nothing],
        "end": [.keepsEnd, .sends("end of dialog"), .keepsEnd],
        "timer": [.nothing, .nothing, .nothing],
        "stop": [.closes(.stopped), .closes(.stopped), .nothing],
        "disconnected": [.closes(.disconnected), .closes(.disconnected), .nothing],
    ]

    @Test("each event has one outcome in each state", arguments: State.allCases.indices)
    func stateTable(state: Int) {
        var link = Link(confirmed: state == 0 ? nil : Sample.confirmed)
        if state == 2 { _ = link.session.handle(.stop(reason: "stop"), at: Sample.start) }
        let events = Self.events(&link)
        #expect(Set(events.map(\.0)) == Set(Self.table.keys))
        for (name, event) in events {
            var session = link.session
            let actions = session.handle(event, at: Sample.start)
            #expect(Self.outcome(actions) == Self.table[name]?[state], "\(name) in \(State.allCases[state])")
            #expect((session.closure != nil) == (state == 2 || Self.closing(actions) != nil))
            #expect((session.nextDeadline == nil) == (session.closure != nil))
        }
    }

    @Test("an answer resolves its request, and only once")
    func answeredOnce() {
        var link = Link()
        let reply = Sample.reply(1)
        let outcome2 = Self.bodies(link.session.handle(.ask(Sample.ask(1)), at: Sample.start))
        #expect(outcome2 == [.ask(Sample.ask(1))])
        let outcome3 = link.receive(.reply(reply))
        #expect(outcome3 == [.resolve(reply.id, Sample.callKey, .success(reply))])
        let outcome4 = link.receive(.reply(reply))
        #expect(outcome4 == [.refused(INCRPMisuse(.answeredTwice, reply.id))])
        let outcome5 = link.receive(.failure(Sample.failure(1)))
        #expect(outcome5 == [.refused(INCRPMisuse(.answeredTwice, reply.id))])
        #expect(link.session.isOpen)
        #expect(link.session.inFlightCount == 0)
    }

    @Test("a failure resolves its request with its code")
    func failed() {
        var link = Link()
        _ = link.session.handle(.ask(Sample.ask(1)), at: Sample.start)
        let outcome6 = link.receive(.failure(Sample.failure(1)))
        #expect(outcome6 == [.resolve(Sample.askID(1), Sample.callKey, .failure(.failed(.noLabel, reason: "none")))])
    }

    @Test("an answer with another dialog's reservation is refused and its request stays open")
    func otherDialogsLabel() {
        var link = Link()
        _ = link.session.handle(.ask(Sample.ask(1)), at: Sample.start)
        _ = link.session.handle(.ask(Sample.ask(2)), at: Sample.start)
        _ = link.receive(.reply(Sample.reply(1, reservation: 77)))
        let outcome7 = link.receive(.reply(Sample.reply(2, reservation: 77)))
        #expect(outcome7 == [.refused(INCRPMisuse(.otherDialogsLabel, Sample.askID(2)))])
        #expect(link.session.inFlightCount == 1)
        let right = Sample.reply(2, reservation: 78)
        let outcome8 = link.receive(.reply(right))
        #expect(outcome8 == [.resolve(right.id, Sample.callKey, .success(right))])
    }

    @Test("at its deadline a request is late; its answer after that is handed on for release, once")
    func late() {
        var link = Link()
        _ = link.session.handle(.ask(Sample.ask(1, deadline: 300)), at: Sample.start)
        #expect(link.session.nextDeadline == Sample.start.later(300))
        let late = link.session.handle(.timer, at: Sample.start.later(300))
        #expect(late == [.resolve(Sample.askID(1), Sample.callKey, .failure(.late))])
        let reply = Sample.reply(1, reservation: 5)
        let outcome9 = link.receive(.reply(reply))
        #expect(outcome9 == [.late(reply, Sample.callKey)])
        let outcome10 = link.receive(.reply(reply))
        #expect(outcome10 == [.refused(INCRPMisuse(.answeredTwice, reply.id))])
    }

    @Test("a request that nobody waits for any more is given up and its answer handed on for release")
    func givenUp() {
        var link = Link()
        _ = link.session.handle(.ask(Sample.ask(1)), at: Sample.start)
        _ = link.session.handle(.giveUp(Sample.askID(1)), at: Sample.start)
        let outcome11 = link.receive(.reply(Sample.reply(1)))
        #expect(outcome11 == [.late(Sample.reply(1), Sample.callKey)])
    }

    @Test("deadlines are met in their order, whatever the order of the requests")
    func deadlinesInOrder() {
        var link = Link()
        for (dialog, deadline) in [(1, 350), (2, 50), (3, 250), (4, 150), (5, 50)] as [(UInt64, UInt32)] {
            _ = link.session.handle(.ask(Sample.ask(dialog, deadline: deadline)), at: Sample.start)
        }
        var late: [UInt64] = []
        while link.session.inFlightCount > 0, let next = link.session.nextDeadline {
            for case .resolve(let id, _, _) in link.session.handle(.timer, at: next) {
                late.append(id.dialog.sequence.number)
            }
        }
        #expect(late.count == 5 && Set(late.prefix(2)) == [2, 5] && Array(late.dropFirst(2)) == [4, 3, 1])
    }

    @Test("beyond the window, which is the lower one of both sides, a request is refused as busy")
    func window() {
        var confirmed = Sample.confirmed
        confirmed.window = 2
        var link = Link(confirmed: confirmed)
        _ = link.session.handle(.ask(Sample.ask(1)), at: Sample.start)
        _ = link.session.handle(.ask(Sample.ask(2)), at: Sample.start)
        let third = link.session.handle(.ask(Sample.ask(3)), at: Sample.start)
        guard case .resolve(_, _, .failure(.failed(.busy, _))) = third.first else {
            Issue.record("not refused as busy: \(third)")
            return
        }
        #expect(link.session.inFlightCount == 2)
    }

    @Test("when the link ends, each request in flight is answered offline at once")
    func offline() {
        var link = Link()
        for dialog in 1...3 { _ = link.session.handle(.ask(Sample.ask(UInt64(dialog))), at: Sample.start) }
        let actions = link.session.handle(.disconnected(reason: "reset"), at: Sample.start)
        #expect(actions.count == 4)
        #expect(link.session.inFlightCount == 0)
    }

    @Test("a heartbeat is sent each 400 ms, and the link is lost after 5 missed")
    func heartbeats() {
        var link = Link()
        var sent = 0
        var now = Sample.start
        while link.session.isOpen, let next = link.session.nextDeadline {
            now = next
            for case .heartbeat in Self.bodies(link.session.handle(.timer, at: now)) { sent += 1 }
        }
        #expect(sent == 4)
        #expect(now == Sample.start.later(2_000))
        #expect(link.session.closure?.code == .heartbeatsMissed)
    }

    @Test("heartbeats that come keep the link and give its round trip")
    func roundTrip() {
        var link = Link()
        let beat = link.session.handle(.timer, at: Sample.start.later(400))
        guard case .send(let frame)? = beat.first else {
            Issue.record("no heartbeat")
            return
        }
        let answer = INCRPHeartbeat(heard: frame.number, heldMicroseconds: 150_000)
        _ = link.receive(.heartbeat(answer), at: Sample.start.later(600))
        #expect(link.session.roundTripMicroseconds == 50_000)
        _ = link.receive(.heartbeat(INCRPHeartbeat(heard: 999, heldMicroseconds: .max)), at: Sample.start.later(700))
        #expect(link.session.roundTripMicroseconds == 50_000)
        #expect(link.session.isOpen)
    }

    @Test("OPEN that is not answered within 5 s ends the link")
    func handshakeTimeout() {
        var link = Link(confirmed: nil)
        let outcome12 = Self.closing(link.session.handle(.timer, at: Sample.start.later(5_000)))
        #expect(outcome12 == .handshakeTimeout)
    }

    @Test("below 1.1 the client keeps the arrays it sent, and takes the rest of the answer's context")
    func arraysKept() {
        var confirmed = Sample.confirmed
        confirmed.version = INCRPVersion(major: 1, minor: 0)
        var link = Link(confirmed: confirmed)
        #expect(link.session.peer?.features == [])
        _ = link.session.handle(.ask(Sample.ask(1, context: Sample.arrays("sent"))), at: Sample.start)
        var answered = Sample.arrays("changed")
        answered.ced = "42"
        let actions = link.receive(.reply(Sample.reply(1, context: answered)))
        guard case .resolve(_, _, .success(let reply))? = actions.first else {
            Issue.record("no answer")
            return
        }
        #expect(reply.context.ecc[ECCName(unchecked: "user.items")] == .array(["sent"]))
        #expect(reply.context.ecc[ECCName(unchecked: "user.account")] == .scalar("changed"))
        #expect(reply.context.ced == "42")
    }

    @Test("a server that confirms a version this side does not speak, or is another instance, is left")
    func wrongServer() {
        var confirmed = Sample.confirmed
        confirmed.version = INCRPVersion(major: 1, minor: 2)
        #expect(Link(confirmed: confirmed).session.closure?.code == .unexpectedFrame)
        confirmed = Sample.confirmed
        confirmed.instance = InstanceName(unchecked: "hotel")
        #expect(Link(confirmed: confirmed).session.closure?.code == .otherInstance)
    }

    @Test("an answer that breaks a limit fails its request alone")
    func faultyReply() {
        var link = Link()
        _ = link.session.handle(.ask(Sample.ask(1)), at: Sample.start)
        let actions = link.faulty(.reply, 1)
        #expect(
            actions == [
                .refused(INCRPMisuse(.limit, Sample.askID(1))),
                .resolve(Sample.askID(1), Sample.callKey, .failure(.failed(.limit, reason: "ani is too long"))),
            ])
        #expect(link.session.isOpen)
    }
}
