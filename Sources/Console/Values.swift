internal import ByteCoding
package import CallModel
package import INCRP
internal import Ledger
internal import ReplicatedLedger

// What the console shows, as JSON and to the command line. Times are RFC 3339 in UTC. Inspection may be stale, so each
// listing says the sequence of the last record it has seen.

/// A translation route: its entries by state.
package struct TranslationRouteValues: Hashable, Sendable, Codable {
    package var name: String
    package var peripheral: String
    package var entries: Int
    package var free: Int
    package var waiting: Int
    package var claimed: Int
    package var expired: Int
    package var released: Int
    /// When the next entry that is held falls free at the latest; nil when all are free.
    package var nextFreeAt: String?
    package var leaseSeconds: UInt32
    package var repeatSeconds: UInt32
    package var quarantineSeconds: UInt32
    package var aniCheck: String
}

package struct TranslationRouteList: Hashable, Sendable, Codable {
    package var sequence: UInt64
    package var translationRoutes: [TranslationRouteValues]
}

/// A parked context: what waits (or waited, until its entry is free again) under a translation-route key.
package struct ParkedContextValues: Hashable, Sendable, Codable {
    package var reservation: String
    package var state: String
    package var callKey: String
    package var translationRoute: String
    package var peripheral: String
    package var trunkGroup: String
    package var dnis: String
    package var label: String
    package var target: String?
    package var callID: String
    package var routingClient: String?
    /// The dialog whose script reserved; nil when a caller asked directly.
    package var dialog: String?
    package var requestID: String?
    package var reservedAt: String
    package var expiresAt: String
    package var freeAt: String?
    /// True when the claim came after the lease.
    package var late: Bool?
    /// Masked unless asked for by a caller with the token.
    package var context: ContextValues
}

package struct ParkedContextList: Hashable, Sendable, Codable {
    package var sequence: UInt64
    package var contexts: [ParkedContextValues]
    /// Where the next page begins; nil when there is none.
    package var next: String?
}

package struct DialogValues: Hashable, Sendable, Codable {
    package var dialog: String
    package var state: String
    package var callKey: String
    package var callKeySequence: UInt32
    package var side: String
    package var routingClient: String?
    package var dialedNumber: String?
    package var callID: String?
    package var requestID: String?
    package var customer: String?
    /// Given only by a routing client that can transfer in the network.
    package var nicCallID: String?
    package var label: String?
    package var labelType: String?
    package var source: String?
    /// Why a default label was taken.
    package var reason: String?
    package var reservation: String?
    package var closeReason: String?
    package var openedAt: String
    /// When it ages (open), or its answer is forgotten (closed).
    package var until: String
}

package struct DialogList: Hashable, Sendable, Codable {
    package var sequence: UInt64
    package var dialogs: [DialogValues]
    package var next: String?
}

/// A call's whole way, without any value of its context.
package struct Journey: Hashable, Sendable, Codable {
    package struct Event: Hashable, Sendable, Codable {
        package var at: String
        package var kind: String
        package var dialog: String?
        package var reservation: String?
        package var details: [Detail]
    }

    package struct Detail: Hashable, Sendable, Codable {
        package var name: String
        package var text: String
    }

    package var callKey: String
    package var sequence: UInt64
    package var events: [Event]
    /// True when there were more events than are shown.
    package var isCut: Bool?
}

package struct PositionValues: Hashable, Sendable, Codable {
    package var epoch: UInt64
    package var sequence: UInt64
    package var chain: String

    init(_ position: Position) {
        epoch = position.epoch
        sequence = position.sequence.number
        chain = position.chain.description
    }
}

/// How one side is doing.
package struct SideValues: Hashable, Sendable, Codable {
    package var instance: String
    package var side: String
    package var state: String
    package var serving: Bool
    /// Why it does not serve.
    package var notServing: String?
    /// Why new reservations must wait.
    package var busy: String?
    package var position: PositionValues
    package var durable: PositionValues
    package var stored: PositionValues
    package var lagBytes: Int
    package var lagMilliseconds: UInt64
    package var batches: UInt64
    package var records: UInt64
    package var flushMicrosecondsP50: UInt64
    package var flushMicrosecondsP99: UInt64
    /// Nil on a single side.
    package var pair: PairSideValues?
}

/// One side's view of its pair.
package struct PairSideValues: Hashable, Sendable, Codable {
    /// The sentence that led to the present state.
    package var because: String
    /// What this side is bound to; nil on a side that never took part.
    package var promise: String?
    package var epoch: UInt64
    /// The newest register value seen, where it is another than the promise.
    package var seen: String?
    /// This side is pairing with another, and serves nothing without it until that is settled.
    package var pairing: Bool
    package var connected: Bool
    package var otherPromise: String?
    /// Records that are durable here and not yet at the other side, as far as it has said.
    package var otherLagRecords: UInt64
    package var swapUnderWay: Bool
    /// Both sides came to the same state wherever that could be compared.
    package var digestsAgree: Bool

    init(_ status: PairStatus, durable: LogSequence) {
        because = status.because
        promise = status.promise?.description
        epoch = status.promise?.epoch ?? 0
        seen = status.seen?.description
        pairing = status.intent != nil
        connected = status.isConnected
        otherPromise = status.otherPromise?.description
        otherLagRecords =
            durable > status.otherDurable ? durable.number - status.otherDurable.number : 0
        swapUnderWay = status.swapUnderWay
        digestsAgree = !status.hasDiverged
    }
}

package struct PairValues: Hashable, Sendable, Codable {
    /// `single` when no other side is configured, else `pair`.
    package var kind: String
    package var detail: String
    package var sides: [SideValues]
}

/// An ICM Gateway's link to its Server ICM.
package struct GatewayStatus: Hashable, Sendable, Codable {
    package var gateway: String
    package var up: Bool
    package var address: String
    package var peerInstance: String?
    package var peerSide: String?
    package var version: String?
    /// Why it is down, or how the last link ended.
    package var reason: String?
    package var roundTripMicroseconds: UInt64?
    package var inFlight: Int
    package var asked: UInt64
    package var answered: UInt64
    package var failed: UInt64
    package var late: UInt64

    /// `side`: the server's side that the link leads to, also while it is down.
    package init(gateway: GatewayName, side: Side? = nil, link: ServerLinkStatus) {
        self.gateway = gateway.text
        up = link.up
        address = link.address
        peerInstance = link.peerInstance
        peerSide = (link.peerSide ?? side)?.rawValue
        version = link.version?.description
        reason = link.reason
        roundTripMicroseconds = link.roundTripMicroseconds
        inFlight = link.inFlight
        asked = link.asked
        answered = link.answered
        failed = link.failed
        late = link.late
    }
}

package struct GatewayList: Hashable, Sendable, Codable {
    package var gateways: [GatewayStatus]

    package init(gateways: [GatewayStatus]) { self.gateways = gateways }
}
