internal import Foundation

/// One data directory, the side that runs on it from time to time, and all that it acknowledged.
struct DrilledSide {
    /// Holds data directory, journal, configuration and log.
    let home: String
    let settings: DrillSettings
    let setting: SideProcess.Setting
    let port: Int
    var generator: SeededGenerator
    private(set) var tickets: [Ticket] = []
    private var nextTicket = 0
    private var waitingKeys: [String: Int] = [:]

    /// An operation of a round is checked against what was acknowledged; so many there are at least.
    static let leastAcknowledged = 100
    static let loadTimeout = Duration.seconds(20)
    private static let startTimeout = Duration.seconds(20)

    /// `dataDirectory`: where it is when not below the side's own directory. `needsLibrary`: calls are to fail, or power
    /// is to be cut.
    init(
        _ settings: DrillSettings, drill: String, generator: SeededGenerator, number: Int, dataDirectory: String? = nil,
        needsLibrary: Bool = true
    ) throws {
        self.settings = settings
        self.generator = generator
        let name = "baton-drill-\(drill)-\(ProcessInfo.processInfo.processIdentifier)-\(number)"
        home = URL(filePath: settings.directory).resolvingSymlinksInPath().path + "/" + name
        port = try SideProcess.freePort()
        setting = SideProcess.Setting(
            program: settings.program, library: needsLibrary ? settings.library : nil,
            configurationFile: home + "/baton.yaml",
            dataDirectory: dataDirectory ?? home + "/data", journalDirectory: home + "/journal",
            logFile: home + "/side.log", breakage: settings.fault?.libraryWord)
        try FileManager.default.createDirectory(atPath: setting.journalDirectory, withIntermediateDirectories: true)
        try FaultPlan.prepare(in: setting.journalDirectory)
        try Self.write(setting, port: port)
    }

    func remove() {
        // Left over at worst, in a directory for such things.
        try? FileManager.default.removeItem(atPath: home)
    }

