/// Why a text is not JSON as it is taken here, and where.
package struct JSONFault: Error, Equatable, Sendable, CustomStringConvertible {
    /// A sentence's part for people, without the place.
    package let reason: String
    /// In bytes from the begin.
    package let offset: Int

    package init(reason: String, offset: Int) {
        self.reason = reason
        self.offset = offset
    }

    package var description: String { "not JSON: \(reason), at byte \(offset)" }
}

extension JSONValue {
    /// Strict RFC 8259: UTF-8, one document, no member twice in an object, at most `mostLevels` levels, so that the
    /// depth of the recursion is the caller's choice. Never traps. `subject` stands for the whole in the fault's reason.
    package init(
        parsing bytes: some Sequence<UInt8>, called subject: String = "the text", mostLevels: Int = 64
    ) throws(JSONFault) {
        let bytes = Array(bytes)
        guard String(validating: bytes, as: UTF8.self) != nil else {
            throw JSONFault(reason: "\(subject) is not UTF-8", offset: Self.firstInvalidByte(bytes))
        }
        var parser = JSONParser(bytes: bytes, mostLevels: mostLevels)
        self = try parser.document()
    }

    package init(parsing text: String) throws(JSONFault) { try self.init(parsing: text.utf8) }

    private static func firstInvalidByte(_ bytes: [UInt8]) -> Int {
        var decoder = UTF8()
        var iterator = bytes.makeIterator()
        var offset = 0
        while case .scalarValue(let scalar) = decoder.decode(&iterator) { offset += UTF8.width(scalar) }
        return offset
    }
}

/// Recursive descent over bytes known to be UTF-8.
private struct JSONParser {
    private let bytes: [UInt8]
    private let mostLevels: Int
    private var offset = 0

    init(bytes: [UInt8], mostLevels: Int) {
        self.bytes = bytes
        self.mostLevels = mostLevels
    }

    mutating func document() throws(JSONFault) -> JSONValue {
        skipSpace()
        let value = try value(level: 1)
        skipSpace()
        if offset < bytes.count { throw fault("there is more after the end of the document") }
        return value
    }

    private mutating func value(level: Int) throws(JSONFault) -> JSONValue {
        if level > mostLevels { throw fault("more than \(mostLevels) levels") }
        switch next {
        case UInt8(ascii: "{"): return try object(level: level)
        case UInt8(ascii: "["): return try array(level: level)
        case UInt8(ascii: "\""): return .string(try string())
        case UInt8(ascii: "t"): return try word("true", .bool(true))
        case UInt8(ascii: "f"): return try word("false", .bool(false))
        case UInt8(ascii: "n"): return try word("null", .null)
        case UInt8(ascii: "-"): return .number(try number())
        case .some(48...57): return .number(try number())
        case .none: throw fault("the document ends too early")
        default: throw fault("a value was expected")
        }
    }

    private mutating func object(level: Int) throws(JSONFault) -> JSONValue {
        offset += 1
        var fields: [JSONMember] = []
        var names: Set<String> = []
        skipSpace()
        if take("}") { return .object(fields) }
        while true {
            skipSpace()
            guard next == UInt8(ascii: "\"") else { throw fault("a field name in quotes was expected") }
            let at = offset
            let name = try string()
            guard names.insert(name).inserted else {
                throw JSONFault(reason: "field \"\(name)\" stands twice", offset: at)
            }
            skipSpace()
            guard take(":") else { throw fault("a colon was expected") }
            skipSpace()
            fields.append(JSONMember(name, try value(level: level + 1)))
            skipSpace()
            if take("}") { return .object(fields) }
            guard take(",") else { throw fault("a comma or the end of the object was expected") }
        }
    }

