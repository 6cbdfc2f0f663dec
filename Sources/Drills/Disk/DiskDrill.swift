internal import Foundation

/// Lets one call of a running side fail, or all from one on: errors, no space, short writes, flushes that fail, in log,
/// spares, superblock and store; under load, and in some rounds while the side starts. The side must stop with a
/// sentence or go on; nothing that it acknowledged may be missing afterwards.
package struct DiskDrill: Sendable {
    private let settings: DrillSettings
    private let say: @Sendable (String) -> Void
    private static let roundsWithOneSide = 25
    /// The store writes a transaction each two seconds: longer is not waited for a call to fail.
    private static let strikeTimeout = Duration.milliseconds(2_600)
    /// In which a side that met a fault has to end or to answer.
    private static let endTimeout = Duration.seconds(5)

    package init(_ settings: DrillSettings, say: @escaping @Sendable (String) -> Void) {
        self.settings = settings
        self.say = say
    }

    package func run() async throws -> DrillReport {
        try settings.check()
        var generator = SeededGenerator(seed: settings.seed)
        var report = DrillReport("disk")
        while report.rounds < settings.rounds {
            let rounds = min(Self.roundsWithOneSide, settings.rounds - report.rounds)
            var side = try DrilledSide(settings, drill: "disk", generator: generator.branch(), number: report.rounds)
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
            running = try await round(first, &side, report: &report)
            if running != nil { await side.check(.round, report: &report) }
            report.endRound(began: begin, acknowledgedBefore: before)
            if report.rounds % 20 == 0 { say(report.sentence) }
        }
        if running != nil { await side.check(.all, report: &report) }
        running?.kill()
        for sentence in report.findings.sentences.dropFirst(reported) { say(sentence) }
    }

    // MARK: One round

    private func round(
        _ running: SideProcess, _ side: inout DrilledSide, report: inout DrillReport
    ) async throws -> SideProcess? {
        let plan = plan(report.rounds, &side.generator)
        let journal = side.setting.journalDirectory
        let strikesAtStart = plan.files == .superblocks || (settings.fault == nil && report.rounds % 6 == 5)
        var running = running
        if strikesAtStart {
            try await side.load(&report) { try await DrilledSide.wait(for: DrilledSide.leastAcknowledged, $0) }
            running.kill()
            try side.forgetJournal()
            try plan.arm(in: journal)
            switch try await side.start() {
            case .ready(let side, _): running = side
            case .ended(let ending, let words): judge(ending, words, plan, &report)
            case .silent(let words): report.findings.wrong("the side neither starts nor ends with \(plan): \(words)")
            }
        }
        if running.endedByItself() == nil { try await strike(running, plan, &side, report: &report) }
        let struck = FaultPlan.struck(in: journal)
        report.count(struck > 0 ? "faults met (\(plan.files), \(plan.call))" : "faults not met", 1)
        running.kill()
        // What a failed flush lost is lost with the power only.
        if (plan.call == .syncs && struck > 0) || Bool.random(using: &side.generator) {
            try side.cutPower(&report)
        }
        try side.forgetJournal()
        return try await side.restarted(&report, after: "\(plan)")
    }

    private func strike(
        _ running: SideProcess, _ plan: FaultPlan, _ side: inout DrilledSide, report: inout DrillReport
    ) async throws {
        let journal = side.setting.journalDirectory
        try await side.load(&report, isPatient: true) { progress in
            try await DrilledSide.wait(for: DrilledSide.leastAcknowledged, progress)
            if FaultPlan.struck(in: journal) == 0 { try plan.arm(in: journal) }
            let begin = ContinuousClock.now
            while FaultPlan.struck(in: journal) == 0, running.endedByItself() == nil,
                ContinuousClock.now - begin < Self.strikeTimeout
            { try await Task.sleep(for: .milliseconds(2)) }
            // Load goes on while the side comes to its end, or past the fault.
            let wait = ContinuousClock.now
            while running.endedByItself() == nil, ContinuousClock.now - wait < .milliseconds(300) {
                try await Task.sleep(for: .milliseconds(5))
            }
        }
        try await judge(running, plan, side, report: &report)
    }

    /// After the load: ended as it must, or answering.
    private func judge(
        _ running: SideProcess, _ plan: FaultPlan, _ side: DrilledSide, report: inout DrillReport
    ) async throws {
        let begin = ContinuousClock.now
        let client = DrillClient(port: side.port)
        while true {
            if let ending = running.endedByItself() {
                judge(ending, running.lastWords(), plan, &report)
                break
            }
            if await client.isReady() {
                report.count("went on")
                break
            }
            if ContinuousClock.now - begin > Self.endTimeout {
                report.findings.wrong("the side neither ends nor is ready after \(plan): \(running.lastWords())")
                break
            }
            try await Task.sleep(for: .milliseconds(5))
        }
        await client.close()
    }

    private func judge(_ ending: SideProcess.Ending, _ words: String, _ plan: FaultPlan, _ report: inout DrillReport) {
        switch ending {
        case .signal(let signal): report.findings.wrong("the side died of signal \(signal) with \(plan): \(words)")
        case .exit(1) where plan.isNamed(in: words): report.count("stopped with a sentence")
        case .exit(let code):
            report.findings.wrong("the side ended with code \(code) and does not name the fault, \(plan): \(words)")
        }
    }

    private func plan(_ round: Int, _ generator: inout SeededGenerator) -> FaultPlan {
        if settings.fault == .retryFsync {
            return FaultPlan(
                fault: .inputOutputError, call: .syncs, files: .segments,
                before: Int32.random(in: 0...20, using: &generator), stays: true)
        }
        // Of the log most: it is what an acknowledgement rests on.
        let files: FaultPlan.Files =
            switch round % 8 {
            case 0, 1, 2, 4: .segments
            case 3: .spares
            case 5: .superblocks
            default: .store
            }
        let call = FaultPlan.Call.allCases.randomElement(using: &generator) ?? .writes
        let faults: [FaultPlan.Fault] = call == .syncs ? [.inputOutputError, .noSpace] : FaultPlan.Fault.allCases
        let most: Int32 = files == .segments ? 60 : files == .superblocks ? 1 : 6
        return FaultPlan(
            fault: faults.randomElement(using: &generator) ?? .inputOutputError, call: call, files: files,
            before: Int32.random(in: 0...most, using: &generator), stays: Bool.random(using: &generator))
    }
}

extension FaultPlan {
    /// An operator reads which file it was.
    fileprivate func isNamed(in words: String) -> Bool {
        switch files {
        case .segments, .spares: words.contains("segment-") || words.contains("/log")
        case .superblocks: words.contains("superblock-") || words.contains("segment-")
        case .store: words.contains("store")
        }
    }
}
