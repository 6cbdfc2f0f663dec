internal import ArgumentParser
internal import Drills
internal import Foundation

struct DrillCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "drill", abstract: "Harm a side of its own under load, and check all that it acknowledged.",
        subcommands: [CrashDrillCommand.self, FailoverDrillCommand.self])
}

struct CrashDrillCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "crash",
        abstract: "Kill a side under load, cut its power in half of the rounds, restart it, and check.",
        discussion: """
            Starts sides of its own in new data directories below --directory, which are removed unless something was \
            found. The last line is one JSON object. Fails when anything acknowledged was lost, given to two calls, or \
            wrong.

            EXAMPLE
              Tools/powercut-library
              baton drill crash --rounds 20 --json
            """)

    @Option(help: "How many rounds, 1 to 100000.") var rounds = 20
    @Option(help: "Repeats the load and the losses of an earlier drill, as far as timing allows.") var seed: UInt64?
    @Option(help: ArgumentHelp("Where the data directories are made.", valueName: "directory"))
    var directory = FileManager.default.temporaryDirectory.path
    @Option(help: ArgumentHelp("The program to drill (default: this one).", valueName: "file")) var program: String?
    @Option(
        help: ArgumentHelp(
            "What Tools/powercut-library built (default: powercut/libpowercut.so in a folder above the program).",
            valueName: "file"))
    var library: String?
    @Option(
        name: [.customLong("break")],
        help: ArgumentHelp(
            "Turn on a known fault, which the drill must find: acknowledge-before-sync.", valueName: "fault"))
    var breakage: CrashDrill.Breakage?
    @Flag(help: "Print nothing but the last line to standard output.") var json = false

    func validate() throws {
        guard (1...100_000).contains(rounds) else { throw ValidationError("--rounds must be 1 to 100000") }
    }

    func run() async throws {
        let program = try program ?? FileManager.default.destinationOfSymbolicLink(atPath: "/proc/self/exe")
        let seed = seed ?? UInt64.random(in: 0..<1 << 32)
        Terminal.note("seed \(seed)")
        let drill = CrashDrill(
            CrashDrill.Settings(
                rounds: rounds, seed: seed, program: program, library: try library ?? Self.library(above: program),
                directory: directory, breakage: breakage)
        ) { Terminal.note($0) }
        let report: CrashReport
        do {
            report = try await drill.run()
        } catch {
            throw CommandFailure(.failed, "\(error)")
        }
        if !json { Terminal.write(report.sentence) }
        Terminal.write(report.json)
        if !report.isClean { throw CommandFailure(.failed, "the side did not keep what it acknowledged") }
    }

    private static func library(above program: String) throws -> String {
        var folder = URL(filePath: program).deletingLastPathComponent()
        while folder.path != "/" {
            let candidate = folder.appending(path: "powercut/libpowercut.so").path
            if FileManager.default.fileExists(atPath: candidate) { return candidate }
            folder = folder.deletingLastPathComponent()
        }
        throw CommandFailure(
            .usage, "there is no libpowercut.so above \(program); build it with Tools/powercut-library")
    }
}

extension CrashDrill.Breakage: ExpressibleByArgument {}
