package import CallModel

/// What apply decided. It names rows; their texts (target, label, context) stand in the store's `contexts` table.
package enum Outcome: Hashable, Sendable {
    case configured(changed: Bool)
    case reserved(Reserved)
    case exhausted(Exhausted)
    case claimed(Claimed)
    case stray(Stray)
    case released(Released)
    case dialogOpened(DialogOpened)
    case dialogAsked
    /// `first` is false when another answer stood already: then that one counts (read it from the store).
    case answerRecorded(first: Bool)
    case dialogClosed(DialogClosed)
    /// The same identity came with other content.
    case conflict(Conflict)
    /// A name that the ledger does not know: `field` as in the protocols (`translationRoute`, `peripheral`, `dialog`,
    /// `reservation`).
    case unknown(field: String, name: String, nearest: String?)
    case noted
}

package struct Reserved: Hashable, Sendable {
    package let reservation: ReservationID
    package let callKey: CallKey
    package let key: TranslationRouteKey
    package let label: Label
    package let expiresAt: LogTime
    package let expiresAtWall: WallTime
    /// This identity asked before: the first answer, again.
    package let repeated: Bool

    package init(
        reservation: ReservationID, callKey: CallKey, key: TranslationRouteKey, label: Label, expiresAt: LogTime,
        expiresAtWall: WallTime, repeated: Bool
    ) {
        self.reservation = reservation
        self.callKey = callKey
        self.key = key
        self.label = label
        self.expiresAt = expiresAt
        self.expiresAtWall = expiresAtWall
        self.repeated = repeated
    }
}

package struct Exhausted: Hashable, Sendable {
    package let route: TranslationRouteName
    /// Entries of the route that are not free.
    package let held: Int
    /// When the next entry falls free at the latest; nil when the route has no entries at all.
    package let nextFreeAt: LogTime?
    package let nextFreeAtWall: WallTime?

    package init(route: TranslationRouteName, held: Int, nextFreeAt: LogTime?, nextFreeAtWall: WallTime?) {
        self.route = route
        self.held = held
        self.nextFreeAt = nextFreeAt
        self.nextFreeAtWall = nextFreeAtWall
    }
}

package struct Claimed: Hashable, Sendable {
    package let reservation: ReservationID
    package let callKey: CallKey
    /// Arrived after its lease, in quarantine.
    package let late: Bool
    package let repeated: Bool
    package let aniMatched: Bool

    package init(reservation: ReservationID, callKey: CallKey, late: Bool, repeated: Bool, aniMatched: Bool) {
        self.reservation = reservation
        self.callKey = callKey
        self.late = late
        self.repeated = repeated
        self.aniMatched = aniMatched
    }
}

package struct Stray: Hashable, Sendable {
    package enum Why: UInt8, Sendable, CaseIterable {
        /// No entry of any pool has this key.
        case notInPool = 1
        /// The entry is free, or its context was released.
        case nothingWaits = 2
        /// Another call claimed it.
        case claimedByAnother = 3
        /// The ANI check is `require` and the ANI is another one, or absent.
        case otherANI = 4
        /// This call id was told stray here before.
        case toldBefore = 5
    }

    package let why: Why
    package let defaultRoute: String
    /// The reservation that stands on the key, if any: what waited there.
    package let standing: ReservationID?

    package init(why: Why, defaultRoute: String, standing: ReservationID?) {
        self.why = why
        self.defaultRoute = defaultRoute
        self.standing = standing
    }
}

package struct Released: Hashable, Sendable {
    /// False when there was nothing to release any more (claimed, expired, or released before).
    package let released: Bool
    package let state: EntryState

    package init(released: Bool, state: EntryState) {
        self.released = released
        self.state = state
    }
}

package struct DialogOpened: Hashable, Sendable {
    package let dialog: DialogID
    package let callKey: CallKey
    package let callKeySequence: UInt32
    package let state: DialogState
    /// True when this identity stood already; then `state` says how far it is, and the store holds its answer.
    package let repeated: Bool

    package init(dialog: DialogID, callKey: CallKey, callKeySequence: UInt32, state: DialogState, repeated: Bool) {
        self.dialog = dialog
        self.callKey = callKey
        self.callKeySequence = callKeySequence
        self.state = state
        self.repeated = repeated
    }
}

package struct DialogClosed: Hashable, Sendable {
    /// False when it was closed before; `reason` is then the earlier one.
    package let closed: Bool
    package let reason: CloseReason
    /// The waiting reservation that was released with it.
    package let released: ReservationID?

    package init(closed: Bool, reason: CloseReason, released: ReservationID?) {
        self.closed = closed
        self.reason = reason
        self.released = released
    }
}

package struct Conflict: Hashable, Sendable {
    /// The sequence of the first record with this identity.
    package let first: LogSequence

    package init(first: LogSequence) { self.first = first }
}

/// The life of a pool entry (DOMAIN.md): free -> waiting -> claimed | expired | released -> free.
package enum EntryState: UInt8, Sendable, CaseIterable, CustomStringConvertible {
    case free = 0
    case waiting = 1
    case claimed = 2
    case expired = 3
    case released = 4

    package var description: String {
        switch self {
        case .free: "free"
        case .waiting: "waiting"
        case .claimed: "claimed"
        case .expired: "expired"
        case .released: "released"
        }
    }
}

/// The states of a dialog (DOMAIN.md): open -> asked -> answered -> closed.
package enum DialogState: UInt8, Sendable, CaseIterable, CustomStringConvertible {
    case open = 1
    case asked = 2
    case answered = 3
    case closed = 4

    package var description: String {
        switch self {
        case .open: "open"
        case .asked: "asked"
        case .answered: "answered"
        case .closed: "closed"
        }
    }
}
