internal import CallModel

/// Who sees the personal values of calls.
package enum PersonalValues: Sendable {
    /// ANI, CED, UUI, and ECC variables declared personal or payment, or not declared (any more), are masked.
    case masked
    case shown
}

/// Shows call contexts by the declarations that were in force when they were written.
struct ContextShower {
    /// Stands for a masked value. It tells neither content nor length, only that there is one.
    static let mask = "***"

    let personal: PersonalValues
    /// Of the configuration read last; without one no ECC variable is known to be harmless.
    var limits: ContextLimits?

    func personal(_ text: String?) -> String? { text.map { personal == .shown ? $0 : Self.mask } }

    func shown(_ encoded: EncodedContext) -> Shown {
        var group = ShownGroup()
        let context: CallContext
        do {
            context = try encoded.decoded()
        } catch {
            group.add("unreadable", "\(error)")
            return .group(group)
        }
        group.add("ani", personal(context.ani))
        group.add("aniRestricted", flag: context.aniRestricted)
        group.add("ced", personal(context.ced))
        group.add("uui", personal(context.uui))
        group.add("dnis", context.dnis)
        group.add("dialedNumber", context.dialedNumber)
        for (index, text) in context.variables.enumerated() { group.add("variable\(index + 1)", text) }
        for (name, value) in context.ecc.sorted(by: { $0.key < $1.key }) {
            group.add(name.text, shown(value, of: name))
        }
        return .group(group)
    }

    private func shown(_ value: ECCValue, of name: ECCName) -> Shown {
        let isHarmless = limits?.declarations[name]?.sensitivity == Sensitivity.none
        func text(_ text: String) -> Shown { .text(isHarmless || text.isEmpty ? text : personal(text) ?? "") }
        switch value {
        case .scalar(let scalar): return text(scalar)
        case .array(let elements): return .list(elements.map(text))
        }
    }
}
