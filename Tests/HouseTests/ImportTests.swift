import Testing

@Suite("Arrows between the parts")
struct ImportTests {
    static let pure = ["ByteCoding", "StrictJSON", "CallModel", "Ledger", "Routing", "INCRP", "Duplex"]
    /// Two arrows within a level: values over their bytes, and `@main` alone over the commands.
    static let within = ["CallModel": "ByteCoding", "baton": "BatonCLI"]
    static let services = ["CallRouter", "PeripheralGateway", "Console"]

    @Test("every part of Sources has a level in Package.swift")
    func levelsAreKnown() throws {
        let levels = try House.levels()
        let parts = Set(try House.files(under: "Sources", endings: ["swift"]).map { $0.path.split(separator: "/")[1] })
        for part in parts.sorted() { #expect(levels[String(part)] != nil, "\(part) stands under no `// Level N`") }
        #expect(levels["CallModel"] == 0)
        #expect(levels["Ledger"] == 1)
    }

    @Test("a part imports parts of lower levels only")
    func downwards() throws {
        let levels = try House.levels()
        for file in try House.files(under: "Sources", endings: ["swift"]) {
            let part = String(file.path.split(separator: "/")[1])
            guard let own = levels[part] else { continue }
            for (line, module) in House.imports(of: file) {
                guard let other = levels[module] else { continue }
                if Self.within[part] == module { continue }
                #expect(other < own, "\(file.path):\(line): \(part) (level \(own)) imports \(module) (level \(other))")
            }
        }
    }

    @Test("services do not import each other, and know neither NIO nor Hummingbird")
    func services() throws {
        for service in Self.services {
            for file in try House.files(under: "Sources/\(service)", endings: ["swift"]) {
                for (line, module) in House.imports(of: file) {
                    let forbidden =
                        Self.services.contains(module) || module.hasPrefix("NIO") || module.hasPrefix("Hummingbird")
                    #expect(!forbidden, "\(file.path):\(line) imports \(module)")
                }
            }
        }
    }

    @Test("pure parts import pure parts only")
    func pureImports() throws {
        for part in Self.pure {
            let files = try House.files(under: "Sources/\(part)", endings: ["swift"])
            #expect(!files.isEmpty, "\(part) is not there")
            for file in files {
                for (line, module) in House.imports(of: file) {
                    #expect(Self.pure.contains(module), "\(file.path):\(line) imports \(module)")
                }
            }
        }
    }

    @Test("pure parts use no clock and no randomness")
    func pureOfTimeAndChance() throws {
        let forbidden = [
            "SystemRandomNumberGenerator", ".random(", ".randomElement(", ".shuffled(", ".shuffle(", "ContinuousClock",
            "SuspendingClock", "Date(", "Hasher(", "DispatchQueue", "Task {", "Task(", "Thread", "getenv", "print(",
        ]
        for part in Self.pure {
            for file in try House.files(under: "Sources/\(part)", endings: ["swift"]) {
                for (index, line) in file.lines.enumerated() where !line.drop(while: { $0 == " " }).hasPrefix("//") {
                    for word in forbidden where Self.uses(word, line) {
                        Issue.record("\(file.path):\(index + 1) uses \(word)")
                    }
                }
            }
        }
    }

    /// As a word of its own: `CivilDate(` is not `Date(`.
    private static func uses(_ word: String, _ line: Substring) -> Bool {
        guard let range = line.firstRange(of: word) else { return false }
        guard word.first != ".", range.lowerBound > line.startIndex else { return true }
        let before = line[line.index(before: range.lowerBound)]
        return !before.isLetter && !before.isNumber && before != "_"
    }
}
