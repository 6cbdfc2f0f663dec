internal import Foundation

/// One data directory and the rounds that it lives through.
struct DrilledSide {
    /// Holds data directory, journal, configuration and log.
    let home: String
    private let settings: CrashDrill.Settings
    private let process: SideProcess.Setting
    private let port: Int
    private var generator: SeededGenerator
    private var tickets: [Ticket] = []
    private var nextTicket = 0
    private var waitingKeys: [String: Int] = [:]

    /// An operation of a round is checked against what was acknowledged; so many there are at least.
    private static let leastAcknowledged = 100
    private static let startTimeout = Duration.seconds(20)
    private static let loadTimeout = Duration.seconds(20)

    init(_ settings: CrashDrill.Settings, generator: SeededGenerator, number: Int) throws {
        self.settings = settings
        self.generator = generator
        let name = "baton-drill-\(ProcessInfo.processInfo.processIdentifier)-\(number)"
        home = URL(filePath: settings.directory).resolvingSymlinksInPath().path + "/" + name
        port = try SideProcess.freePort()
        process = SideProcess.Setting(
            program: settings.program, library: settings.library, configurationFile: home + "/baton.yaml",
            dataDirectory: home + "/data", journalDirectory: home + "/journal", logFile: home + "/side.log",
            breakage: settings.breakage?.rawValue)
        try FileManager.default.createDirectory(atPath: process.journalDirectory, withIntermediateDirectories: true)
        try Data(configuration.utf8).write(to: URL(filePath: process.configurationFile))
    }

    func remove() {
        // Left over at worst, in a directory for such things.
        try? FileManager.default.removeItem(atPath: home)
    }

    /// No entry falls free within a drill: a number that is given out twice was given out wrongly.
    private var configuration: String {
        """
        instance: { name: drill, number: 1 }
        dataDirectory: \(process.dataDirectory)
        http: { host: 127.0.0.1, port: \(port) }
        ecc:
          variables:
            - { name: user.drill, maximumLength: 210 }
        peripherals:
          - { name: drill-acd, defaultRoute: "5000", trunkGroups: [inbound] }
        routingClients:
          - { name: voice-bot, type: NIC, defaultLabel: "5001", labels: ["3055XXXXXX"] }
        translationRoutes:
          - name: drill
            peripheral: drill-acd
            entries:
              - { trunkGroup: inbound, dnis: 600000-659999 }
            labels: { voice-bot: "3055{dnis}" }
            leaseSeconds: 3600
            repeatSeconds: 3600
            quarantineSeconds: 3600

        """
    }

    // MARK: Rounds

    mutating func drill(rounds: Int, report: inout CrashReport, say: (String) -> Void) async throws {
        let reported = report.findings.sentences.count
        var side = try await started(&report)
        for round in 0..<rounds {
            guard let running = side else { break }
            let begin = ContinuousClock.now
            let before = report.findings.acknowledged
            let cutsPower = report.rounds % 2 == 0
            side = try await crash(running, cutsPower: cutsPower, report: &report)
            // Every fourth round crashes again before anybody has looked; in half of them without power.
            if report.rounds % 8 >= 6, let again = side {
                side = try await crash(again, cutsPower: cutsPower, report: &report)
            }
            report.rounds += 1
            if side != nil { await check(claimsAll: round == rounds - 1, report: &report) }
            let elapsed = Int((ContinuousClock.now - begin) / .milliseconds(1))
            report.roundMillisecondsMax = max(report.roundMillisecondsMax, elapsed)
            report.acknowledgedLeast = min(report.acknowledgedLeast, report.findings.acknowledged - before)
            if report.rounds % 20 == 0 { say(report.sentence) }
        }
        side?.kill()
        for sentence in report.findings.sentences.dropFirst(reported) { say(sentence) }
    }

