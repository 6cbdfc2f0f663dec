package import CallModel

/// The Server ICM, as its OPEN confirmed says.
package struct INCRPServerPeer: Hashable, Sendable {
    package let instance: InstanceName
    package let instanceNumber: UInt32
    package let side: Side
    /// What holds on this link: the lower side's.
    package let version: INCRPVersion
    package let features: INCRPFeatures
    package let session: UInt64
}

/// The client's end of one connection, from the first byte to the last. Events with the time go in, actions come
/// out, in order; ``nextDeadline`` says when a `timer` event is wanted at the latest.
///
/// opening -> open -> closed. OPEN is sent by ``start(at:)``; requests are taken only while open; each request is
/// resolved exactly once: by its answer, its failure, its deadline (late), or the end of the link (offline).
/// An answer after that is late: it is handed on, so that the server can be told to release what it holds.
package struct INCRPClientSession: Sendable {
    package struct Settings: Hashable, Sendable {
        package var clientID: ClientID
        package var instance: InstanceName
        package var instanceNumber: UInt32
        package var side: Side
        /// The newest version this side speaks.
        package var version: INCRPVersion
        /// The instance that must answer; nil takes any.
        package var serverInstance: InstanceName?
        package var window: Int

        package init(
            clientID: ClientID, instance: InstanceName, instanceNumber: UInt32 = 0, side: Side,
            version: INCRPVersion = .current, serverInstance: InstanceName? = nil, window: Int = INCRPLimits.window
        ) {
            self.clientID = clientID
            self.instance = instance
            self.instanceNumber = instanceNumber
            self.side = side
            self.version = version
            self.serverInstance = serverInstance
            self.window = window
        }
    }

    package enum Event: Sendable {
        case received(INCRPFrame)
        case receivedFaulty(FaultyMessage)
        /// Bytes that are no frame; the reason to close with.
        case unreadable(INCRPClosure)
        case ask(RouteAsk)
        /// Nobody waits for this answer any more.
        case giveUp(AskID)
        case end(DialogID, AskEnd)
        case timer
        case stop(reason: String)
        case disconnected(reason: String)
    }

    package enum Action: Equatable, Sendable {
        case send(INCRPFrame)
        case opened(INCRPServerPeer)
        case resolve(AskID, CallKey, Result<RouteReply, ServerLinkFault>)
        /// An answer for which nobody waits any more: what it reserved should be released.
        case late(RouteReply, CallKey)
        case refused(INCRPMisuse)
        /// The end of a dialog that the link cannot take now: keep it for the next.
        case keepEnd(DialogID, AskEnd)
        /// End the connection after what was sent before.
        case close(INCRPClosure)
    }

    private enum Phase: Sendable {
        case opening(until: LinkTime)
        case open
        case closed(INCRPClosure)
    }

    private struct InFlight: Sendable {
        let callKey: CallKey
        let deadline: LinkTime
        /// The arrays that were sent, kept where answers hold none.
        let arrays: [ECCName: ECCValue]
    }

    private enum Finish: Sendable {
        case answered
        case gaveUp(CallKey)
    }

    private let settings: Settings
    private var phase: Phase
    private var pulse: LinkPulse
    private var window: Int
    private var inFlight: [AskID: InFlight] = [:]
    private var deadlines = DeadlineQueue()
    private var finished: RecentTable<AskID, Finish>
    private var reservations: RecentTable<ReservationID, AskID>
    private(set) package var peer: INCRPServerPeer?

    package init(settings: Settings, at now: LinkTime) {
        self.settings = settings
        phase = .opening(until: now.adding(milliseconds: INCRPLimits.handshakeMilliseconds))
        pulse = LinkPulse(at: now)
        window = settings.window
        finished = RecentTable(capacity: settings.window)
        reservations = RecentTable(capacity: settings.window)
    }

    package var isOpen: Bool { if case .open = phase { true } else { false } }
    package var closure: INCRPClosure? { if case .closed(let closure) = phase { closure } else { nil } }
    package var inFlightCount: Int { inFlight.count }
    package var roundTripMicroseconds: UInt64? { pulse.roundTripMicroseconds }

    package var nextDeadline: LinkTime? {
        switch phase {
        case .opening(let until): until
        case .open: min(pulse.nextDeadline, deadlines.nearest ?? pulse.nextDeadline)
        case .closed: nil
        }
    }

    /// The first action of a connection: OPEN.
    package mutating func start(lastSession: UInt64? = nil) -> [Action] {
        let open = INCRPOpen(
            version: settings.version, features: settings.version.features, clientID: settings.clientID,
            instance: settings.instance, instanceNumber: settings.instanceNumber, side: settings.side,
            lastSession: lastSession)
        return [.send(pulse.frame(.open(open)))]
    }

    package mutating func handle(_ event: Event, at now: LinkTime) -> [Action] {
        if case .closed(let closure) = phase { return whileClosed(event, closure) }
        switch event {
        case .received(let frame): return received(frame, at: now)
        case .receivedFaulty(let message): return receivedFaulty(message, at: now)
        case .unreadable(let closure): return close(closure, tellPeer: true)
        case .ask(let ask): return self.ask(ask, at: now)
        case .giveUp(let id): return giveUp(id)
        case .end(let dialog, let end):
            return isOpen ? [.send(pulse.frame(.end(dialog, end)))] : [.keepEnd(dialog, end)]
        case .timer: return timer(at: now)
        case .stop(let reason): return close(INCRPClosure(.stopped, reason), tellPeer: true)
        case .disconnected(let reason): return close(INCRPClosure(.disconnected, reason), tellPeer: false)
        }
    }

    /// What still arrives for a closed session is ignored, since the connection is going; what is asked of it is
    /// answered at once.
    private func whileClosed(_ event: Event, _ closure: INCRPClosure) -> [Action] {
        switch event {
        case .ask(let ask): [.resolve(ask.id, ask.callKey, .failure(.offline(reason: closure.reason)))]
        case .end(let dialog, let end): [.keepEnd(dialog, end)]
        case .received, .receivedFaulty, .unreadable, .giveUp, .timer, .stop, .disconnected: []
        }
    }
}

