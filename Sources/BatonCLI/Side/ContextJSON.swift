package import CallModel

/// A call context in the JSON form of the HTTP contract.
package enum ContextJSON {
    package static func value(of context: CallContext) -> JSONValue {
        var members: [JSONMember] = []
        func add(_ name: String, _ text: String?) {
            if let text { members.append(JSONMember(name, .string(text))) }
        }
        add("ani", context.ani)
        if context.aniRestricted { members.append(JSONMember("aniRestricted", true)) }
        add("ced", context.ced)
        add("uui", context.uui)
        let variables = context.variables.enumerated().compactMap { index, text in
            text.map { JSONMember("variable\(index + 1)", .string($0)) }
        }
        if !variables.isEmpty { members.append(JSONMember("variables", .object(variables))) }
        let ecc = context.ecc.sorted { $0.key < $1.key }.map { name, value in
            switch value {
            case .scalar(let text): JSONMember(name.text, .string(text))
            case .array(let elements): JSONMember(name.text, .array(elements.map { .string($0) }))
            }
        }
        if !ecc.isEmpty { members.append(JSONMember("ecc", .object(ecc))) }
        return .object(members)
    }

    /// The fields of a context that a request can carry; others that a side adds (the number dialed, say) are left out.
    package static func context(from value: JSONValue) throws(FieldFault) -> CallContext {
        var context = CallContext()
        context.ani = value["ani"]?.text
        context.aniRestricted = value["aniRestricted"]?.isTrue ?? false
        context.ced = value["ced"]?.text
        context.uui = value["uui"]?.text
        for member in value["variables"]?.members ?? [] {
            context.set(try ContextField(parsing: member.name), to: member.value.text)
        }
        for member in value["ecc"]?.members ?? [] {
            let name = try ECCName(member.name)
            if case .array(let elements) = member.value {
                context.ecc[name] = .array(elements.map { $0.text ?? "" })
            } else if let text = member.value.text {
                context.ecc[name] = .scalar(text)
            }
        }
        return context
    }

    /// Applies `name=value` (a field, or an element of an array); an empty value removes the field.
    package static func assign(_ assignment: some StringProtocol, in context: inout CallContext) throws(FieldFault) {
        guard let equals = assignment.firstIndex(of: "=") else {
            throw FieldFault(
                field: String(assignment), fault: .wrongShape("must be name=value, for example variable1=gold"))
        }
        let field = try ContextField(parsing: String(assignment[..<equals]))
        let text = String(assignment[assignment.index(after: equals)...])
        if case .ecc(let name) = field, text.isEmpty {
            context.ecc[name] = nil
        } else {
            context.set(field, to: text.isEmpty ? nil : text)
        }
    }
}
