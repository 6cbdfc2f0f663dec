/// What a failover drill counted.
package struct FailoverReport: Sendable {
    package internal(set) var rounds = 0
    package internal(set) var roundsWithSeveral = 0
    /// By the fault's name, milliseconds from the fault to the first acknowledged answer to a request sent after it.
    package internal(set) var outages: [String: [Int]] = [:]
    package internal(set) var outagesOfSeveral: [Int] = []
    package internal(set) var twoServed = 0
    package internal(set) var roundMillisecondsMax = 0
    var findings = Findings()

    package var isClean: Bool { findings.areClean && twoServed == 0 }

    private var all: [Int] { outages.values.flatMap(\.self) }

    static func percentile(_ values: [Int], _ share: Double) -> Int {
        values.isEmpty ? 0 : values.sorted()[min(values.count - 1, Int(Double(values.count) * share))]
    }

    /// One object on one line; its fields are what scripts may rely on.
    package var json: String {
        """
        {"drill":"failover","rounds":\(rounds),"acknowledged":\(findings.acknowledged),"lost":\(findings.lost),\
        "doubled":\(findings.doubled),"wrong":\(findings.wrong),"twoServed":\(twoServed),\
        "outageMillisecondsP50":\(Self.percentile(all, 0.5)),"outageMillisecondsP99":\(Self.percentile(all, 0.99))}
        """
    }

    /// For people.
    package var sentence: String {
        let lines = outages.keys.sorted().map { name in
            let values = outages[name] ?? []
            return "  \(name): \(values.count) rounds, p50 \(Self.percentile(values, 0.5)) ms, "
                + "p99 \(Self.percentile(values, 0.99)) ms, most \(values.max() ?? 0) ms"
        }
        return """
            \(rounds) rounds. \(findings.acknowledged) operations acknowledged: \(findings.lost) lost, \
            \(findings.doubled) doubled, \(findings.wrong) wrong; both sides serving: \(twoServed) times. Outage of \
            rounds with one fault:
            \(lines.joined(separator: "\n"))
            Rounds with several faults: \(roundsWithSeveral), p50 \(Self.percentile(outagesOfSeveral, 0.5)) ms, \
            most \(outagesOfSeveral.max() ?? 0) ms. Longest round \(roundMillisecondsMax) ms.
            """
    }
}