    private mutating func array(level: Int) throws(JSONFault) -> JSONValue {
        offset += 1
        var elements: [JSONValue] = []
        skipSpace()
        if take("]") { return .array(elements) }
        while true {
            skipSpace()
            elements.append(try value(level: level + 1))
            skipSpace()
            if take("]") { return .array(elements) }
            guard take(",") else { throw fault("a comma or the end of the list was expected") }
        }
    }

    private mutating func string() throws(JSONFault) -> String {
        offset += 1
        var text: [UInt8] = []
        while let byte = next {
            offset += 1
            switch byte {
            case UInt8(ascii: "\""): return String(decoding: text, as: UTF8.self)
            case UInt8(ascii: "\\"): text.append(contentsOf: try escape())
            case 0..<32: throw JSONFault(reason: "a control character must be escaped", offset: offset - 1)
            default: text.append(byte)
            }
        }
        throw fault("a text does not end")
    }

    private mutating func escape() throws(JSONFault) -> [UInt8] {
        guard let byte = next else { throw fault("a text does not end") }
        offset += 1
        switch byte {
        case UInt8(ascii: "\""), UInt8(ascii: "\\"), UInt8(ascii: "/"): return [byte]
        case UInt8(ascii: "b"): return [8]
        case UInt8(ascii: "f"): return [12]
        case UInt8(ascii: "n"): return [10]
        case UInt8(ascii: "r"): return [13]
        case UInt8(ascii: "t"): return [9]
        case UInt8(ascii: "u"): return Array(String(Character(try unicodeEscape())).utf8)
        default: throw JSONFault(reason: "no such escape", offset: offset - 1)
        }
    }

    private mutating func unicodeEscape() throws(JSONFault) -> Unicode.Scalar {
        let at = offset
        let first = try fourHexadecimalDigits()
        if let scalar = Unicode.Scalar(first) { return scalar }
        guard (0xD800..<0xDC00).contains(first), take("\\"), take("u") else {
            throw JSONFault(reason: "half a surrogate pair", offset: at)
        }
        let second = try fourHexadecimalDigits()
        guard (0xDC00..<0xE000).contains(second),
            let scalar = Unicode.Scalar(0x10000 + (first - 0xD800) << 10 + (second - 0xDC00))
        else { throw JSONFault(reason: "half a surrogate pair", offset: at) }
        return scalar
    }

    private mutating func fourHexadecimalDigits() throws(JSONFault) -> UInt32 {
        var number: UInt32 = 0
        for _ in 0..<4 {
            guard let byte = next, let digit = Character(Unicode.Scalar(byte)).hexDigitValue else {
                throw fault("four hexadecimal digits were expected")
            }
            number = number << 4 | UInt32(digit)
            offset += 1
        }
        return number
    }

    private mutating func number() throws(JSONFault) -> String {
        let start = offset
        _ = take("-")
        if !take("0") { try digits() }
        if take(".") { try digits() }
        if take("e") || take("E") {
            if !take("+") { _ = take("-") }
            try digits()
        }
        return String(decoding: bytes[start..<offset], as: UTF8.self)
    }

    private mutating func digits() throws(JSONFault) {
        let start = offset
        while let byte = next, (48...57).contains(byte) { offset += 1 }
        if offset == start { throw fault("a digit was expected") }
    }

    private mutating func word(_ word: String, _ value: JSONValue) throws(JSONFault) -> JSONValue {
        guard bytes[offset...].starts(with: word.utf8) else { throw fault("a value was expected") }
        offset += word.utf8.count
        return value
    }

    private mutating func skipSpace() {
        while let byte = next, byte == 32 || byte == 9 || byte == 10 || byte == 13 { offset += 1 }
    }

    private mutating func take(_ character: Unicode.Scalar) -> Bool {
        guard next == UInt8(ascii: character) else { return false }
        offset += 1
        return true
    }

    private var next: UInt8? { offset < bytes.count ? bytes[offset] : nil }

    private func fault(_ reason: String) -> JSONFault { JSONFault(reason: reason, offset: offset) }
}
