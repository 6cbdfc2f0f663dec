internal import CallModel
internal import Foundation
internal import Yams

/// A value of a YAML file and where it stands. Plain scalars are resolved by the core schema of YAML 1.2, as JSON
/// Schema tools do: `yes`, `off` and `08:00` are texts.
struct Value {
    enum Kind: Equatable {
        case text
        case integer
        case decimal
        case boolean
        case null
        case list
        case mapping

        /// As it is called in an error.
        var name: String {
            switch self {
            case .text: "a text"
            case .integer: "a whole number"
            case .decimal: "a decimal number"
            case .boolean: "true or false"
            case .null: "nothing"
            case .list: "a list"
            case .mapping: "a mapping"
            }
        }
    }

    let kind: Kind
    let place: Place
    /// Of a scalar, as it is written.
    let text: String
    let elements: [Value]
    let pairs: [Pair]

    struct Pair {
        let key: Value
        let value: Value
    }

    /// A scalar from an environment variable.
    init(plain text: String, at place: Place) {
        kind = Self.kind(ofPlain: text)
        self.place = place
        self.text = text
        elements = []
        pairs = []
    }

    fileprivate init(_ node: Yams.Node, file: String, room: inout Int) {
        room -= 1
        place = Place(file: file, line: node.mark?.line ?? 0, column: node.mark?.column ?? 0)
        switch node {
        case .scalar(let scalar):
            kind = scalar.style == .plain ? Self.kind(ofPlain: scalar.string) : .text
            text = scalar.string
            elements = []
            pairs = []
        case .sequence(let sequence):
            kind = .list
            text = ""
            var elements: [Value] = []
            for element in sequence where room > 0 { elements.append(Value(element, file: file, room: &room)) }
            self.elements = elements
            pairs = []
        case .mapping(let mapping):
            kind = .mapping
            text = ""
            elements = []
            var pairs: [Pair] = []
            for (key, value) in mapping where room > 0 {
                let key = Value(key, file: file, room: &room)
                pairs.append(Pair(key: key, value: Value(value, file: file, room: &room)))
            }
            self.pairs = pairs
        case .alias:
            // The parser has put what it names in its place.
            kind = .null
            text = ""
            elements = []
            pairs = []
        }
    }

    private static func kind(ofPlain text: String) -> Kind {
        switch text {
        case "", "~", "null", "Null", "NULL": return .null
        case "true", "True", "TRUE", "false", "False", "FALSE": return .boolean
        default: break
        }
        var digits = text.utf8[...]
        if let sign = digits.first, sign == 43 || sign == 45 { digits = digits.dropFirst() }
        func isDigit(_ byte: UInt8) -> Bool { (48...57).contains(byte) }
        if !digits.isEmpty && digits.allSatisfy(isDigit) { return .integer }
        let whole = digits.prefix(while: isDigit)
        let rest = digits.dropFirst(whole.count)
        let fraction = rest.first == 46 ? rest.dropFirst().prefix(while: isDigit) : rest.prefix(0)
        let exponent = rest.dropFirst(rest.first == 46 ? fraction.count + 1 : 0)
        guard !whole.isEmpty || !fraction.isEmpty else { return .text }
        if exponent.isEmpty { return .decimal }
        guard exponent.first == 101 || exponent.first == 69 else { return .text }
        var power = exponent.dropFirst()
        if let sign = power.first, sign == 43 || sign == 45 { power = power.dropFirst() }
        return !power.isEmpty && power.allSatisfy(isDigit) ? .decimal : .text
    }
}

/// Reads and parses one YAML file.
enum YAMLFile {
    static let mostBytes = 8 << 20
    /// An alias stands for all it names, so a short file of aliases of aliases could otherwise fill the memory.
    static let mostValues = 1_000_000

    /// Nil when it cannot be read or parsed; the problem is then reported.
    static func read(_ file: String, shown: String, _ problems: Problems) -> Value? {
        let bytes: Data
        do {
            bytes = try Data(contentsOf: URL(fileURLWithPath: file))
        } catch {
            problems.report("cannot be read: \(reason(error))", at: Place(file: shown))
            return nil
        }
        guard bytes.count <= mostBytes else {
            problems.report("has \(bytes.count) bytes; the limit is \(mostBytes)", at: Place(file: shown))
            return nil
        }
        guard let text = String(validating: bytes, as: UTF8.self) else {
            problems.report("is not UTF-8", at: Place(file: shown))
            return nil
        }
        return parse(text, shown: shown, problems)
    }

    static func parse(_ text: String, shown: String, _ problems: Problems) -> Value? {
        do {
            let parser = try Parser(yaml: text, resolver: .basic)
            guard let root = try parser.singleRoot() else {
                problems.report("is empty", at: Place(file: shown))
                return nil
            }
            var room = mostValues
            let value = Value(root, file: shown, room: &room)
            guard room > 0 else {
                problems.report("holds more than \(mostValues) values", at: Place(file: shown))
                return nil
            }
            return value
        } catch let error as YamlError {
            report(error, shown: shown, problems)
        } catch {
            problems.report("is no YAML", at: Place(file: shown))
        }
        return nil
    }

    /// The operating system's own words where there are any.
    private static func reason(_ error: any Error) -> String {
        if let underlying = (error as NSError).userInfo[NSUnderlyingErrorKey] as? any Error,
            (underlying as NSError).domain == NSPOSIXErrorDomain
        {
            return String(cString: strerror(Int32(truncatingIfNeeded: (underlying as NSError).code)))
        }
        return error.localizedDescription
    }

    private static func report(_ error: YamlError, shown: String, _ problems: Problems) {
        func place(_ mark: Mark) -> Place { Place(file: shown, line: mark.line, column: mark.column) }
        switch error {
        case .scanner(let context, let problem, let mark, _), .parser(let context, let problem, let mark, _),
            .composer(let context, let problem, let mark, _):
            let before = context.map { "\($0.text) (line \($0.mark.line)), " } ?? ""
            problems.report("is no YAML: \(before)\(problem)", at: place(mark))
        case .duplicatedKeysInMapping(let duplicates, let context):
            let names = duplicates.sorted().joined(separator: ", ")
            problems.report("the same key stands twice in one mapping: \(names)", at: place(context.mark))
        case .reader(let problem, _, _, _): problems.report("is no YAML: \(problem)", at: Place(file: shown))
        default: problems.report("is no YAML", at: Place(file: shown))
        }
    }
}
