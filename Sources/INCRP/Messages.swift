package import CallModel

/// INCRP's version. Two sides talk when their major versions are equal; the lower side's features hold.
package struct INCRPVersion: Hashable, Comparable, Sendable, CustomStringConvertible {
    package let major: UInt32
    package let minor: UInt32

    package init(major: UInt32, minor: UInt32) {
        self.major = major
        self.minor = minor
    }

    package static let current = INCRPVersion(major: 1, minor: 1)
    package static func < (left: Self, right: Self) -> Bool { (left.major, left.minor) < (right.major, right.minor) }
    package var description: String { "\(major).\(minor)" }
}

/// The client's id at a server: 0...127, unique among the server's clients.
package struct ClientID: Hashable, Comparable, Sendable, CustomStringConvertible {
    package let number: UInt8

    package init(_ number: Int) throws(FieldFault) {
        guard (0...127).contains(number) else {
            throw FieldFault(field: "clientID", fault: .outOfRange("is \(number); it may be 0 to 127"))
        }
        self.number = UInt8(number)
    }

    package static func < (left: Self, right: Self) -> Bool { left.number < right.number }
    package var description: String { String(number) }
}

/// What names one request for ever, at both ends: the client's dialog and the script node that asked.
package struct AskID: Hashable, Sendable, CustomStringConvertible {
    package let dialog: DialogID
    package let node: NodeName

    package init(dialog: DialogID, node: NodeName) {
        self.dialog = dialog
        self.node = node
    }

    package var description: String { "\(dialog)/\(node)" }
}

/// Client to server: find a label for this call.
package struct RouteAsk: Hashable, Sendable {
    package var id: AskID
    package var callKey: CallKey
    package var callKeySequence: UInt32
    package var callID: CallID
    package var dialedNumber: String
    package var customer: CustomerName?
    package var nicCallID: String?
    /// What is left of the request's deadline when it is sent.
    package var deadlineMilliseconds: UInt32
    package var context: CallContext

    package init(
        id: AskID, callKey: CallKey, callKeySequence: UInt32, callID: CallID, dialedNumber: String,
        customer: CustomerName? = nil, nicCallID: String? = nil, deadlineMilliseconds: UInt32, context: CallContext
    ) {
        self.id = id
        self.callKey = callKey
        self.callKeySequence = callKeySequence
        self.callID = callID
        self.dialedNumber = dialedNumber
        self.customer = customer
        self.nicCallID = nicCallID
        self.deadlineMilliseconds = deadlineMilliseconds
        self.context = context
    }
}

/// Where the call will arrive at the server, when its label is a translation route's.
package struct AskArrival: Hashable, Sendable {
    package var reservation: ReservationID
    package var key: TranslationRouteKey
    package var expiresAt: WallTime

    package init(reservation: ReservationID, key: TranslationRouteKey, expiresAt: WallTime) {
        self.reservation = reservation
        self.key = key
        self.expiresAt = expiresAt
    }
}

/// Server to client: the label and the possibly modified context.
package struct RouteReply: Hashable, Sendable {
    package var id: AskID
    package var label: Label
    package var arrival: AskArrival?
    package var context: CallContext

    package init(id: AskID, label: Label, arrival: AskArrival? = nil, context: CallContext) {
        self.id = id
        self.label = label
        self.arrival = arrival
        self.context = context
    }
}

/// Server to client: there is no label.
package struct RouteFailure: Hashable, Sendable {
    package enum Code: UInt8, Sendable, CaseIterable {
        case noLabel = 1
        case unknownDialedNumber = 2
        case unknownCustomer = 3
        case limit = 4
        case conflict = 5
        case unavailable = 6
        case busy = 7
    }

    package var id: AskID
    package var code: Code
    /// For a person, at most 200 bytes, without values of the context.
    package var reason: String

    package init(id: AskID, code: Code, reason: String) {
        self.id = id
        self.code = code
        self.reason = reason
    }
}

/// How the client's dialog ended, so that the server may release what waits for it.
package enum AskEnd: UInt8, Sendable, CaseIterable {
    case handedOver = 1
    /// The client gave its default label: the call will not arrive.
    case `default` = 2
    case abandoned = 3
}

/// The client, as the server's configuration and its OPEN say.
package struct INCRPPeer: Hashable, Sendable {
    package let clientID: ClientID
    package let instance: InstanceName
    package let side: Side
    package let version: INCRPVersion

    package init(clientID: ClientID, instance: InstanceName, side: Side, version: INCRPVersion) {
        self.clientID = clientID
        self.instance = instance
        self.side = side
        self.version = version
    }
}

/// What the server's CallRouter does for the INCRP NIC.
package protocol RouteAskHandler: Sendable {
    /// Answers within the ask's deadline. The same id again gets the same answer.
    func answer(_ ask: RouteAsk, from peer: INCRPPeer) async -> Result<RouteReply, RouteAskRefusal>
    func end(_ dialog: DialogID, as end: AskEnd, from peer: INCRPPeer) async
}

package struct RouteAskRefusal: Error, Hashable, Sendable {
    package let code: RouteFailure.Code
    package let reason: String

    package init(code: RouteFailure.Code, reason: String) {
        self.code = code
        self.reason = reason
    }
}

/// What the client's ICM Gateway needs of the link to one Server ICM.
package protocol ServerLink: Sendable {
    func status() async -> ServerLinkStatus
    /// Throws at the deadline at the latest.
    func ask(_ ask: RouteAsk) async throws(ServerLinkFault) -> RouteReply
    /// Tells the server how the dialog ended; kept and sent after a reconnect, dropped after 60 s.
    func end(_ dialog: DialogID, as end: AskEnd) async
}

package enum ServerLinkFault: Error, Hashable, Sendable, CustomStringConvertible {
    /// No open link.
    case offline(reason: String)
    case late
    case failed(RouteFailure.Code, reason: String)

    package var description: String {
        switch self {
        case .offline(let reason): "offline: \(reason)"
        case .late: "no answer by the deadline"
        case .failed(let code, let reason): code.sentence(reason)
        }
    }
}

extension RouteFailure.Code: CustomStringConvertible {
    package var description: String {
        switch self {
        case .noLabel: "no label"
        case .unknownDialedNumber: "unknown dialed number"
        case .unknownCustomer: "unknown customer"
        case .limit: "over a limit"
        case .conflict: "conflict"
        case .unavailable: "unavailable"
        case .busy: "busy"
        }
    }

    /// Code and reason for a person. A reason that begins with the code's own words stands alone.
    package func sentence(_ reason: String) -> String {
        if reason.isEmpty { return description }
        return reason.hasPrefix("\(self):") ? reason : "\(self): \(reason)"
    }
}

package struct ServerLinkStatus: Hashable, Sendable {
    package var up = false
    package var address = ""
    package var peerInstance: String?
    package var peerSide: Side?
    package var version: INCRPVersion?
    /// Why it is down, or how the last link ended.
    package var reason: String?
    package var roundTripMicroseconds: UInt64?
    package var inFlight = 0
    package var asked: UInt64 = 0
    package var answered: UInt64 = 0
    package var failed: UInt64 = 0
    package var late: UInt64 = 0

    package init() {}
}
