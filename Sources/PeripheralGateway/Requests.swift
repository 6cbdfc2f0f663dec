package import CallModel
package import Ledger

/// A caller asks a translation route for an entry directly (DOMAIN.md, *Reservation without a script*).
package struct ReservationRequest: Hashable, Sendable {
    package var translationRoute: TranslationRouteName
    package var callID: CallID
    /// The identity within the translation route; nil takes the call id.
    package var requestID: RequestID?
    /// For whom the entry's label is made; nil takes the entry's label for any client.
    package var routingClient: RoutingClientName?
    package var context: CallContext
    package var target: UltimateTarget?
    /// 1...3600; nil takes the translation route's.
    package var leaseSeconds: UInt32?

    package init(
        translationRoute: TranslationRouteName, callID: CallID, requestID: RequestID? = nil,
        routingClient: RoutingClientName? = nil, context: CallContext = CallContext(), target: UltimateTarget? = nil,
        leaseSeconds: UInt32? = nil
    ) {
        self.translationRoute = translationRoute
        self.callID = callID
        self.requestID = requestID
        self.routingClient = routingClient
        self.context = context
        self.target = target
        self.leaseSeconds = leaseSeconds
    }
}

package struct ReservationAnswer: Hashable, Sendable {
    package var id: ReservationID
    package var callKey: CallKey
    package var label: Label
    package var key: TranslationRouteKey
    package var expiresAt: WallTime
    /// This identity asked before: the first answer, again.
    package var repeated: Bool

    /// Grows for ever, also when an entry leaves a pool and comes back.
    package var generation: UInt64 { id.sequence.number }

    package init(
        id: ReservationID, callKey: CallKey, label: Label, key: TranslationRouteKey, expiresAt: WallTime, repeated: Bool
    ) {
        self.id = id
        self.callKey = callKey
        self.label = label
        self.key = key
        self.expiresAt = expiresAt
        self.repeated = repeated
    }
}

/// A call has arrived: what waits for it?
package struct ClaimRequest: Hashable, Sendable {
    package var key: TranslationRouteKey
    /// The receiving switch's id of the arriving leg.
    package var callID: CallID
    /// Nil when withheld or unknown; an empty text counts as nil, since dialplans send one.
    package var ani: String?

    package init(key: TranslationRouteKey, callID: CallID, ani: String? = nil) {
        self.key = key
        self.callID = callID
        self.ani = ani == "" ? nil : ani
    }
}

package struct ClaimAnswer: Hashable, Sendable {
    package enum Outcome: String, Hashable, Sendable, CaseIterable {
        case claimed
        /// Arrived after its lease, while nobody else could have its number.
        case late
    }

    package var outcome: Outcome
    package var repeated: Bool
    /// False when the translation route looks at ANIs and this one is another than the reservation's.
    package var aniMatched: Bool
    package var reservation: ReservationID
    package var callKey: CallKey
    /// Where the switch must take the call; nil when the reservation named none.
    package var target: UltimateTarget?
    package var context: CallContext

    package init(
        outcome: Outcome, repeated: Bool, aniMatched: Bool, reservation: ReservationID, callKey: CallKey,
        target: UltimateTarget?, context: CallContext
    ) {
        self.outcome = outcome
        self.repeated = repeated
        self.aniMatched = aniMatched
        self.reservation = reservation
        self.callKey = callKey
        self.target = target
        self.context = context
    }
}

package struct ReleaseAnswer: Hashable, Sendable {
    package var id: ReservationID
    /// True when the reservation is released now, by this request or an earlier one. False when there was nothing to
    /// release any more: `state` says why.
    package var released: Bool
    package var state: EntryState
    package var repeated: Bool

    package init(id: ReservationID, released: Bool, state: EntryState, repeated: Bool) {
        self.id = id
        self.released = released
        self.state = state
        self.repeated = repeated
    }
}
