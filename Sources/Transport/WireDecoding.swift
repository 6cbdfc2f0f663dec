internal import CallModel
package import INCRP
internal import SwiftProtobuf

extension INCRPWire {
    /// Reads one envelope. Whatever the bytes are, the outcome is a frame whose every field keeps its limit, or a
    /// fault.
    package static func decode(_ bytes: [UInt8]) throws(WireFault) -> INCRPFrame {
        guard bytes.count <= INCRPLimits.frameBytes else {
            throw .oversized(bytes: bytes.count, limit: INCRPLimits.frameBytes)
        }
        guard !bytes.isEmpty else { throw .empty }
        let envelope: WireEnvelope
        do {
            envelope = try WireEnvelope(serializedBytes: bytes)
        } catch {
            throw .notAnEnvelope
        }
        guard let body = envelope.body else { throw .unknownFrame }
        return INCRPFrame(number: envelope.number, body: try self.body(body, number: envelope.number))
    }

    private static func body(_ body: WireEnvelope.OneOf_Body, number: UInt64) throws(WireFault) -> INCRPFrame.Body {
        switch body {
        case .open(let wire): return .open(try fields { () throws(FieldFault) in try INCRPOpen(wire) })
        case .openConfirmed(let wire):
            return .openConfirmed(try fields { () throws(FieldFault) in try INCRPOpenConfirmed(wire) })
        case .openRefused(let wire):
            // A code of a newer minor version is still a refusal, and its reason says why.
            let code = UInt8(exactly: wire.code).flatMap(INCRPOpenRefusal.Code.init) ?? .unavailable
            return .openRefused(INCRPOpenRefusal(code: code, reason: wire.reason))
        case .heartbeat(let wire):
            return .heartbeat(INCRPHeartbeat(heard: wire.heard, heldMicroseconds: wire.held))
        case .routeRequest(let wire):
            return .ask(try message(.ask, number, wire.id) { id throws(FieldFault) in try RouteAsk(wire, id: id) })
        case .routeResponse(let wire):
            return .reply(
                try message(.reply, number, wire.id) { id throws(FieldFault) in try RouteReply(wire, id: id) })
        case .routeFailure(let wire):
            return .failure(
                try message(.failure, number, wire.id) { id throws(FieldFault) in try RouteFailure(wire, id: id) })
        case .dialogEnd(let wire):
            guard let end = UInt8(exactly: wire.end).flatMap(AskEnd.init) else {
                throw .value("an end of dialog with the unknown end \(wire.end)")
            }
            let dialog = try fields { () throws(FieldFault) in try DialogID(wire: wire.dialog) }
            return .end(dialog, end)
        case .close(let wire):
            let code = UInt8(exactly: wire.code).flatMap(INCRPClosure.Code.init) ?? .disconnected
            return .close(INCRPClosure(code, wire.reason))
        }
    }

    private static func fields<Value>(_ read: () throws(FieldFault) -> Value) throws(WireFault) -> Value {
        do { return try read() } catch { throw .value(error.description) }
    }

    /// An id that cannot be read makes the frame malformed; a fault in the rest refuses only this message.
    private static func message<Value>(
        _ kind: FaultyMessage.Kind, _ number: UInt64, _ wireID: WireRequestId,
        _ read: (AskID) throws(FieldFault) -> Value
    ) throws(WireFault) -> Value {
        let id = try fields { () throws(FieldFault) in try AskID(wireID) }
        do {
            return try read(id)
        } catch {
            throw .message(FaultyMessage(number: number, kind: kind, id: id, reason: error.description))
        }
    }
}

extension FieldFault {
    fileprivate static func missing(_ field: String) -> FieldFault {
        FieldFault(field: field, fault: .wrongShape("is missing"))
    }
}

extension DialogID {
    fileprivate init(wire number: UInt64) throws(FieldFault) {
        guard number > 0 else { throw .missing("dialog") }
        self.init(LogSequence(number))
    }
}

extension AskID {
    fileprivate init(_ wire: WireRequestId) throws(FieldFault) {
        self.init(dialog: try DialogID(wire: wire.dialog), node: try NodeName(wire.node))
    }
}

extension INCRPVersion {
    fileprivate init(_ wire: WireVersion) { self.init(major: wire.major, minor: wire.minor) }
}

extension Side {
    fileprivate init(_ wire: WireSide) throws(FieldFault) {
        switch wire {
        case .a: self = .a
        case .b: self = .b
        case .unspecified, .UNRECOGNIZED: throw FieldFault(field: "side", fault: .wrongShape("is A or B"))
        }
    }
}

