internal import ArgumentParser
internal import Foundation

struct BenchCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "bench", abstract: "Measure reserve and claim against a running side.",
        discussion: """
            Each connection reserves an entry, claims it, and begins again. The translation route must have more \
            entries than connections and than pairs a second times its repeatSeconds. Contexts above 559 bytes need \
            declared ECC variables of 210 bytes to fill (--filler).

            EXAMPLE
              baton bench --url http://127.0.0.1:7081 --connections 64 --seconds 10 --context-bytes 1024
            """)

    @OptionGroup var side: SideOptions
    @OptionGroup var output: OutputOptions

    @Option(help: "The translation route to reserve from.") var route = "bench"
    @Option(help: "Keep-alive connections, 1 to 1024.") var connections = 64
    @Option(help: "How long, 1 to 600.") var seconds = 10
    @Option(help: "Bytes of the context's values, 0 to 32768.") var contextBytes = 1024
    @Option(help: ArgumentHelp("A declared ECC scalar of 210 bytes to fill; may be repeated.", valueName: "name"))
    var filler = ["user.bench1", "user.bench2", "user.bench3"]
    @Option(
        help: ArgumentHelp("Where to measure the flush floor: the disk of the side's data.", valueName: "directory"))
    var floorDirectory = "."

    func validate() throws {
        guard (1...1024).contains(connections) else { throw ValidationError("--connections must be 1 to 1024") }
        guard (1...600).contains(seconds) else { throw ValidationError("--seconds must be 1 to 600") }
        guard (0...32768).contains(contextBytes) else { throw ValidationError("--context-bytes must be 0 to 32768") }
    }

    func run() async throws {
        let bench = Bench(
            route: route, connections: connections, seconds: seconds, contextBytes: contextBytes, fillers: filler,
            run: "bench-\(ProcessInfo.processInfo.processIdentifier)-\(Int(Date().timeIntervalSince1970))")
        let before = try FlushFloor.measure(in: floorDirectory)
        let side = side
        let total = seconds
        let open: @Sendable () throws(CommandFailure) -> any SideClient = { () throws(CommandFailure) in
            try side.connect()
        }
        let (tally, elapsed) = try await bench.run(
            open: open,
            progress: { second, pairs in Terminal.progress("\(second) of \(total) s, \(pairs) pairs") })
        Terminal.progressEnded()
        let after = try FlushFloor.measure(in: floorDirectory)
        let report = BenchReport(bench: bench, tally: tally, elapsed: elapsed, floorBefore: before, floorAfter: after)
        output.print(report.json) { _ in report.table }
        if tally.wrong > 0 {
            throw CommandFailure(.failed, "\(tally.wrong) claims did not get the context they should")
        }
    }
}
