/// Why a text is not JSON, and where.
package struct JSONFault: Error, Equatable, Sendable, CustomStringConvertible {
    package let what: String
    package let offset: Int

    package var description: String { "not JSON: \(what) at byte \(offset)" }
}

extension JSONValue {
    /// Strict RFC 8259, at most 64 levels deep.
    package init(parsing bytes: some Sequence<UInt8>) throws(JSONFault) {
        var reader = JSONReader(bytes: Array(bytes))
        self = try reader.document()
    }

    package init(parsing text: String) throws(JSONFault) { try self.init(parsing: text.utf8) }
}

private struct JSONReader {
    static let deepest = 64
    let bytes: [UInt8]
    var at = 0

    init(bytes: [UInt8]) { self.bytes = bytes }

    mutating func document() throws(JSONFault) -> JSONValue {
        let value = try value(depth: 0)
        skipSpace()
        if at < bytes.count { throw fault("something after the value") }
        return value
    }

    private func fault(_ what: String) -> JSONFault { JSONFault(what: what, offset: at) }

    private var next: UInt8? { at < bytes.count ? bytes[at] : nil }

    private mutating func skipSpace() {
        while let byte = next, byte == 0x20 || byte == 0x0A || byte == 0x0D || byte == 0x09 { at += 1 }
    }

    private mutating func take(_ byte: UInt8) -> Bool {
        guard next == byte else { return false }
        at += 1
        return true
    }

    private mutating func value(depth: Int) throws(JSONFault) -> JSONValue {
        if depth > Self.deepest { throw fault("more than \(Self.deepest) levels") }
        skipSpace()
        switch next {
        case UInt8(ascii: "{"): return try object(depth: depth)
        case UInt8(ascii: "["): return try array(depth: depth)
        case UInt8(ascii: "\""): return .string(try string())
        case UInt8(ascii: "t"): return try word("true", .bool(true))
        case UInt8(ascii: "f"): return try word("false", .bool(false))
        case UInt8(ascii: "n"): return try word("null", .null)
        case nil: throw fault("the end")
        default: return try number()
        }
    }

    private mutating func word(_ word: String, _ value: JSONValue) throws(JSONFault) -> JSONValue {
        guard bytes[at...].starts(with: word.utf8) else { throw fault("an unknown word") }
        at += word.utf8.count
        return value
    }

    private mutating func object(depth: Int) throws(JSONFault) -> JSONValue {
        at += 1
        var members: [JSONMember] = []
        skipSpace()
        if take(UInt8(ascii: "}")) { return .object([]) }
        while true {
            skipSpace()
            guard next == UInt8(ascii: "\"") else { throw fault("no member name") }
            let name = try string()
            skipSpace()
            guard take(UInt8(ascii: ":")) else { throw fault("no colon") }
            members.append(JSONMember(name, try value(depth: depth + 1)))
            skipSpace()
            if take(UInt8(ascii: ",")) { continue }
            guard take(UInt8(ascii: "}")) else { throw fault("an object without end") }
            return .object(members)
        }
    }

    private mutating func array(depth: Int) throws(JSONFault) -> JSONValue {
        at += 1
        var elements: [JSONValue] = []
        skipSpace()
        if take(UInt8(ascii: "]")) { return .array([]) }
        while true {
            elements.append(try value(depth: depth + 1))
            skipSpace()
            if take(UInt8(ascii: ",")) { continue }
            guard take(UInt8(ascii: "]")) else { throw fault("an array without end") }
            return .array(elements)
        }
    }

    private mutating func number() throws(JSONFault) -> JSONValue {
        let start = at
        func isDigit(_ byte: UInt8?) -> Bool { byte.map { (48...57).contains($0) } ?? false }
        _ = take(UInt8(ascii: "-"))
        guard isDigit(next) else { throw fault("an unexpected character") }
        if !take(UInt8(ascii: "0")) { while isDigit(next) { at += 1 } }
        if take(UInt8(ascii: ".")) {
            guard isDigit(next) else { throw fault("a number without digits after the point") }
            while isDigit(next) { at += 1 }
        }
        if take(UInt8(ascii: "e")) || take(UInt8(ascii: "E")) {
            if !take(UInt8(ascii: "+")) { _ = take(UInt8(ascii: "-")) }
            guard isDigit(next) else { throw fault("a number without exponent") }
            while isDigit(next) { at += 1 }
        }
        return .number(String(decoding: bytes[start..<at], as: UTF8.self))
    }

    private mutating func string() throws(JSONFault) -> String {
        at += 1
        var text: [UInt8] = []
        while let byte = next {
            at += 1
            switch byte {
            case UInt8(ascii: "\""):
                guard let valid = String(validating: text, as: UTF8.self) else {
                    throw fault("a string that is not UTF-8")
                }
                return valid
            case UInt8(ascii: "\\"): try escape(into: &text)
            case 0..<0x20: throw fault("a control character in a string")
            default: text.append(byte)
            }
        }
        throw fault("a string without end")
    }

    private mutating func escape(into text: inout [UInt8]) throws(JSONFault) {
        guard let byte = next else { throw fault("a string without end") }
        at += 1
        switch byte {
        case UInt8(ascii: "\""), UInt8(ascii: "\\"), UInt8(ascii: "/"): text.append(byte)
        case UInt8(ascii: "b"): text.append(8)
        case UInt8(ascii: "f"): text.append(12)
        case UInt8(ascii: "n"): text.append(10)
        case UInt8(ascii: "r"): text.append(13)
        case UInt8(ascii: "t"): text.append(9)
        case UInt8(ascii: "u"):
            var code = try fourDigits()
            if (0xD800..<0xDC00).contains(code) {
                guard take(UInt8(ascii: "\\")), take(UInt8(ascii: "u")) else { throw fault("half a surrogate pair") }
                let low = try fourDigits()
                guard (0xDC00..<0xE000).contains(low) else { throw fault("half a surrogate pair") }
                code = 0x10000 + (code - 0xD800) << 10 + (low - 0xDC00)
            }
            guard let scalar = Unicode.Scalar(code) else { throw fault("half a surrogate pair") }
            text.append(contentsOf: String(Character(scalar)).utf8)
        default: throw fault("an unknown escape")
        }
    }

    private mutating func fourDigits() throws(JSONFault) -> UInt32 {
        guard at + 4 <= bytes.count else { throw fault("a short \\u escape") }
        var code: UInt32 = 0
        for byte in bytes[at..<at + 4] {
            guard let digit = Character(Unicode.Scalar(byte)).hexDigitValue else { throw fault("a bad \\u escape") }
            code = code << 4 | UInt32(digit)
        }
        at += 4
        return code
    }
}