extension INCRPOpen {
    fileprivate init(_ wire: WireOpen) throws(FieldFault) {
        guard wire.hasVersion else { throw .missing("version") }
        self.init(
            version: INCRPVersion(wire.version), features: INCRPFeatures(rawValue: wire.features),
            clientID: try ClientID(Int(wire.clientID)), instance: try InstanceName(wire.instance, field: nil),
            instanceNumber: wire.instanceNumber, side: try Side(wire.side),
            lastSession: wire.hasLastSession ? wire.lastSession : nil)
    }
}

extension INCRPOpenConfirmed {
    fileprivate init(_ wire: WireOpenConfirmed) throws(FieldFault) {
        guard wire.hasVersion else { throw .missing("version") }
        guard wire.window > 0 else { throw .missing("window") }
        self.init(
            version: INCRPVersion(wire.version), features: INCRPFeatures(rawValue: wire.features),
            instance: try InstanceName(wire.instance, field: nil), instanceNumber: wire.instanceNumber,
            side: try Side(wire.side), session: wire.session, window: wire.window)
    }
}

extension RouteAsk {
    fileprivate init(_ wire: WireRouteRequest, id: AskID) throws(FieldFault) {
        guard wire.hasCallKey else { throw .missing("callKey") }
        self.init(
            id: id,
            callKey: CallKey(
                origin: InstanceName(unchecked: wire.callKey.origin), day: wire.callKey.day, number: wire.callKey.number
            ),
            callKeySequence: wire.callKey.sequence, callID: CallID(unchecked: wire.callID),
            dialedNumber: wire.dialedNumber,
            customer: wire.hasCustomer ? CustomerName(unchecked: wire.customer) : nil,
            nicCallID: wire.hasNicCallID ? wire.nicCallID : nil, deadlineMilliseconds: wire.deadlineMilliseconds,
            context: try CallContext(wire.context))
        try checkForLink()
    }
}

extension AskArrival {
    fileprivate init(_ wire: WireArrival) throws(FieldFault) {
        guard wire.reservation > 0 else { throw .missing("reservation") }
        self.init(
            reservation: ReservationID(LogSequence(wire.reservation)),
            key: TranslationRouteKey(
                peripheral: PeripheralName(unchecked: wire.peripheral),
                trunkGroup: TrunkGroupName(unchecked: wire.trunkGroup), dnis: DNIS(unchecked: wire.dnis)),
            expiresAt: WallTime(milliseconds: wire.expiresAt))
    }
}

extension RouteReply {
    fileprivate init(_ wire: WireRouteResponse, id: AskID) throws(FieldFault) {
        guard wire.hasLabel else { throw .missing("label") }
        guard let type = UInt8(exactly: wire.label.type).flatMap(LabelType.init(rawValue:)) else {
            throw FieldFault(field: "label type", fault: .wrongShape("\(wire.label.type) does not exist"))
        }
        self.init(
            id: id, label: Label(unchecked: wire.label.text, type: type),
            arrival: wire.hasArrival ? try AskArrival(wire.arrival) : nil, context: try CallContext(wire.context))
        try checkForLink()
    }
}

extension RouteFailure {
    fileprivate init(_ wire: WireRouteFailure, id: AskID) throws(FieldFault) {
        // A code of a newer minor version still says that there is no label.
        let code = UInt8(exactly: wire.code).flatMap(Code.init) ?? .noLabel
        self.init(id: id, code: code, reason: INCRPReason.bounded(wire.reason))
    }
}

extension CallContext {
    /// Limits are checked by ``checkForLink()`` afterwards; here only what the value cannot express.
    fileprivate init(_ wire: WireContext) throws(FieldFault) {
        self.init()
        if wire.hasAni { ani = wire.ani }
        aniRestricted = wire.aniRestricted
        if wire.hasCed { ced = wire.ced }
        if wire.hasUui { uui = wire.uui }
        if wire.hasDnis { dnis = wire.dnis }
        if wire.hasDialedNumber { dialedNumber = wire.dialedNumber }
        for variable in wire.variables {
            let field = "variable\(variable.number)"
            guard (1...UInt32(CallContext.variableCount)).contains(variable.number) else {
                throw FieldFault(
                    field: field, fault: .outOfRange("does not exist; there are variable1 to variable10"))
            }
            let index = Int(variable.number) - 1
            guard variables[index] == nil else { throw FieldFault(field: field, fault: .wrongShape("comes twice")) }
            variables[index] = variable.value
        }
        for variable in wire.ecc {
            let name = try ECCName(variable.name)
            let field = "ecc \(name)"
            guard ecc[name] == nil else { throw FieldFault(field: field, fault: .wrongShape("comes twice")) }
            switch variable.value {
            case .scalar(let text): ecc[name] = .scalar(text)
            case .array(let array): ecc[name] = .array(array.elements)
            case nil: throw FieldFault(field: field, fault: .wrongShape("has no value"))
            }
        }
    }
}