    /// No entry falls free within a drill: a number that is given out twice was given out wrongly.
    static func write(_ setting: SideProcess.Setting, port: Int) throws {
        let text = """
            instance: { name: drill, number: 1 }
            dataDirectory: \(setting.dataDirectory)
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
        try Data(text.utf8).write(to: URL(filePath: setting.configurationFile))
    }

    // MARK: Starting

    enum Start {
        case ready(SideProcess, milliseconds: Int)
        case ended(SideProcess.Ending, words: String)
        /// Neither ready nor gone after a long time; it was killed.
        case silent(words: String)
    }

    /// Starts the side on its own data directory, or a copy of it that `setting` names.
    func start(_ setting: SideProcess.Setting? = nil) async throws -> Start {
        let begin = ContinuousClock.now
        let side = try SideProcess(starting: setting ?? self.setting)
        let client = DrillClient(port: port)
        var start: Start?
        while start == nil {
            if await client.isReady() {
                start = .ready(side, milliseconds: Int((ContinuousClock.now - begin) / .milliseconds(1)))
            } else if let ending = side.endedByItself() {
                start = .ended(ending, words: side.lastWords())
            } else if ContinuousClock.now - begin > Self.startTimeout {
                side.kill()
                start = .silent(words: side.lastWords())
            } else {
                try await Task.sleep(for: .milliseconds(3))
            }
        }
        await client.close()
        return start ?? .silent(words: "")
    }

    /// The first start, which has nothing to recover from.
    func started() async throws -> SideProcess {
        switch try await start() {
        case .ready(let side, _): return side
        case .ended(_, let words), .silent(let words): throw DrillFault("the side does not start: \(words)")
        }
    }

    /// A start that must succeed, since nothing was done that could keep a side from serving; nil when it did not.
    func restarted(_ report: inout DrillReport, after what: String) async throws -> SideProcess? {
        switch try await start() {
        case .ready(let side, let milliseconds):
            report.recoveryMilliseconds.append(milliseconds)
            return side
        case .ended(_, let words), .silent(let words):
            report.findings.lost("the side does not come back after \(what): \(words)", count: max(1, tickets.count))
            return nil
        }
    }

    /// Takes back from the killed side's files what a power cut could have taken.
    mutating func cutPower(_ report: inout DrillReport) throws {
        var cut = PowerCut(
            directory: setting.dataDirectory, journal: try PowerCutJournal(directory: setting.journalDirectory),
            generator: generator.branch())
        try cut.strike()
        report.count("power cuts")
        report.count("unsynced sectors", cut.tally.sectorsUnsynced)
        report.count("of them taken back", cut.tally.sectorsTakenBack)
        report.count("names taken back", cut.tally.namesTakenBack)
    }

    /// What happened until now is no longer to be taken back.
    func forgetJournal() throws {
        for name in try FileManager.default.contentsOfDirectory(atPath: setting.journalDirectory) {
            try FileManager.default.removeItem(atPath: setting.journalDirectory + "/" + name)
        }
        try FaultPlan.prepare(in: setting.journalDirectory)
    }

    // MARK: Load

    /// Puts load on the side until `body` has returned. It gets the counts, and may kill the side.
    mutating func load(
        _ report: inout DrillReport, isPatient: Bool = false, halfOnlyClaims: Bool = false,
        until body: (LoadProgress) async throws -> Void
    ) async throws {
        let progress = LoadProgress(firstTicket: nextTicket)
        var workers = workers { $0.isPatient = isPatient }
        if halfOnlyClaims { for index in workers.indices where index % 2 == 0 { workers[index].onlyClaims = true } }
        let loaded = try await withThrowingTaskGroup(of: Worker.self) { group in
            for worker in workers {
                group.addTask {
                    var worker = worker
                    await worker.load(progress)
                    return worker
                }
            }
            defer { progress.end() }
            try await body(progress)
            progress.end()
            var loaded: [Worker] = []
            for try await worker in group { loaded.append(worker) }
            return loaded
        }
        nextTicket = progress.ticketsDrawn
        gather(loaded, into: &report)
    }

    /// Until so many operations are acknowledged, or a long time has passed.
    static func wait(for wanted: Int, _ progress: LoadProgress) async throws {
        let begin = ContinuousClock.now
        while progress.acknowledged < wanted && ContinuousClock.now - begin < loadTimeout {
            try await Task.sleep(for: .milliseconds(1))
        }
    }

    /// Brings that many waiting contexts into the side.
    mutating func fill(_ count: Int, _ report: inout DrillReport) async throws {
        guard count > 0 else { return }
        let progress = LoadProgress(firstTicket: nextTicket)
        let last = nextTicket + count
        let filled = await Self.each(workers { $0.tickets = [] }) { await $0.fill(progress, lastTicket: last) }
        nextTicket = progress.ticketsDrawn
        let before = tickets
        gather(filled, into: &report)
        tickets = before + tickets
        guard tickets.count(where: \.isWaiting) >= count else {
            throw DrillFault("the side could not be filled with \(count) waiting contexts")
        }
    }

    // MARK: Checks

    /// How thoroughly a check looks.
    enum Thoroughness {
        /// Between rounds: leaves most of what waits for the next one, and about so many when it is filled.
        case round
        /// Claims everything.
        case all
        /// Claims everything, once each: of a copy that is thrown away.
        case once
    }

    mutating func check(_ thoroughness: Thoroughness, report: inout DrillReport) async {
        let waiting = tickets.count { $0.isWaiting }
        report.waitingMost = max(report.waitingMost, waiting)
        let surplus = max(0, waiting - settings.waiting)
        let isFilled = settings.waiting > 0
        let workers = workers {
            $0.asksForeign = thoroughness != .once
            // A round is to be short, however many wait.
            $0.repeatPercent = min(25, waiting == 0 ? 25 : 20_000 / waiting)
            $0.claimPercent = !isFilled ? 50 : min(50, surplus * 100 / max(1, waiting) + 1)
        }
        let claimsAll = thoroughness != .round
        gather(await Self.each(workers) { await $0.check(claimsAll: claimsAll) }, into: &report)
        // What is settled is looked at again in some later round, but not in all.
        let keeps = tickets.map { $0.isWaiting || Int.random(in: 0..<5, using: &generator) == 0 }
        tickets = zip(tickets, keeps).filter(\.1).map(\.0)
    }

    private static func each(
        _ workers: [Worker], _ body: @escaping @Sendable (inout Worker) async -> Void
    ) async -> [Worker] {
        await withTaskGroup(of: Worker.self) { group in
            for worker in workers {
                group.addTask {
                    var worker = worker
                    await body(&worker)
                    return worker
                }
            }
            return await group.reduce(into: []) { $0.append($1) }
        }
    }

    private mutating func workers(_ adjust: (inout Worker) -> Void) -> [Worker] {
        var workers: [Worker] = []
        for index in 0..<settings.connections {
            let share = stride(from: index, to: tickets.count, by: settings.connections).map { tickets[$0] }
            var worker = Worker(
                run: "drill", seed: settings.seed, port: port, generator: generator.branch(), tickets: share)
            adjust(&worker)
            workers.append(worker)
        }
        return workers
    }

    private mutating func gather(_ workers: [Worker], into report: inout DrillReport) {
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
