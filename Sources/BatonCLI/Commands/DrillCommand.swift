internal import ArgumentParser
internal import Drills
internal import Foundation

struct DrillCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "drill", abstract: "Harm a side of its own under load, and check all that it acknowledged.",
        discussion: """
            Drills start sides of their own in new data directories below --directory, which are removed unless \
            something was found. The last line is one JSON object. A drill fails when anything acknowledged was lost, \
            given to two calls, or wrong. Tools/powercut-library builds the library that they put under a side.
            """,
        subcommands: [
            CrashDrillCommand.self, DiskDrillCommand.self, RotDrillCommand.self, FullDiskDrillCommand.self,
            FailoverDrillCommand.self,
        ])
}

struct CrashDrillCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "crash",
        abstract: "Kill a side under load, cut its power in half of the rounds, restart it, and check.",
        discussion: """
            Every fourth round crashes twice, with load between: the first time with a torn tail.

            EXAMPLES
              baton drill crash --rounds 20 --json
              baton drill crash --rounds 1000 --waiting 10000
            """)

    @OptionGroup var drill: DrillOptions
    @Option(help: "Contexts that wait in a side from before its first round, 0 to 20000.") var waiting = 0

    func validate() throws {
        try drill.check("crash")
        guard (0...20_000).contains(waiting) else { throw ValidationError("--waiting must be 0 to 20000") }
    }

    func run() async throws {
        try await drill.report { settings, say in
            var settings = settings
            settings.waiting = waiting
            return try await CrashDrill(settings, say: say).run()
        }
    }
}

struct DiskDrillCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "disk",
        abstract: "Let calls to the disk fail under load: errors, no space, short writes, failed flushes.",
        discussion: """
            In log, spares, superblock and store; in some rounds while the side starts. The side must end with a \
            sentence that names the file, or go on.

            EXAMPLE
              baton drill disk --rounds 20 --json
            """)

    @OptionGroup var drill: DrillOptions

    func validate() throws { try drill.check("disk") }

    func run() async throws {
        try await drill.report { settings, say in try await DiskDrill(settings, say: say).run() }
    }
}

struct RotDrillCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "rot",
        abstract: "Damage a file of a side that was killed after a second of quiet, and start it on that.",
        discussion: """
            Flipped bits, zeroed and swapped blocks, truncation. Damage that matters must be refused with a sentence \
            that names the file, or repaired. Sixteen damages are done to copies of one side.

            EXAMPLES
              baton drill rot --rounds 40 --json
              baton drill rot --rounds 1000 --file segment
            """)

    @OptionGroup var drill: DrillOptions
    @Option(
        name: .customLong("file"),
        help: ArgumentHelp(
            "Damage this kind of file only; may be repeated: segment, superblock, store, snapshot.", valueName: "kind"))
    var files: [RotDrill.Files] = []

    func validate() throws { try drill.check("rot") }

    func run() async throws {
        // A known fault is one of recovery from a log, or of reading a store.
        let files = drill.fault == nil ? files : drill.fault == .skipChecksum ? [.store] : [.segment]
        try await drill.report { settings, say in
            try await RotDrill(settings, files: files, say: say).run()
        }
    }
}

struct FullDiskDrillCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "full",
        abstract: "Fill the disk under a side with load, and give the space back.",
        discussion: """
            On a file system of its own, in a file of 768 MiB below --directory, which takes mkfs.ext4 and the right to \
            mount. Claims must be served on, reservations refused as busy, and taken again when there is space. Every \
            other round starts the side anew while the disk is full.

            EXAMPLE
              sudo baton drill full --rounds 4 --json
            """)

    @OptionGroup var drill: DrillOptions

    func validate() throws { try drill.check("full") }

    func run() async throws {
        try await drill.report { settings, say in try await FullDiskDrill(settings, say: say).run() }
    }
}

/// What every drill takes.
struct DrillOptions: ParsableArguments {
    @Option(help: "How many rounds, 1 to 100000.") var rounds = 20
    @Option(help: "Repeats the load and the harm of an earlier drill, as far as timing allows.") var seed: UInt64?
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
            "Turn on a known fault, which the drill must find; crash: acknowledge-before-sync, forget-predecessor-end; "
                + "disk: retry-fsync; rot: truncate-at-first-bad, skip-checksum.", valueName: "fault"))
    var fault: KnownFault?
    @Flag(help: "Print nothing but the last line to standard output.") var json = false

    func check(_ name: String) throws {
        guard (1...100_000).contains(rounds) else { throw ValidationError("--rounds must be 1 to 100000") }
        if let fault, fault.drill != name {
            let drills = "; drill \(fault.drill) finds it"
            throw ValidationError("--break \(fault.rawValue) is none of drill \(name)\(drills)")
        }
    }

    func report(
        _ run: (DrillSettings, @escaping @Sendable (String) -> Void) async throws -> DrillReport
    ) async throws {
        let program = try program ?? FileManager.default.destinationOfSymbolicLink(atPath: "/proc/self/exe")
        let seed = seed ?? UInt64.random(in: 0..<1 << 32)
        Terminal.note("seed \(seed)")
        let settings = DrillSettings(
            rounds: rounds, seed: seed, program: program, library: try library ?? Self.library(above: program),
            directory: directory, fault: fault)
        let report: DrillReport
        do {
            report = try await run(settings) { Terminal.note($0) }
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

extension KnownFault: ExpressibleByArgument {}
extension RotDrill.Files: ExpressibleByArgument {}
