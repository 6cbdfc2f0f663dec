internal import CallModel
internal import PeripheralGateway
internal import StrictJSON

/// Reads one object of a request strictly: a field that the contract does not know is refused with the nearest name,
/// so that a misspelt optional field is never silently left out.
struct ObjectReader {
    /// Where the object stands in the request: empty at the top, else for example `context`.
    private let path: String
    private let fields: [String: JSONValue]

    init(_ value: JSONValue, path: String = "", known: [String]) throws(Problem) {
        guard case .object(let fields) = value else {
            throw Problem(
                .syntax, (path.isEmpty ? "the body" : path) + " is \(value.kindName); an object was expected",
                field: path.isEmpty ? nil : path)
        }
        for field in fields where !known.contains(field.name) {
            let nearest = NearestName.of(field.name, among: known)
            let name = Self.joined(path, Self.shown(field.name))
            throw Problem(
                .syntax, "there is no field \(name)" + (nearest.map { "; the nearest name is \($0)" } ?? ""),
                field: name, nearest: nearest)
        }
        self.path = path
        self.fields = Dictionary(fields.map { ($0.name, $0.value) }) { first, _ in first }
    }

    func object(_ name: String, known: [String]) throws(Problem) -> ObjectReader? {
        guard let value = fields[name] else { return nil }
        return try ObjectReader(value, path: place(name), known: known)
    }

    /// The value as it stands, for objects whose names the configuration gives.
    func value(_ name: String) -> JSONValue? { fields[name] }

    func text(_ name: String) throws(Problem) -> String? {
        guard let value = fields[name] else { return nil }
        guard case .string(let text) = value else { throw wrongKind(name, value, expected: "text") }
        return text
    }

    func flag(_ name: String) throws(Problem) -> Bool? {
        guard let value = fields[name] else { return nil }
        guard case .bool(let flag) = value else { throw wrongKind(name, value, expected: "true or false") }
        return flag
    }

    /// A whole number of at least 0.
    func number(_ name: String, _ range: ClosedRange<UInt32>) throws(Problem) -> UInt32? {
        guard let value = fields[name] else { return nil }
        guard case .number(let text) = value else { throw wrongKind(name, value, expected: "a whole number") }
        guard let number = UInt32(text) else {
            guard Int(text) != nil else { throw wrongKind(name, value, expected: "a whole number") }
            throw Problem(
                .limit, "\(place(name)) is \(text); it may be \(range.lowerBound) to \(range.upperBound)",
                field: place(name))
        }
        guard range.contains(number) else {
            throw Problem(
                .limit, "\(place(name)) is \(number); it may be \(range.lowerBound) to \(range.upperBound)",
                field: place(name))
        }
        return number
    }

    /// A checked text of its own type.
    func checked<Text: CheckedText>(_ name: String, _ type: Text.Type = Text.self) throws(Problem) -> Text? {
        guard let text = try text(name) else { return nil }
        return try Problem.catching { () throws(FieldFault) in try Text(text, field: place(name)) }
    }

    func required<Text: CheckedText>(_ name: String, _ type: Text.Type = Text.self) throws(Problem) -> Text {
        guard let value: Text = try checked(name) else { throw missing(name) }
        return value
    }

    /// A text whose length the service checks.
    func requiredText(_ name: String) throws(Problem) -> String {
        guard let text = try text(name) else { throw missing(name) }
        return text
    }

    func missing(_ name: String) -> Problem {
        Problem(.syntax, "field \(place(name)) is missing", field: place(name))
    }

    func place(_ name: String) -> String { Self.joined(path, name) }

    private func wrongKind(_ name: String, _ value: JSONValue, expected: String) -> Problem {
        let hint = value == .null ? "; leave the field out when it is unset" : ""
        return Problem(
            .syntax, "\(place(name)) is \(value.kindName); \(expected) was expected\(hint)", field: place(name))
    }

    private static func joined(_ path: String, _ name: String) -> String { path.isEmpty ? name : "\(path).\(name)" }

    /// An unknown name is shown, but not at any length.
    static func shown(_ name: String) -> String { name.count <= 64 ? name : "\(name.prefix(64))..." }
}

extension Problem {
    static func catching<Value>(_ body: () throws(FieldFault) -> Value) throws(Problem) -> Value {
        do {
            return try body()
        } catch {
            throw Problem(error)
        }
    }
}
