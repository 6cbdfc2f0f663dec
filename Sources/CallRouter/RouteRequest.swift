package import CallModel
package import Ledger

/// A routing client asks for a label (pre-routing by a NIC, post-routing by a PG).
package struct RouteRequest: Sendable {
    /// As the caller wrote it; an unknown one is refused with the nearest name.
    package var routingClient: String
    package var dialedNumber: String
    package var callID: CallID
    /// The call id unless given: a call lawfully routed again sends a new one.
    package var requestID: RequestID?
    package var customer: CustomerName?
    /// Kept only when the routing client can do a network transfer (DOMAIN.md); it never decides a route.
    package var nicCallID: String?
    /// At most the routing client's own deadline, which holds when nil.
    package var deadlineMilliseconds: UInt32?
    package var context: CallContext

    package init(
        routingClient: String, dialedNumber: String, callID: CallID, requestID: RequestID? = nil,
        customer: CustomerName? = nil, nicCallID: String? = nil, deadlineMilliseconds: UInt32? = nil,
        context: CallContext = CallContext()
    ) {
        self.routingClient = routingClient
        self.dialedNumber = dialedNumber
        self.callID = callID
        self.requestID = requestID
        self.customer = customer
        self.nicCallID = nicCallID
        self.deadlineMilliseconds = deadlineMilliseconds
        self.context = context
    }
}

/// Who moves the call: the peripheral itself, or the network that delivered it.
package enum TransferKind: String, Hashable, Sendable, CaseIterable {
    case local
    case network
}

/// An agent transfers a call through CTI. Only with the post-route flag does it become a route request.
package struct TransferRequest: Sendable {
    /// As the caller wrote it; its PG is the routing client.
    package var peripheral: String
    /// Up to 64 bytes.
    package var agent: String
    package var dialedNumber: String
    package var callID: CallID
    package var requestID: RequestID?
    package var kind: TransferKind
    package var postRoute: Bool
    package var deadlineMilliseconds: UInt32?
    package var context: CallContext

    package init(
        peripheral: String, agent: String, dialedNumber: String, callID: CallID, requestID: RequestID? = nil,
        kind: TransferKind = .local, postRoute: Bool, deadlineMilliseconds: UInt32? = nil,
        context: CallContext = CallContext()
    ) {
        self.peripheral = peripheral
        self.agent = agent
        self.dialedNumber = dialedNumber
        self.callID = callID
        self.requestID = requestID
        self.kind = kind
        self.postRoute = postRoute
        self.deadlineMilliseconds = deadlineMilliseconds
        self.context = context
    }
}

/// What the routing client gets: durable before it sees it.
package struct RouteAnswer: Hashable, Sendable {
    package var label: Label
    package var dialog: DialogID
    package var callKey: CallKey
    package var callKeySequence: UInt32
    package var source: LabelSource
    /// As the scripts of both instances left it.
    package var context: CallContext
    /// Where the call will arrive, when a reservation stands behind the label, here or at the server.
    package var reservation: Arrival?
    /// This identity asked before: the first answer, again.
    package var repeated: Bool
    /// Why a default label was taken; nil otherwise.
    package var reason: String?
}

/// Why a routing client gets no label.
package enum RouteRefusal: Error, Equatable, Sendable, CustomStringConvertible {
    /// `field` as in the protocols: `routingClient`, `dialedNumber`, `customer`, `peripheral`, `dialog`.
    case unknown(field: String, name: String, nearest: String?)
    /// Understood, and never to be granted as it stands.
    case refused(reason: String)
    /// A field breaks its limit or form; nothing was stored.
    case limit(FieldFault)
    /// The same identity came with other content; `first` is the record that holds it.
    case conflict(first: LogSequence)
    /// Not answered by the deadline, or this side cannot serve. The same identity may ask again.
    case unavailable(reason: String)
    /// Nothing was changed; the same identity may ask again a little later.
    case busy(reason: String)

    /// The stable code of the protocols (DESIGN.md, HTTP).
    package var code: String {
        switch self {
        case .unknown: "unknown"
        case .refused: "refused"
        case .limit(let fault): fault.isLimit ? "limit" : "syntax"
        case .conflict: "conflict"
        case .unavailable: "unavailable"
        case .busy: "busy"
        }
    }

    package var description: String {
        switch self {
        case .unknown(let field, let name, let nearest):
            "\(field) \(name) is not known" + (nearest.map { "; the nearest name is \($0)" } ?? "")
        case .refused(let reason): reason
        case .limit(let fault): fault.description
        case .conflict(let first): "the same identity came with other content before (record \(first))"
        case .unavailable(let reason): "unavailable: \(reason)"
        case .busy(let reason): "busy: \(reason)"
        }
    }
}

/// What came of a caller's hanging up.
package struct AbandonAnswer: Hashable, Sendable {
    package var dialog: DialogID
    /// False when the dialog was closed before; `reason` then is the earlier one.
    package var closed: Bool
    package var reason: CloseReason
    /// The waiting reservation of this instance that was released.
    package var released: ReservationID?
}
