package import CallModel

/// A routing script: the decision graph that finds a label. Checked when it is made, so that a run always ends:
/// every path leads to a node that exists, every node is reached, and nothing goes round.
package struct Script: Hashable, Sendable {
    /// More nodes than this are refused, and a run never visits more.
    package static let mostNodes = 1000

    package let name: ScriptName
    package let start: NodeName
    package let nodes: [NodeName: Node]

    /// Throws the first of ``faults(start:nodes:)``.
    package init(name: ScriptName, start: NodeName, nodes: [NodeName: Node]) throws(ScriptFault) {
        if let fault = Self.faults(start: start, nodes: nodes).first { throw fault }
        self.name = name
        self.start = start
        self.nodes = nodes
    }

    package var translationRoutes: Set<TranslationRouteName> {
        Set(nodes.values.compactMap { if case .translationRoute(let node) = $0 { node.route } else { nil } })
    }

    package var gateways: Set<GatewayName> {
        Set(nodes.values.compactMap { if case .gateway(let node) = $0 { node.gateway } else { nil } })
    }

    /// The payloads that its ICM Gateway nodes take into scope.
    package var payloads: Set<String> {
        Set(nodes.values.compactMap { if case .gateway(let node) = $0 { node.payload } else { nil } })
    }

    /// The zones whose civil time a run needs.
    package var zones: Set<String> {
        Set(nodes.values.compactMap { if case .time(let node) = $0 { node.zone } else { nil } })
    }

    /// Fields of the context that it reads or sets.
    package var fields: Set<ContextField> {
        var subjects: [Subject] = []
        for node in nodes.values {
            switch node {
            case .switch(let node): subjects.append(node.subject)
            case .set(let node):
                subjects += node.assignments.map { .field($0.field) }
                subjects += node.assignments.flatMap { $0.value?.subjects ?? [] }
            case .translationRoute(let node): subjects += node.target?.subjects ?? []
            case .time, .percent, .label, .gateway, .end: break
            }
        }
        return Set(subjects.compactMap { if case .field(let field) = $0 { field } else { nil } })
    }
}

/// Why nodes make no script. `node` is where the mistake stands.
package struct ScriptFault: Error, Hashable, Sendable, CustomStringConvertible {
    package enum What: Hashable, Sendable {
        case noNodes
        case tooManyNodes(Int)
        case unknownStart(nearest: String?)
        case unknownTarget(path: String, target: NodeName, nearest: String?)
        case unreachable
        /// The nodes in the order in which they follow each other; the last leads back to the first.
        case cycle([NodeName])
        case shares(hundredthsOfPercent: Int)
    }

    package let node: NodeName?
    package let what: What

    package init(node: NodeName?, what: What) {
        self.node = node
        self.what = what
    }

    package var description: String {
        let name = node?.text ?? ""
        func nearest(_ name: String?) -> String { name.map { "; the nearest name is \($0)" } ?? "" }
        switch what {
        case .noNodes: return "the script has no nodes"
        case .tooManyNodes(let count): return "the script has \(count) nodes; the limit is \(Script.mostNodes)"
        case .unknownStart(let near): return "the script starts at node \(name), which does not exist\(nearest(near))"
        case .unknownTarget(let path, let target, let near):
            return "node \(name), \(path), leads to node \(target), which does not exist\(nearest(near))"
        case .unreachable: return "node \(name) is never reached"
        case .cycle(let nodes):
            let way = (nodes + nodes.prefix(1)).map(\.text).joined(separator: " -> ")
            return "the script goes round: \(way)"
        case .shares(let sum):
            return "node \(name) divides \(Self.percent(sum)) % of the calls; the shares must add up to 100 %"
        }
    }

    private static func percent(_ hundredths: Int) -> String {
        let rest = hundredths % 100
        return rest == 0 ? "\(hundredths / 100)" : "\(hundredths / 100).\(rest < 10 ? "0" : "")\(rest)"
    }
}

extension Script {
    /// Everything that is wrong with the nodes, in the order of their names.
    package static func faults(start: NodeName, nodes: [NodeName: Node]) -> [ScriptFault] {
        if nodes.isEmpty { return [ScriptFault(node: nil, what: .noNodes)] }
        if nodes.count > mostNodes { return [ScriptFault(node: nil, what: .tooManyNodes(nodes.count))] }
        var faults: [ScriptFault] = []
        let names = nodes.keys.map(\.text)
        if nodes[start] == nil {
            faults.append(
                ScriptFault(node: start, what: .unknownStart(nearest: NearestName.of(start.text, among: names))))
        }
        for (name, node) in nodes.sorted(by: { $0.key < $1.key }) {
            for (path, target) in node.paths where nodes[target] == nil {
                let nearest = NearestName.of(target.text, among: names)
                faults.append(
                    ScriptFault(node: name, what: .unknownTarget(path: path, target: target, nearest: nearest)))
            }
            if case .percent(let node) = node {
                let sum = node.shares.reduce(0) { $0 + $1.hundredthsOfPercent }
                if sum != PercentNode.whole {
                    faults.append(ScriptFault(node: name, what: .shares(hundredthsOfPercent: sum)))
                }
            }
        }
        if let cycle = firstCycle(nodes) { faults.append(ScriptFault(node: cycle[0], what: .cycle(cycle))) }
        // With an unknown start or target the unreached nodes follow from that mistake: naming them would hide it.
        if faults.isEmpty {
            let reached = reachable(from: start, nodes)
            for name in nodes.keys.sorted() where !reached.contains(name) {
                faults.append(ScriptFault(node: name, what: .unreachable))
            }
        }
        return faults
    }

    private static func reachable(from start: NodeName, _ nodes: [NodeName: Node]) -> Set<NodeName> {
        var reached: Set<NodeName> = []
        var open = [start]
        while let name = open.popLast() {
            if reached.insert(name).inserted { open += nodes[name]?.paths.map(\.target) ?? [] }
        }
        return reached
    }

    /// Depth first with a stack of its own, so that a long chain of nodes cannot exhaust the thread's.
    private static func firstCycle(_ nodes: [NodeName: Node]) -> [NodeName]? {
        var done: Set<NodeName> = []
        for root in nodes.keys.sorted() where !done.contains(root) {
            var way: [NodeName] = [root]
            var onWay: Set<NodeName> = [root]
            var open: [[NodeName]] = [nodes[root]?.paths.map(\.target) ?? []]
            while let name = way.last {
                guard let next = open[open.count - 1].popLast() else {
                    open.removeLast()
                    way.removeLast()
                    onWay.remove(name)
                    done.insert(name)
                    continue
                }
                if onWay.contains(next) { return Array(way.drop { $0 != next }) }
                if done.contains(next) || nodes[next] == nil { continue }
                way.append(next)
                onWay.insert(next)
                open.append(nodes[next]?.paths.map(\.target) ?? [])
            }
        }
        return nil
    }
}
