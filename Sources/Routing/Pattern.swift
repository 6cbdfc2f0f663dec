/// A pattern for dialed numbers, labels and fields: `X` a digit, `[2-9]` one of a set, `?` any one character, `*` the
/// rest (only at the end), `\` before a character that stands for itself. Anchored at both ends.
///
/// Matching walks text and pattern once, side by side: nothing a caller dials makes it slower than its length.
package struct Pattern: Hashable, Sendable, CustomStringConvertible {
    /// The longest pattern in bytes.
    package static let limit = 128

    private enum Element: Hashable {
        case one(Unicode.Scalar)
        case digit
        case any
        case oneOf([ClosedRange<UInt32>])

        func matches(_ scalar: Unicode.Scalar) -> Bool {
            switch self {
            case .one(let expected): scalar == expected
            case .digit: (48...57).contains(scalar.value)
            case .any: true
            case .oneOf(let ranges): ranges.contains { $0.contains(scalar.value) }
            }
        }
    }

    package let text: String
    private let elements: [Element]
    private let takesRest: Bool

    package init(parsing text: String) throws(PatternFault) {
        guard !text.isEmpty else { throw .empty }
        guard text.utf8.count <= Self.limit else { throw .tooLong(bytes: text.utf8.count) }
        self.text = text
        var elements: [Element] = []
        var takesRest = false
        var rest = text.unicodeScalars[...]
        while let scalar = rest.popFirst() {
            switch scalar {
            case "X": elements.append(.digit)
            case "?": elements.append(.any)
            case "[": elements.append(.oneOf(try Self.set(&rest)))
            case "]": throw .strayBracket
            case "*":
                guard rest.isEmpty else { throw .restNotLast }
                takesRest = true
            case "\\":
                guard let literal = rest.popFirst() else { throw .danglingEscape }
                elements.append(.one(literal))
            default: elements.append(.one(scalar))
            }
        }
        self.elements = elements
        self.takesRest = takesRest
    }

    /// What stands between `[` and `]`: single characters and ranges.
    private static func set(_ rest: inout Substring.UnicodeScalarView) throws(PatternFault) -> [ClosedRange<UInt32>] {
        var ranges: [ClosedRange<UInt32>] = []
        while let first = rest.popFirst() {
            if first == "]" {
                if ranges.isEmpty { throw .emptySet }
                return ranges
            }
            guard rest.first == "-", let last = rest.dropFirst().first, last != "]" else {
                ranges.append(first.value...first.value)
                continue
            }
            guard first.value <= last.value else { throw .backwardsRange("\(first)-\(last)") }
            ranges.append(first.value...last.value)
            rest = rest.dropFirst(2)
        }
        throw .unclosedSet
    }

    package func matches(_ text: some StringProtocol) -> Bool {
        var next = 0
        for scalar in text.unicodeScalars {
            if next == elements.count { return takesRest }
            guard elements[next].matches(scalar) else { return false }
            next += 1
        }
        return next == elements.count
    }

    package var description: String { text }
    package static func == (left: Self, right: Self) -> Bool { left.text == right.text }
    package func hash(into hasher: inout Hasher) { hasher.combine(text) }
}

/// Why a text is no pattern.
package enum PatternFault: Error, Hashable, Sendable, CustomStringConvertible {
    case empty
    case tooLong(bytes: Int)
    case restNotLast
    case unclosedSet
    case emptySet
    case strayBracket
    case backwardsRange(String)
    case danglingEscape

    package var description: String {
        switch self {
        case .empty: "the pattern is empty"
        case .tooLong(let bytes): "the pattern has \(bytes) bytes; the limit is \(Pattern.limit)"
        case .restNotLast: "the pattern has a * before its end; * stands for the rest and must be last"
        case .unclosedSet: "the pattern has a [ without its ]"
        case .emptySet: "the pattern has an empty set []"
        case .strayBracket: "the pattern has a ] without its ["
        case .backwardsRange(let range): "the pattern's range \(range) runs backwards"
        case .danglingEscape: "the pattern ends with a \\ that stands before nothing"
        }
    }
}
