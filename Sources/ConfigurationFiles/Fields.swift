internal import CallModel
internal import Routing

/// What all parts of one load share: the problems so far, and the environment that overrides scalar settings.
final class LoadState {
    let problems = Problems()
    let environment: [String: String]
    /// The variables that override something, and the sections they belong to.
    private var variables: Set<String> = []
    private var sections: Set<String> = []

    init(environment: [String: String]) { self.environment = environment }

    func override(_ section: String, _ key: String) -> Value? {
        let name = "BATON_" + (section.isEmpty ? "" : section.uppercased() + "_") + key.uppercased()
        variables.insert(name)
        if !section.isEmpty { sections.insert("BATON_" + section.uppercased() + "_") }
        return environment[name].map { Value(plain: $0, at: Place(file: name)) }
    }

    /// A variable of a section that overrides nothing is a misspelling. Others belong to somebody else.
    func reportUnknownVariables() {
        for name in environment.keys.sorted() where !variables.contains(name) {
            guard sections.contains(where: { name.hasPrefix($0) }) else { continue }
            let nearest = NearestName.of(name, among: variables).map { "; the nearest name is \($0)" } ?? ""
            problems.report("this environment variable overrides no setting\(nearest)", at: Place(file: name))
        }
    }
}

/// A text or other value and where it stands, for errors that are found later.
struct Located<Wrapped> {
    let value: Wrapped
    let place: Place

    init(_ value: Wrapped, at place: Place) {
        self.value = value
        self.place = place
    }
}

extension Located: Equatable where Wrapped: Equatable {}

/// A mapping while it is read. It remembers which keys were asked for; ``finish()`` reports all others as unknown.
final class Fields {
    /// What the mapping is, as errors call it: `http`, `translation route advice`.
    var what: String
    let place: Place
    let state: LoadState
    private let section: String?
    private var pairs: [String: (key: Place, value: Value)] = [:]
    private var asked: [String] = []

    /// - Parameters:
    ///   - value: nil when the section is absent: then only the environment and defaults count.
    ///   - section: its name in environment variables; nil when nothing overrides it.
    init(_ value: Value?, _ what: String, section: String? = nil, at place: Place, _ state: LoadState) {
        self.what = what
        self.place = value?.place ?? place
        self.state = state
        self.section = section
        guard let value else { return }
        guard value.kind == .mapping else {
            state.problems.report("\(what) must be a mapping, not \(value.kind.name)", at: value.place)
            return
        }
        for pair in value.pairs {
            let key = pair.key
            guard key.kind != .list && key.kind != .mapping else {
                state.problems.report("a key of \(what) must be a text, not \(key.kind.name)", at: key.place)
                continue
            }
            pairs[key.text] = (key.place, pair.value)
        }
    }

    /// Nil when the key is absent.
    func value(_ key: String) -> Value? {
        asked.append(key)
        return pairs[key]?.value
    }

    /// A scalar, from the environment if that overrides it.
    private func scalar(_ key: String) -> Value? {
        let written = value(key)
        guard let section else { return written }
        return state.override(section, key) ?? written
    }

    func has(_ key: String) -> Bool { pairs[key] != nil }

    func keyPlace(_ key: String) -> Place { pairs[key]?.key ?? place }

    func report(_ sentence: String, at place: Place? = nil) { state.problems.report(sentence, at: place ?? self.place) }

    private func wrong(_ key: String, _ wanted: String, _ value: Value) {
        report("\(key) in \(what) must be \(wanted), not \(value.kind.name)", at: value.place)
    }

    func missing(_ key: String) { report("\(what) needs \(key)") }

    /// Reports every key that nobody asked for. Call it last.
    func finish() {
        for (key, pair) in pairs.sorted(by: { $0.value.key < $1.value.key }) where !asked.contains(key) {
            let hint = Problems.hint(key, among: Array(Set(asked)))
            report("unknown key \(key) in \(what)\(hint)", at: pair.key)
        }
    }
}

extension Fields {
    func optionalText(_ key: String) -> Located<String>? {
        guard let value = scalar(key) else { return nil }
        guard let text = Self.text(value) else {
            wrong(key, "a text", value)
            return nil
        }
        return Located(text, at: value.place)
    }

    /// A whole number is taken as the text that is written: nobody should have to quote a DNIS.
    static func text(_ value: Value) -> String? {
        value.kind == .text || value.kind == .integer ? value.text : nil
    }

    func text(_ key: String) -> Located<String>? {
        if !has(key) && (section == nil || scalar(key) == nil) {
            asked.append(key)
            missing(key)
            return nil
        }
        return optionalText(key)
    }

    /// A text of 1 to `limit` bytes without NUL, CR and LF.
    func checkedText(_ key: String, limit: Int, mayBeEmpty: Bool = false) -> Located<String>? {
        guard let text = text(key) else { return nil }
        return checked(text, key) { (text) throws(FieldFault) in
            try FieldFault.check(text, field: key, limit: limit, mayBeEmpty: mayBeEmpty)
            return text
        }
    }

    func optionalName<Name: CheckedText>(_ key: String, _: Name.Type = Name.self) -> Located<Name>? {
        optionalText(key).flatMap { checked($0, key) { (text) throws(FieldFault) in try Name(text, field: key) } }
    }

    func name<Name: CheckedText>(_ key: String, _: Name.Type = Name.self) -> Located<Name>? {
        text(key).flatMap { checked($0, key) { (text) throws(FieldFault) in try Name(text, field: key) } }
    }

