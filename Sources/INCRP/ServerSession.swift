package import CallModel

/// The server's end of one connection, from the first byte to the last. Events with the time go in, actions come
/// out, in order; ``nextDeadline`` says when a `timer` event is wanted at the latest.
///
/// waiting -> admitting -> open -> closed. The first frame must be OPEN; whether the client may have the link is
/// decided by ``INCRPRegistry``. A request is handed out once and answered once; a request that comes again while it
/// is in flight waits for the same answer.
package struct INCRPServerSession: Sendable {
    package struct Settings: Hashable, Sendable {
        package var instance: InstanceName
        package var instanceNumber: UInt32
        package var side: Side
        /// The newest version this side speaks.
        package var version: INCRPVersion
        package var window: Int

        package init(
            instance: InstanceName, instanceNumber: UInt32 = 0, side: Side, version: INCRPVersion = .current,
            window: Int = INCRPLimits.window
        ) {
            self.instance = instance
            self.instanceNumber = instanceNumber
            self.side = side
            self.version = version
            self.window = window
        }
    }

    package enum Event: Sendable {
        case received(INCRPFrame)
        case receivedFaulty(FaultyMessage)
        /// Bytes that are no frame; the reason to close with.
        case unreadable(INCRPClosure)
        /// The answer to the action `admit`: the session's number, or the refusal.
        case admitted(Result<UInt64, INCRPOpenRefusal>)
        case answer(AskID, Result<RouteReply, RouteAskRefusal>)
        case timer
        /// A newer link of the same side took this one's place.
        case replaced
        case stop(reason: String)
        case disconnected(reason: String)
    }

    package enum Action: Equatable, Sendable {
        case send(INCRPFrame)
        case admit(INCRPOpen)
        case opened(INCRPPeer, session: UInt64)
        case ask(RouteAsk)
        case end(DialogID, AskEnd)
        /// The answer was sent; `late` when its deadline had passed.
        case answered(AskID, CallKey, late: Bool)
        case failed(AskID, CallKey, RouteFailure.Code, late: Bool)
        case refused(INCRPMisuse)
        /// The link's version has no modified arrays: they were left out of an answer. Once a link.
        case arraysLeftOut(AskID)
        /// End the connection after what was sent before.
        case close(INCRPClosure)
    }

    private enum Phase: Sendable {
        case waiting(until: LinkTime)
        case admitting(INCRPOpen, version: INCRPVersion)
        case open(features: INCRPFeatures)
        case closed(INCRPClosure)
    }

    private struct InFlight: Sendable {
        let callKey: CallKey
        let deadline: LinkTime
    }

    private let settings: Settings
    private var phase: Phase
    private var pulse: LinkPulse
    private var inFlight: [AskID: InFlight] = [:]
    private var arraysWereLeftOut = false
    private(set) package var peer: INCRPPeer?

    package init(settings: Settings, at now: LinkTime) {
        self.settings = settings
        phase = .waiting(until: now.adding(milliseconds: INCRPLimits.handshakeMilliseconds))
        pulse = LinkPulse(at: now)
    }

    package var isOpen: Bool { if case .open = phase { true } else { false } }
    package var closure: INCRPClosure? { if case .closed(let closure) = phase { closure } else { nil } }
    package var inFlightCount: Int { inFlight.count }
    package var roundTripMicroseconds: UInt64? { pulse.roundTripMicroseconds }

    package var nextDeadline: LinkTime? {
        switch phase {
        case .waiting(let until): until
        case .admitting, .open: pulse.nextDeadline
        case .closed: nil
        }
    }

    package mutating func handle(_ event: Event, at now: LinkTime) -> [Action] {
        // What still arrives for a closed session is ignored: the connection is going.
        if case .closed = phase { return [] }
        switch event {
        case .received(let frame): return received(frame, at: now)
        case .receivedFaulty(let message): return receivedFaulty(message, at: now)
        case .unreadable(let closure): return close(closure, tellPeer: true)
        case .admitted(let result): return admitted(result)
        case .answer(let id, let result): return answer(id, result, at: now)
        case .timer: return timer(at: now)
        case .replaced:
            return close(INCRPClosure(.replaced, "the same side of the client opened a newer link"), tellPeer: true)
        case .stop(let reason): return close(INCRPClosure(.stopped, reason), tellPeer: true)
        case .disconnected(let reason): return close(INCRPClosure(.disconnected, reason), tellPeer: false)
        }
    }

    private var phaseName: String {
        switch phase {
        case .waiting: "waiting for OPEN"
        case .admitting: "opening"
        case .open: "open"
        case .closed: "closed"
        }
    }

    private func unexpected(_ name: String) -> INCRPClosure {
        INCRPClosure(.unexpectedFrame, "\(name) from the client while the link is \(phaseName)")
    }

    private mutating func close(_ closure: INCRPClosure, tellPeer: Bool) -> [Action] {
        var actions: [Action] = []
        if tellPeer { actions.append(.send(pulse.frame(.close(closure)))) }
        inFlight.removeAll()
        phase = .closed(closure)
        actions.append(.close(closure))
        return actions
    }

    private mutating func timer(at now: LinkTime) -> [Action] {
        switch phase {
        case .waiting(let until):
            guard now >= until else { return [] }
            let reason = "OPEN did not come within \(INCRPLimits.handshakeMilliseconds) ms"
            return close(INCRPClosure(.handshakeTimeout, reason), tellPeer: true)
        case .admitting, .open:
            if let lost = pulse.lost(at: now) { return close(lost, tellPeer: true) }
            guard isOpen, let heartbeat = pulse.heartbeat(at: now) else { return [] }
            return [.send(heartbeat)]
        case .closed: return []
        }
    }
}

