internal import Foundation

/// Runs a side under load, kills it, cuts its power in half of the rounds, restarts it, and checks every operation
/// that it acknowledged. A side is used for several rounds, so that it carries waiting contexts from before.
package struct CrashDrill: Sendable {
    /// A known fault that is turned on to show that the drill can fail.
    package enum Breakage: String, CaseIterable, Sendable {
        /// Flushes of the log return before anything is durable.
        case acknowledgeBeforeSync = "acknowledge-before-sync"
    }

    package struct Settings: Sendable {
        package var rounds: Int
        package var seed: UInt64
        /// The program whose `run` is drilled.
        package var program: String
        /// Sources/PowerCut as Tools/powercut-library builds it.
        package var library: String
        /// Where data directories are made and removed.
        package var directory: String
        package var breakage: Breakage?
        package var connections = 8
        /// Rounds with one data directory.
        package var roundsWithOneSide = 20

        package init(
            rounds: Int, seed: UInt64, program: String, library: String, directory: String, breakage: Breakage? = nil
        ) {
            self.rounds = rounds
            self.seed = seed
            self.program = program
            self.library = library
            self.directory = directory
            self.breakage = breakage
        }
    }

    private let settings: Settings
    private let say: @Sendable (String) -> Void

    /// `say` gets a sentence for each finding and each twentieth round.
    package init(_ settings: Settings, say: @escaping @Sendable (String) -> Void) {
        self.settings = settings
        self.say = say
    }

    package func run() async throws -> CrashReport {
        guard FileManager.default.isExecutableFile(atPath: settings.program) else {
            throw DrillFault("there is no program \(settings.program)")
        }
        guard FileManager.default.fileExists(atPath: settings.library) else {
            throw DrillFault("there is no \(settings.library); Tools/powercut-library builds it")
        }
        var generator = SeededGenerator(seed: settings.seed)
        var report = CrashReport()
        while report.rounds < settings.rounds {
            let rounds = min(settings.roundsWithOneSide, settings.rounds - report.rounds)
            var side = try DrilledSide(settings, generator: generator.branch(), number: report.rounds)
            let before = report.findings
            try await side.drill(rounds: rounds, report: &report, say: say)
            if report.findings.areClean || settings.breakage != nil {
                side.remove()
            } else if before.areClean {
                say("the data directory is kept: \(side.home)")
            }
        }
        return report
    }
}

/// What a crash drill counted.
package struct CrashReport: Sendable {
    package internal(set) var rounds = 0
    package internal(set) var powerCuts = 0
    package internal(set) var crashes = 0
    package internal(set) var recoveryMilliseconds: [Int] = []
    package internal(set) var sectorsUnsynced = 0
    package internal(set) var sectorsTakenBack = 0
    package internal(set) var namesTakenBack = 0
    package internal(set) var roundMillisecondsMax = 0
    package internal(set) var acknowledgedLeast = Int.max
    package internal(set) var waitingMost = 0
    var findings = Findings()

    package var isClean: Bool { findings.areClean }

    /// One object on one line; its fields are what scripts may rely on.
    package var json: String {
        """
        {"drill":"crash","rounds":\(rounds),"acknowledged":\(findings.acknowledged),"lost":\(findings.lost),\
        "doubled":\(findings.doubled),"wrong":\(findings.wrong),"recoveryMillisecondsMax":\(recoveryMilliseconds.max() ?? 0)}
        """
    }

    /// For people.
    package var sentence: String {
        let sorted = recoveryMilliseconds.sorted()
        let high = sorted.isEmpty ? 0 : sorted[min(sorted.count - 1, sorted.count * 99 / 100)]
        return """
            \(rounds) rounds, \(crashes) crashes, \(powerCuts) of them power cuts that took back \(sectorsTakenBack) of \
            \(sectorsUnsynced) unsynced sectors and \(namesTakenBack) names. \(findings.acknowledged) operations \
            acknowledged (at least \(acknowledgedLeast) a round): \(findings.lost) lost, \(findings.doubled) doubled, \
            \(findings.wrong) wrong. From start to ready with at most \(waitingMost) waiting: p99 \(high) ms, most \
            \(sorted.last ?? 0) ms. Longest round \(roundMillisecondsMax) ms.
            """
    }
}
