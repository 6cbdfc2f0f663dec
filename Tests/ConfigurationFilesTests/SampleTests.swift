import CallModel
import ConfigurationFiles
import Foundation
import Routing
import Testing

func scriptFile(_ text: String, _ name: String) throws(ConfigurationErrors) -> Script {
    try Script.parse(text, file: name)
}

@Suite("Sample files of configurations and scripts")
struct SampleTests {
    @Test("a sound file is taken", arguments: try Sample.all([.accept]))
    func accepted(sample: Sample) throws {
        #expect(try sample.refusals == [])
    }

    @Test(
        "a file with mistakes is refused with file, line, column, sentence and nearest name, all mistakes at once",
        arguments: try Sample.all([.refuse, .semantic]))
    func refused(sample: Sample) throws {
        let (refusals, expected) = (try sample.refusals, try sample.expected)
        #expect(
            !expected.isEmpty,
            "the sample says no expectation; it was refused with\n\(refusals.joined(separator: "\n"))")
        #expect(refusals == expected)
    }

    @Test("there are at least forty refusals to show")
    func many() throws {
        #expect(try Sample.all([.refuse, .semantic]).count >= 40)
    }
}

@Suite("The JSON schemas agree with the decoder")
struct SchemaAgreementTests {
    struct Verdict: Decodable {
        let file: String
        let valid: Bool
        let reason: String
    }

    /// Fails, and does not skip, when Python or a package is missing: `Tools/test` installs them.
    static func verdicts(_ kind: Sample.Kind, in directories: [String]) throws -> [Verdict] {
        let process = Process()
        process.executableURL = URL(fileURLWithPath: "/usr/bin/env")
        process.arguments =
            [
                "python3", Sample.tests.appendingPathComponent("schema_verdicts.py").path,
                Sample.schemas.appendingPathComponent("\(kind.rawValue).schema.json").path,
            ] + directories
        let (output, errors) = (Pipe(), Pipe())
        process.standardOutput = output
        process.standardError = errors
        try process.run()
        let bytes = output.fileHandleForReading.readDataToEndOfFile()
        let complaint = String(decoding: errors.fileHandleForReading.readDataToEndOfFile(), as: UTF8.self)
        process.waitUntilExit()
        try #require(process.terminationStatus == 0, "python3 with jsonschema and PyYAML is needed:\n\(complaint)")
        return try bytes.split(separator: 10).map { try JSONDecoder().decode(Verdict.self, from: $0) }
    }

    @Test(
        "both take and refuse the same samples, but for what only the decoder can know", arguments: Sample.Kind.allCases
    )
    func sameVerdicts(kind: Sample.Kind) throws {
        let directories = Sample.Verdict.allCases.map {
            Sample.directory.appendingPathComponent("\(kind.rawValue)/\($0.rawValue)").path
        }
        let verdicts = Dictionary(
            try Self.verdicts(kind, in: directories).map { ($0.file, $0) }, uniquingKeysWith: { first, _ in first })
        for sample in try Sample.all() where sample.kind == kind {
            let verdict = try #require(verdicts[sample.path])
            #expect(verdict.valid == (sample.verdict != .refuse), "\(sample.testDescription): \(verdict.reason)")
            #expect(try sample.refusals.isEmpty == (sample.verdict == .accept), "\(sample.testDescription)")
        }
    }

    @Test("an unknown key at any place, a missing key and a value of another type are refused alike")
    func sameVerdictsOfMutants() throws {
        let directory = FileManager.default.temporaryDirectory.appendingPathComponent("mutants-\(UUID().uuidString)")
        defer { try? FileManager.default.removeItem(at: directory) }  // Only temporary files are left behind.
        for kind in Sample.Kind.allCases {
            let folder = directory.appendingPathComponent(kind.rawValue)
            try FileManager.default.createDirectory(at: folder, withIntermediateDirectories: true)
            for scripts in kind == .config ? ["bank-scripts", "insurance-scripts"] : [] {
                try FileManager.default.copyItem(
                    at: Sample.directory.appendingPathComponent("config/accept/\(scripts)"),
                    to: folder.appendingPathComponent(scripts))
            }
            for sample in try Sample.all([.accept]) where sample.kind == kind {
                for (index, mutant) in Self.mutants(of: try sample.text).enumerated() {
                    let file = folder.appendingPathComponent("\(sample.name)-\(index).yaml")
                    try mutant.write(to: file, atomically: false, encoding: .utf8)
                }
            }
            let verdicts = try Self.verdicts(kind, in: [folder.path])
            #expect(verdicts.count > 50)
            for verdict in verdicts {
                let sample = Sample(kind: kind, verdict: .refuse, path: verdict.file)
                let (refusals, text) = (try sample.refusals, try sample.text)
                if verdict.valid {
                    let ofForm = refusals.filter { $0.contains("unknown key") || $0.contains(" needs ") }
                    #expect(ofForm.isEmpty, "the decoder alone refuses:\n\(text)")
                } else {
                    #expect(!refusals.isEmpty, "the schema alone refuses (\(verdict.reason)):\n\(text)")
                }
            }
        }
    }

    /// Texts that differ from a sound file in one line or word. Some of them are sound still.
    static func mutants(of text: String) -> [String] {
        let lines = text.split(separator: "\n", omittingEmptySubsequences: false).map(String.init)
        var mutants: [String] = []
        for index in lines.indices {
            func with(_ line: String?) -> String {
                var changed = lines
                if let line { changed[index] = line } else { changed.remove(at: index) }
                return changed.joined(separator: "\n")
            }
            mutants.append(with(nil))
            for (old, new) in [
                ("{ ", "{ unknown: 1, "), (": ", "x: "), ("\"", "\"9"), (": [", ": [[], "), (": {", ": {{}: 1, "),
                ("1", "-1"), ("0", "99999999"), ("true", "\"true\""), (", ", ", null: 0, "),
            ] where lines[index].contains(old) {
                mutants.append(with(lines[index].replacingOccurrences(of: old, with: new)))
                if let first = lines[index].range(of: old) {
                    mutants.append(with(lines[index].replacingCharacters(in: first, with: new)))
                }
            }
        }
        return mutants
    }
}
