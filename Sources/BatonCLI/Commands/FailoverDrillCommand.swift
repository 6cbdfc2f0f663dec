internal import ArgumentParser
internal import Drills
internal import Foundation

struct FailoverDrillCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "failover",
        abstract: "Kill, stop, cut off, restart and format sides of a pair and its witness under load, and check.",
        discussion: """
            Starts a pair and a witness of its own in a new directory below --directory, which is removed unless \
            something was found. Load goes through both sides; every acknowledgement is checked at either side. An \
            outage lasts from the fault to the first acknowledged answer to a request sent after it. The last line is \
            one JSON object. Fails when anything acknowledged was lost, given to two calls, or wrong, or when both \
            sides served.

            EXAMPLE
              baton drill failover --rounds 20 --json
            """)

    @Option(help: "How many rounds, 1 to 100000.") var rounds = 20
    @Option(help: "Repeats the faults of an earlier drill, as far as timing allows.") var seed: UInt64?
    @Option(help: ArgumentHelp("Where the directories are made.", valueName: "directory"))
    var directory = FileManager.default.temporaryDirectory.path
    @Option(help: ArgumentHelp("The program to drill (default: this one).", valueName: "file")) var program: String?
    @Option(
        name: [.customLong("break")],
        help: ArgumentHelp(
            "Turn on a known fault, which the drill must find: forgotten-promise, acknowledge-before-sync.",
            valueName: "fault"))
    var fault: FailoverFault?
    @Flag(help: "Print nothing but the last line to standard output.") var json = false

    func validate() throws {
        guard (1...100_000).contains(rounds) else { throw ValidationError("--rounds must be 1 to 100000") }
    }

    func run() async throws {
        let program = try program ?? FileManager.default.destinationOfSymbolicLink(atPath: "/proc/self/exe")
        let seed = seed ?? UInt64.random(in: 0..<1 << 32)
        Terminal.note("seed \(seed)")
        var settings = FailoverDrill.Settings(rounds: rounds, seed: seed, program: program, directory: directory)
        settings.fault = fault
        var drill = FailoverDrill(settings) { Terminal.note($0) }
        let report: FailoverReport
        do {
            report = try await drill.run()
        } catch {
            throw CommandFailure(.failed, "\(error)")
        }
        if !json { Terminal.write(report.sentence) }
        Terminal.write(report.json)
        if !report.isClean { throw CommandFailure(.failed, "the pair did not keep what it promises") }
    }
}

extension FailoverFault: ExpressibleByArgument {}
