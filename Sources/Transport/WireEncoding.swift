internal import CallModel
package import INCRP
internal import SwiftProtobuf

/// INCRP's frames as bytes: the protobuf envelope of Schemas/incrp.proto, without the four bytes of length before it.
package enum INCRPWire {
    /// Throws when the envelope is larger than a frame may be.
    package static func encode(_ frame: INCRPFrame) throws(WireFault) -> [UInt8] {
        var envelope = WireEnvelope()
        envelope.number = frame.number
        envelope.body = body(frame.body)
        let bytes: [UInt8]
        do {
            bytes = try envelope.serializedBytes()
        } catch {
            preconditionFailure("an envelope without required fields and extensions cannot fail: \(error)")
        }
        guard bytes.count <= INCRPLimits.frameBytes else {
            throw .oversized(bytes: bytes.count, limit: INCRPLimits.frameBytes)
        }
        return bytes
    }

    private static func body(_ body: INCRPFrame.Body) -> WireEnvelope.OneOf_Body {
        switch body {
        case .open(let open): .open(.init(open))
        case .openConfirmed(let confirmed): .openConfirmed(.init(confirmed))
        case .openRefused(let refusal):
            .openRefused(
                .with {
                    $0.code = UInt32(refusal.code.rawValue)
                    $0.reason = refusal.reason
                })
        case .heartbeat(let heartbeat):
            .heartbeat(
                .with {
                    $0.heard = heartbeat.heard
                    $0.held = heartbeat.heldMicroseconds
                })
        case .ask(let ask): .routeRequest(.init(ask))
        case .reply(let reply): .routeResponse(.init(reply))
        case .failure(let failure):
            .routeFailure(
                .with {
                    $0.id = .init(failure.id)
                    $0.code = UInt32(failure.code.rawValue)
                    $0.reason = INCRPReason.bounded(failure.reason)
                })
        case .end(let dialog, let end):
            .dialogEnd(
                .with {
                    $0.dialog = dialog.sequence.number
                    $0.end = UInt32(end.rawValue)
                })
        case .close(let closure):
            .close(
                .with {
                    $0.code = UInt32(closure.code.rawValue)
                    $0.reason = closure.reason
                })
        }
    }
}

extension WireVersion {
    init(_ version: INCRPVersion) {
        self.init()
        major = version.major
        minor = version.minor
    }
}

extension WireSide {
    init(_ side: Side) { self = side == .a ? .a : .b }
}

extension WireOpen {
    init(_ open: INCRPOpen) {
        self.init()
        version = .init(open.version)
        features = open.features.rawValue
        clientID = UInt32(open.clientID.number)
        instance = open.instance.text
        instanceNumber = open.instanceNumber
        side = .init(open.side)
        if let session = open.lastSession { lastSession = session }
    }
}

extension WireOpenConfirmed {
    init(_ confirmed: INCRPOpenConfirmed) {
        self.init()
        version = .init(confirmed.version)
        features = confirmed.features.rawValue
        instance = confirmed.instance.text
        instanceNumber = confirmed.instanceNumber
        side = .init(confirmed.side)
        session = confirmed.session
        window = confirmed.window
    }
}

extension WireRequestId {
    init(_ id: AskID) {
        self.init()
        dialog = id.dialog.sequence.number
        node = id.node.text
    }
}

extension WireRouteRequest {
    init(_ ask: RouteAsk) {
        self.init()
        id = .init(ask.id)
        callKey = .with {
            $0.origin = ask.callKey.origin.text
            $0.day = ask.callKey.day
            $0.number = ask.callKey.number
            $0.sequence = ask.callKeySequence
        }
        callID = ask.callID.text
        dialedNumber = ask.dialedNumber
        if let customer = ask.customer { self.customer = customer.text }
        if let nicCallID = ask.nicCallID { self.nicCallID = nicCallID }
        deadlineMilliseconds = ask.deadlineMilliseconds
        context = .init(ask.context)
    }
}

extension WireRouteResponse {
    init(_ reply: RouteReply) {
        self.init()
        id = .init(reply.id)
        label = .with {
            $0.type = UInt32(reply.label.type.rawValue)
            $0.text = reply.label.text
        }
        if let arrival = reply.arrival {
            self.arrival = .with {
                $0.reservation = arrival.reservation.sequence.number
                $0.peripheral = arrival.key.peripheral.text
                $0.trunkGroup = arrival.key.trunkGroup.text
                $0.dnis = arrival.key.dnis.text
                $0.expiresAt = arrival.expiresAt.milliseconds
            }
        }
        context = .init(reply.context)
    }
}

extension WireContext {
    init(_ context: CallContext) {
        self.init()
        if let ani = context.ani { self.ani = ani }
        aniRestricted = context.aniRestricted
        if let ced = context.ced { self.ced = ced }
        if let uui = context.uui { self.uui = uui }
        if let dnis = context.dnis { self.dnis = dnis }
        if let dialedNumber = context.dialedNumber { self.dialedNumber = dialedNumber }
        for (index, value) in context.variables.enumerated() {
            guard let value else { continue }
            variables.append(
                .with {
                    $0.number = UInt32(index + 1)
                    $0.value = value
                })
        }
        for (name, value) in context.ecc.sorted(by: { $0.key < $1.key }) {
            ecc.append(
                .with {
                    $0.name = name.text
                    switch value {
                    case .scalar(let text): $0.scalar = text
                    case .array(let elements): $0.array = .with { $0.elements = elements }
                    }
                })
        }
    }
}
