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
    /// How the label was made, and the rules in force when the reservation was: it lives to its end by them.
    package var label: LabelTemplate
    package var repeatSeconds: UInt32
    package var quarantineSeconds: UInt32
    package var aniCheck: ANICheck

    /// When the entry is free again at the latest, should nobody come.
    package var latestFreeAt: LogTime { freeAt ?? expiresAt.adding(seconds: quarantineSeconds) }
}

/// A set field of a dialog's latest context: its name and 64 bits of its value's hash, so that apply can name the
/// fields that an answer changed without reading the context back from the store.
package struct FieldMark: Hashable, Sendable {
    package var name: String
    package var hash: UInt64
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
    /// Of the latest of them.
    package var latestContext: Hash128
    /// The fields of the latest context; empty once the dialog is closed.
    package var marks: [FieldMark]
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

    package init(
        reservation: ReservationID, route: TranslationRouteName, key: TranslationRouteKey, label: Label,
        target: UltimateTarget? = nil, callKey: CallKey, callID: CallID, routingClient: RoutingClientName? = nil,
        identity: ReserveIdentity, reservedAt: WallTime, expiresAt: WallTime, context: EncodedContext
    ) {
        self.reservation = reservation
        self.route = route
        self.key = key
        self.label = label
        self.target = target
        self.callKey = callKey
        self.callID = callID
        self.routingClient = routingClient
        self.identity = identity
        self.reservedAt = reservedAt
        self.expiresAt = expiresAt
        self.context = context
    }
}

/// `contexts` under a dialog's sequence.
package struct ParkedRequest: Hashable, Sendable {
    package var dialog: DialogID
    package var callKey: CallKey
    package var openedAt: WallTime
    package var request: OpenDialog

    package init(
        dialog: DialogID, callKey: CallKey, openedAt: WallTime, request: OpenDialog
    ) {
        self.dialog = dialog
        self.callKey = callKey
        self.openedAt = openedAt
        self.request = request
    }
}

/// `contexts` under the sequence of a recorded answer.
package struct ParkedAnswer: Hashable, Sendable {
    package var recordedAt: WallTime
    package var answer: RecordAnswer

    package init(
        recordedAt: WallTime, answer: RecordAnswer
    ) {
        self.recordedAt = recordedAt
        self.answer = answer
    }
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

    package init(
        callKey: CallKey, sequence: LogSequence, ordinal: UInt16, kind: JourneyKind, at: WallTime,
        dialog: DialogID? = nil, reservation: ReservationID? = nil, details: [Detail] = []
    ) {
        self.callKey = callKey
        self.sequence = sequence
        self.ordinal = ordinal
        self.kind = kind
        self.at = at
        self.dialog = dialog
        self.reservation = reservation
        self.details = details
    }

    package struct Detail: Hashable, Sendable {
        package var name: String
        package var text: String

        package init(name: String, text: String) {
            self.name = name
            self.text = text
        }
    }
}
