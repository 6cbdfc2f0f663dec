import ConfigurationFiles
import Foundation
import Testing

/// The sample files: `accept`, `refuse` (also by the schema) and `semantic` (only by the decoder), for configurations
/// and for scripts. A refused one says at its end which errors are expected: `# expect LINE:COL: sentence`, or
/// `# expect sentence` for one about the file as a whole. `OTHER:` before it names another file of the sample.
struct Sample: CustomTestStringConvertible {
    enum Kind: String, CaseIterable {
        case config, script
    }

    enum Verdict: String, CaseIterable {
        case accept, refuse, semantic
    }

    let kind: Kind
    let verdict: Verdict
    let path: String

    var testDescription: String { "\(kind)/\(verdict)/\(name)" }
    var name: String { URL(fileURLWithPath: path).lastPathComponent }

    static let tests = URL(fileURLWithPath: #filePath).deletingLastPathComponent()
    static let directory = tests.appendingPathComponent("Samples")
    static let schemas = tests.deletingLastPathComponent().deletingLastPathComponent().appendingPathComponent("Schemas")

    static func all(_ verdicts: [Verdict] = Verdict.allCases) throws -> [Sample] {
        try Kind.allCases.flatMap { kind in
            try verdicts.flatMap { verdict in
                let directory = Self.directory.appendingPathComponent("\(kind.rawValue)/\(verdict.rawValue)").path
                return try FileManager.default.contentsOfDirectory(atPath: directory).sorted()
                    .filter { $0.hasSuffix(".yaml") }
                    .map { Sample(kind: kind, verdict: verdict, path: "\(directory)/\($0)") }
            }
        }
    }

    var text: String { get throws { try String(contentsOfFile: path, encoding: .utf8) } }

    var expected: [String] {
        get throws {
            try text.split(separator: "\n").filter { $0.hasPrefix("# expect ") }.map { String($0.dropFirst(9)) }
        }
    }

    /// What the decoder says of it, one error a line without the sample's own directory and name.
    var refusals: [String] {
        get throws {
            do {
                switch kind {
                case .config: _ = try Configuration.load(path: path, environment: [:])
                case .script: _ = try scriptOf(try text)
                }
                return []
            } catch let errors as ConfigurationErrors {
                let directory = URL(fileURLWithPath: path).deletingLastPathComponent().path + "/"
                return errors.description.split(separator: "\n").map { line in
                    var line = String(line).replacingOccurrences(of: directory, with: "")
                    if line.hasPrefix(name + ":") { line.removeFirst(name.count + 1) }
                    return line.trimmingCharacters(in: .whitespaces)
                }
            }
        }
    }

    private func scriptOf(_ text: String) throws(ConfigurationErrors) { _ = try scriptFile(text, name) }
}
