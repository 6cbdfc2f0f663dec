package import CallModel

/// A moment of a monotonic clock, in microseconds from any start. The shell reads the clock; the session never does.
package struct LinkTime: Hashable, Comparable, Sendable, CustomStringConvertible {
    package let microseconds: UInt64
    package init(microseconds: UInt64) { self.microseconds = microseconds }

    package func adding(milliseconds: UInt64) -> LinkTime { LinkTime(microseconds: microseconds + milliseconds * 1000) }

    /// Microseconds from `earlier` to this moment; zero when it is not earlier.
    package func microseconds(since earlier: LinkTime) -> UInt64 {
        microseconds > earlier.microseconds ? microseconds - earlier.microseconds : 0
    }

    package static func < (left: Self, right: Self) -> Bool { left.microseconds < right.microseconds }
    package var description: String { "\(microseconds) us" }
}

/// Times and bounds of a link (Schemas/incrp.md).
package enum INCRPLimits {
    package static let handshakeMilliseconds: UInt64 = 5_000
    package static let heartbeatIntervalMilliseconds: UInt64 = 400
    package static let heartbeatsMissed: UInt64 = 5
    /// A link on which nothing came for so long is lost.
    package static let silenceMilliseconds = heartbeatIntervalMilliseconds * heartbeatsMissed
    /// Requests in flight on a link.
    package static let window = 4_096
    /// The envelope, without its four bytes of length.
    package static let frameBytes = 64 * 1024
    /// A context as encoded for the ledger.
    package static let contextBytes = 32 * 1024
    package static let reasonBytes = 200
    package static let nicCallIDBytes = 128
    package static let deadlineMilliseconds: UInt32 = 60_000
    /// How long the end of a dialog is kept for a link that is down.
    package static let endKeptMilliseconds: UInt64 = 60_000
    package static let reconnectFirstMilliseconds: UInt64 = 100
    package static let reconnectMostMilliseconds: UInt64 = 1_000
}

/// One frame. Each side numbers its frames from 1 without gaps; a gap or a repeat closes the link.
package struct INCRPFrame: Hashable, Sendable {
    package enum Body: Hashable, Sendable {
        case open(INCRPOpen)
        case openConfirmed(INCRPOpenConfirmed)
        case openRefused(INCRPOpenRefusal)
        case heartbeat(INCRPHeartbeat)
        case ask(RouteAsk)
        case reply(RouteReply)
        case failure(RouteFailure)
        case end(DialogID, AskEnd)
        case close(INCRPClosure)
    }

    package var number: UInt64
    package var body: Body

    package init(number: UInt64, body: Body) {
        self.number = number
        self.body = body
    }
}

extension INCRPFrame.Body {
    /// The frame's name as errors and logs give it.
    package var name: String {
        switch self {
        case .open: "OPEN"
        case .openConfirmed: "OPEN confirmed"
        case .openRefused: "OPEN refused"
        case .heartbeat: "heartbeat"
        case .ask: "route request"
        case .reply: "route response"
        case .failure: "route failure"
        case .end: "end of dialog"
        case .close: "CLOSE"
        }
    }
}

/// Client to server, the first frame: who speaks, and what it can do.
package struct INCRPOpen: Hashable, Sendable {
    package var version: INCRPVersion
    package var features: INCRPFeatures
    package var clientID: ClientID
    package var instance: InstanceName
    package var instanceNumber: UInt32
    package var side: Side
    /// The session that the client last had with this server: joins the logs of both sides.
    package var lastSession: UInt64?

    package init(
        version: INCRPVersion, features: INCRPFeatures, clientID: ClientID, instance: InstanceName,
        instanceNumber: UInt32, side: Side, lastSession: UInt64? = nil
    ) {
        self.version = version
        self.features = features
        self.clientID = clientID
        self.instance = instance
        self.instanceNumber = instanceNumber
        self.side = side
        self.lastSession = lastSession
    }
}

/// Server to client: the link is open, with the version and features that hold on it.
package struct INCRPOpenConfirmed: Hashable, Sendable {
    package var version: INCRPVersion
    package var features: INCRPFeatures
    package var instance: InstanceName
    package var instanceNumber: UInt32
    package var side: Side
    package var session: UInt64
    /// Requests that the server takes in flight at once on this link.
    package var window: UInt32

    package init(
        version: INCRPVersion, features: INCRPFeatures, instance: InstanceName, instanceNumber: UInt32, side: Side,
        session: UInt64, window: UInt32
    ) {
        self.version = version
        self.features = features
        self.instance = instance
        self.instanceNumber = instanceNumber
        self.side = side
        self.session = session
        self.window = window
    }
}

