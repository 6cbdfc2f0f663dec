import CallModel
import INCRP

/// Every kind of frame, small and at its limits.
enum FrameSample {
    static func clientID(_ number: Int) -> ClientID {
        do { return try ClientID(number) } catch { fatalError("\(error)") }
    }

    static func text(_ bytes: Int) -> String { String(repeating: "x", count: bytes) }

    static let bank = InstanceName(unchecked: "bank")
    static let insurance = InstanceName(unchecked: "insurance")
    static let callKey = CallKey(origin: bank, day: 20_779, number: 17)

    static func askID(_ dialog: UInt64) -> AskID {
        AskID(dialog: DialogID(LogSequence(dialog)), node: NodeName(unchecked: "toInsurance"))
    }

    static var context: CallContext {
        var context = CallContext()
        context.ani = "+493012345"
        context.aniRestricted = true
        context.ced = "4711"
        context.uui = "u"
        context.dnis = "5550"
        context.dialedNumber = "8005551234"
        context.variables[0] = "gold"
        context.variables[9] = ""
        context.ecc[ECCName(unchecked: "user.account")] = .scalar("A-17")
        context.ecc[ECCName(unchecked: "user.items")] = .array(["one", "", "three"])
        return context
    }

    /// The whole of 32 KiB, as the link counts it.
    static var largestContext: CallContext {
        var context = Self.context
        context.ecc[ECCName(unchecked: "user.most")] = .array(Array(repeating: "", count: 255))
        var text = 0
        for step in [16_384, 4_096, 1_024, 256, 64, 16, 4, 1] {
            while fits(context, text + step) { text += step }
        }
        context.uui = self.text(text)
        return context
    }

    private static func fits(_ context: CallContext, _ bytes: Int) -> Bool {
        var context = context
        context.uui = text(bytes)
        do { try context.checkForLink() } catch { return false }
        return true
    }

    static func ask(_ dialog: UInt64 = 1, deadline: UInt32 = 3_000, context: CallContext = context) -> RouteAsk {
        RouteAsk(
            id: askID(dialog), callKey: callKey, callKeySequence: 2, callID: CallID(unchecked: "call-\(dialog)"),
            dialedNumber: "8005551234", customer: CustomerName(unchecked: "retail"), nicCallID: "nic-9",
            deadlineMilliseconds: deadline, context: context)
    }

    static var largestAsk: RouteAsk {
        RouteAsk(
            id: AskID(dialog: DialogID(LogSequence(.max)), node: NodeName(unchecked: text(32))),
            callKey: CallKey(origin: InstanceName(unchecked: text(32)), day: .max, number: .max), callKeySequence: .max,
            callID: CallID(unchecked: text(128)), dialedNumber: text(40), customer: CustomerName(unchecked: text(32)),
            nicCallID: text(128), deadlineMilliseconds: 60_000, context: largestContext)
    }

    static let arrival = AskArrival(
        reservation: ReservationID(LogSequence(99)),
        key: TranslationRouteKey(
            peripheral: PeripheralName(unchecked: "acd"), trunkGroup: TrunkGroupName(unchecked: "t1"),
            dnis: DNIS(unchecked: "7001")),
        expiresAt: WallTime(milliseconds: 1_795_000_000_000))

    static func reply(_ dialog: UInt64 = 1, context: CallContext = context) -> RouteReply {
        RouteReply(
            id: askID(dialog), label: Label(unchecked: "97001", type: .normal), arrival: arrival, context: context)
    }

    static var largestReply: RouteReply {
        RouteReply(
            id: AskID(dialog: DialogID(LogSequence(.max)), node: NodeName(unchecked: text(32))),
            label: Label(unchecked: text(64), type: .default),
            arrival: AskArrival(
                reservation: ReservationID(LogSequence(.max)),
                key: TranslationRouteKey(
                    peripheral: PeripheralName(unchecked: text(32)), trunkGroup: TrunkGroupName(unchecked: text(32)),
                    dnis: DNIS(unchecked: text(32))),
                expiresAt: WallTime(milliseconds: .min)),
            context: largestContext)
    }

    static let open = INCRPOpen(
        version: .current, features: [.modifiedArrays, .dialogRecovery], clientID: clientID(3), instance: bank,
        instanceNumber: 1, side: .b, lastSession: 12)
    static let confirmed = INCRPOpenConfirmed(
        version: .current, features: [.modifiedArrays], instance: insurance, instanceNumber: 2, side: .a, session: 13,
        window: 4_096)

    /// One of each kind, by name; their bytes are held by the golden test.
    static var each: [(name: String, frame: INCRPFrame)] {
        let bodies: [INCRPFrame.Body] = [
            .open(open), .openConfirmed(confirmed),
            .openRefused(INCRPOpenRefusal(code: .clientIDOfAnotherInstance, reason: "in use")),
            .heartbeat(INCRPHeartbeat(heard: 7, heldMicroseconds: 1_234)), .ask(ask()), .reply(reply()),
            .failure(RouteFailure(id: askID(1), code: .busy, reason: "full")),
            .end(DialogID(LogSequence(1)), .abandoned), .close(INCRPClosure(.stopped, "the side stops")),
        ]
        return bodies.enumerated().map { ($1.name, INCRPFrame(number: UInt64($0) + 1, body: $1)) }
    }

    static var limits: [INCRPFrame] {
        let bodies: [INCRPFrame.Body] = [
            .open(
                INCRPOpen(
                    version: INCRPVersion(major: .max, minor: .max), features: INCRPFeatures(rawValue: .max),
                    clientID: clientID(127), instance: InstanceName(unchecked: text(32)), instanceNumber: .max,
                    side: .a,
                    lastSession: .max)),
            .open(
                INCRPOpen(
                    version: INCRPVersion(major: 0, minor: 0), features: [], clientID: clientID(0), instance: bank,
                    instanceNumber: 0, side: .a)),
            .openConfirmed(
                INCRPOpenConfirmed(
                    version: INCRPVersion(major: .max, minor: .max), features: INCRPFeatures(rawValue: .max),
                    instance: InstanceName(unchecked: text(32)), instanceNumber: .max, side: .b, session: .max,
                    window: .max)),
            .heartbeat(INCRPHeartbeat(heard: .max, heldMicroseconds: .max)), .ask(largestAsk), .reply(largestReply),
            .ask(ask(deadline: 1, context: CallContext())),
            .reply(RouteReply(id: askID(1), label: Label(unchecked: "", type: .busy), context: CallContext())),
            .failure(RouteFailure(id: askID(.max), code: .noLabel, reason: text(200))),
            .end(DialogID(LogSequence(.max)), .handedOver), .close(INCRPClosure(.otherInstance, text(200))),
        ]
        return bodies.map { INCRPFrame(number: .max, body: $0) }
    }
}