// MARK: - Requests

extension INCRPClientSession {
    private mutating func ask(_ ask: RouteAsk, at now: LinkTime) -> [Action] {
        func resolved(_ fault: ServerLinkFault) -> [Action] { [.resolve(ask.id, ask.callKey, .failure(fault))] }
        guard isOpen, let peer else { return resolved(.offline(reason: "the link is opening")) }
        if inFlight[ask.id] != nil {
            return resolved(.failed(.conflict, reason: "the request \(ask.id) is already in flight on this link"))
        }
        guard inFlight.count < window else {
            return resolved(.failed(.busy, reason: "\(window) requests are in flight, which is the limit of the link"))
        }
        guard ask.deadlineMilliseconds > 0 else { return resolved(.late) }
        let deadline = now.adding(milliseconds: UInt64(ask.deadlineMilliseconds))
        let arrays = peer.features.contains(.modifiedArrays) ? [:] : ask.context.eccArrays
        inFlight[ask.id] = InFlight(callKey: ask.callKey, deadline: deadline, arrays: arrays)
        deadlines.insert(ask.id, deadline: deadline)
        return [.send(pulse.frame(.ask(ask)))]
    }

    private mutating func giveUp(_ id: AskID) -> [Action] {
        guard let ask = inFlight.removeValue(forKey: id) else { return [] }
        finished.set(id, to: .gaveUp(ask.callKey))
        pruneDeadlines()
        return [.resolve(id, ask.callKey, .failure(.late))]
    }

    private mutating func pruneDeadlines() {
        let current = inFlight
        deadlines.prune(inFlight: current.count) { current[$0]?.deadline == $1 }
    }

    private mutating func timer(at now: LinkTime) -> [Action] {
        switch phase {
        case .opening(let until):
            guard now >= until else { return [] }
            let reason = "OPEN was not answered within \(INCRPLimits.handshakeMilliseconds) ms"
            return close(INCRPClosure(.handshakeTimeout, reason), tellPeer: true)
        case .open:
            if let lost = pulse.lost(at: now) { return close(lost, tellPeer: true) }
            var actions: [Action] = []
            while let id = deadlines.popDue(at: now) {
                // The entry may be of an earlier request under the same id.
                guard let ask = inFlight[id], ask.deadline <= now else { continue }
                actions += giveUp(id)
            }
            if let heartbeat = pulse.heartbeat(at: now) { actions.append(.send(heartbeat)) }
            return actions
        case .closed: return []
        }
    }
}

// MARK: - Frames

extension INCRPClientSession {
    private mutating func received(_ frame: INCRPFrame, at now: LinkTime) -> [Action] {
        if let closure = pulse.accept(frame.number, at: now) { return close(closure, tellPeer: true) }
        switch (phase, frame.body) {
        case (_, .close(let closure)):
            return close(INCRPClosure(closure.code, closure.reason, byPeer: true), tellPeer: false)
        case (.opening, .openConfirmed(let confirmed)): return opened(confirmed, at: now)
        case (.opening, .openRefused(let refusal)):
            return close(INCRPClosure(.openRefused, refusal.reason, byPeer: true), tellPeer: false)
        case (.open, .heartbeat(let heartbeat)):
            pulse.heard(heartbeat, number: frame.number, at: now)
            return []
        case (.open, .reply(let reply)): return replied(reply)
        case (.open, .failure(let failure)): return failed(failure)
        default: return close(unexpected(frame.body.name), tellPeer: true)
        }
    }

