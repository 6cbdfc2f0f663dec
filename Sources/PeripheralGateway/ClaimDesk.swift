package import CallModel
internal import Ledger
package import ReplicatedLedger

/// What the desk needs to know of the configuration in force. Asked anew for each request, so that a reload counts.
package struct DeskRules: Sendable {
    package var limits: ContextLimits
    /// Whose labels may be asked for; nil takes any name.
    package var routingClients: Set<RoutingClientName>?
    package var claimDeadlineMilliseconds = ClaimDesk.usualDeadlineMilliseconds
    package var reservationDeadlineMilliseconds = ClaimDesk.usualDeadlineMilliseconds

    package init(limits: ContextLimits, routingClients: Set<RoutingClientName>? = nil) {
        self.limits = limits
        self.routingClients = routingClients
    }
}

/// Where ACDs, VRUs and voice bots reserve, claim and release, whatever protocol they speak. It checks what does not
/// depend on state, submits one record, and turns the committed outcome into an answer; it holds nothing itself, so
/// repeating a request is always safe. Contexts are decoded on the caller's task, never on the ledger's thread.
package struct ClaimDesk: Sendable {
    /// DOMAIN.md, duplex facts: what a claim or a reservation may take.
    package static let usualDeadlineMilliseconds: UInt32 = 1000
    package static let leaseSecondsRange: ClosedRange<UInt32> = 1...3600

    private let ledger: any LedgerService
    private let rules: @Sendable () -> DeskRules

    package init(ledger: any LedgerService, rules: @escaping @Sendable () -> DeskRules) {
        self.ledger = ledger
        self.rules = rules
    }

    /// Parks a context under an entry of the translation route. The identity is (translation route, request id): asked
    /// again with the same content it reserves nothing new.
    package func reserve(_ request: ReservationRequest) async throws(DeskRefusal) -> ReservationAnswer {
        let rules = rules()
        try Self.check(request, rules)
        let requestID = request.requestID ?? RequestID(unchecked: request.callID.text)
        let record = Record.reserve(
            Reserve(
                route: request.translationRoute, identity: .request(requestID), callID: request.callID,
                routingClient: request.routingClient, target: request.target, leaseSeconds: request.leaseSeconds,
                context: request.context.encoded()))
        let answer = try await submit(record, rules.reservationDeadlineMilliseconds)
        switch answer.outcome {
        case .reserved(let reserved):
            return ReservationAnswer(
                id: reserved.reservation, callKey: reserved.callKey, label: reserved.label, key: reserved.key,
                expiresAt: reserved.expiresAtWall, repeated: reserved.repeated)
        case .exhausted(let exhausted):
            throw .exhausted(ExhaustedAnswer(exhausted, at: answer.time.log))
        case .conflict:
            throw .conflict(
                field: "requestID",
                detail:
                    "request \(requestID) asked translation route \(request.translationRoute) before, with other content"
            )
        default:
            throw Self.refusal(answer.outcome, of: "reserve")
        }
    }

    /// Collects ultimate target and context, once. The identity is (key, call id): the same call gets the same answer
    /// until its entry is free again, any other call is a stray.
    package func claim(_ request: ClaimRequest) async throws(DeskRefusal) -> ClaimAnswer {
        let rules = rules()
        if let ani = request.ani {
            try Self.checked { () throws(FieldFault) in
                try FieldFault.check(ani, field: "ani", limit: rules.limits.ani)
            }
        }
        let record = Record.claim(Claim(key: request.key, callID: request.callID, ani: request.ani))
        let answer = try await submit(record, rules.claimDeadlineMilliseconds)
        switch answer.outcome {
        case .claimed(let claimed):
            guard let parked = answer.reservation else {
                throw .broken(reason: "the context of reservation \(claimed.reservation) is not in the store")
            }
            return ClaimAnswer(
                outcome: claimed.late ? .late : .claimed, repeated: claimed.repeated, aniMatched: claimed.aniMatched,
                reservation: claimed.reservation, callKey: claimed.callKey, target: parked.target,
                context: try Self.decoded(parked.context, of: claimed.reservation))
        case .stray(let stray):
            throw .stray(StrayAnswer(defaultRoute: stray.defaultRoute, why: stray.why))
        default:
            throw Self.refusal(answer.outcome, of: "claim")
        }
    }

    /// The call will not arrive: its entry need not wait for it. Releasing again is no error.
    package func release(_ reservation: ReservationID) async throws(DeskRefusal) -> ReleaseAnswer {
        let answer = try await submit(
            .release(Release(reservation: reservation)), rules().reservationDeadlineMilliseconds)
        guard case .released(let released) = answer.outcome else { throw Self.refusal(answer.outcome, of: "release") }
        let isReleased = released.released || released.state == .released
        return ReleaseAnswer(
            id: reservation, released: isReleased, state: released.state, repeated: isReleased && !released.released)
    }

    private static func check(_ request: ReservationRequest, _ rules: DeskRules) throws(DeskRefusal) {
        try checked { () throws(FieldFault) in try rules.limits.check(request.context) }
        if let seconds = request.leaseSeconds, !leaseSecondsRange.contains(seconds) {
            throw .field(
                FieldFault(
                    field: "leaseSeconds",
                    fault: .outOfRange("is \(seconds); it may be 1 to \(leaseSecondsRange.upperBound)")))
        }
        if let client = request.routingClient, let clients = rules.routingClients, !clients.contains(client) {
            throw .unknown(
                field: "routingClient", name: client.text,
                nearest: NearestName.of(client.text, among: clients.map(\.text)))
        }
    }

    private func submit(_ record: Record, _ deadlineMilliseconds: UInt32) async throws(DeskRefusal) -> LedgerAnswer {
        do {
            return try await ledger.submit(record, deadlineMilliseconds: deadlineMilliseconds)
        } catch {
            throw DeskRefusal(error)
        }
    }

    private static func checked(_ body: () throws(FieldFault) -> Void) throws(DeskRefusal) {
        do {
            try body()
        } catch {
            throw .field(error)
        }
    }

    private static func decoded(
        _ context: EncodedContext, of reservation: ReservationID
    ) throws(DeskRefusal) -> CallContext {
        do {
            return try context.decoded()
        } catch {
            throw .broken(reason: "the context of reservation \(reservation) cannot be read: \(error)")
        }
    }

    /// What every request may be told.
    private static func refusal(_ outcome: Outcome, of request: String) -> DeskRefusal {
        switch outcome {
        case .unknown(let field, let name, let nearest): .unknown(field: field, name: name, nearest: nearest)
        default: .broken(reason: "the ledger answered \(request) with \(outcome)")
        }
    }
}

extension ExhaustedAnswer {
    fileprivate init(_ exhausted: Exhausted, at now: LogTime) {
        let wait = exhausted.nextFreeAt.map { nextFreeAt in
            let left = nextFreeAt > now ? nextFreeAt.milliseconds - now.milliseconds : 0
            return UInt32(clamping: (left + 999) / 1000)
        }
        self.init(
            translationRoute: exhausted.route, held: exhausted.held, nextFreeAt: exhausted.nextFreeAtWall,
            retryAfterSeconds: wait)
    }
}
