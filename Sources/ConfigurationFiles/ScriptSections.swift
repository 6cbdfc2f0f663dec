internal import CallModel
internal import Foundation
internal import Routing

/// The sections on how a route is found: `scripts`, `callTypes`, `dialedNumbers`.
extension ConfigurationDecoder {
    func decodeScripts(callTypes: Set<String>) {
        var names: [ScriptName: Place] = [:]
        for file in scriptFiles() {
            guard let root = YAMLFile.read(file, shown: file, state.problems) else { continue }
            for pair in root.pairs where pair.key.text == "script" { scriptNames.insert(pair.value.text) }
            guard let read = ScriptFile.decode(root, state) else { continue }
            let script = read.script
            if let other = names[script.name] {
                state.problems.report(
                    "two scripts are named \(script.name) (the other in \(other.file), line \(other.line))",
                    at: read.nameAt)
            }
            names[script.name] = read.nameAt
            scripts[script.name] = script
            for reference in read.references { check(reference, callTypes: callTypes) }
        }
    }

    /// A directory stands for all its YAML files, in the order of their names.
    private func scriptFiles() -> [String] {
        let value = root.value("scripts")
        if let value, value.kind == .list {
            return root.texts("scripts").map { resolved($0.value) }
        }
        if let value, value.kind != .text {
            state.problems.report(
                "scripts must be a directory or a list of files, not \(value.kind.name)", at: value.place)
            return []
        }
        let directory = resolved(value?.text ?? "scripts")
        do {
            let names = try FileManager.default.contentsOfDirectory(atPath: directory)
            let files = names.filter { !$0.hasPrefix(".") && ($0.hasSuffix(".yaml") || $0.hasSuffix(".yml")) }
            return files.sorted().map { directory + (directory.hasSuffix("/") ? "" : "/") + $0 }
        } catch {
            // Without a word about scripts there need be none: a missing script is told where a call type names it.
            if let value {
                state.problems.report("the directory of scripts \(directory) cannot be read", at: value.place)
            }
            return []
        }
    }

    private func check(_ reference: ScriptReference, callTypes: Set<String>) {
        switch reference.kind {
        case .translationRoute: check(reference.name, "translation route", among: translationRouteNames)
        case .gateway: check(reference.name, "gateway", among: gatewayNames)
        case .routingClient: check(reference.name, "routing client", among: routingClientNames)
        case .customer: check(reference.name, "customer", among: customers)
        case .callType: check(reference.name, "call type", among: callTypes)
        case .payload: check(reference.name, "payload", among: Array(limits.payloads.keys))
        case .field(let field, let setting): check(field, setting: setting, at: reference.name.place)
        }
    }

    private func check(_ field: ContextField, setting: Bool, at place: Place) {
        let name: ECCName
        var index: Int?
        switch field {
        case .ecc(let ecc): name = ecc
        case .eccElement(let ecc, let element): (name, index) = (ecc, element)
        case .ani, .ced, .uui, .dnis, .dialedNumber, .variable: return
        }
        guard let declaration = limits.declarations[name] else {
            let plain = ["ani", "ced", "uui", "dnis", "dialedNumber"] + (1...10).map { "variable\($0)" }
            let facts = setting ? [] : Subject.factNames
            let names = limits.declarations.keys.map(\.text) + plain + facts
            state.problems.reportUnknown("field or ECC variable", name.text, among: names, at: place)
            return
        }
        switch (index, declaration.elements) {
        case (nil, nil): break
        case (let index?, let elements?):
            if index >= elements {
                state.problems.report(
                    "ECC variable \(name) has \(elements) elements, 0 to \(elements - 1); there is no element \(index)",
                    at: place)
            }
        case (nil, _?):
            state.problems.report(
                "ECC variable \(name) is an array; name an element, for example \(name)[0]", at: place)
        case (_?, nil): state.problems.report("ECC variable \(name) is a scalar; it has no elements", at: place)
        }
    }

    func decodeCallTypes(_ pairs: [(key: Located<String>, value: Located<String>)]) -> CallTypes {
        var callTypes: [String: ScriptName] = [:]
        for (name, script) in pairs {
            _ = root.checked(name, "callTypes") { (text) throws(FieldFault) in
                try FieldFault.check(text, field: "call type", limit: 32)
            }
            let scriptName = ScriptName(unchecked: script.value)
            check(script, "script", among: scriptNames)
            callTypes[name.value] = scriptName
        }
        return CallTypes(scripts: callTypes)
    }

    func decodeDialedNumbers(callTypes: Set<String>) -> DialedNumberTable {
        var entries: [DialedNumberTable.Entry] = []
        for value in root.list("dialedNumbers") {
            let one = Fields(value, "a dialed number", at: value.place, state)
            let text = one.text("pattern")
            let pattern = text.flatMap { Pattern($0, state.problems) }
            let client = one.optionalName("routingClient", RoutingClientName.self)
            let customer = one.optionalName("customer", CustomerName.self)
            let callType = one.text("callType")
            one.finish()
            if let client {
                check(Located(client.value.text, at: client.place), "routing client", among: routingClientNames)
            }
            if let customer { check(Located(customer.value.text, at: customer.place), "customer", among: customers) }
            if let callType { check(callType, "call type", among: callTypes) }
            guard let pattern, let callType else { continue }
            let entry = DialedNumberTable.Entry(
                pattern: pattern, routingClient: client?.value, customer: customer?.value, callType: callType.value)
            let isRepeated = entries.contains {
                $0.pattern == pattern && $0.customer == entry.customer
                    && ($0.routingClient == nil || $0.routingClient == entry.routingClient)
            }
            if isRepeated {
                one.report(
                    "dialed number \(pattern) is never reached: an entry above fits the same calls", at: value.place)
            }
            entries.append(entry)
        }
        return DialedNumberTable(entries: entries)
    }
}
