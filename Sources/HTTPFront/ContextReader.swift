internal import CallModel
internal import PeripheralGateway
internal import StrictJSON

extension ObjectReader {
    static let contextFields = ["ani", "aniRestricted", "ced", "uui", "dnis", "dialedNumber", "variables", "ecc"]

    /// The call context of a request; an absent one is empty. Lengths are checked by the services, with the limits in
    /// force, so that every protocol refuses the same.
    func context(_ name: String = "context") throws(Problem) -> CallContext {
        var context = CallContext()
        guard let reader = try object(name, known: Self.contextFields) else { return context }
        context.ani = try reader.text("ani")
        context.aniRestricted = try reader.flag("aniRestricted") ?? false
        context.ced = try reader.text("ced")
        context.uui = try reader.text("uui")
        context.dnis = try reader.text("dnis")
        context.dialedNumber = try reader.text("dialedNumber")
        let variableNames = (1...CallContext.variableCount).map { "variable\($0)" }
        if let variables = try reader.object("variables", known: variableNames) {
            for (index, name) in variableNames.enumerated() { context.variables[index] = try variables.text(name) }
        }
        try reader.readECC(into: &context)
        return context
    }

    private func readECC(into context: inout CallContext) throws(Problem) {
        guard let value = value("ecc") else { return }
        guard case .object(let fields) = value else {
            throw Problem(.syntax, "\(place("ecc")) is \(value.kindName); an object was expected", field: place("ecc"))
        }
        for field in fields {
            let place = "\(place("ecc")).\(Self.shown(field.name))"
            let name = try Problem.catching { () throws(FieldFault) in try ECCName(field.name, field: place) }
            switch field.value {
            case .string(let text): context.ecc[name] = .scalar(text)
            case .array(let elements): context.ecc[name] = .array(try Self.texts(elements, place))
            default:
                throw Problem(
                    .syntax, "\(place) is \(field.value.kindName); text or a list of texts was expected", field: place)
            }
        }
    }

    private static func texts(_ elements: [JSONValue], _ place: String) throws(Problem) -> [String] {
        var texts: [String] = []
        for (index, element) in elements.enumerated() {
            guard case .string(let text) = element else {
                throw Problem(
                    .syntax, "\(place)[\(index)] is \(element.kindName); text was expected", field: "\(place)[\(index)]"
                )
            }
            texts.append(text)
        }
        return texts
    }
}
