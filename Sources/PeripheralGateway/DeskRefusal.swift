package import CallModel
package import Ledger
internal import ReplicatedLedger

/// The stable codes of every protocol's errors (DESIGN.md, contracts).
package enum RefusalCode: String, Hashable, Sendable, CaseIterable {
    /// A call arrived where nothing waits for it.
    case stray
    /// A translation route has no free entry.
    case exhausted
    /// The side cannot serve now; whether the request counts may be unknown, and the same identity may ask again.
    case unavailable
    /// New work must wait; nothing was changed.
    case busy
    /// The same identity came with other content.
    case conflict
    /// A value is longer or larger than allowed.
    case limit
    /// A name that is not configured, or an id that does not stand any more.
    case unknown
    /// Understood, and not allowed.
    case refused
    /// The request could not be read.
    case syntax
}

/// Why the desk did not do what it was asked.
package enum DeskRefusal: Error, Equatable, Sendable {
    case stray(StrayAnswer)
    case exhausted(ExhaustedAnswer)
    case unavailable(reason: String)
    case busy(reason: String)
    /// `field` is the identity's name in the protocols.
    case conflict(field: String, detail: String)
    case unknown(field: String, name: String, nearest: String?)
    /// A value of the request: too long, empty, undeclared or with a forbidden byte.
    case field(FieldFault)
    /// The record as a whole can never be taken.
    case tooLarge(bytes: Int, limit: Int)
    /// The side's own fault: what it keeps could not be read. Counted and logged, for the operator.
    case broken(reason: String)

    package var code: RefusalCode {
        switch self {
        case .stray: .stray
        case .exhausted: .exhausted
        case .unavailable, .broken: .unavailable
        case .busy: .busy
        case .conflict: .conflict
        case .unknown: .unknown
        case .field(let fault): fault.refusalCode
        case .tooLarge: .limit
        }
    }

    init(_ refusal: LedgerRefusal) {
        switch refusal {
        case .unavailable(let reason): self = .unavailable(reason: reason)
        case .busy(let reason): self = .busy(reason: reason)
        case .tooLarge(let bytes, let limit): self = .tooLarge(bytes: bytes, limit: limit)
        }
    }
}

extension FieldFault {
    /// Under which stable code a refused text is reported.
    package var refusalCode: RefusalCode {
        switch fault {
        case .tooLong, .outOfRange: .limit
        case .undeclared: .unknown
        case .empty, .forbiddenByte, .notUTF8, .wrongShape: .syntax
        }
    }
}

/// Where a stray call goes, and why it is one. Never another call's context.
package struct StrayAnswer: Hashable, Sendable {
    package var defaultRoute: String
    package var why: Stray.Why

    package init(defaultRoute: String, why: Stray.Why) {
        self.defaultRoute = defaultRoute
        self.why = why
    }
}

extension Stray.Why {
    /// The word of the protocols.
    package var word: String {
        switch self {
        case .notInPool: "notInPool"
        case .nothingWaits: "nothingWaits"
        case .claimedByAnother: "claimedByAnother"
        case .otherANI: "otherANI"
        case .toldBefore: "toldBefore"
        }
    }

    /// For a person, without any value of a context.
    package var sentence: String {
        switch self {
        case .notInPool: "no translation route has this peripheral, trunk group and DNIS"
        case .nothingWaits: "nothing waits under this key"
        case .claimedByAnother: "another call has claimed what waited under this key"
        case .otherANI: "the translation route requires the ANI of the reservation, and this call has another or none"
        case .toldBefore: "this call was told stray on this key before, and stays so"
        }
    }
}

package struct ExhaustedAnswer: Hashable, Sendable {
    package var translationRoute: TranslationRouteName
    /// Entries that are not free.
    package var held: Int
    /// When the next one falls free at the latest; nil when the route has no entries at all.
    package var nextFreeAt: WallTime?
    /// Seconds from the answer's time until then, rounded up.
    package var retryAfterSeconds: UInt32?

    package init(translationRoute: TranslationRouteName, held: Int, nextFreeAt: WallTime?, retryAfterSeconds: UInt32?) {
        self.translationRoute = translationRoute
        self.held = held
        self.nextFreeAt = nextFreeAt
        self.retryAfterSeconds = retryAfterSeconds
    }
}