    private func unexpected(_ name: String) -> INCRPClosure {
        INCRPClosure(.unexpectedFrame, "\(name) from the server while the link is \(isOpen ? "open" : "opening")")
    }

    private mutating func opened(_ confirmed: INCRPOpenConfirmed, at now: LinkTime) -> [Action] {
        guard let common = settings.version.common(with: confirmed.version), common == confirmed.version else {
            let reason = "the server confirmed version \(confirmed.version); this side speaks \(settings.version)"
            return close(INCRPClosure(.unexpectedFrame, reason), tellPeer: true)
        }
        if let wanted = settings.serverInstance, wanted != confirmed.instance {
            let reason = "the server is instance \(confirmed.instance); the configuration says \(wanted)"
            return close(INCRPClosure(.otherInstance, reason), tellPeer: true)
        }
        let peer = INCRPServerPeer(
            instance: confirmed.instance, instanceNumber: confirmed.instanceNumber, side: confirmed.side,
            version: confirmed.version, features: confirmed.features.intersection(confirmed.version.features),
            session: confirmed.session)
        self.peer = peer
        window = min(settings.window, Int(confirmed.window))
        phase = .open
        return [.opened(peer)]
    }

    private mutating func replied(_ received: RouteReply) -> [Action] {
        var reply = received
        let id = reply.id
        if let arrival = reply.arrival, let owner = reservations[arrival.reservation], owner != id {
            return [.refused(INCRPMisuse(.otherDialogsLabel, id))]
        }
        guard let ask = inFlight.removeValue(forKey: id) else { return answeredLate(reply) }
        if let peer, !peer.features.contains(.modifiedArrays) {
            for name in reply.context.eccArrays.keys { reply.context.ecc[name] = nil }
            reply.context.ecc.merge(ask.arrays) { _, sent in sent }
        }
        if let arrival = reply.arrival { reservations.set(arrival.reservation, to: id) }
        finished.set(id, to: .answered)
        pruneDeadlines()
        return [.resolve(id, ask.callKey, .success(reply))]
    }

    private mutating func answeredLate(_ reply: RouteReply) -> [Action] {
        switch finished[reply.id] {
        case .gaveUp(let callKey):
            if let arrival = reply.arrival { reservations.set(arrival.reservation, to: reply.id) }
            finished.set(reply.id, to: .answered)
            return [.late(reply, callKey)]
        case .answered: return [.refused(INCRPMisuse(.answeredTwice, reply.id))]
        case nil: return [.refused(INCRPMisuse(.unknownDialog, reply.id))]
        }
    }

    private mutating func failed(_ failure: RouteFailure) -> [Action] {
        guard let ask = inFlight.removeValue(forKey: failure.id) else {
            switch finished[failure.id] {
            case .gaveUp:
                // A late failure holds nothing at the server: nothing is to be done.
                finished.set(failure.id, to: .answered)
                return []
            case .answered: return [.refused(INCRPMisuse(.answeredTwice, failure.id))]
            case nil: return [.refused(INCRPMisuse(.unknownDialog, failure.id))]
            }
        }
        finished.set(failure.id, to: .answered)
        pruneDeadlines()
        return [.resolve(failure.id, ask.callKey, .failure(.failed(failure.code, reason: failure.reason)))]
    }

    private mutating func receivedFaulty(_ message: FaultyMessage, at now: LinkTime) -> [Action] {
        if let closure = pulse.accept(message.number, at: now) { return close(closure, tellPeer: true) }
        guard isOpen, message.kind != .ask else {
            return close(unexpected(message.kind == .ask ? "route request" : "route response"), tellPeer: true)
        }
        let refused = Action.refused(INCRPMisuse(.limit, message.id))
        guard let ask = inFlight.removeValue(forKey: message.id) else { return [refused] }
        finished.set(message.id, to: .answered)
        pruneDeadlines()
        return [refused, .resolve(message.id, ask.callKey, .failure(.failed(.limit, reason: message.reason)))]
    }

    private mutating func close(_ closure: INCRPClosure, tellPeer: Bool) -> [Action] {
        var actions: [Action] = []
        if tellPeer { actions.append(.send(pulse.frame(.close(closure)))) }
        let offline = ServerLinkFault.offline(reason: closure.description)
        for (id, ask) in inFlight.sorted(by: { $0.value.deadline < $1.value.deadline }) {
            actions.append(.resolve(id, ask.callKey, .failure(offline)))
        }
        inFlight.removeAll()
        phase = .closed(closure)
        actions.append(.close(closure))
        return actions
    }
}

extension CallContext {
    var eccArrays: [ECCName: ECCValue] {
        ecc.filter { if case .array = $0.value { true } else { false } }
    }
}
