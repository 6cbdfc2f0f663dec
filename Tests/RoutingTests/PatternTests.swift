import Routing
import Testing

@Suite("Patterns")
struct PatternTests {
    @Test(
        "a pattern is anchored at both ends",
        arguments: [
            ("8001", "8001", true), ("8001", "80011", false), ("8001", "18001", false), ("8001", "800", false),
            ("80XX", "8042", true), ("80XX", "80a2", false), ("80XX", "804", false), ("[2-9]XX", "199", false),
            ("[2-9]XX", "299", true), ("[135-7]", "6", true), ("[135-7]", "4", false), ("[1-]", "-", true),
            ("?", "é", true),
            ("?", "", false), ("*", "", true), ("9*", "9", true), ("9*", "95551234", true), ("9*", "8", false),
            ("\\X\\*", "X*", true), ("\\X\\*", "5*", false), ("X", "٣", false),
        ])
    func anchored(pattern: String, text: String, matches: Bool) throws {
        #expect(try Pattern(parsing: pattern).matches(text) == matches)
    }

    @Test("a text that is no pattern is refused with what is wrong with it")
    func refused() {
        let wrong: [(String, PatternFault)] = [
            ("", .empty), ("*1", .restNotLast), ("[12", .unclosedSet), ("[]", .emptySet), ("1]", .strayBracket),
            ("[9-2]", .backwardsRange("9-2")), ("1\\", .danglingEscape),
            (String(repeating: "1", count: 129), .tooLong(bytes: 129)),
        ]
        for (text, fault) in wrong { #expect(throws: fault) { try Pattern(parsing: text) } }
    }

    /// Every pattern of up to three elements against every text of up to four characters, beside a matcher that is
    /// written the naive way.
    @Test("all short patterns match what their definition says")
    func exhaustive() throws {
        let elements = ["1", "X", "[2-3a]", "?"]
        let alphabet: [Character] = ["1", "2", "3", "a"]
        func words<Letter>(_ letters: [Letter], upTo length: Int) -> [[Letter]] {
            (0..<length).reduce([[[Letter]()]]) { all, _ in
                all + [all.last!.flatMap { word in letters.map { word + [$0] } }]
            }
            .flatMap { $0 }
        }
        func naive(_ pattern: [String], _ text: [Character]) -> Bool {
            guard let first = pattern.first else { return text.isEmpty }
            if first == "*" { return true }
            guard let next = text.first else { return false }
            let fits =
                switch first {
                case "X": ("0"..."9").contains(next)
                case "?": true
                case "[2-3a]": next == "2" || next == "3" || next == "a"
                default: String(next) == first
                }
            return fits && naive(Array(pattern.dropFirst()), Array(text.dropFirst()))
        }
        let texts = words(alphabet, upTo: 4)
        for word in words(elements, upTo: 3) {
            for pattern in [word, word + ["*"]] where !pattern.isEmpty {
                let parsed = try Pattern(parsing: pattern.joined())
                for text in texts where parsed.matches(String(text)) != naive(pattern, text) {
                    Issue.record("\(parsed) and \(String(text))")
                }
            }
        }
    }

    @Test("matching costs no more than the length of the text, for a pattern that would make a backtracking one slow")
    func linear() throws {
        let pattern = try Pattern(parsing: String(repeating: "?", count: 127) + "*")
        let text = String(repeating: "1", count: 1_000_000)
        let clock = ContinuousClock()
        let elapsed = clock.measure { for _ in 0..<10_000 where !pattern.matches(text) { Issue.record("no match") } }
        // What lies beyond the pattern is not looked at: 10,000 times a million characters would take far longer.
        #expect(elapsed < .seconds(20))
    }
}
