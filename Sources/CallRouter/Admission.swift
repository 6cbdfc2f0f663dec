internal import CallModel
internal import INCRP
internal import Ledger
internal import Routing

/// A request that may be routed: its routing client, call type and script are found, its fields are within their
/// limits. Nothing is stored yet.
struct Admission: Sendable {
    let wiring: CallRouter.Wiring
    let client: RoutingClient
    let callType: String
    let script: Script
    let customer: CustomerName?
    let open: OpenDialog
    let context: CallContext
    let arrivedOverINCRP: Bool
    let transfer: TransferKind?
    let deadline: Deadline

    var settings: RouterSettings { wiring.settings }

    static func route(
        _ request: RouteRequest, _ wiring: CallRouter.Wiring, _ clock: any RouterClock
    ) throws(RouteRefusal) -> Admission {
        let settings = wiring.settings
        guard let client = settings.routingClients[RoutingClientName(unchecked: request.routingClient)] else {
            let nearest = NearestName.of(request.routingClient, among: settings.routingClients.keys.map(\.text))
            throw .unknown(field: "routingClient", name: request.routingClient, nearest: nearest)
        }
        switch client.kind {
        case .nic: break
        case .pg(_, let numbers):
            if !numbers.isEmpty && !numbers.contains(where: { $0.matches(request.dialedNumber) }) {
                throw .unknown(field: "dialedNumber", name: request.dialedNumber, nearest: nil)
            }
        case .incrp: throw .refused(reason: "routing client \(client.name) asks over INCRP only")
        }
        let customer = client.customer ?? request.customer
        if let customer, client.customer == nil { try check(customer, settings) }
        return try Admission(
            wiring, client, customer, callID: request.callID, requestID: request.requestID,
            dialedNumber: request.dialedNumber,
            nicCallID: client.kind == .nic && client.networkTransfer ? request.nicCallID : nil,
            context: request.context, deadline: request.deadlineMilliseconds, clock)
    }

    static func transfer(
        _ request: TransferRequest, _ wiring: CallRouter.Wiring, _ clock: any RouterClock
    ) throws(RouteRefusal) -> Admission {
        let settings = wiring.settings
        guard let client = settings.client(ofPeripheral: request.peripheral) else {
            let known = settings.routingClients.values.compactMap { client -> String? in
                if case .pg(let name, _) = client.kind { name.text } else { nil }
            }
            let nearest = NearestName.of(request.peripheral, among: known)
            throw .unknown(field: "peripheral", name: request.peripheral, nearest: nearest)
        }
        guard request.postRoute else {
            throw .refused(reason: "a transfer is routed only with the post-route flag set")
        }
        if request.kind == .network && !client.networkTransfer {
            throw .refused(reason: "routing client \(client.name) cannot transfer a call in the network")
        }
        do throws(FieldFault) {
            try FieldFault.check(request.agent, field: "agent", limit: 64)
        } catch {
            throw .limit(error)
        }
        return try Admission(
            wiring, client, client.customer, callID: request.callID, requestID: request.requestID,
            dialedNumber: request.dialedNumber, nicCallID: nil, context: request.context,
            deadline: request.deadlineMilliseconds, transfer: request.kind, clock)
    }

    /// A request over INCRP: as any route request, with the call key it brings and the deadline of the NIC.
    static func incrp(
        _ ask: RouteAsk, _ client: RoutingClient, from peer: INCRPPeer, _ wiring: CallRouter.Wiring,
        _ deadline: Deadline
    ) throws(RouteRefusal) -> Admission {
        let customer = client.customer ?? ask.customer
        if let customer, client.customer == nil { try check(customer, wiring.settings) }
        return try Admission(
            wiring, client, customer, callID: ask.callID,
            requestID: RequestID(unchecked: "\(peer.instance)/\(ask.id)"), dialedNumber: ask.dialedNumber,
            nicCallID: ask.nicCallID, context: ask.context, carriedKey: (ask.callKey, ask.callKeySequence), by: deadline
        )
    }

    private static func check(_ customer: CustomerName, _ settings: RouterSettings) throws(RouteRefusal) {
        if settings.customers.contains(customer) { return }
        let nearest = NearestName.of(customer.text, among: settings.customers.map(\.text))
        throw .unknown(field: "customer", name: customer.text, nearest: nearest)
    }

    private init(
        _ wiring: CallRouter.Wiring, _ client: RoutingClient, _ customer: CustomerName?, callID: CallID,
        requestID: RequestID?, dialedNumber: String, nicCallID: String?, context: CallContext, deadline: UInt32?,
        transfer: TransferKind? = nil, _ clock: any RouterClock
    ) throws(RouteRefusal) {
        let longest = client.deadlineMilliseconds ?? wiring.settings.routeDeadlineMilliseconds
        try self.init(
            wiring, client, customer, callID: callID, requestID: requestID, dialedNumber: dialedNumber,
            nicCallID: nicCallID, context: context, transfer: transfer,
            by: Deadline(clock, inMilliseconds: min(deadline ?? longest, longest)))
    }

    /// `asOpened`: as the dialog was opened before.
    init(
        _ wiring: CallRouter.Wiring, _ client: RoutingClient, _ customer: CustomerName?, callID: CallID,
        requestID: RequestID?, dialedNumber: String, nicCallID: String?, context: CallContext,
        transfer: TransferKind? = nil, carriedKey: (key: CallKey, sequence: UInt32)? = nil,
        asOpened: OpenDialog? = nil, by deadline: Deadline
    ) throws(RouteRefusal) {
        let settings = wiring.settings
        var context = context
        if context.dialedNumber == nil { context.dialedNumber = dialedNumber }
        do throws(FieldFault) {
            try FieldFault.check(dialedNumber, field: "dialedNumber", limit: settings.limits.dialedNumber)
            if let nicCallID { try FieldFault.check(nicCallID, field: "nicCallID", limit: 64) }
            try settings.limits.check(context)
        } catch {
            throw .limit(error)
        }
        let entry = settings.dialedNumbers.entry(for: dialedNumber, routingClient: client.name, customer: customer)
        guard let entry else { throw .unknown(field: "dialedNumber", name: dialedNumber, nearest: nil) }
        guard let script = settings.callTypes.script(for: entry.callType).flatMap({ settings.scripts[$0] }) else {
            throw .refused(reason: "call type \(entry.callType) has no script")
        }
        self.wiring = wiring
        self.client = client
        self.customer = customer ?? entry.customer
        self.callType = entry.callType
        self.script = script
        self.context = context
        self.transfer = transfer
        self.deadline = deadline
        arrivedOverINCRP = (asOpened?.callKey ?? carriedKey?.key) != nil
        open =
            asOpened
            ?? OpenDialog(
                routingClient: client.name, requestID: requestID ?? RequestID(unchecked: callID.text), callID: callID,
                dialedNumber: dialedNumber, customer: customer, nicCallID: nicCallID, callKey: carriedKey?.key,
                callKeySequence: carriedKey.map { $0.sequence == .max ? .max : $0.sequence + 1 } ?? 0,
                side: settings.side, context: context.encoded())
    }
}
