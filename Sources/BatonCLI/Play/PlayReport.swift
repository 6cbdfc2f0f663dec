/// All calls played: a table of journeys, and the counts.
package struct PlayReport: Sendable {
    package let results: [CallResult]
    /// Call key -> the kinds of the events of its way, over all sides, in order of time.
    package let ways: [String: [String]]

    package init(results: [CallResult], ways: [String: [String]]) {
        self.results = results
        self.ways = ways
    }

    package var labels: Int { results.count { $0.label != nil } }
    package var claimed: Int { results.count { $0.claimed } }
    package var lost: Int { results.count { $0.lost } }
    package var wrong: Int { results.count { !$0.faults.isEmpty } }
    package var succeeded: Bool { lost == 0 && wrong == 0 }

    package var summary: JSONValue {
        .object(
            ("calls", .integer(results.count)), ("labels", .integer(labels)), ("claimed", .integer(claimed)),
            ("lost", .integer(lost)), ("wrong", .integer(wrong)))
    }

    package var sentence: String {
        "\(results.count) calls, \(labels) labels, \(claimed) claimed, \(lost) lost, \(wrong) wrong"
    }

    /// One line for each thing that was other than the file's.
    package var faults: [String] {
        results.flatMap { result in result.faults.map { "line \(result.call.line), \(result.call.name): \($0)" } }
    }

    package var table: String {
        var table = Table(
            [
                .init("call"), .init("kind"), .init("call key"), .init("label"), .init("source"),
                .init("label ms", .right), .init("claim ms", .right), .init("as the file says"),
            ], empty: "The file has no calls.")
        for result in results {
            table.add([
                result.call.name, result.call.kind, result.callKey ?? "-",
                result.label.map { $0.isEmpty ? "(none)" : $0 } ?? "-",
                result.source ?? "-", result.routeMicroseconds.map(BenchReport.milliseconds) ?? "-",
                result.claimMicroseconds.map(BenchReport.milliseconds) ?? "-", result.faults.isEmpty ? "yes" : "NO",
            ])
        }
        return table.rendered
    }

    /// The calls' journeys: each way that was taken, by how many calls, and one of them to look at.
    package var waysTable: String {
        var calls: [String: [String]] = [:]
        for (key, kinds) in ways { calls[Self.shortened(kinds), default: []].append(key) }
        var table = Table(
            [.init("calls", .right), .init("for example"), .init("way")], empty: "No call has a journey.")
        for (way, keys) in calls.sorted(by: { ($1.value.count, $0.key) < ($0.value.count, $1.key) }) {
            table.add([String(keys.count), keys.min() ?? "", way])
        }
        return table.rendered
    }

    /// Over two instances most kinds come twice: each counts where it came first.
    private static func shortened(_ kinds: [String]) -> String {
        var seen: Set<String> = []
        return kinds.filter { seen.insert($0).inserted }.joined(separator: " > ")
    }

    /// The ways of all calls that got a key, from the journeys of all sides.
    package static func ways(
        of results: [CallResult], clients: [any SideClient]
    ) async throws(CommandFailure) -> [String: [String]] {
        var ways: [String: [String]] = [:]
        for key in Set(results.compactMap(\.callKey)) {
            var events: [(at: String, kind: String)] = []
            for client in clients {
                let answer = try await client.ask("GET", "/v1/journeys/" + percentEncoded(key))
                // A side that the call never touched knows nothing of it.
                guard answer.succeeded else { continue }
                do {
                    for event in Rendering.rows(of: try JSONValue(parsing: answer.body)) {
                        events.append((event["at"]?.text ?? "", event["kind"]?.text ?? ""))
                    }
                } catch { throw CommandFailure(.failed, "the journey of \(key) is \(error)") }
            }
            let sorted = events.enumerated().sorted { ($0.element.at, $0.offset) < ($1.element.at, $1.offset) }
            ways[key] = sorted.map(\.element.kind)
        }
        return ways
    }
}