/// Server to client: no link, and why. The server closes after it.
package struct INCRPOpenRefusal: Error, Hashable, Sendable, CustomStringConvertible {
    package enum Code: UInt8, Sendable, CaseIterable {
        /// The major versions differ; the reason names both.
        case version = 1
        case unknownClient = 2
        /// The client id belongs to another instance.
        case clientIDOfAnotherInstance = 3
        /// OPEN broke a limit or a form.
        case malformed = 4
        case unavailable = 5
    }

    package let code: Code
    package let reason: String

    package init(code: Code, reason: String) {
        self.code = code
        self.reason = INCRPReason.bounded(reason)
    }

    package var description: String { "OPEN refused (\(code)): \(reason)" }
}

/// Both ways, each 400 ms. `heard` and `held` give the round trip without an answer of its own.
package struct INCRPHeartbeat: Hashable, Sendable {
    /// The number of the last heartbeat frame that came from the other side; 0 before the first.
    package var heard: UInt64
    /// Microseconds between its arrival and this frame.
    package var heldMicroseconds: UInt64

    package init(heard: UInt64, heldMicroseconds: UInt64) {
        self.heard = heard
        self.heldMicroseconds = heldMicroseconds
    }
}

/// Why a link ended.
package struct INCRPClosure: Error, Hashable, Sendable, CustomStringConvertible {
    package enum Code: UInt8, Sendable, CaseIterable {
        /// An orderly stop.
        case stopped = 1
        case handshakeTimeout = 2
        case heartbeatsMissed = 3
        /// A frame whose number does not follow the last one's.
        case frameOutOfOrder = 4
        /// A frame that has no place in the link's state or direction.
        case unexpectedFrame = 5
        case malformedFrame = 6
        case oversizedFrame = 7
        case openRefused = 8
        /// The same side of the same client opened a newer link.
        case replaced = 9
        /// The connection broke without CLOSE.
        case disconnected = 10
        /// The server is another instance than the configuration says.
        case otherInstance = 11
    }

    package let code: Code
    package let reason: String
    /// The other side said so in its CLOSE.
    package let byPeer: Bool

    package init(_ code: Code, _ reason: String, byPeer: Bool = false) {
        self.code = code
        self.reason = INCRPReason.bounded(reason)
        self.byPeer = byPeer
    }

    package var description: String { "\(code)\(byPeer ? " (said by the other side)" : ""): \(reason)" }
}

/// A reason as it may cross the link: at most 200 bytes, without NUL, CR and LF.
package enum INCRPReason {
    package static func bounded(_ text: String) -> String {
        var kept = String.UnicodeScalarView()
        var bytes = 0
        for scalar in text.unicodeScalars {
            let clean: Unicode.Scalar = scalar == "\0" || scalar == "\r" || scalar == "\n" ? " " : scalar
            bytes += UTF8.width(clean)
            if bytes > INCRPLimits.reasonBytes { break }
            kept.append(clean)
        }
        return String(kept)
    }
}

/// A message that was readable but breaks a limit: it is refused under its id, and the link stays.
package struct FaultyMessage: Hashable, Sendable {
    package enum Kind: Sendable {
        case ask
        case reply
        case failure
    }

    package let number: UInt64
    package let kind: Kind
    package let id: AskID
    package let reason: String

    package init(number: UInt64, kind: Kind, id: AskID, reason: String) {
        self.number = number
        self.kind = kind
        self.id = id
        self.reason = reason
    }
}

/// A message that is refused without a change of state, and counted.
package struct INCRPMisuse: Hashable, Sendable, CustomStringConvertible {
    package enum Kind: String, Sendable, CaseIterable {
        /// Nobody asked under this dialog and node.
        case unknownDialog
        /// The reservation in this answer belongs to another dialog's answer.
        case otherDialogsLabel
        case answeredTwice
        /// A field of the message breaks its limit.
        case limit
        /// The request is already in flight; its one answer serves both.
        case askedAgain
        /// The window is full.
        case windowFull
    }

    package let kind: Kind
    package let id: AskID

    package init(_ kind: Kind, _ id: AskID) {
        self.kind = kind
        self.id = id
    }

    package var description: String { "\(kind.rawValue) \(id)" }
}
