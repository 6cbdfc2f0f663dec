internal import CallModel
internal import INCRP
internal import Ledger
internal import Logging
internal import ReplicatedLedger
internal import Routing

/// The way of one request, from its open dialog to its answer: runs the script, and does what each step asks for.
/// What a step changes is recorded under (dialog, node) before the next one begins.
struct DialogRun {
    let router: CallRouter
    let admission: Admission
    let opened: DialogOpened
    let dialog: RunningDialog
    let log: Logger
    var script: ScriptRun
    /// The label handoff that stands: made here, or before a restart and found again.
    var handoff: RecordAnswer?
    /// The reservations made on the way, by node.
    var arrivals: [NodeName: Arrival] = [:]
    /// What gateway nodes were given, by node.
    var returned: [NodeName: GatewayReturn] = [:]
    /// A network transfer came to a gateway node: it may end within this instance only.
    var crossing: GatewayName?
    private var failuresLogged = 0

    struct GatewayReturn {
        let gateway: GatewayName
        let handoff: RecordAnswer
    }

    init(
        _ router: CallRouter, _ admission: Admission, _ opened: DialogOpened, _ reply: LedgerAnswer,
        _ dialog: RunningDialog
    ) {
        self.router = router
        self.admission = admission
        self.opened = opened
        self.dialog = dialog
        handoff = reply.answer.flatMap { $0.answer.kind == .handoff ? $0.answer : nil }
        var log = router.logger
        log[metadataKey: "client"] = "\(admission.client.name)"
        log[metadataKey: "dialog"] = "\(opened.dialog)"
        log[metadataKey: "callKey"] = "\(opened.callKey)"
        self.log = log
        let facts = ScriptFacts(
            callKey: opened.callKey, dialedNumber: admission.open.dialedNumber, callType: admission.callType,
            customer: admission.customer, routingClient: admission.client.name,
            arrivedOverINCRP: admission.arrivedOverINCRP,
            civilTimes: router.civilTimes(reply.time.wall, admission.script.zones))
        script = ScriptRun(
            script: admission.script, context: admission.context, facts: facts, limits: admission.settings.limits)
    }

    mutating func result() async -> RunningDialogs.Result {
        do throws(RouteRefusal) {
            let answer = try await answer()
            log.debug("routed", metadata: ["label": "\(answer.label)", "source": "\(answer.source)"])
            return .success(answer)
        } catch {
            log.notice("the call gets no label", metadata: ["code": "\(error.code)", "reason": "\(error)"])
            return .failure(error)
        }
    }

    private mutating func answer() async throws(RouteRefusal) -> RouteAnswer {
        var step = script.start()
        while true {
            logFailures()
            if dialog.abandoned { throw hungUp }
            switch step {
            case .reserve(let node, let route, let target):
                step = script.resume(try await reserve(node, route, target))
            case .askGateway(let node, let gateway): step = script.resume(try await ask(node, gateway))
            case .answer(let node, let label):
                return try await finish(node, label, .script, arrival: arrivals[node])
            case .gatewayAnswer(let node, let label):
                return try await finish(node, label, .gateway, arrival: returned[node]?.handoff.arrival)
            case .end(let reason): return try await giveDefault(reason)
            }
        }
    }

    // MARK: - Steps

    /// A translation route that has no free entry, or that the ledger is too busy for, fails its node; what is unknown
    /// (unavailable) ends the request, and the same identity may ask again.
    private mutating func reserve(
        _ node: NodeName, _ route: TranslationRouteName, _ target: UltimateTarget?
    ) async throws(RouteRefusal) -> StepResult {
        let reserve = Reserve(
            route: route, identity: .dialog(opened.dialog, node), callID: admission.open.callID,
            routingClient: admission.client.name, target: target, callKey: opened.callKey,
            context: script.context.encoded())
        let reply: LedgerAnswer
        do throws(RouteRefusal) {
            reply = try await router.submit(.reserve(reserve), admission.deadline)
        } catch {
            if case .busy(let reason) = error { return .failed(reason: "busy: \(reason)") }
            throw error
        }
        switch reply.outcome {
        case .reserved(let reserved):
            arrivals[node] = Arrival(
                reservation: reserved.reservation, key: reserved.key, expiresAt: reserved.expiresAtWall)
            return .reserved(reserved.label)
        case .exhausted(let exhausted):
            return .failed(
                reason: "translation route \(route) is exhausted: \(exhausted.held) held, next free at "
                    + (exhausted.nextFreeAtWall.map { "\($0)" } ?? "no time: it has no entries"))
        case .conflict: return .failed(reason: "this node reserved with other content before")
        case .unknown(let field, let name, _): return .failed(reason: "\(field) \(name) is not known to the ledger")
        default: preconditionFailure("a reservation came out as \(reply.outcome)")
        }
    }