// MARK: - OPEN

extension INCRPServerSession {
    private mutating func opening(_ open: INCRPOpen) -> [Action] {
        guard let version = settings.version.common(with: open.version) else {
            return refuse(
                INCRPOpenRefusal(
                    code: .version,
                    reason: "the client speaks INCRP \(open.version), this server \(settings.version); "
                        + "the major versions must be equal"))
        }
        phase = .admitting(open, version: version)
        return [.admit(open)]
    }

    private mutating func refuse(_ refusal: INCRPOpenRefusal) -> [Action] {
        let sent = Action.send(pulse.frame(.openRefused(refusal)))
        return [sent] + close(INCRPClosure(.openRefused, refusal.reason), tellPeer: false)
    }

    private mutating func admitted(_ result: Result<UInt64, INCRPOpenRefusal>) -> [Action] {
        guard case .admitting(let open, let version) = phase else {
            preconditionFailure("an admission while the link is \(phaseName)")
        }
        switch result {
        case .failure(let refusal): return refuse(refusal)
        case .success(let session):
            let features = open.features.intersection(version.features)
            let peer = INCRPPeer(clientID: open.clientID, instance: open.instance, side: open.side, version: version)
            self.peer = peer
            phase = .open(features: features)
            let confirmed = INCRPOpenConfirmed(
                version: version, features: features, instance: settings.instance,
                instanceNumber: settings.instanceNumber, side: settings.side, session: session,
                window: UInt32(clamping: settings.window))
            return [.send(pulse.frame(.openConfirmed(confirmed))), .opened(peer, session: session)]
        }
    }
}

// MARK: - Requests and answers

extension INCRPServerSession {
    private mutating func received(_ frame: INCRPFrame, at now: LinkTime) -> [Action] {
        if let closure = pulse.accept(frame.number, at: now) { return close(closure, tellPeer: true) }
        switch (phase, frame.body) {
        case (_, .close(let closure)):
            return close(INCRPClosure(closure.code, closure.reason, byPeer: true), tellPeer: false)
        case (.waiting, .open(let open)): return opening(open)
        case (.open, .heartbeat(let heartbeat)):
            pulse.heard(heartbeat, number: frame.number, at: now)
            return []
        case (.open, .ask(let ask)): return asked(ask, at: now)
        case (.open, .end(let dialog, let end)): return [.end(dialog, end)]
        default: return close(unexpected(frame.body.name), tellPeer: true)
        }
    }

    private mutating func asked(_ ask: RouteAsk, at now: LinkTime) -> [Action] {
        if inFlight[ask.id] != nil { return [.refused(INCRPMisuse(.askedAgain, ask.id))] }
        guard inFlight.count < settings.window else {
            let reason = "\(settings.window) requests are in flight on this link, which is its limit"
            return [
                .refused(INCRPMisuse(.windowFull, ask.id)),
                .send(pulse.frame(.failure(RouteFailure(id: ask.id, code: .busy, reason: reason)))),
            ]
        }
        let deadline = now.adding(milliseconds: UInt64(ask.deadlineMilliseconds))
        inFlight[ask.id] = InFlight(callKey: ask.callKey, deadline: deadline)
        return [.ask(ask)]
    }

    private mutating func receivedFaulty(_ message: FaultyMessage, at now: LinkTime) -> [Action] {
        if let closure = pulse.accept(message.number, at: now) { return close(closure, tellPeer: true) }
        guard isOpen, message.kind == .ask else {
            return close(unexpected(message.kind == .ask ? "route request" : "route response"), tellPeer: true)
        }
        let failure = RouteFailure(id: message.id, code: .limit, reason: INCRPReason.bounded(message.reason))
        return [.refused(INCRPMisuse(.limit, message.id)), .send(pulse.frame(.failure(failure)))]
    }

    private mutating func answer(
        _ id: AskID, _ result: Result<RouteReply, RouteAskRefusal>, at now: LinkTime
    ) -> [Action] {
        guard case .open(let features) = phase else {
            preconditionFailure("an answer for \(id) while the link is \(phaseName)")
        }
        guard let ask = inFlight.removeValue(forKey: id) else { preconditionFailure("a second answer for \(id)") }
        let late = now > ask.deadline
        switch result {
        case .failure(let refusal):
            let reason = INCRPReason.bounded(refusal.reason)
            let failure = RouteFailure(id: id, code: refusal.code, reason: reason)
            return [.send(pulse.frame(.failure(failure))), .failed(id, ask.callKey, refusal.code, late: late)]
        case .success(var reply):
            precondition(reply.id == id, "the answer for \(id) names \(reply.id)")
            var actions: [Action] = []
            let arrays = reply.context.eccArrays
            if !features.contains(.modifiedArrays), !arrays.isEmpty {
                for name in arrays.keys { reply.context.ecc[name] = nil }
                if !arraysWereLeftOut { actions.append(.arraysLeftOut(id)) }
                arraysWereLeftOut = true
            }
            actions.append(.send(pulse.frame(.reply(reply))))
            actions.append(.answered(id, ask.callKey, late: late))
            return actions
        }
    }
}
