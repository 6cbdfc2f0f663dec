import Foundation
import Testing

@Suite("The form of the house")
struct FormTests {
    @Test("every Swift file is as `swift format` with .swift-format leaves it")
    func formatted() throws {
        let process = Process()
        process.executableURL = URL(filePath: "/usr/bin/env")
        process.arguments =
            ["swift", "format", "lint", "--strict", "--parallel", "--configuration", ".swift-format"]
            + (try House.swiftFiles().map(\.path)) + ["Package.swift"]
        process.currentDirectoryURL = House.root
        let output = Pipe()
        process.standardError = output
        process.standardOutput = output
        try process.run()
        let said = String(decoding: output.fileHandleForReading.readDataToEndOfFile(), as: UTF8.self)
        process.waitUntilExit()
        #expect(process.terminationStatus == 0, "\(said.prefix(4000))")
    }

    @Test("no file is longer than one reads in a sitting: 600 lines")
    func length() throws {
        for file in try House.swiftFiles() {
            #expect(file.lines.count <= 601, "\(file.path) has \(file.lines.count - 1) lines")
        }
    }

    @Test("nothing is left for later, and no path of one machine stands in the tree")
    func words() throws {
        // Put together here, so that this file does not hold them.
        let left = ["TO" + "DO", "FIX" + "ME", "X" + "XX", "HA" + "CK"]
        let leftForLater = try Regex("\\b(" + left.joined(separator: "|") + ")\\b|fatalError" + "\\(\"not")
        let machine = try Regex("(^|[^A-Za-z0-9_.])/(work|farm|home|root|Users)" + "/[A-Za-z]")
        for file in try House.allFiles() {
            for (index, line) in file.lines.enumerated() {
                if line.contains(leftForLater) {
                    Issue.record("\(file.path):\(index + 1) leaves something for later: \(line)")
                }
                if line.contains(machine) {
                    Issue.record("\(file.path):\(index + 1) has a path of one machine: \(line)")
                }
            }
        }
    }

    @Test("warnings are errors in every target, with the language settings of the house")
    func settings() throws {
        let package = try House.file("Package.swift").text
        for setting in [
            ".treatAllWarnings(as: .error)", ".swiftLanguageMode(.v6)", "ExistentialAny", "MemberImportVisibility",
            "InternalImportsByDefault",
        ] {
            #expect(package.contains(setting), "Package.swift does not set \(setting)")
        }
        for match in package.matches(of: /\.(?:target|executableTarget|testTarget)\([^\n]*/) {
            #expect(match.output.contains("swiftSettings: strict"), "without the settings: \(match.output)")
        }
    }

    @Test("the README begins with its two commands, which are there and can be run")
    func readme() throws {
        let readme = try House.file("README.md")
        let fenced = readme.lines.drop { !$0.hasPrefix("```") }.dropFirst().prefix { !$0.hasPrefix("```") }
        let commands = fenced.compactMap { $0.split(separator: " ").first.map(String.init) }.filter {
            $0.hasPrefix("Tools/")
        }
        #expect(commands.prefix(2) == ["Tools/run", "Tools/test"])
        for command in commands + [".ci/run"] {
            let path = House.root.appending(path: command).path
            #expect(FileManager.default.isExecutableFile(atPath: path), "\(command) cannot be run")
        }
        #expect(try House.file(".ci/run").text.contains("Tools/test"))
    }

    @Test("every exit code of the program is documented in the README")
    func exitCodes() throws {
        let readme = try House.file("README.md").text
        for code in 0...6 { #expect(readme.contains("| \(code) |"), "the README does not explain exit code \(code)") }
    }

    @Test("the licence is Apache 2.0 in full")
    func licence() throws {
        let text = try House.file("LICENSE").text
        #expect(text.contains("Apache License") && text.contains("END OF TERMS AND CONDITIONS"))
    }
}
