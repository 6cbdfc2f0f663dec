internal import ContextStore
internal import Foundation
internal import Ledger
internal import WriteAheadLog

/// Damages a file of a side that was killed after a second of quiet, restarts it on the damaged copy, and looks whether
/// it serves: every damage that matters must be refused with a sentence that names the file, or repaired; no answer
/// may be wrong, and no damage may kill the side.
package struct RotDrill: Sendable {
    package enum Files: String, CaseIterable, Sendable {
        case segment
        case superblock
        case store
        case snapshot
    }

    private let settings: DrillSettings
    /// Which files are damaged, in turn.
    private let files: [Files]
    private let say: @Sendable (String) -> Void
    /// Damages done to copies of one side: a second of quiet for each of them would be most of the drill. So many times
    /// 100 operations it acknowledges at least.
    private static let roundsWithOneSide = 16

    package init(_ settings: DrillSettings, files: [Files], say: @escaping @Sendable (String) -> Void) {
        self.settings = settings
        self.files = files.isEmpty ? Files.allCases : files
        self.say = say
    }

    package func run() async throws -> DrillReport {
        try settings.check()
        var generator = SeededGenerator(seed: settings.seed)
        var report = DrillReport("rot")
        while report.rounds < settings.rounds {
            let rounds = min(Self.roundsWithOneSide, settings.rounds - report.rounds)
            var side = try DrilledSide(
                settings, drill: "rot", generator: generator.branch(), number: report.rounds,
                needsLibrary: false)
            let (reported, before) = (report.findings.sentences.count, report.findings.acknowledged)
            try await live(&side, rounds: rounds, report: &report)
            let extents = try LogExtents(LogFiles(directory: side.setting.dataDirectory + "/log"))
            let each = (report.findings.acknowledged - before) / rounds
            for _ in 0..<rounds {
                let begin = ContinuousClock.now
                try await round(&side, extents, report: &report)
                report.endRound(began: begin, acknowledgedBefore: report.findings.acknowledged - each)
                if report.rounds % 100 == 0 { say(report.sentence) }
            }
            for sentence in report.findings.sentences.dropFirst(reported) { say(sentence) }
            side.remove()
        }
        return report
    }

    /// Three runs with load: two that end as an operator ends them, each with a snapshot afterwards, and one that is
    /// killed after a second of quiet.
    private func live(_ side: inout DrilledSide, rounds: Int, report: inout DrillReport) async throws {
        let wanted = rounds * DrilledSide.leastAcknowledged / 3 + DrilledSide.leastAcknowledged
        for run in 0..<3 {
            try side.forgetJournal()
            let running = try await side.started()
            try await side.load(&report) { try await DrilledSide.wait(for: wanted, $0) }
            if run < 2 {
                running.stop()
                try snapshot(side.setting.dataDirectory)
            } else {
                try await Task.sleep(for: .seconds(1))
                running.kill()
            }
        }
    }

    private func snapshot(_ dataDirectory: String) throws {
        let process = Process()
        process.executableURL = URL(filePath: settings.program)
        process.arguments = ["store", "snapshot", "--data", dataDirectory]
        process.standardOutput = FileHandle.nullDevice
        process.standardError = FileHandle.nullDevice
        try process.run()
        process.waitUntilExit()
        guard process.terminationStatus == 0 else {
            throw DrillFault("there is no snapshot of \(dataDirectory): exit code \(process.terminationStatus)")
        }
    }

    // MARK: One round

    private func round(
        _ side: inout DrilledSide, _ extents: LogExtents, report: inout DrillReport
    ) async throws {
        var setting = side.setting
        setting.dataDirectory = side.home + "/copy"
        setting.configurationFile = side.home + "/copy.yaml"
        setting.logFile = side.home + "/copy.log"
        try SideCopy.make(of: side.setting.dataDirectory, at: setting.dataDirectory)
        try DrilledSide.write(setting, port: side.port)
        try side.forgetJournal()
        let kind = files[report.rounds % files.count]
        // What a program makes of a damage it does not look for is the damage itself.
        let damages =
            settings.fault == .skipChecksum
            ? [] : try harm(kind, setting.dataDirectory, extents, &side.generator)
        let mustBeFound =
            switch kind {
            case .segment: damages.contains { extents.matter($0) }
            case .superblock, .snapshot: true
            case .store: false
            }
        report.count("\(kind) damaged")
        if mustBeFound { report.count("\(kind) damaged where it matters") }
        try breakRecovery(setting.dataDirectory)
        let what = damages.isEmpty ? "changed contexts" : damages.map(\.description).joined(separator: ", ")
        switch try await side.start(setting) {
        case .ended(.signal(let signal), let words):
            report.findings.wrong("\(what) killed the side, signal \(signal): \(words)")
        case .ended(.exit(let code), let words):
            if code == 1 && names(damages, in: words) {
                report.count("\(kind) refused")
            } else {
                report.findings.wrong("\(what): the side ended with code \(code) and does not name it: \(words)")
            }
        case .silent(let words): report.findings.wrong("\(what): the side neither starts nor ends: \(words)")
        case .ready(let running, let milliseconds):
            report.recoveryMilliseconds.append(milliseconds)
            func finds(_ words: String) -> Bool {
                names(damages, in: words) || (kind == .store && words.contains("moved aside"))
            }
            var wasFound = finds(running.lastWords(1 << 16))
            // What serving does not need is looked at beside it.
            for _ in 0..<20 where mustBeFound && !wasFound {
                try await Task.sleep(for: .milliseconds(50))
                wasFound = finds(running.lastWords(1 << 16))
            }
            report.count("\(kind) \(wasFound ? "repaired" : "without effect")")
            if mustBeFound && !wasFound { report.findings.wrong("\(what) was not found") }
            // The copy's calls are thrown away with it.
            var copy = side
            let found = report.findings
            await copy.check(.once, report: &report)
            if report.findings.sentences.count > found.sentences.count { say("after \(what):") }
            running.kill()
        }
        side.generator = side.generator.branch()
    }

    /// Every damaged file, by its name.
    private func names(_ damages: [Damage], in words: String) -> Bool {
        damages.allSatisfy { words.contains(($0.file as NSString).lastPathComponent) }
            || damages.contains { $0.file.hasSuffix("data.mdb") } && words.contains("/store")
    }

    // MARK: Damage

    private func harm(
        _ kind: Files, _ dataDirectory: String, _ extents: LogExtents, _ generator: inout SeededGenerator
    ) throws -> [Damage] {
        let log = LogFiles(directory: dataDirectory + "/log")
        switch kind {
        case .segment:
            let segments = try log.segments()
            guard let newest = segments.last else { throw DrillFault("\(log.directory) has no segments") }
            let chosen = Bool.random(using: &generator) ? newest : segments.randomElement(using: &generator) ?? newest
            let path = log.path(chosen.file)
            let end = min(chosen.limit, try LogFiles.endOfBytes(path))
            // Most of a log of small batches is padding, whose damage has no effect.
            let aims = settings.fault != nil || Int.random(in: 0..<4, using: &generator) > 0
            let region = aims ? extents.random(in: path, using: &generator) : nil
            return [try someHarm(path, region ?? 0..<end, &generator)]
        case .superblock:
            let both = Int.random(in: 0..<3, using: &generator) == 0
            let paths = SuperblockStore<PosixDisk>.files.map(log.path)
            let chosen = both ? paths : [paths[Int.random(in: 0...1, using: &generator)]]
            return try chosen.filter { FileManager.default.fileExists(atPath: $0) }
                .map { try someHarm($0, 0..<LogFormat.blockBytes, &generator) }
        case .store:
            let path = dataDirectory + "/store/data.mdb"
            return [try someHarm(path, 0..<(try size(path)), &generator)]
        case .snapshot:
            guard let path = try Snapshots.list(in: dataDirectory + "/snapshots").first else {
                throw DrillFault("\(dataDirectory) has no snapshot")
            }
            // It is read only when there is no sound store.
            try FileManager.default.removeItem(atPath: dataDirectory + "/store")
            return [try someHarm(path, 0..<(try size(path)), &generator)]
        }
    }

    private func size(_ path: String) throws -> Int {
        try FileManager.default.attributesOfItem(atPath: path)[.size] as? Int ?? 0
    }

    private func someHarm(_ path: String, _ region: Range<Int>, _ generator: inout SeededGenerator) throws -> Damage {
        // Known faults are shown by damage that stays where it was done.
        let kinds: [Damage.Kind] = settings.fault == nil ? Damage.Kind.allCases : [.bitFlips, .zeroedBlock]
        for _ in 0..<10_000 {
            let kind = kinds.randomElement(using: &generator) ?? .bitFlips
            if let damage = try Damage.harm(path, within: region, kind, using: &generator) { return damage }
        }
        throw DrillFault("\(path) holds nothing that can be damaged")
    }

    // MARK: Known faults

    private func breakRecovery(_ dataDirectory: String) throws {
        switch settings.fault {
        case .truncateAtFirstBad: try LogFiles(directory: dataDirectory + "/log").endAtFirstBad()
        case .skipChecksum: try changeContexts(dataDirectory + "/store")
        case .acknowledgeBeforeSync, .retryFsync, .forgetPredecessorEnd, nil: break
        }
    }

    /// What a program reads that does not look at the checksum of a value: one letter of each stored context is
    /// another, and the store finds it right.
    private func changeContexts(_ path: String) throws {
        let (changes, state, identity) = try changedContexts(path)
        let store = try ContextStore.open(path: path, identity: identity)
        store.start(onDurable: { _ in }, onFailure: { _ in })
        defer { store.close() }
        store.take(AppliedBatch(changes: changes, state: state))
        try store.flush()
    }

    private func changedContexts(_ path: String) throws -> ([Change], StoreState, StoreIdentity) {
        let reader = try StoreReader.open(path: path)
        var changes: [Change] = []
        try reader.forEachRow(.contexts) { (key, value) throws(Never) in
            var value = value
            guard let letter = value.lastIndex(where: { (97...121).contains($0) }) else { return }
            value[letter] += 1
            changes.append(Change(table: .contexts, key: key, value: value))
        }
        return (changes, try reader.state(), reader.identity)
    }
}
