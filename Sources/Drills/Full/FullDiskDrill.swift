internal import Foundation

/// Fills the disk under a side with load, on a small file system of its own: claims must be served on, reservations
/// refused as busy, and when space returns reservations must be taken again without an operator. In every other round
/// the side is killed and started again while the disk is full.
package struct FullDiskDrill: Sendable {
    private let settings: DrillSettings
    private let say: @Sendable (String) -> Void
    private static let diskBytes = 768 << 20
    /// Calls that wait when the disk fills up: enough to be claimed until space returns.
    private static let waiting = 2_000
    /// The store looks at the disk before each transaction, each two seconds.
    private static let changeTimeout = Duration.seconds(10)

    package init(_ settings: DrillSettings, say: @escaping @Sendable (String) -> Void) {
        self.settings = settings
        self.say = say
    }

    package func run() async throws -> DrillReport {
        try settings.check()
        var generator = SeededGenerator(seed: settings.seed)
        var report = DrillReport("full")
        let base = URL(filePath: settings.directory).resolvingSymlinksInPath().path
        let name = "baton-drill-disk-\(ProcessInfo.processInfo.processIdentifier)"
        let disk = try SmallDisk(image: "\(base)/\(name).img", directory: "\(base)/\(name)", bytes: Self.diskBytes)
        do {
            while report.rounds < settings.rounds {
                var side = try DrilledSide(
                    settings, drill: "full", generator: generator.branch(), number: report.rounds,
                    dataDirectory: disk.directory + "/data")
                let reported = report.findings.sentences.count
                let begin = ContinuousClock.now
                let before = report.findings.acknowledged
                try await round(&side, disk, report: &report)
                report.endRound(began: begin, acknowledgedBefore: before)
                for sentence in report.findings.sentences.dropFirst(reported) { say(sentence) }
                say(report.sentence)
                side.remove()
                try FileManager.default.removeItem(atPath: disk.directory + "/data")
            }
        } catch {
            // The drill's own fault is the one to tell.
            try? disk.remove()
            throw error
        }
        try disk.remove()
        return report
    }

    private func round(_ side: inout DrilledSide, _ disk: SmallDisk, report: inout DrillReport) async throws {
        var running = try await side.started()
        try await side.fill(Self.waiting, &report)
        let seen = try await fillUnderLoad(&side, disk, running, report: &report)
        report.count("claims served while full", seen.claimed)
        report.count("reservations refused while full", seen.refused)
        if seen.claimed == 0 { report.findings.wrong("no claim was served while the disk was full") }
        if seen.refused == 0 { report.findings.wrong("no reservation was refused while the disk was full") }
        if report.rounds % 2 == 1, let again = try await restartOnFull(running, &side, report: &report) {
            running = again
        }
        try disk.empty()
        try await recover(&side, running, report: &report)
        running.kill()
        try side.forgetJournal()
        if let again = try await side.restarted(&report, after: "a full disk") {
            await side.check(.all, report: &report)
            again.kill()
        }
    }

    /// Load while the disk fills up, until reservations are refused, and for a second and a half from then on.
    private func fillUnderLoad(
        _ side: inout DrilledSide, _ disk: SmallDisk, _ running: SideProcess, report: inout DrillReport
    ) async throws -> (claimed: Int, refused: Int) {
        var seen = (claimed: 0, refused: 0)
        var findings = Findings()
        try await side.load(&report, isPatient: true, halfOnlyClaims: true) { progress in
            try await DrilledSide.wait(for: DrilledSide.leastAcknowledged, progress)
            try disk.fill()
            let begin = ContinuousClock.now
            while progress.refused == 0, ContinuousClock.now - begin < Self.changeTimeout {
                try await Task.sleep(for: .milliseconds(5))
            }
            let before = (progress.claimed, progress.refused)
            try await Task.sleep(for: .milliseconds(1_500))
            seen = (progress.claimed - before.0, progress.refused - before.1)
            if disk.freeBytes > 1 << 20 { findings.wrong("the disk was not full: \(disk.freeBytes) bytes are free") }
            if let ending = running.endedByItself() {
                findings.wrong("the side ended on a full disk, \(ending): \(running.lastWords())")
            }
        }
        report.findings.add(findings)
        return seen
    }

    /// A start on a full disk serves claims, or is refused with a sentence that says so. Nil when it was refused: then
    /// the side is started again when there is space.
    private func restartOnFull(
        _ running: SideProcess, _ side: inout DrilledSide, report: inout DrillReport
    ) async throws -> SideProcess? {
        running.kill()
        try side.forgetJournal()
        switch try await side.start() {
        case .ready(let again, let milliseconds):
            report.recoveryMilliseconds.append(milliseconds)
            report.count("starts on a full disk")
            let claimed = report.findings.acknowledged
            try await side.load(&report, isPatient: true, halfOnlyClaims: true) { _ in
                try await Task.sleep(for: .milliseconds(1_500))
            }
            if report.findings.acknowledged == claimed {
                report.findings.wrong("nothing was served after a start on a full disk: \(again.lastWords())")
            }
            return again
        case .ended(.exit(1), let words) where words.contains("space"):
            report.count("starts refused on a full disk")
        case .ended(let ending, let words):
            report.findings.wrong("a start on a full disk ended, \(ending): \(words)")
        case .silent(let words): report.findings.wrong("a start on a full disk neither serves nor ends: \(words)")
        }
        return nil
    }

    /// Space is back: a reservation must be taken again, by the side that ran on if there is one.
    private func recover(_ side: inout DrilledSide, _ running: SideProcess, report: inout DrillReport) async throws {
        if running.endedByItself() != nil { return }
        let begin = ContinuousClock.now
        var milliseconds: Int?
        try await side.load(&report, isPatient: true, halfOnlyClaims: true) { progress in
            while milliseconds == nil, ContinuousClock.now - begin < Self.changeTimeout {
                let before = (progress.acknowledged - progress.claimed, progress.refused)
                try await Task.sleep(for: .milliseconds(100))
                let took = progress.acknowledged - progress.claimed > before.0
                if took && progress.refused == before.1 {
                    milliseconds = Int((ContinuousClock.now - begin) / .milliseconds(1))
                }
            }
        }
        if let milliseconds {
            report.count("milliseconds until reservations were taken again", milliseconds)
        } else {
            report.findings.wrong("reservations were still refused \(Self.changeTimeout) after space came back")
        }
    }
}
