import CallModel
import Routing
import Testing

func node(_ name: String) -> NodeName { NodeName(unchecked: name) }

func script(_ start: String, _ nodes: [String: Node]) throws(ScriptFault) -> Script {
    let named = Dictionary(uniqueKeysWithValues: nodes.map { (NodeName(unchecked: $0.key), $0.value) })
    return try Script(name: ScriptName(unchecked: "s"), start: node(start), nodes: named)
}

func label(_ text: String) -> Node { .label(LabelNode(Label(unchecked: text, type: .normal))) }

func go(_ then: String, else otherwise: String? = nil) -> Node {
    let ced = SetNode.Assignment(.ced, to: nil)
    return .set(SetNode(assignments: [ced], then: node(then), otherwise: otherwise.map { node($0) }))
}

@Suite("Checked scripts")
struct ScriptTests {
    @Test("a cycle is refused with the names of its nodes in order")
    func cycle() {
        let fault = ScriptFault(node: node("b"), what: .cycle([node("b"), node("c")]))
        #expect(throws: fault) { try script("a", ["a": go("b"), "b": go("c"), "c": go("b", else: "d"), "d": .end]) }
        #expect(fault.description == "the script goes round: b -> c -> b")
        #expect(throws: ScriptFault(node: node("a"), what: .cycle([node("a")]))) { try script("a", ["a": go("a")]) }
    }

    @Test("a node that no path reaches is refused by its name")
    func unreachable() {
        #expect(throws: ScriptFault(node: node("c"), what: .unreachable)) {
            try script("a", ["a": go("b"), "b": .end, "c": .end])
        }
    }

    @Test("a start or a path to a node that does not exist is refused with the nearest name")
    func missing() {
        #expect(throws: ScriptFault(node: node("start"), what: .unknownStart(nearest: "strat"))) {
            try script("start", ["strat": .end])
        }
        let fault = ScriptFault(
            node: node("a"), what: .unknownTarget(path: "else", target: node("buzy"), nearest: "busy"))
        #expect(throws: fault) { try script("a", ["a": go("busy", else: "buzy"), "busy": .end]) }
    }

    @Test("shares that do not add up to 100 % are refused with their sum")
    func shares() {
        let shares = [3333, 3333, 3333].map { PercentNode.Share(hundredthsOfPercent: $0, then: node("b")) }
        let fault = ScriptFault(node: node("a"), what: .shares(hundredthsOfPercent: 9999))
        #expect(throws: fault) { try script("a", ["a": .percent(PercentNode(shares: shares)), "b": .end]) }
        #expect(fault.description.contains("99.99 %"))
    }

    @Test("more nodes than the bound are refused, and a chain up to it runs to its end")
    func bound() throws {
        func chain(_ count: Int) -> [String: Node] {
            Dictionary(
                uniqueKeysWithValues: (0..<count).map { ("n\($0)", $0 == count - 1 ? label("1") : go("n\($0 + 1)")) })
        }
        #expect(throws: ScriptFault(node: nil, what: .tooManyNodes(1001))) { try script("n0", chain(1001)) }
        #expect(throws: ScriptFault(node: nil, what: .noNodes)) { try script("n0", [:]) }
        var run = makeRun(try script("n0", chain(1000)))
        #expect(run.start() == .answer(node("n999"), Label(unchecked: "1", type: .normal)))
        #expect(run.trace.count == 1000)
    }

    /// All graphs of three nodes with up to two paths each: a graph is taken exactly when every node is reached from
    /// the first and a walk along its paths cannot go on for ever; and then every run ends.
    @Test("every small graph is taken or refused as its definition says")
    func exhaustive() throws {
        let names = ["a", "b", "c"]
        var taken = 0
        for code in 0..<(16 * 16 * 16) {
            var rest = code
            var paths: [[Int]] = []
            for _ in names {
                let pick = rest % 16
                rest /= 16
                paths.append([pick % 4, pick / 4].filter { $0 < 3 })
            }
            let nodes = Dictionary(
                uniqueKeysWithValues: zip(names, paths).map { name, paths -> (String, Node) in
                    (name, paths.isEmpty ? .end : go(names[paths[0]], else: paths.count == 2 ? names[paths[1]] : nil))
                })
            let sound = reached(paths).count == 3 && !goesRound(paths)
            do {
                var run = makeRun(try script("a", nodes))
                if case .end = run.start() {} else { Issue.record("\(nodes) did not end") }
                if !sound { Issue.record("\(nodes) was taken") }
                taken += 1
            } catch {
                if sound { Issue.record("\(nodes) was refused: \(error)") }
            }
        }
        #expect(taken > 30)
    }

    private func reached(_ paths: [[Int]]) -> Set<Int> {
        var reached: Set<Int> = [0]
        for _ in paths { reached.formUnion(reached.flatMap { paths[$0] }) }
        return reached
    }

    private func goesRound(_ paths: [[Int]]) -> Bool {
        // After as many steps as there are nodes a walk without repetition is over.
        var standing = Set(paths.indices)
        for _ in paths { standing = Set(standing.flatMap { paths[$0] }) }
        return !standing.isEmpty
    }
}
