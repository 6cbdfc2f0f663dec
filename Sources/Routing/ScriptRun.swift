internal import ByteCoding
package import CallModel

/// What the script wants next.
package enum Step: Hashable, Sendable {
    /// Reserve an entry of the translation route, with the run's context; then ``ScriptRun/resume(_:)``.
    case reserve(NodeName, TranslationRouteName, target: UltimateTarget?)
    /// Ask the Server ICM, with the run's context; then ``ScriptRun/resume(_:)``.
    case askGateway(NodeName, GatewayNode)
    /// The script's label: a label node's, or a translation route's.
    case answer(NodeName, Label)
    /// The label that the named ICM Gateway node was given.
    case gatewayAnswer(NodeName, Label)
    /// No label: the routing client gets its default label.
    case end(reason: String)
}

/// What came of a ``Step/reserve(_:_:target:)`` or ``Step/askGateway(_:_:)``.
package enum StepResult: Hashable, Sendable {
    case reserved(Label)
    case answered(Label, CallContext)
    case failed(reason: String)
}

/// One run of a script for one request: walks its nodes until it needs something from outside or has its answer.
/// The same script, context, facts and results give the same steps.
package struct ScriptRun: Sendable {
    package let script: Script
    package let facts: ScriptFacts
    private let limits: ContextLimits
    /// As modified by set nodes and by what a Server ICM sent back.
    package private(set) var context: CallContext
    /// The nodes visited, in order. When it ended at an ICM Gateway node whose failure path is not written, that
    /// node is the last one, and its default labels hold.
    package private(set) var trace: [NodeName] = []
    /// Failures on the way, for the shell to log: node and sentence, without values of the context.
    package private(set) var failures: [NodeFailure] = []
    private var waiting: NodeName?
    private var returned: (node: NodeName, label: Label)?

    package struct NodeFailure: Hashable, Sendable {
        package let node: NodeName
        package let reason: String
    }

    package init(script: Script, context: CallContext, facts: ScriptFacts, limits: ContextLimits) {
        self.script = script
        self.context = context
        self.facts = facts
        self.limits = limits
    }

    /// Call once, first.
    package mutating func start() -> Step {
        precondition(trace.isEmpty, "a script run starts once")
        return walk(from: script.start)
    }

    /// Only after a step that waits for a result. On failure it walks the failure path.
    package mutating func resume(_ result: StepResult) -> Step {
        guard let name = waiting, let node = script.nodes[name] else {
            preconditionFailure("the script waits for nothing")
        }
        waiting = nil
        switch (node, result) {
        case (.translationRoute, .reserved(let label)): return .answer(name, label)
        case (.gateway(let gateway), .answered(let label, let modified)):
            context = modified
            returned = (name, label)
            if let then = gateway.then { return walk(from: then) }
            return .gatewayAnswer(name, label)
        case (.translationRoute(let node), .failed(let reason)): return fail(name, reason, node.otherwise)
        case (.gateway(let node), .failed(let reason)): return fail(name, reason, node.otherwise)
        default: preconditionFailure("node \(name) was given the result of another kind of node")
        }
    }

    private enum Move {
        case go(NodeName)
        case step(Step)
        case failed(reason: String, otherwise: NodeName?)
    }

    private mutating func fail(_ name: NodeName, _ reason: String, _ otherwise: NodeName?) -> Step {
        failures.append(NodeFailure(node: name, reason: reason))
        guard let otherwise else { return .end(reason: "node \(name): \(reason)") }
        return walk(from: otherwise)
    }

    private mutating func walk(from first: NodeName) -> Step {
        var name = first
        while trace.count < Script.mostNodes {
            // Invariant: every target exists, checked by Script.init.
            guard let node = script.nodes[name] else {
                preconditionFailure("script \(script.name) has no node \(name)")
            }
            trace.append(name)
            switch visit(name, node) {
            case .go(let next): name = next
            case .step(let step): return step
            case .failed(let reason, nil):
                failures.append(NodeFailure(node: name, reason: reason))
                return .end(reason: "node \(name): \(reason)")
            case .failed(let reason, let otherwise?):
                failures.append(NodeFailure(node: name, reason: reason))
                name = otherwise
            }
        }
        return .end(reason: "the script visited \(Script.mostNodes) nodes without an answer")
    }

    private mutating func visit(_ name: NodeName, _ node: Node) -> Move {
        switch node {
        case .switch(let node): return choose(node)
        case .time(let node): return choose(node)
        case .percent(let node): return .go(choose(node, name))
        case .set(let node): return set(node)
        case .label(let node): return answer(name, node)
        case .translationRoute(let node): return reserve(name, node)
        case .gateway(let node):
            if facts.arrivedOverINCRP {
                let reason = "a request that arrived over INCRP is never forwarded over a gateway (\(node.gateway))"
                return .failed(reason: reason, otherwise: node.otherwise)
            }
            waiting = name
            return .step(.askGateway(name, node))
        case .end: return .step(.end(reason: "node \(name) ends the script without a label"))
        }
    }

    /// No case matching is no failure: `otherwise` is the last case, and only its absence ends the script.
    private func choose(_ node: SwitchNode) -> Move {
        if let text = node.subject.text(in: context, facts),
            let match = node.cases.first(where: { $0.match.matches(text) })
        {
            return .go(match.then)
        }
        if let otherwise = node.otherwise { return .go(otherwise) }
        return .failed(reason: "no case matches \(node.subject)", otherwise: nil)
    }

    private func choose(_ node: TimeNode) -> Move {
        guard let time = facts.civilTimes[node.zone] else {
            return .failed(reason: "the civil time of zone \(node.zone) is not known", otherwise: node.otherwise)
        }
        if let when = node.when.first(where: { $0.window.contains(time) }) { return .go(when.then) }
        if let otherwise = node.otherwise { return .go(otherwise) }
        return .failed(reason: "no time window holds now", otherwise: nil)
    }

    private func choose(_ node: PercentNode, _ name: NodeName) -> NodeName {
        var rest = Self.lot(of: facts.callKey, at: name)
        for share in node.shares {
            if rest < share.hundredthsOfPercent { return share.then }
            rest -= share.hundredthsOfPercent
        }
        preconditionFailure("the shares of node \(name) do not add up, which Script.init refuses")
    }

    /// 0...9,999, the same for ever for the same call and node.
    package static func lot(of callKey: CallKey, at node: NodeName) -> Int {
        // A NUL, which neither name can hold, keeps the two apart.
        let bytes = Array(callKey.description.utf8) + [0] + Array(node.text.utf8)
        return Int(SipHash128.hash(bytes).low % UInt64(PercentNode.whole))
    }

    private mutating func set(_ node: SetNode) -> Move {
        var changed = context
        for assignment in node.assignments {
            changed.set(assignment.field, to: assignment.value?.text(in: changed, facts))
        }
        do {
            try limits.check(changed)
        } catch {
            return .failed(reason: error.description, otherwise: node.otherwise)
        }
        context = changed
        return .go(node.then)
    }

    private func answer(_ name: NodeName, _ node: LabelNode) -> Move {
        switch node.kind {
        case .fixed(let label): return .step(.answer(name, label))
        case .returned:
            if let returned { return .step(.gatewayAnswer(returned.node, returned.label)) }
            return .failed(reason: "no gateway returned a label on this way", otherwise: node.otherwise)
        }
    }

    private mutating func reserve(_ name: NodeName, _ node: TranslationRouteNode) -> Move {
        var target: UltimateTarget?
        if let template = node.target {
            do {
                target = try UltimateTarget(template.text(in: context, facts))
            } catch {
                return .failed(reason: error.description, otherwise: node.otherwise)
            }
        }
        waiting = name
        return .step(.reserve(name, node.route, target: target))
    }
}
