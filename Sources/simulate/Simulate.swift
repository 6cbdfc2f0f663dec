internal import ArgumentParser
internal import Foundation
internal import Simulation

@main
struct Simulate: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "Tools/simulate",
        abstract: "Runs the duplex pair where time, disk, network and witness are simulated.",
        subcommands: [Pair.self])
}

struct Pair: ParsableCommand {
    static let configuration = CommandConfiguration(
        abstract: "Both sides, clients and random faults by seed; every answer is held against the log in the end.",
        discussion: """
            The same seed gives the same run. A seed that fails prints what is wrong and its trace, and is added to the
            file of failed seeds, which the tests run each time.

            EXAMPLES
              Tools/simulate pair --seeds 20000
              Tools/simulate pair --seed 98
              Tools/simulate pair --break unconfirmedRead --seeds 500
            """)

    @Option(help: "How many seeds to run, from 1 on, or from --first.")
    var seeds: UInt64 = 200

    @Option(help: "The first seed.")
    var first: UInt64 = 1

    @Option(help: "Run this seed only, and print its trace.")
    var seed: UInt64?

    @Option(
        name: .customLong("break"),
        help: "Simulate a known bug until it is found: \(PairBug.allCases.map(\.rawValue).joined(separator: ", ")).")
    var bug: String?

    @Option(help: "Seeds that fail are added here.")
    var failedSeeds: String?

    @Option(help: "Lines of a failing seed's trace to print.")
    var traceLines = 80

    func run() throws {
        if let bug {
            guard let bug = PairBug(rawValue: bug) else { throw ValidationError("no known bug is called \(bug)") }
            return try find(bug)
        }
        var sum = PairSum()
        for seed in seed.map({ $0...$0 }) ?? first...(first + max(seeds, 1) - 1) {
            let run = PairRun(simulating: seed)
            sum.add(run)
            if self.seed != nil { print(run.trace.joined(separator: "\n")) }
            if !run.violations.isEmpty { try report(run) }
            if sum.seeds % 1000 == 0 { say(sum.line) }
        }
        print(sum.text)
        if sum.failed > 0 { throw ExitCode.failure }
    }

    private func report(_ run: PairRun) throws {
        print("seed \(run.seed) fails: \(run.violations.joined(separator: "; "))")
        if seed == nil { print(run.trace.suffix(traceLines).joined(separator: "\n")) }
        guard let failedSeeds else { return }
        let known = (try? String(contentsOfFile: failedSeeds, encoding: .utf8)) ?? ""  // Absent: the first one.
        if known.split(separator: "\n").contains(where: { $0.split(separator: " ").first == "\(run.seed)" }) { return }
        let what = run.violations[0].prefix(160).replacing("\n", with: " ")
        try (known + "\(run.seed) # \(what)\n").write(toFile: failedSeeds, atomically: true, encoding: .utf8)
    }

    private func find(_ bug: PairBug) throws {
        for seed in first...(first + max(seeds, 1) - 1) {
            let run = bug.run(seed: seed)
            if run.violations.isEmpty { continue }
            print("\(bug.rawValue) is found by seed \(seed), after \(seed - first + 1) seeds: \(run.violations[0])")
            return
        }
        print("\(bug.rawValue) is not found by \(seeds) seeds")
        throw ExitCode.failure
    }
}

/// What all runs together came to.
struct PairSum {
    private let start = ContinuousClock.now
    private(set) var seeds = 0
    private(set) var failed = 0
    private var simulatedMilliseconds: UInt64 = 0
    private var answers = 0
    private var reads = 0
    private var records = 0
    private var faults: [PairFault: Int] = [:]
    private var recovery: [UInt64] = []

    mutating func add(_ run: PairRun) {
        seeds += 1
        if !run.violations.isEmpty { failed += 1 }
        simulatedMilliseconds += run.simulatedMilliseconds
        answers += run.answers
        reads += run.reads
        records += run.records
        recovery.append(run.recoveryMilliseconds)
        for (fault, count) in run.faults { faults[fault, default: 0] += count }
    }

    private var secondsTaken: Double { (ContinuousClock.now - start) / .seconds(1) }

    var line: String {
        let rate = Double(seeds) / max(secondsTaken, 0.001)
        return
            "\(seeds) seeds, \(failed) failed; \(simulatedMilliseconds / 1000) s simulated in \(Int(secondsTaken)) s, "
            + "\(String(format: "%.1f", rate)) seeds a second"
    }

    var text: String {
        let sorted = recovery.sorted()
        let kinds = PairFault.allCases.map { "\($0.rawValue) \(faults[$0] ?? 0)" }.joined(separator: ", ")
        return """
            \(line)
            \(answers) answers and \(reads) current reads checked; \(records) records in the logs at the end
            service after the last fault: p50 \(sorted[sorted.count / 2]) ms, most \(sorted[sorted.count - 1]) ms
            \(faults.values.reduce(0, +)) faults: \(kinds)
            """
    }
}

func say(_ line: String) { FileHandle.standardError.write(Data((line + "\n").utf8)) }