    /// Load, kill, and a new start; nil when the side does not come back.
    private mutating func crash(
        _ side: SideProcess, cutsPower: Bool, report: inout CrashReport
    ) async throws -> SideProcess? {
        try await loadUntilKilled(side, report: &report)
        report.crashes += 1
        if cutsPower {
            var cut = PowerCut(
                directory: process.dataDirectory, journal: try PowerCutJournal(directory: process.journalDirectory),
                generator: generator.branch())
            try cut.strike()
            report.powerCuts += 1
            report.sectorsUnsynced += cut.tally.sectorsUnsynced
            report.sectorsTakenBack += cut.tally.sectorsTakenBack
            report.namesTakenBack += cut.tally.namesTakenBack
        }
        for name in try FileManager.default.contentsOfDirectory(atPath: process.journalDirectory) {
            try FileManager.default.removeItem(atPath: process.journalDirectory + "/" + name)
        }
        return try await started(&report)
    }

    private mutating func started(_ report: inout CrashReport) async throws -> SideProcess? {
        let begin = ContinuousClock.now
        let side = try SideProcess(starting: process)
        let client = DrillClient(port: port)
        while await !client.isReady() {
            let late = ContinuousClock.now - begin > Self.startTimeout
            if let words = side.lastWordsIfEnded() ?? (late ? side.lastWords() : nil) {
                await client.close()
                side.kill()
                if report.crashes == 0 { throw DrillFault("the side does not start: \(words)") }
                report.findings.lost("the side does not come back after its crash: \(words)", count: tickets.count)
                return nil
            }
            try await Task.sleep(for: .milliseconds(3))
        }
        await client.close()
        report.recoveryMilliseconds.append(Int((ContinuousClock.now - begin) / .milliseconds(1)))
        return side
    }

    private mutating func loadUntilKilled(_ side: SideProcess, report: inout CrashReport) async throws {
        let progress = LoadProgress(firstTicket: nextTicket)
        let wanted = Self.leastAcknowledged + Int.random(in: 0...300, using: &generator)
        let lastMicroseconds = Int.random(in: 0...20_000, using: &generator)
        let workers = workers(tickets)
        let loaded = try await withThrowingTaskGroup(of: Worker.self) { group in
            for worker in workers {
                group.addTask {
                    var worker = worker
                    await worker.load(progress)
                    return worker
                }
            }
            let begin = ContinuousClock.now
            while progress.acknowledged < wanted && ContinuousClock.now - begin < Self.loadTimeout {
                try await Task.sleep(for: .milliseconds(1))
            }
            try await Task.sleep(for: .microseconds(lastMicroseconds))
            side.kill()
            progress.end()
            var loaded: [Worker] = []
            for try await worker in group { loaded.append(worker) }
            return loaded
        }
        nextTicket = progress.ticketsDrawn
        gather(loaded, into: &report)
        if progress.acknowledged < Self.leastAcknowledged && report.findings.areClean {
            throw DrillFault("the side acknowledged only \(progress.acknowledged) operations: \(side.lastWords())")
        }
    }

    private mutating func check(claimsAll: Bool, report: inout CrashReport) async {
        let waiting = tickets.count { $0.isWaiting }
        report.waitingMost = max(report.waitingMost, waiting)
        let workers = workers(tickets)
        let checked = await withTaskGroup(of: Worker.self) { group in
            for worker in workers {
                group.addTask {
                    var worker = worker
                    await worker.check(claimsAll: claimsAll)
                    return worker
                }
            }
            return await group.reduce(into: []) { $0.append($1) }
        }
        gather(checked, into: &report)
        // What is settled is looked at again in some later round, but not in all: a round is to be short.
        tickets = tickets.filter { $0.isWaiting || Int.random(in: 0..<5, using: &generator) == 0 }
    }

    private mutating func workers(_ tickets: [Ticket]) -> [Worker] {
        (0..<settings.connections).map { index in
            Worker(
                run: "drill", seed: settings.seed, port: port, generator: generator.branch(),
                tickets: stride(from: index, to: tickets.count, by: settings.connections).map { tickets[$0] })
        }
    }

    private mutating func gather(_ workers: [Worker], into report: inout CrashReport) {
        tickets = []
        for worker in workers {
            tickets += worker.tickets
            report.findings.add(worker.findings)
        }
        tickets.sort { $0.number < $1.number }
        for ticket in tickets {
            guard let reservation = ticket.reservation else { continue }
            if let other = waitingKeys.updateValue(ticket.number, forKey: reservation.dnis), other != ticket.number {
                report.findings.doubled("\(reservation.dnis) was given to reservations \(other) and \(ticket.number)")
            }
        }
    }
}
