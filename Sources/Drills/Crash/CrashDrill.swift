internal import Foundation

/// Runs a side under load, kills it, cuts its power in half of the rounds, restarts it, and checks every operation
/// that it acknowledged. A side is used for several rounds, so that it carries waiting contexts from before. In every
/// fourth round it crashes twice, with load between; the first time with a torn tail.
package struct CrashDrill: Sendable {
    private let settings: DrillSettings
    private let say: @Sendable (String) -> Void
    /// Rounds with one data directory.
    private static let roundsWithOneSide = 50

    /// `say` gets a sentence for each finding and each twentieth round.
    package init(_ settings: DrillSettings, say: @escaping @Sendable (String) -> Void) {
        self.settings = settings
        self.say = say
    }

    package func run() async throws -> DrillReport {
        try settings.check()
        var generator = SeededGenerator(seed: settings.seed)
        var report = DrillReport("crash")
        while report.rounds < settings.rounds {
            let rounds = min(Self.roundsWithOneSide, settings.rounds - report.rounds)
            var side = try DrilledSide(settings, drill: "crash", generator: generator.branch(), number: report.rounds)
            let before = report.findings
            try await drill(&side, rounds: rounds, report: &report)
            if report.findings.areClean || settings.fault != nil {
                side.remove()
            } else if before.areClean {
                say("the data directory is kept: \(side.home)")
            }
        }
        return report
    }

    private func drill(_ side: inout DrilledSide, rounds: Int, report: inout DrillReport) async throws {
        let reported = report.findings.sentences.count
        var running: SideProcess? = try await side.started()
        try await side.fill(settings.waiting, &report)
        for _ in 0..<rounds {
            guard let first = running else { break }
            let begin = ContinuousClock.now
            let before = report.findings.acknowledged
            if report.rounds % 4 == 2 {
                running = try await crash(first, &side, .tornTail, report: &report)
                if let again = running {
                    running = try await crash(
                        again, &side, report.rounds % 8 == 2 ? .tailComesBack : .kill, report: &report)
                }
                report.count("rounds of two crashes")
            } else {
                running = try await crash(first, &side, report.rounds % 2 == 0 ? .powerCut : .kill, report: &report)
            }
            if running != nil { await side.check(.round, report: &report) }
            report.endRound(began: begin, acknowledgedBefore: before)
            if report.rounds % 20 == 0 { say(report.sentence) }
        }
        if running != nil { await side.check(.all, report: &report) }
        running?.kill()
        for sentence in report.findings.sentences.dropFirst(reported) { say(sentence) }
    }

    private enum Crash {
        case kill
        case powerCut
        /// A power cut that leaves the newest segment with a torn tail.
        case tornTail
        /// A power cut after which the cut tail of the segment before stands there again: the cut was not synced.
        case tailComesBack
    }

    /// Load, kill, and a new start; nil when the side does not come back.
    private func crash(
        _ running: SideProcess, _ side: inout DrilledSide, _ crash: Crash, report: inout DrillReport
    ) async throws -> SideProcess? {
        let wanted = DrilledSide.leastAcknowledged + Int.random(in: 0...300, using: &side.generator)
        let lastMicroseconds = Int.random(in: 0...20_000, using: &side.generator)
        let before = report.findings.acknowledged
        try await side.load(&report) { progress in
            try await DrilledSide.wait(for: wanted, progress)
            try await Task.sleep(for: .microseconds(lastMicroseconds))
            running.kill()
        }
        let acknowledged = report.findings.acknowledged - before
        if acknowledged < DrilledSide.leastAcknowledged && report.findings.areClean {
            throw DrillFault("the side acknowledged only \(acknowledged) operations: \(running.lastWords())")
        }
        report.count("crashes")
        if crash != .kill { try side.cutPower(&report) }
        let log = LogFiles(directory: side.setting.dataDirectory + "/log")
        switch crash {
        case .kill, .powerCut: break
        case .tornTail: if try log.tearTail(&side.generator) { report.count("torn tails") }
        case .tailComesBack: if try log.putTailBack() { report.count("tails that came back") }
        }
        if settings.fault == .forgetPredecessorEnd { try log.endAtTornTails() }
        try side.forgetJournal()
        return try await side.restarted(&report, after: "its crash")
    }
}
