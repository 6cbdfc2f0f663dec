/// What a failover drill counted.
package struct FailoverReport: Sendable {
    /// Rounds whose outages are judged together.
    enum Kind: String, Sendable, CaseIterable {
        case death = "a process died"
        case silence = "a side fell silent"
        case witness = "the witness died"
        case plannedSwitch = "the order was handed over"
        case several = "several faults"
    }

    struct Round: Sendable {
        let fault: String
        let kind: Kind
        /// From the fault to the first acknowledged answer to a request sent after it.
        let outageMilliseconds: Int
        /// Questions that got no answer, or "unavailable", when first asked.
        let unanswered: Int
        let milliseconds: Int
    }

    private(set) var all: [Round] = []
    package internal(set) var twoServed = 0
    var findings = Findings()

    package var rounds: Int { all.count }
    package var isClean: Bool { findings.areClean && twoServed == 0 && refusedInSwitch == 0 }

    mutating func add(_ round: Round) { all.append(round) }

    /// A planned switch lets requests wait, and refuses none.
    private var refusedInSwitch: Int { all.filter { $0.kind == .plannedSwitch }.reduce(0) { $0 + $1.unanswered } }

    static func percentile(_ values: [Int], _ share: Double) -> Int {
        values.isEmpty ? 0 : values.sorted()[min(values.count - 1, Int(Double(values.count) * share))]
    }

    /// One object on one line; its fields are what scripts may rely on. The percentiles are of rounds with one fault.
    package var json: String {
        let single = all.filter { $0.kind != .several && $0.kind != .plannedSwitch }.map(\.outageMilliseconds)
        return """
            {"drill":"failover","rounds":\(rounds),"acknowledged":\(findings.acknowledged),"lost":\(findings.lost),\
            "doubled":\(findings.doubled),"wrong":\(findings.wrong),"twoServed":\(twoServed),\
            "outageMillisecondsP50":\(Self.percentile(single, 0.5)),"outageMillisecondsP99":\(Self.percentile(single, 0.99))}
            """
    }

    /// For people.
    package var sentence: String {
        """
        \(rounds) rounds. \(findings.acknowledged) operations acknowledged: \(findings.lost) lost, \
        \(findings.doubled) doubled, \(findings.wrong) wrong; both sides serving: \(twoServed) times. From the fault to \
        the first acknowledged answer:
        \(Kind.allCases.flatMap(lines).joined(separator: "\n"))
        Refused in planned switches: \(refusedInSwitch). Longest round \(all.map(\.milliseconds).max() ?? 0) ms.
        """
    }

    /// The kind's figures, and those of its faults.
    private func lines(_ kind: Kind) -> [String] {
        let ofKind = all.filter { $0.kind == kind }
        if ofKind.isEmpty { return [] }
        let faults = Set(ofKind.map(\.fault)).sorted()
        let parts =
            faults.count == 1 ? [] : faults.map { fault in line("  " + fault, ofKind.filter { $0.fault == fault }) }
        return [line(faults.count == 1 ? faults[0] : kind.rawValue, ofKind)] + parts
    }

    private func line(_ name: String, _ rounds: [Round]) -> String {
        let outages = rounds.map(\.outageMilliseconds)
        return "  \(name): \(rounds.count) rounds, p50 \(Self.percentile(outages, 0.5)) ms, "
            + "p99 \(Self.percentile(outages, 0.99)) ms, most \(outages.max() ?? 0) ms"
    }
}
