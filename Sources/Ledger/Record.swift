package import CallModel

/// One entry of the ordered log: a request that must survive, not its outcome. Both sides apply committed records in
/// order; apply decides what comes of them (DESIGN.md, "One picture").
package enum Record: Hashable, Sendable {
    case configure(LedgerConfiguration)
    case reserve(Reserve)
    case claim(Claim)
    case release(Release)
    case openDialog(OpenDialog)
    case askDialog(AskDialog)
    case recordAnswer(RecordAnswer)
    case closeDialog(CloseDialog)
    /// Moves entries whose time has come when nothing else does.
    case clock
    case epochOpened(EpochOpened)
}

/// Who may repeat a reservation and meet its first answer.
package enum ReserveIdentity: Hashable, Sendable {
    /// A caller's own request: (translation route, request id).
    case request(RequestID)
    /// A script's: (dialog, node). The reservation then belongs to the dialog.
    case dialog(DialogID, NodeName)
}

package struct Reserve: Hashable, Sendable {
    package var route: TranslationRouteName
    package var identity: ReserveIdentity
    package var callID: CallID
    /// For whom the entry's label is made; nil takes the entry's label for any client.
    package var routingClient: RoutingClientName?
    package var target: UltimateTarget?
    /// Seconds to wait for the arrival, 1...3600; nil takes the translation route's.
    package var leaseSeconds: UInt32?
    /// Nil: apply gives one (or takes the dialog's).
    package var callKey: CallKey?
    package var context: EncodedContext

    package init(
        route: TranslationRouteName, identity: ReserveIdentity, callID: CallID, routingClient: RoutingClientName? = nil,
        target: UltimateTarget? = nil, leaseSeconds: UInt32? = nil, callKey: CallKey? = nil, context: EncodedContext
    ) {
        self.route = route
        self.identity = identity
        self.callID = callID
        self.routingClient = routingClient
        self.target = target
        self.leaseSeconds = leaseSeconds
        self.callKey = callKey
        self.context = context
    }
}

package struct Claim: Hashable, Sendable {
    package var key: TranslationRouteKey
    /// The receiving ACD's id of the arriving leg: the same one may repeat, any other is a stray.
    package var callID: CallID
    package var ani: String?

    package init(key: TranslationRouteKey, callID: CallID, ani: String? = nil) {
        self.key = key
        self.callID = callID
        self.ani = ani
    }
}

package struct Release: Hashable, Sendable {
    package var reservation: ReservationID

    package init(reservation: ReservationID) { self.reservation = reservation }
}

package struct OpenDialog: Hashable, Sendable {
    package var routingClient: RoutingClientName
    package var requestID: RequestID
    package var callID: CallID
    package var dialedNumber: String
    package var customer: CustomerName?
    package var nicCallID: String?
    /// Given when the request came over INCRP; nil: apply gives one.
    package var callKey: CallKey?
    /// RouterCallKeySequenceNumber: 0 where the call first asked, one more for each request that carries its key on.
    package var callKeySequence: UInt32
    /// The side that runs the script.
    package var side: Side
    package var context: EncodedContext

    package init(
        routingClient: RoutingClientName, requestID: RequestID, callID: CallID, dialedNumber: String,
        customer: CustomerName? = nil, nicCallID: String? = nil, callKey: CallKey? = nil, callKeySequence: UInt32 = 0,
        side: Side, context: EncodedContext
    ) {
        self.routingClient = routingClient
        self.requestID = requestID
        self.callID = callID
        self.dialedNumber = dialedNumber
        self.customer = customer
        self.nicCallID = nicCallID
        self.callKey = callKey
        self.callKeySequence = callKeySequence
        self.side = side
        self.context = context
    }
}

/// The script's ICM Gateway node is about to ask: durable before the request leaves.
package struct AskDialog: Hashable, Sendable {
    package var dialog: DialogID
    package var node: NodeName
    package var gateway: GatewayName

    package init(dialog: DialogID, node: NodeName, gateway: GatewayName) {
        self.dialog = dialog
        self.node = node
        self.gateway = gateway
    }
}

/// The label and the possibly modified context of a dialog. From a gateway it is the label handoff: written before
/// the label is validated and passed on. A final answer is what the routing client gets.
package struct RecordAnswer: Hashable, Sendable {
    package enum Kind: UInt8, Sendable {
        case handoff = 1
        case final = 2
    }

    package var dialog: DialogID
    package var node: NodeName
    package var kind: Kind
    package var label: Label
    package var source: LabelSource
    /// Why a default label was taken; nil otherwise (up to 64 bytes).
    package var reason: String?
    /// Where the call will arrive, when a reservation stands behind the label, here or (told by INCRP) at the server.
    package var arrival: Arrival?
    package var context: EncodedContext

    package init(
        dialog: DialogID, node: NodeName, kind: Kind, label: Label, source: LabelSource, reason: String? = nil,
        arrival: Arrival? = nil, context: EncodedContext
    ) {
        self.dialog = dialog
        self.node = node
        self.kind = kind
        self.label = label
        self.source = source
        self.reason = reason
        self.arrival = arrival
        self.context = context
    }
}

/// What an answer says of the reservation behind its label.
package struct Arrival: Hashable, Sendable {
    package var reservation: ReservationID
    package var key: TranslationRouteKey
    package var expiresAt: WallTime

    package init(reservation: ReservationID, key: TranslationRouteKey, expiresAt: WallTime) {
        self.reservation = reservation
        self.key = key
        self.expiresAt = expiresAt
    }
}

package enum CloseReason: UInt8, Sendable, CaseIterable, CustomStringConvertible {
    case handedOver = 1
    /// The routing client got its default label.
    case `default` = 2
    /// The caller hung up, or the asking centre no longer wants the answer.
    case abandoned = 3
    case failed = 4
    /// Nobody closed it in time. Given by apply only.
    case aged = 5

    package var description: String {
        switch self {
        case .handedOver: "handedOver"
        case .default: "default"
        case .abandoned: "abandoned"
        case .failed: "failed"
        case .aged: "aged"
        }
    }
}

/// Closes a dialog. Abandoned and failed (also after an answer) release its waiting reservation.
package struct CloseDialog: Hashable, Sendable {
    package var dialog: DialogID
    package var reason: CloseReason

    package init(dialog: DialogID, reason: CloseReason) {
        self.dialog = dialog
        self.reason = reason
    }
}

package struct EpochOpened: Hashable, Sendable {
    package var epoch: UInt64
    package var mode: PairMode
    package var active: Side

    package init(epoch: UInt64, mode: PairMode, active: Side) {
        self.epoch = epoch
        self.mode = mode
        self.active = active
    }
}
