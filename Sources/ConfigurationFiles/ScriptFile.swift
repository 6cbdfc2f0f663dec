internal import CallModel
package import Routing

/// Where a script refers to something that its instance's configuration must have.
struct ScriptReference {
    enum Kind {
        case translationRoute
        case gateway
        case routingClient
        case customer
        case callType
        case payload
        case field(ContextField, setting: Bool)
    }

    let kind: Kind
    let name: Located<String>
    let node: NodeName
}

/// A routing script as its file holds it (`Schemas/script.schema.json`).
struct ScriptFile {
    let script: Script
    let nameAt: Place
    let references: [ScriptReference]

    /// Nil when anything is wrong with it; everything that is wrong is then reported.
    static func decode(_ root: Value, _ state: LoadState) -> ScriptFile? {
        let before = state.problems.errors.count
        let fields = Fields(root, "the script", at: root.place, state)
        let name = fields.name("script", ScriptName.self)
        let start = fields.name("start", NodeName.self)
        let pairs = fields.valuePairs("nodes", required: true)
        fields.finish()
        var nodes: [NodeName: Node] = [:]
        var places: [NodeName: Place] = [:]
        var references: [ScriptReference] = []
        for (key, value) in pairs {
            guard
                let name = fields.checked(
                    key, "nodes", { (text) throws(FieldFault) in try NodeName(text, field: "node") })
            else { continue }
            var decoder = NodeDecoder(
                name: name.value, fields: Fields(value, "node \(name.value)", at: key.place, state))
            nodes[name.value] = decoder.decode()
            places[name.value] = key.place
            references += decoder.references
        }
        // The graph is looked at only when all its nodes are there: else every gap would be told twice.
        guard let name, let start, state.problems.errors.count == before else { return nil }
        do {
            let script = try Script(name: name.value, start: start.value, nodes: nodes)
            return ScriptFile(script: script, nameAt: name.place, references: references)
        } catch {
            for fault in Script.faults(start: start.value, nodes: nodes) {
                state.problems.report(fault.description, at: place(of: fault, start: start.place, places) ?? root.place)
            }
            return nil
        }
    }

    private static func place(of fault: ScriptFault, start: Place, _ nodes: [NodeName: Place]) -> Place? {
        if case .unknownStart = fault.what { return start }
        return fault.node.flatMap { nodes[$0] }
    }
}

extension Script {
    /// Reads one script by itself, without an instance's configuration to check its names against.
    /// `file` is only what errors call it.
    package static func parse(_ text: String, file: String) throws(ConfigurationErrors) -> Script {
        let state = LoadState(environment: [:])
        let script = YAMLFile.parse(text, shown: file, state.problems).flatMap { ScriptFile.decode($0, state)?.script }
        guard let script, state.problems.errors.isEmpty else {
            throw ConfigurationErrors(state.problems.errors, first: file)
        }
        return script
    }
}
