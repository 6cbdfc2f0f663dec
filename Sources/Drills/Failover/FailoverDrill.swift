internal import Foundation

/// Drives load through both sides of a pair and harms side, witness and network; checks every acknowledgement at either
/// side, and measures how long nobody answers.
package struct FailoverDrill: Sendable {
    package struct Settings: Sendable {
        package var rounds: Int
        package var seed: UInt64
        package var program: String
        package var directory: String
        package var workers = 6
        /// Rounds with one pair, that it may carry waiting contexts from before.
        package var roundsWithOnePair = 20

        package init(rounds: Int, seed: UInt64, program: String, directory: String) {
            self.rounds = rounds
            self.seed = seed
            self.program = program
            self.directory = directory
        }
    }

    /// What is done to a pair in a round.
    enum Fault: String, CaseIterable, Sendable {
        case killOrdering = "process killed, ordering side"
        case killFollowing = "process killed, other side"
        case stopOrdering = "stopped, ordering side"
        case stopFollowing = "stopped, other side"
        case restartFollowing = "restarted, other side"
        case killWitness = "witness killed"
        case formatFollowing = "formatted, other side"
        /// The other side and the witness at once: nobody may serve alone before the witness is back.
        case witnessThenKill = "witness killed, then a side"

        var isSeveral: Bool { self == .witnessThenKill }
    }

    private let settings: Settings
    private let say: @Sendable (String) -> Void

    package init(_ settings: Settings, say: @escaping @Sendable (String) -> Void) {
        self.settings = settings
        self.say = say
    }

    package func run() async throws -> FailoverReport {
        var generator = SeededGenerator(seed: settings.seed)
        var report = FailoverReport()
        while report.rounds < settings.rounds {
            let pair = try DrilledPair(
                program: settings.program, directory: settings.directory, number: report.rounds)
            let rounds = min(settings.roundsWithOnePair, settings.rounds - report.rounds)
            do {
                for member in [DrilledPair.Member.witness, .a, .b] { try await pair.start(member) }
                try await drill(pair, rounds: rounds, &generator, &report)
            } catch {
                await pair.stopAll()
                say("the directory is kept: \(pair.home)")
                throw error
            }
            await pair.stopAll()
            if report.isClean { pair.remove() } else { say("the directory is kept: \(pair.home)") }
        }
        return report
    }

    // MARK: Rounds

    private func drill(
        _ pair: DrilledPair, rounds: Int, _ generator: inout SeededGenerator, _ report: inout FailoverReport
    ) async throws {
        let ports = [pair.port(.a), pair.port(.b)]
        var workers = (0..<settings.workers).map { number in
            PairWorker(
                run: "w\(number)", seed: settings.seed,
                sides: ports.map { DrillClient(port: $0, timeoutMilliseconds: 1200) }, generator: generator.branch())
        }
        var next = 0
        for _ in 0..<rounds {
            let began = ContinuousClock.now
            try await pair.waitUntilPaired(within: .seconds(15))
            let fault = Fault.allCases.randomElement(using: &generator) ?? .killOrdering
            let progress = LoadProgress(firstTicket: next)
            let watch = ServingWatch(ports: ports)
            async let loaded = Self.load(workers, progress)
            async let watched = watch.run(until: progress)
            try await Task.sleep(for: .milliseconds(Int.random(in: 100...300, using: &generator)))
            let (ordering, outage) = try await strike(fault, pair)
            try await Task.sleep(for: .milliseconds(Int.random(in: 100...300, using: &generator)))
            try await mend(fault, pair, ordering)
            progress.end()
            workers = await loaded
            report.twoServed += await watched
            next = progress.ticketsDrawn
            try await pair.waitUntilPaired(within: .seconds(15))
            workers = await Self.check(workers)
            report.rounds += 1
            if fault.isSeveral {
                report.roundsWithSeveral += 1
                report.outagesOfSeveral.append(outage)
            } else {
                report.outages[fault.rawValue, default: []].append(outage)
            }
            gather(&workers, into: &report)
            let took = Int((ContinuousClock.now - began) / .milliseconds(1))
            report.roundMillisecondsMax = max(report.roundMillisecondsMax, took)
            if report.rounds % 10 == 0 { say("\(report.rounds) rounds, \(report.findings.acknowledged) acknowledged") }
        }
    }

    private static func load(_ workers: [PairWorker], _ progress: LoadProgress) async -> [PairWorker] {
        await each(workers) { worker in await worker.load(progress) }
    }

    private static func check(_ workers: [PairWorker]) async -> [PairWorker] {
        await each(workers) { worker in await worker.check() }
    }

    private static func each(
        _ workers: [PairWorker], _ body: @escaping @Sendable (inout PairWorker) async -> Void
    ) async -> [PairWorker] {
        await withTaskGroup(of: (Int, PairWorker).self) { group in
            for (index, worker) in workers.enumerated() {
                group.addTask {
                    var worker = worker
                    await body(&worker)
                    return (index, worker)
                }
            }
            return await group.reduce(into: []) { $0.append($1) }.sorted { $0.0 < $1.0 }.map(\.1)
        }
    }

    private func gather(_ workers: inout [PairWorker], into report: inout FailoverReport) {
        for index in workers.indices {
            let before = report.findings.sentences.count
            report.findings.add(workers[index].findings)
            for sentence in report.findings.sentences.dropFirst(before) { say(sentence) }
            workers[index].findings = Findings()
        }
        var owner: [String: String] = [:]
        for worker in workers {
            for ticket in worker.tickets {
                guard let dnis = ticket.reservation?.dnis else { continue }
                let name = "\(worker.run)-\(ticket.number)"
                if let other = owner.updateValue(name, forKey: dnis), other != name {
                    report.findings.doubled("\(dnis) was given to \(other) and \(name)")
                }
            }
        }
    }

    // MARK: Harm

    /// Does it, and returns the milliseconds until either side acknowledged a request that was sent after it.
    private func strike(
        _ fault: Fault, _ pair: DrilledPair
    ) async throws -> (ordering: DrilledPair.Member, outage: Int) {
        let ordering = await pair.orderingSide()
        switch fault {
        case .killOrdering: await pair.kill(ordering)
        case .killFollowing, .restartFollowing, .formatFollowing: await pair.kill(ordering.other)
        case .stopOrdering: await pair.pause(ordering)
        case .stopFollowing: await pair.pause(ordering.other)
        case .killWitness: await pair.kill(.witness)
        case .witnessThenKill:
            await pair.kill(.witness)
            await pair.kill(ordering)
        }
        if fault == .restartFollowing { try await pair.start(ordering.other) }
        if fault == .witnessThenKill {
            try await Task.sleep(for: .milliseconds(300))
            try await pair.start(.witness)
        }
        return (ordering, await OutageProbe(ports: [pair.port(.a), pair.port(.b)]).firstAnswer())
    }

    private func mend(_ fault: Fault, _ pair: DrilledPair, _ ordering: DrilledPair.Member) async throws {
        switch fault {
        case .killOrdering, .witnessThenKill: try await pair.start(ordering)
        case .killFollowing: try await pair.start(ordering.other)
        case .formatFollowing:
            try pair.format(ordering.other)
            try await pair.start(ordering.other)
        case .stopOrdering: await pair.resume(ordering)
        case .stopFollowing: await pair.resume(ordering.other)
        case .restartFollowing: break
        case .killWitness: try await pair.start(.witness)
        }
    }
}
