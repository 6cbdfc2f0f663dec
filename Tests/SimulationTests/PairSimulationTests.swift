import Foundation
import Simulation
import Testing

@Suite("A pair under random faults")
struct PairSimulationTests {
    /// Seeds that failed once, one a line, what failed behind a `#`.
    private static func failedSeeds() throws -> [UInt64] {
        let file = URL(filePath: #filePath).deletingLastPathComponent().appending(path: "failed-seeds.txt")
        return try String(contentsOf: file, encoding: .utf8).split(separator: "\n").compactMap { line in
            UInt64(line.prefix { $0 != "#" }.trimmingCharacters(in: .whitespaces))
        }
    }

    private func expectHolds(_ seed: UInt64) -> PairRun {
        let run = PairRun(simulating: seed)
        if !run.violations.isEmpty {
            let trace = run.trace.suffix(100).joined(separator: "\n")
            Issue.record("Tools/simulate pair --seed \(seed): \(run.violations)\n\(trace)")
        }
        return run
    }

    @Test("nothing acknowledged is lost, doubled or wrong, and both sides end equal: 200 seeds")
    func seeds() {
        var faults: Set<PairFault> = []
        var answers = 0
        for seed in 1...200 as ClosedRange<UInt64> {
            let run = expectHolds(seed)
            faults.formUnion(run.faults.keys)
            answers += run.answers
        }
        #expect(faults == Set(PairFault.allCases), "every kind of fault happens")
        #expect(answers > 40_000)
    }

    @Test("seeds that failed once do not fail again")
    func failedOnce() throws {
        let seeds = try Self.failedSeeds()
        #expect(!seeds.isEmpty)
        for seed in seeds { _ = expectHolds(seed) }
    }

    @Test("the same seed gives the same run")
    func reproducible() {
        let runs = (0..<2).map { _ in PairRun(simulating: 77) }
        #expect(runs[0].trace == runs[1].trace && runs[0].answers == runs[1].answers && runs[0].answers > 0)
    }

    @Test("every known bug is found", arguments: PairBug.allCases)
    func bugs(bug: PairBug) {
        let found = (1...600 as ClosedRange<UInt64>).first { !bug.run(seed: $0).violations.isEmpty }
        #expect(found != nil, "600 seeds do not find \(bug.rawValue)")
    }
}
