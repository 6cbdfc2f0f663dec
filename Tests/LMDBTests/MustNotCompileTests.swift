import Glibc
import Testing

/// Misuse of a transaction is refused by the compiler. Each snippet is type-checked against the module this test was
/// built with; the first of them is sound, and shows that the others fail for their own reason.
@Suite("LMDB: misuse does not compile")
struct MustNotCompileTests {
    @Test("a sound use compiles")
    func sound() throws {
        let result = try Compiler.check(
            """
            var transaction = try environment.beginWrite()
            let old = try transaction.get(table, key: [1]) { $0.copied }
            try transaction.put(table, key: [1], value: old ?? [])
            try transaction.commit()
            """)
        #expect(result.succeeded, "\(result.diagnostics)")
    }

    @Test(
        "misuse is refused",
        arguments: [
            Misuse(
                name: "use after commit", diagnostic: "'transaction' used after consume",
                body: """
                    var transaction = try environment.beginWrite()
                    try transaction.put(table, key: [1], value: [2])
                    try transaction.commit()
                    try transaction.put(table, key: [1], value: [2])
                    """),
            Misuse(
                name: "commit twice", diagnostic: "'transaction' consumed more than once",
                body: """
                    let transaction = try environment.beginWrite()
                    try transaction.commit()
                    try transaction.commit()
                    """),
            Misuse(
                name: "a value held across a put", diagnostic: "overlapping accesses to 'transaction'",
                body: """
                    var transaction = try environment.beginWrite()
                    _ = try transaction.get(table, key: [1]) { value in
                        try? transaction.put(table, key: [1], value: [2])
                        return value.byteCount
                    }
                    """),
            Misuse(
                name: "a value kept after its closure", diagnostic: "escapes its scope",
                body: """
                    let transaction = try environment.beginRead()
                    var kept = RawSpan()
                    _ = try transaction.get(table, key: [1]) { value in kept = value }
                    print(kept.byteCount)
                    """),
            Misuse(
                name: "a transaction copied", diagnostic: "consumed more than once",
                body: """
                    let transaction = try environment.beginRead()
                    let first = transaction
                    let second = transaction
                    _ = try first.count(table) + second.count(table)
                    """),
            Misuse(
                name: "a suspension inside a read", diagnostic: "cannot pass function of type",
                body: """
                    let transaction = try environment.beginRead()
                    _ = try transaction.get(table, key: [1]) { value in
                        await Task.yield()
                        return value.byteCount
                    }
                    """),
        ])
    func misuse(_ misuse: Misuse) throws {
        let result = try Compiler.check(misuse.body)
        #expect(!result.succeeded)
        #expect(result.diagnostics.contains(misuse.diagnostic), "\(result.diagnostics)")
    }
}

struct Misuse: Sendable, CustomTestStringConvertible {
    let name: String
    let diagnostic: String
    let body: String
    var testDescription: String { name }
}

/// The compiler that built the test, and where it put the module.
private enum Compiler {
    struct Result {
        let succeeded: Bool
        let diagnostics: String
    }

    static let root = #filePath.split(separator: "/").dropLast(3).reduce("") { $0 + "/" + $1 }

    /// Of the build that this test is part of, debug or release: beside the test bundle.
    private static func modules() throws -> String {
        var buffer = [CChar](repeating: 0, count: 4_096)
        let count = readlink("/proc/self/exe", &buffer, buffer.count)
        let executable = count > 0 ? String(decoding: buffer[..<count].map(UInt8.init(bitPattern:)), as: UTF8.self) : ""
        let directories = ([executable] + CommandLine.arguments).map { path in
            path.split(separator: "/").dropLast().reduce("") { $0 + "/" + $1 }
        }
        let found: String? = directories.map { $0 + "/Modules" }.first { access($0 + "/LMDB.swiftmodule", F_OK) == 0 }
        return try #require(found, "no Modules/LMDB.swiftmodule beside \(directories)")
    }

    /// That of the toolchain that runs the tests: the first in PATH.
    private static func swiftc() throws -> String {
        let path = getenv("PATH").map { String(cString: $0) } ?? ""
        let found: String? = path.split(separator: ":").map { (folder) -> String in "\(folder)/swiftc" }.first {
            access($0, X_OK) == 0
        }
        return try #require(found, "no swiftc in PATH \(path)")
    }

    /// Type-checks the statements as the body of a function with an `environment` and a `table`.
    static func check(_ body: String) throws -> Result {
        let directory = TemporaryDirectory()
        let path = directory.path + "/snippet.swift"
        let source = "import LMDB\nfunc snippet(environment: Environment, table: Database) throws {\n\(body)\n}\n"
        let file = try #require(fopen(path, "w"))
        fputs(source, file)
        fclose(file)
        // SwiftPM names the package after its directory.
        let package = root.split(separator: "/").last.map {
            String($0.lowercased().map { $0.isLetter || $0.isNumber ? $0 : "_" })
        }
        // Some of the rules are checked on the intermediate code only, so the snippet is compiled that far.
        return run(
            "'\(try swiftc())' -emit-sil -o /dev/null -swift-version 6 -package-name '\(package ?? "")' -I '\(try modules())' "
                + "-I '\(root)/Sources/CLMDB' '\(path)' 2>&1")
    }

    private static func run(_ command: String) -> Result {
        guard let pipe = popen(command, "r") else { return Result(succeeded: false, diagnostics: "no shell") }
        var output: [UInt8] = []
        while case let byte = fgetc(pipe), byte != EOF { output.append(UInt8(truncatingIfNeeded: byte)) }
        return Result(succeeded: pclose(pipe) == 0, diagnostics: String(decoding: output, as: UTF8.self))
    }
}