    /// Makes a value of a text, or reports why not.
    func checked<Made>(
        _ text: Located<String>, _ key: String, _ make: (String) throws(FieldFault) -> Made
    ) -> Located<Made>? {
        do {
            return Located(try make(text.value), at: text.place)
        } catch {
            report("\(error) (in \(what))", at: text.place)
            return nil
        }
    }

    func optionalInteger(_ key: String, _ range: ClosedRange<Int>) -> Located<Int>? {
        guard let value = scalar(key) else { return nil }
        guard value.kind == .integer else {
            wrong(key, "a whole number", value)
            return nil
        }
        guard let number = Int(value.text), range.contains(number) else {
            report(
                "\(key) in \(what) is \(value.text); it may be \(range.lowerBound) to \(range.upperBound)",
                at: value.place)
            return nil
        }
        return Located(number, at: value.place)
    }

    func integer(_ key: String, _ range: ClosedRange<Int>, default fallback: Int) -> Int {
        optionalInteger(key, range)?.value ?? fallback
    }

    func milliseconds(_ key: String, _ range: ClosedRange<Int> = 1...60_000, default fallback: UInt32) -> UInt32 {
        UInt32(integer(key, range, default: Int(fallback)))
    }

    func boolean(_ key: String, default fallback: Bool) -> Bool {
        guard let value = scalar(key) else { return fallback }
        guard value.kind == .boolean else {
            wrong(key, "true or false", value)
            return fallback
        }
        return value.text.lowercased() == "true"
    }

    /// One of a few words.
    func choice<Choice>(_ key: String, _ choices: [(String, Choice)]) -> Choice? {
        guard let text = optionalText(key) else { return nil }
        if let match = choices.first(where: { $0.0 == text.value }) { return match.1 }
        let names = choices.map(\.0)
        let nearest = NearestName.of(text.value, among: names).map { "; the nearest is \($0)" } ?? ""
        report(
            "\(key) in \(what) is \(text.value); it may be \(names.joined(separator: ", "))\(nearest)", at: text.place)
        return nil
    }

    /// A count of bytes: a whole number, or one with KiB, MiB or GiB.
    func bytes(_ key: String, _ range: ClosedRange<Int>, default fallback: Int) -> Int {
        guard let text = optionalText(key) else { return fallback }
        let digits = text.value.prefix { $0.isASCII && $0.isNumber }
        let units = ["": 1, "KiB": 1 << 10, "MiB": 1 << 20, "GiB": 1 << 30]
        let unit = text.value.dropFirst(digits.count).drop { $0 == " " }
        guard let number = Int(digits), let scale = units[String(unit)] else {
            report(
                "\(key) in \(what) is \(text.value); it must be a number of bytes, or of KiB, MiB or GiB",
                at: text.place)
            return fallback
        }
        let (bytes, overflow) = number.multipliedReportingOverflow(by: scale)
        guard !overflow && range.contains(bytes) else {
            report(
                "\(key) in \(what) is \(text.value); it may be \(range.lowerBound) to \(range.upperBound) bytes",
                at: text.place)
            return fallback
        }
        return bytes
    }

    /// The elements of a list; empty when the key is absent.
    func list(_ key: String, required: Bool = false) -> [Value] {
        guard let value = value(key) else {
            if required { missing(key) }
            return []
        }
        guard value.kind == .list else {
            wrong(key, "a list", value)
            return []
        }
        if required && value.elements.isEmpty { report("\(key) in \(what) is empty", at: value.place) }
        return value.elements
    }

    /// Texts of a list.
    func texts(_ key: String, required: Bool = false) -> [Located<String>] {
        list(key, required: required).compactMap { element in
            guard let text = Self.text(element) else {
                wrong("an element of \(key)", "a text", element)
                return nil
            }
            return Located(text, at: element.place)
        }
    }

    /// Key and value of each pair of a mapping, as texts.
    func textPairs(_ key: String, required: Bool = false) -> [(key: Located<String>, value: Located<String>)] {
        valuePairs(key, required: required).compactMap { pair in
            guard let text = Self.text(pair.value) else {
                wrong("\(pair.key.value) of \(key)", "a text", pair.value)
                return nil
            }
            return (pair.key, Located(text, at: pair.value.place))
        }
    }

    func valuePairs(_ key: String, required: Bool = false) -> [(key: Located<String>, value: Value)] {
        guard let value = value(key) else {
            if required { missing(key) }
            return []
        }
        guard value.kind == .mapping else {
            wrong(key, "a mapping", value)
            return []
        }
        if required && value.pairs.isEmpty { report("\(key) in \(what) is empty", at: value.place) }
        return value.pairs.compactMap { pair in
            guard pair.key.kind != .list && pair.key.kind != .mapping else {
                wrong("a key of \(key)", "a text", pair.key)
                return nil
            }
            return (Located(pair.key.text, at: pair.key.place), pair.value)
        }
    }

    /// A section below this one. Present with nothing in it when the key is absent.
    func section(_ key: String) -> Fields {
        Fields(value(key), key, section: key, at: place, state)
    }
}

extension Pattern {
    /// The pattern, or nil with the problem reported.
    init?(_ text: Located<String>, _ problems: Problems) {
        do {
            try self.init(parsing: text.value)
        } catch {
            problems.report("\(text.value): \(error)", at: text.place)
            return nil
        }
    }
}