    /// The ICM Gateway node: asked (durable), sent, answered, handed off (durable), validated.
    private mutating func ask(_ node: NodeName, _ gateway: GatewayNode) async throws(RouteRefusal) -> StepResult {
        if admission.transfer == .network {
            crossing = gateway.gateway
            return .failed(reason: "a network transfer does not cross instances (gateway \(gateway.gateway))")
        }
        let scope: GatewayScope
        do throws(FieldFault) {
            scope = try GatewayScope(gateway, script.context, admission.settings.limits)
        } catch {
            return .failed(reason: error.description)
        }
        // A handoff that was made before a restart is durable: there is nothing to ask again.
        if let handoff, handoff.node == node {
            dialog.askedBefore(gateway.gateway)
            return try validated(handoff, gateway)
        }
        let asking = AskDialog(dialog: opened.dialog, node: node, gateway: gateway.gateway)
        // Closed meanwhile: it aged, or its caller hung up.
        guard case .dialogAsked = try await router.submit(.askDialog(asking), admission.deadline).outcome else {
            throw .closed(opened.dialog, nil)
        }
        switch await send(node, gateway, scope.outgoing) {
        case .failure(.abandoned): throw hungUp
        case .failure(let fault): return .failed(reason: fault.reason)
        case .success(let reply):
            let context: CallContext
            do throws(FieldFault) {
                context = try scope.incoming(reply.context, admission.settings.limits)
            } catch {
                return .failed(reason: "the returned context breaks a limit: \(error)")
            }
            return try validated(try await handOff(reply, context, node), gateway)
        }
    }

    private func send(
        _ node: NodeName, _ gateway: GatewayNode, _ context: CallContext
    ) async -> Result<RouteReply, ICMGateway.Fault> {
        let settings = admission.settings
        let icmGateway = ICMGateway(
            name: gateway.gateway, link: admission.wiring.links[gateway.gateway], counting: router.counting)
        let left = admission.deadline.leftMilliseconds
        let margin = min(settings.answerMarginMilliseconds, admission.deadline.lengthMilliseconds / 4)
        let longest = gateway.deadlineMilliseconds ?? settings.gateways[gateway.gateway]?.deadlineMilliseconds ?? .max
        let wait = min(longest, left > margin ? left - margin : 0)
        guard wait > 0 else { return .failure(.late) }
        let dialedNumber = script.context.dialedNumber
        let ask = RouteAsk(
            id: AskID(dialog: opened.dialog, node: node), callKey: opened.callKey,
            callKeySequence: opened.callKeySequence, callID: admission.open.callID,
            // A script that sets the dialed number asks for that one.
            dialedNumber: (dialedNumber == admission.context.dialedNumber ? nil : dialedNumber)
                ?? admission.open.dialedNumber,
            customer: admission.customer, nicCallID: admission.open.nicCallID, deadlineMilliseconds: wait,
            context: context)
        return await icmGateway.ask(ask, until: Deadline(admission.deadline.clock, inMilliseconds: wait), for: dialog)
    }

    /// The label handoff: the returned label and the modified context, durable before anything is made of them.
    private mutating func handOff(
        _ reply: RouteReply, _ context: CallContext, _ node: NodeName
    ) async throws(RouteRefusal) -> RecordAnswer {
        let arrival = reply.arrival.map { Arrival(reservation: $0.reservation, key: $0.key, expiresAt: $0.expiresAt) }
        var handoff = RecordAnswer(
            dialog: opened.dialog, node: node, kind: .handoff, label: reply.label, source: .gateway, arrival: arrival,
            context: context.encoded())
        let recorded = try await record(handoff)
        if let recorded {
            // Another answer stands, of which the script made nothing: then this one is durable with the final answer.
            guard recorded.kind == .handoff && recorded.node == node else { return handoff }
            handoff = recorded
        }
        self.handoff = handoff
        return handoff
    }

    /// Validates the label of a handoff, if the node says so, and lets the script go on with it.
    private mutating func validated(_ handoff: RecordAnswer, _ gateway: GatewayNode) throws(RouteRefusal) -> StepResult
    {
        let client = admission.client.name
        if gateway.validateLabel && !admission.settings.labels.validates(handoff.label, for: client) {
            router.counting.gateway(gateway.gateway) { $0.invalidLabel += 1 }
            return .failed(reason: "the returned label \(handoff.label) does not exist for routing client \(client)")
        }
        do {
            let context = try handoff.context.decoded()
            returned[handoff.node] = GatewayReturn(gateway: gateway.gateway, handoff: handoff)
            return .answered(handoff.label, context)
        } catch {
            throw .unavailable(reason: "the recorded context cannot be read: \(error)")
        }
    }

    private mutating func logFailures() {
        for failure in script.failures.dropFirst(failuresLogged) {
            log.notice(
                "a node of the script failed", metadata: ["node": "\(failure.node)", "reason": "\(failure.reason)"])
        }
        failuresLogged = script.failures.count
    }

    var hungUp: RouteRefusal { .refused(reason: "the caller of dialog \(opened.dialog) hung up") }
}
