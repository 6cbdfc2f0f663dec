internal import CallModel
internal import PeripheralGateway

/// Reads a query strictly: unknown or doubled parameters are refused. `%XX` is decoded; `+` stays a plus, since
/// dialplans put telephone numbers into queries as they are.
struct QueryReader {
    private let values: [String: String]

    init(_ query: String?, known: [String]) throws(Problem) {
        var values: [String: String] = [:]
        for pair in (query ?? "").split(separator: "&") {
            let parts = pair.split(separator: "=", maxSplits: 1, omittingEmptySubsequences: false)
            guard let name = Self.percentDecoded(parts[0]),
                let value = Self.percentDecoded(parts.count > 1 ? parts[1] : "")
            else { throw Problem(.syntax, "the query is not percent-encoded UTF-8") }
            guard known.contains(name) else {
                let nearest = NearestName.of(name, among: known)
                let shown = ObjectReader.shown(name)
                throw Problem(
                    .syntax,
                    "there is no query parameter \(shown)" + (nearest.map { "; the nearest name is \($0)" } ?? ""),
                    field: shown, nearest: nearest)
            }
            guard values.updateValue(value, forKey: name) == nil else {
                throw Problem(.syntax, "query parameter \(name) stands twice", field: name)
            }
        }
        self.values = values
    }

    func text(_ name: String) -> String? { values[name] }

    func flag(_ name: String) throws(Problem) -> Bool {
        switch values[name] {
        case nil, "false": return false
        case "true": return true
        default: throw Problem(.syntax, "\(name) may be true or false", field: name)
        }
    }

    func number(_ name: String, _ range: ClosedRange<Int>, default other: Int) throws(Problem) -> Int {
        guard let text = values[name] else { return other }
        guard let number = Int(text) else { throw Problem(.syntax, "\(name) is no whole number", field: name) }
        guard range.contains(number) else {
            throw Problem(
                .limit, "\(name) is \(number); it may be \(range.lowerBound) to \(range.upperBound)", field: name,
                limit: range.upperBound)
        }
        return number
    }

    func checked<Text: CheckedText>(_ name: String, _ type: Text.Type = Text.self) throws(Problem) -> Text? {
        guard let text = values[name] else { return nil }
        return try Problem.catching { () throws(FieldFault) in try Text(text, field: name) }
    }

    func required<Text: CheckedText>(_ name: String, _ type: Text.Type = Text.self) throws(Problem) -> Text {
        guard let value: Text = try checked(name) else {
            throw Problem(.syntax, "query parameter \(name) is missing", field: name)
        }
        return value
    }

    /// Nil when an escape is cut or the bytes are not UTF-8.
    static func percentDecoded(_ text: some StringProtocol) -> String? {
        var bytes: [UInt8] = []
        var rest = Array(text.utf8)[...]
        while let byte = rest.popFirst() {
            guard byte == UInt8(ascii: "%") else {
                bytes.append(byte)
                continue
            }
            guard let high = digit(rest.popFirst()), let low = digit(rest.popFirst()) else { return nil }
            bytes.append(high << 4 | low)
        }
        return String(validating: bytes, as: UTF8.self)
    }

    private static func digit(_ byte: UInt8?) -> UInt8? {
        guard let byte, let value = Character(Unicode.Scalar(byte)).hexDigitValue else { return nil }
        return UInt8(value)
    }
}
