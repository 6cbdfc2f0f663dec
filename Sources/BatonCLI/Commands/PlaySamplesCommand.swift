internal import ArgumentParser
internal import Foundation

struct PlaySamplesCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "play-samples", abstract: "Play a file of sample calls against running sides and compare.",
        discussion: """
            EXAMPLE
              baton play-samples --calls Tools/samples/calls.csv --side bank=http://127.0.0.1:7080 \
            --side insurance=http://127.0.0.1:7081
            """,
        shouldDisplay: false)

    @Option(help: ArgumentHelp("The sample calls.", valueName: "file")) var calls: String
    @Option(help: ArgumentHelp("A side of the file and where it listens; may be repeated.", valueName: "name=url"))
    var side: [String]
    @Option(help: ArgumentHelp("Wait for this gateway's link; may be repeated.", valueName: "side/gateway"))
    var gateway: [String] = []
    @Option(help: ArgumentHelp("Wait this long for the sides.", valueName: "seconds")) var wait = 15
    @Flag(help: "Print the counts only, as one line of JSON.") var json = false

    func run() async throws {
        let urls = try addresses()
        let sampleCalls = try SampleCall.all(in: String(decoding: try readFile(calls), as: UTF8.self))
        let open: Player.Opener = { side throws(CommandFailure) in
            guard let url = urls[side] else { throw CommandFailure(.usage, "no --side \(side)=URL is given") }
            return try openSideClient(to: url, token: nil, timeoutMilliseconds: 10_000)
        }
        let tag = String(Int(Date().timeIntervalSince1970 * 1000), radix: 36)
        let player = Player(sides: urls.keys.sorted(), run: tag, open: open)
        try await player.awaitReady(gateways: try links(), seconds: wait)
        let results = try await player.play(sampleCalls) { done, all in
            let width = 40
            let filled = done * width / max(1, all)
            let bar = String(repeating: "#", count: filled) + String(repeating: ".", count: width - filled)
            Terminal.progress("[\(bar)] \(done) of \(all) calls")
        }
        Terminal.progressEnded()
        let report = PlayReport(results: results, ways: try await ways(of: results, player.sides, open))
        for fault in report.faults { Terminal.note(fault) }
        if json {
            Terminal.write(report.summary.compact)
        } else {
            Terminal.write([report.table, report.waysTable, report.sentence].joined(separator: "\n\n"))
        }
        if !report.succeeded { throw CommandFailure(.failed, "not every call ended as the file says") }
    }

    private func ways(
        of results: [CallResult], _ sides: [String], _ open: Player.Opener
    ) async throws(CommandFailure) -> [String: [String]] {
        if json { return [:] }
        var clients: [any SideClient] = []
        for side in sides { clients.append(try open(side)) }
        let ways = try await PlayReport.ways(of: results, clients: clients)
        for client in clients { await client.close() }
        return ways
    }

    private func addresses() throws(CommandFailure) -> [String: SideURL] {
        var urls: [String: SideURL] = [:]
        for text in side {
            let parts = text.split(separator: "=", maxSplits: 1).map(String.init)
            guard parts.count == 2 else { throw CommandFailure(.usage, "--side \(text) must be name=url") }
            urls[parts[0]] = try SideURL(parsing: parts[1])
        }
        return urls
    }

    private func links() throws(CommandFailure) -> [(side: String, name: String)] {
        var links: [(side: String, name: String)] = []
        for text in gateway {
            let parts = text.split(separator: "/", maxSplits: 1).map(String.init)
            guard parts.count == 2 else { throw CommandFailure(.usage, "--gateway \(text) must be side/gateway") }
            links.append((parts[0], parts[1]))
        }
        return links
    }
}
