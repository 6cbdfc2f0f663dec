internal import CallModel
internal import INCRP
internal import Routing

/// The ICM Gateway: what a gateway node sends to its Server ICM, and what it takes back.
struct ICMGateway: Sendable {
    let name: GatewayName
    let link: (any ServerLink)?
    let counting: RouterCounting

    enum Fault: Error, Hashable, Sendable {
        case late
        case offline(reason: String)
        case failed(RouteFailure.Code, reason: String)
        /// The caller hung up.
        case abandoned

        /// The reason of the node's failure path, without values of the context.
        var reason: String {
            switch self {
            case .late: "the server did not answer in time"
            case .offline(let reason): "the server is offline: \(reason)"
            case .failed(let code, let reason): "the server said: \(code.sentence(reason))"
            case .abandoned: "the caller hung up"
            }
        }
    }

    /// Sends the ask and waits for the reply, the deadline, or the caller's hanging up. A late reply finds nobody: the
    /// dialog's end tells the server to release what it reserved.
    func ask(_ ask: RouteAsk, until deadline: Deadline, for dialog: RunningDialog) async -> Result<RouteReply, Fault> {
        guard let link else { return counted(.failure(.offline(reason: "there is no link of gateway \(name)"))) }
        let first = FirstOf<Result<RouteReply, Fault>>()
        guard dialog.willAsk(name, onAbandon: { first.settle(.failure(.abandoned)) }) else {
            return .failure(.abandoned)
        }
        counting.gateway(name) { $0.asked += 1 }
        let asking = Task {
            do throws(ServerLinkFault) {
                first.settle(.success(try await link.ask(ask)))
            } catch {
                first.settle(.failure(Fault(error)))
            }
        }
        let result = await first.value(until: deadline, late: .failure(.late))
        asking.cancel()
        dialog.asked()
        if case .success(let reply) = result, reply.id != ask.id {
            return counted(.failure(.failed(.conflict, reason: "the answer is for \(reply.id), not \(ask.id)")))
        }
        return counted(result)
    }

    private func counted(_ result: Result<RouteReply, Fault>) -> Result<RouteReply, Fault> {
        counting.gateway(name) {
            switch result {
            case .success: $0.answered += 1
            case .failure(.late): $0.late += 1
            case .failure(.offline): $0.offline += 1
            case .failure(.failed): $0.failed += 1
            case .failure(.abandoned): $0.abandoned += 1
            }
        }
        return result
    }
}

extension ICMGateway.Fault {
    fileprivate init(_ fault: ServerLinkFault) {
        switch fault {
        case .offline(let reason): self = .offline(reason: reason)
        case .late: self = .late
        case .failed(let code, let reason): self = .failed(code, reason: reason)
        }
    }
}

/// What of a context crosses at a gateway node, and how what comes back is put together with what stayed.
struct GatewayScope: Sendable {
    private let masksCLID: Bool
    /// Nil: every ECC variable crosses.
    private let payload: ECCPayload?
    private let original: CallContext

    /// Throws when the node's payload is not declared.
    init(_ node: GatewayNode, _ context: CallContext, _ limits: ContextLimits) throws(FieldFault) {
        if let name = node.payload {
            guard let payload = limits.payloads[name] else {
                let nearest = NearestName.of(name, among: limits.payloads.keys)
                throw FieldFault(field: "payload \(name)", fault: .undeclared(nearest: nearest))
            }
            self.payload = payload
        } else {
            payload = nil
        }
        masksCLID =
            switch node.clidMasking {
            case .never: false
            case .whenRestricted: context.aniRestricted
            case .always: true
            }
        original = context
    }

    /// The context that leaves: without a masked CLID, and of the ECC variables those in scope.
    var outgoing: CallContext {
        var context = original
        if masksCLID { context.ani = nil }
        if let payload { context.ecc = context.ecc.filter { payload.contains($0.key) } }
        return context
    }

    /// The context as the server left it, with what did not cross put back. Throws for the first field that breaks a
    /// limit here: nothing is cut silently.
    func incoming(_ reply: CallContext, _ limits: ContextLimits) throws(FieldFault) -> CallContext {
        var context = reply
        if masksCLID && context.ani == nil { context.ani = original.ani }
        context.aniRestricted = original.aniRestricted
        if let payload {
            for (name, value) in original.ecc where !payload.contains(name) { context.ecc[name] = value }
        }
        try limits.check(context)
        return context
    }
}
