import CallModel
import INCRP
import Testing

@Suite("INCRP server session")
struct ServerSessionTests {
    struct Link {
        var session: INCRPServerSession
        var number: UInt64 = 0

        enum State: CaseIterable { case waiting, admitting, open, closed }

        init(
            _ state: State = .open, settings: INCRPServerSession.Settings = Sample.server, open: INCRPOpen = Sample.open
        ) {
            session = INCRPServerSession(settings: settings, at: Sample.start)
            if state == .waiting { return }
            if state == .closed {
                _ = session.handle(.stop(reason: "stop"), at: Sample.start)
                return
            }
            _ = receive(.open(open))
            if state == .open { _ = session.handle(.admitted(.success(1)), at: Sample.start) }
        }

        mutating func receive(_ body: INCRPFrame.Body, at now: LinkTime = Sample.start) -> [INCRPServerSession.Action] {
            number += 1
            return session.handle(.received(INCRPFrame(number: number, body: body)), at: now)
        }
    }

    static func closing(_ actions: [INCRPServerSession.Action]) -> INCRPClosure? {
        for case .close(let closure) in actions { return closure }
        return nil
    }

    enum Outcome: Equatable {
        case nothing
        case admits
        case asks
        case ends
        case refused(INCRPMisuse.Kind)
        case closes(INCRPClosure.Code)
    }

    static func outcome(_ actions: [INCRPServerSession.Action]) -> Outcome {
        if let closure = closing(actions) { return .closes(closure.code) }
        for action in actions {
            switch action {
            case .admit: return .admits
            case .ask: return .asks
            case .end: return .ends
            case .refused(let misuse): return .refused(misuse.kind)
            case .send, .opened, .answered, .failed, .arraysLeftOut, .close: continue
            }
        }
        return .nothing
    }

    static func events(_ number: UInt64) -> [(String, INCRPServerSession.Event)] {
        func frame(_ body: INCRPFrame.Body) -> INCRPServerSession.Event {
            .received(INCRPFrame(number: number, body: body))
        }
        func faulty(_ kind: FaultyMessage.Kind) -> INCRPServerSession.Event {
            .receivedFaulty(FaultyMessage(number: number, kind: kind, id: Sample.askID(9), reason: "limit"))
        }
        return [
            ("OPEN", frame(.open(Sample.open))),
            ("confirmed", frame(.openConfirmed(Sample.confirmed))),
            ("refused", frame(.openRefused(INCRPOpenRefusal(code: .unknownClient, reason: "unknown")))),
            ("heartbeat", frame(.heartbeat(INCRPHeartbeat(heard: 0, heldMicroseconds: 0)))),
            ("ask", frame(.ask(Sample.ask(9)))),
            ("reply", frame(.reply(Sample.reply(9)))),
            ("failure", frame(.failure(Sample.failure(9)))),
            ("end", frame(.end(DialogID(LogSequence(9)), .abandoned))),
            ("close", frame(.close(INCRPClosure(.stopped, "the side stops")))),
            ("out of order", .received(INCRPFrame(number: number + 1, body: .ask(Sample.ask(9))))),
            ("faulty ask", faulty(.ask)), ("faulty reply", faulty(.reply)), ("faulty failure", faulty(.failure)),
            ("unreadable", .unreadable(INCRPClosure(.oversizedFrame, "too long"))),
            ("timer", .timer),
            ("replaced", .replaced),
            ("stop", .stop(reason: "the side stops")),
            ("disconnected", .disconnected(reason: "reset")),
        ]
    }

    /// Outcomes of waiting, admitting, open, closed for each event.
    static let table: [String: [Outcome]] = {
        func everywhere(_ code: INCRPClosure.Code) -> [Outcome] {
            [.closes(code), .closes(code), .closes(code), .nothing]
        }
        func opened(_ outcome: Outcome) -> [Outcome] {
            [.closes(.unexpectedFrame), .closes(.unexpectedFrame), outcome, .nothing]
        }
        return [
            "OPEN": [.admits, .closes(.unexpectedFrame), .closes(.unexpectedFrame), .nothing],
            "confirmed": everywhere(.unexpectedFrame),
            "refused": everywhere(.unexpectedFrame),
            "heartbeat": opened(.nothing),
            "ask": opened(.asks),
            "reply": everywhere(.unexpectedFrame),
            "failure": everywhere(.unexpectedFrame),
            "end": opened(.ends),
            "close": everywhere(.stopped),
            "out of order": everywhere(.frameOutOfOrder),
            "faulty ask": opened(.refused(.limit)),
            "faulty reply": everywhere(.unexpectedFrame),
            "faulty failure": everywhere(.unexpectedFrame),
            "unreadable": everywhere(.oversizedFrame),
            "timer": [.nothing, .nothing, .nothing, .nothing],
            "replaced": everywhere(.replaced),
            "stop": everywhere(.stopped),
            "disconnected": everywhere(.disconnected),
        ]
    }()

    @Test("each event has one outcome in each state", arguments: Link.State.allCases.indices)
    func stateTable(state: Int) {
        let link = Link(Link.State.allCases[state])
        let events = Self.events(link.number + 1)
        #expect(Set(events.map(\.0)) == Set(Self.table.keys))
        for (name, event) in events {
            var session = link.session
            let actions = session.handle(event, at: Sample.start)
            #expect(Self.outcome(actions) == Self.table[name]?[state], "\(name) in \(Link.State.allCases[state])")
            #expect((session.closure != nil) == (state == 3 || Self.closing(actions) != nil))
        }
    }

