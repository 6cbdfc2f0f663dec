import CallModel
import INCRP

/// Values that the tests of this target share.
enum Sample {
    static let start = LinkTime(microseconds: 1_000_000)
    static let client = INCRPClientSession.Settings(
        clientID: id(3), instance: InstanceName(unchecked: "bank"), side: .a,
        serverInstance: InstanceName(unchecked: "insurance"))
    static let server = INCRPServerSession.Settings(instance: InstanceName(unchecked: "insurance"), side: .b)
    static let open = INCRPOpen(
        version: .current, features: INCRPVersion.current.features, clientID: id(3),
        instance: InstanceName(unchecked: "bank"), instanceNumber: 0, side: .a)
    static let confirmed = INCRPOpenConfirmed(
        version: .current, features: INCRPVersion.current.features, instance: InstanceName(unchecked: "insurance"),
        instanceNumber: 0, side: .b, session: 1, window: 4_096)
    static let callKey = CallKey(origin: InstanceName(unchecked: "bank"), day: 20_779, number: 17)

    static func id(_ number: Int) -> ClientID {
        do { return try ClientID(number) } catch { fatalError("\(error)") }
    }

    static func askID(_ dialog: UInt64, node: String = "gateway") -> AskID {
        AskID(dialog: DialogID(LogSequence(dialog)), node: NodeName(unchecked: node))
    }

    static func ask(_ dialog: UInt64, deadline: UInt32 = 1_000, context: CallContext = CallContext()) -> RouteAsk {
        RouteAsk(
            id: askID(dialog), callKey: callKey, callKeySequence: 1, callID: CallID(unchecked: "call-\(dialog)"),
            dialedNumber: "8005551234", deadlineMilliseconds: deadline, context: context)
    }

    static func reply(_ dialog: UInt64, reservation: UInt64? = nil, context: CallContext = CallContext()) -> RouteReply
    {
        RouteReply(
            id: askID(dialog), label: Label(unchecked: "9001", type: .normal),
            arrival: reservation.map {
                AskArrival(
                    reservation: ReservationID(LogSequence($0)),
                    key: TranslationRouteKey(
                        peripheral: PeripheralName(unchecked: "acd"), trunkGroup: TrunkGroupName(unchecked: "t1"),
                        dnis: DNIS(unchecked: "7001")),
                    expiresAt: WallTime(milliseconds: 1_000))
            }, context: context)
    }

    static func failure(_ dialog: UInt64) -> RouteFailure {
        RouteFailure(id: askID(dialog), code: .noLabel, reason: "none")
    }

    static func arrays(_ text: String) -> CallContext {
        var context = CallContext()
        context.ecc[ECCName(unchecked: "user.items")] = .array([text])
        context.ecc[ECCName(unchecked: "user.account")] = .scalar(text)
        return context
    }
}

extension LinkTime {
    func later(_ milliseconds: UInt64) -> LinkTime { adding(milliseconds: milliseconds) }
}
