extension JSONValue {
    /// On one line, in the members' own order, as UTF-8.
    package var bytes: [UInt8] {
        var output: [UInt8] = []
        output.reserveCapacity(512)
        write(into: &output, indentation: nil, depth: 0)
        return output
    }

    /// On one line.
    package var compact: String { String(decoding: bytes, as: UTF8.self) }

    /// On several lines, two spaces a level.
    package var pretty: String {
        var output: [UInt8] = []
        write(into: &output, indentation: 2, depth: 0)
        return String(decoding: output, as: UTF8.self)
    }

    private func write(into output: inout [UInt8], indentation: Int?, depth: Int) {
        switch self {
        case .null: output.append(contentsOf: "null".utf8)
        case .bool(let value): output.append(contentsOf: (value ? "true" : "false").utf8)
        case .number(let text): output.append(contentsOf: text.utf8)
        case .string(let text): Self.quote(text, into: &output)
        case .array(let elements):
            output.append(UInt8(ascii: "["))
            for (index, element) in elements.enumerated() {
                Self.separate(index, into: &output, indentation, depth)
                element.write(into: &output, indentation: indentation, depth: depth + 1)
            }
            if !elements.isEmpty { Self.breakLine(into: &output, indentation, depth) }
            output.append(UInt8(ascii: "]"))
        case .object(let members):
            output.append(UInt8(ascii: "{"))
            for (index, member) in members.enumerated() {
                Self.separate(index, into: &output, indentation, depth)
                Self.quote(member.name, into: &output)
                output.append(UInt8(ascii: ":"))
                if indentation != nil { output.append(UInt8(ascii: " ")) }
                member.value.write(into: &output, indentation: indentation, depth: depth + 1)
            }
            if !members.isEmpty { Self.breakLine(into: &output, indentation, depth) }
            output.append(UInt8(ascii: "}"))
        }
    }

    private static func separate(_ index: Int, into output: inout [UInt8], _ indentation: Int?, _ depth: Int) {
        if index > 0 { output.append(UInt8(ascii: ",")) }
        breakLine(into: &output, indentation, depth + 1)
    }

    private static func breakLine(into output: inout [UInt8], _ indentation: Int?, _ depth: Int) {
        guard let indentation else { return }
        output.append(UInt8(ascii: "\n"))
        output.append(contentsOf: repeatElement(UInt8(ascii: " "), count: indentation * depth))
    }

    private static func quote(_ text: String, into output: inout [UInt8]) {
        output.append(UInt8(ascii: "\""))
        for byte in text.utf8 {
            switch byte {
            case UInt8(ascii: "\""), UInt8(ascii: "\\"): output.append(contentsOf: [UInt8(ascii: "\\"), byte])
            case 10: output.append(contentsOf: "\\n".utf8)
            case 13: output.append(contentsOf: "\\r".utf8)
            case 9: output.append(contentsOf: "\\t".utf8)
            case 0..<32:
                let digits = String(byte, radix: 16)
                output.append(contentsOf: ("\\u" + String(repeating: "0", count: 4 - digits.count) + digits).utf8)
            default: output.append(byte)
            }
        }
        output.append(UInt8(ascii: "\""))
    }
}