    @Test("an admitted OPEN is confirmed with the version and features that hold")
    func confirmed() {
        var older = Sample.open
        older.version = INCRPVersion(major: 1, minor: 0)
        older.features = []
        var link = Link(.admitting, open: older)
        let actions = link.session.handle(.admitted(.success(7)), at: Sample.start)
        guard case .send(let frame)? = actions.first, case .openConfirmed(let confirmed) = frame.body else {
            Issue.record("not confirmed: \(actions)")
            return
        }
        #expect(confirmed.version == older.version)
        #expect(confirmed.features == [])
        #expect(confirmed.session == 7)
        #expect(link.session.peer?.instance == Sample.open.instance)
    }

    @Test("a major version apart is refused at OPEN with both versions")
    func majorApart() {
        var open = Sample.open
        open.version = INCRPVersion(major: 2, minor: 3)
        var link = Link(.waiting)
        let actions = link.receive(.open(open))
        guard case .send(let frame)? = actions.first, case .openRefused(let refusal) = frame.body else {
            Issue.record("not refused: \(actions)")
            return
        }
        #expect(refusal.code == .version)
        #expect(refusal.reason.contains("2.3") && refusal.reason.contains("1.1"))
        #expect(Self.closing(actions)?.code == .openRefused)
    }

    @Test("an OPEN that is refused is answered with the reason before the link closes")
    func refused() {
        var link = Link(.admitting)
        let refusal = INCRPOpenRefusal(code: .unknownClient, reason: "client id 3 is not configured here")
        let actions = link.session.handle(.admitted(.failure(refusal)), at: Sample.start)
        #expect(actions.first == .send(INCRPFrame(number: 1, body: .openRefused(refusal))))
        #expect(Self.closing(actions)?.code == .openRefused)
    }

    @Test("a connection without OPEN is closed after 5 s")
    func handshake() {
        var link = Link(.waiting)
        #expect(link.session.nextDeadline == Sample.start.later(5_000))
        let outcome1 = Self.closing(link.session.handle(.timer, at: Sample.start.later(5_000)))?.code
        #expect(outcome1 == .handshakeTimeout)
    }

    @Test("a request is handed out once and answered once; asked again meanwhile it waits for the same answer")
    func answeredOnce() {
        var link = Link()
        let outcome2 = link.receive(.ask(Sample.ask(1)))
        #expect(outcome2 == [.ask(Sample.ask(1))])
        let outcome3 = link.receive(.ask(Sample.ask(1)))
        #expect(outcome3 == [.refused(INCRPMisuse(.askedAgain, Sample.askID(1)))])
        let actions = link.session.handle(.answer(Sample.askID(1), .success(Sample.reply(1))), at: Sample.start)
        #expect(
            actions == [
                .send(INCRPFrame(number: 2, body: .reply(Sample.reply(1)))),
                .answered(Sample.askID(1), Sample.callKey, late: false),
            ])
        #expect(link.session.inFlightCount == 0)
        let outcome4 = link.receive(.ask(Sample.ask(1)))
        #expect(outcome4 == [.ask(Sample.ask(1))])
    }

    @Test("an answer after the deadline is still sent, and counted late")
    func late() {
        var link = Link()
        _ = link.receive(.ask(Sample.ask(1, deadline: 100)))
        let refusal = RouteAskRefusal(code: .unavailable, reason: "not now")
        let actions = link.session.handle(.answer(Sample.askID(1), .failure(refusal)), at: Sample.start.later(101))
        #expect(actions.last == .failed(Sample.askID(1), Sample.callKey, .unavailable, late: true))
        #expect(actions.count == 2)
    }

    @Test("beyond the window a request gets busy at once")
    func window() {
        var settings = Sample.server
        settings.window = 1
        var link = Link(settings: settings)
        _ = link.receive(.ask(Sample.ask(1)))
        let actions = link.receive(.ask(Sample.ask(2)))
        #expect(actions.first == .refused(INCRPMisuse(.windowFull, Sample.askID(2))))
        guard case .send(let frame)? = actions.last, case .failure(let failure) = frame.body else {
            Issue.record("no failure: \(actions)")
            return
        }
        #expect(failure.code == .busy)
    }

    @Test("below 1.1 ECC arrays are left out of answers, which is told once a link")
    func arraysLeftOut() {
        var older = Sample.open
        older.version = INCRPVersion(major: 1, minor: 0)
        older.features = []
        var link = Link(open: older)
        var told = 0
        for dialog: UInt64 in [1, 2] {
            _ = link.receive(.ask(Sample.ask(dialog)))
            let reply = Sample.reply(dialog, context: Sample.arrays("x"))
            for action in link.session.handle(.answer(reply.id, .success(reply)), at: Sample.start) {
                if case .arraysLeftOut = action { told += 1 }
                guard case .send(let frame) = action, case .reply(let sent) = frame.body else { continue }
                #expect(sent.context.ecc == [ECCName(unchecked: "user.account"): .scalar("x")])
            }
        }
        #expect(told == 1)
    }

    @Test("a request that breaks a limit fails alone, with the field in the reason")
    func faultyAsk() {
        var link = Link()
        let message = FaultyMessage(
            number: link.number + 1, kind: .ask, id: Sample.askID(4), reason: "ani has 41 bytes; the limit is 40")
        let actions = link.session.handle(.receivedFaulty(message), at: Sample.start)
        let failure = RouteFailure(id: Sample.askID(4), code: .limit, reason: message.reason)
        #expect(
            actions == [
                .refused(INCRPMisuse(.limit, Sample.askID(4))), .send(INCRPFrame(number: 2, body: .failure(failure))),
            ])
        #expect(link.session.isOpen)
    }

    @Test("a silent client is lost after 2 s")
    func silent() {
        var link = Link()
        while link.session.isOpen, let next = link.session.nextDeadline { _ = link.session.handle(.timer, at: next) }
        #expect(link.session.closure?.code == .heartbeatsMissed)
    }
}
