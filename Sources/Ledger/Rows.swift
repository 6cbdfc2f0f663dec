package import ByteCoding
package import CallModel

/// A row of `reservations`: the newest life of a pool entry. Fixed in size but for its key, so that a million fit in
/// memory; texts stand in `contexts` under the reservation's sequence.
package struct ReservationRow: Hashable, Sendable {
    package var key: TranslationRouteKey
    package var route: TranslationRouteName
    package var reservation: ReservationID
    package var state: EntryState
    package var callKey: CallKey
    package var dialog: DialogID?
    /// End of the lease.
    package var expiresAt: LogTime
    /// When the entry is free again; nil while it waits.
    package var freeAt: LogTime?
    /// Of the identity (translation route, request id) or (dialog, node).
    package var identity: Hash128
    /// Of what the identity must not change: call id, routing client, target, lease, context.
    package var content: Hash128
    /// Of the claiming call id.
    package var claimant: Hash128?
    /// Of the context's ANI; nil when it has none.
    package var ani: Hash128?
    package var aniMatched: Bool
    package var late: Bool
    package var context: Hash128
}

/// A row of `dialogs`.
package struct DialogRow: Hashable, Sendable {
    package var dialog: DialogID
    package var state: DialogState
    package var callKey: CallKey
    package var callKeySequence: UInt32
    package var side: Side
    package var openedAt: LogTime
    /// When it ages (open) or its answer is forgotten (closed).
    package var deadline: LogTime
    package var identity: Hash128
    package var content: Hash128
    /// The record with the label handoff, and the one with the final answer.
    package var handoff: LogSequence?
    package var final: LogSequence?
    package var reservation: ReservationID?
    package var closeReason: CloseReason?
    /// Hash over the contexts of request and answers.
    package var context: Hash128
}

/// `contexts` under a reservation's sequence.
package struct ParkedReservation: Hashable, Sendable {
    package var reservation: ReservationID
    package var route: TranslationRouteName
    package var key: TranslationRouteKey
    package var label: Label
    package var target: UltimateTarget?
    package var callKey: CallKey
    package var callID: CallID
    package var routingClient: RoutingClientName?
    package var identity: ReserveIdentity
    package var reservedAt: WallTime
    package var expiresAt: WallTime
    package var context: EncodedContext
}

/// `contexts` under a dialog's sequence.
package struct ParkedRequest: Hashable, Sendable {
    package var dialog: DialogID
    package var callKey: CallKey
    package var openedAt: WallTime
    package var request: OpenDialog
}

/// `contexts` under the sequence of a recorded answer.
package struct ParkedAnswer: Hashable, Sendable {
    package var recordedAt: WallTime
    package var answer: RecordAnswer
}

package enum JourneyKind: UInt8, Sendable, CaseIterable, CustomStringConvertible {
    case requested = 1
    case forwarded = 2
    case reserved = 3
    case exhausted = 4
    case labelReturned = 5
    case contextModified = 6
    case defaulted = 7
    case handedOver = 8
    case arrived = 9
    case claimed = 10
    case late = 11
    case stray = 12
    case expired = 13
    case released = 14
    case abandoned = 15
    case failed = 16
    case aged = 17
    case freed = 18

    package var description: String {
        switch self {
        case .requested: "requested"
        case .forwarded: "forwarded"
        case .reserved: "reserved"
        case .exhausted: "exhausted"
        case .labelReturned: "label returned"
        case .contextModified: "context modified"
        case .defaulted: "default label"
        case .handedOver: "handed over"
        case .arrived: "arrived"
        case .claimed: "claimed"
        case .late: "claimed late"
        case .stray: "stray"
        case .expired: "expired"
        case .released: "released"
        case .abandoned: "abandoned"
        case .failed: "failed"
        case .aged: "aged"
        case .freed: "freed"
        }
    }
}

/// A row of `journeys`: one event of a call's way, made by apply. `details` are (name, text) for a person: `label`,
/// `key`, `callID`, `route`, `gateway`, `reason`, `routingClient`, `dialedNumber`, `fields` (names only), `standing`.
/// Invariant: no value of a context field stands in a journey.
package struct JourneyRow: Hashable, Sendable {
    package var callKey: CallKey
    package var sequence: LogSequence
    package var ordinal: UInt16
    package var kind: JourneyKind
    package var at: WallTime
    package var dialog: DialogID?
    package var reservation: ReservationID?
    package var details: [Detail]

    package struct Detail: Hashable, Sendable {
        package var name: String
        package var text: String

        package init(name: String, text: String) {
            self.name = name
            self.text = text
        }
    }
}
