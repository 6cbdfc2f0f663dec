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
        package var fault: FailoverFault?
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
        case killOrdering = "killed, ordering side"
        case killFollowing = "killed, other side"
        case stopOrdering = "stopped, ordering side"
        case stopFollowing = "stopped, other side"
        case cutLink = "private link cut"
        case cutOffOrdering = "cut off, ordering side"
        case cutOffFollowing = "cut off, other side"
        case restartFollowing = "restarted, other side"
        case killWitness = "witness killed"
        case formatFollowing = "formatted, other side"
        case switchSides = "planned switch"
        /// The ordering side and the witness at once: nobody may serve alone before the witness is back.
        case witnessThenKill = "witness killed, then a side"
        case killBoth = "both sides killed"
        case cutLinkThenKill = "private link cut, then the side that serves killed"

        /// What the outage is to be judged by.
        var kind: FailoverReport.Kind {
            switch self {
            case .killOrdering, .killFollowing, .formatFollowing, .restartFollowing: .death
            case .stopOrdering, .stopFollowing, .cutLink, .cutOffOrdering, .cutOffFollowing: .silence
            case .killWitness: .witness
            case .switchSides: .plannedSwitch
            case .witnessThenKill, .killBoth, .cutLinkThenKill: .several
            }
        }
    }

    private let settings: Settings
    /// Still to come before the order is drawn anew.
    private var faults: [Fault] = []
    private let say: @Sendable (String) -> Void

    package init(_ settings: Settings, say: @escaping @Sendable (String) -> Void) {
        self.settings = settings
        self.say = say
    }

    package mutating func run() async throws -> FailoverReport {
        var generator = SeededGenerator(seed: settings.seed)
        var report = FailoverReport()
        while report.rounds < settings.rounds {
            let pair = try await DrilledPair(
                program: settings.program, directory: settings.directory, number: report.rounds)
            let rounds = min(settings.roundsWithOnePair, settings.rounds - report.rounds)
            do {
                try await pair.startWhatIsDown()
                try await drill(pair, rounds: rounds, &generator, &report)
            } catch {
                await pair.stopAll()
                say("the directory is kept: \(pair.home)")
                if report.isClean { throw error }
                // What was found before is the answer.
                say("\(error)")
                return report
            }
            await pair.stopAll()
            if report.isClean { pair.remove() } else { say("the directory is kept: \(pair.home)") }
        }
        return report
    }

    // MARK: Rounds

    private mutating func drill(
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
            let fault = nextFault(&generator)
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
            if outage >= OutageProbe.limitMilliseconds {
                say("round \(report.rounds), \(fault.rawValue): nobody acknowledged anything for \(outage) ms")
            }
            let unanswered = workers.reduce(0) { $0 + $1.unanswered }
            workers = await Self.check(workers)
            report.add(
                FailoverReport.Round(
                    fault: fault.rawValue, kind: fault.kind, outageMilliseconds: outage, unanswered: unanswered,
                    milliseconds: Int((ContinuousClock.now - began) / .milliseconds(1))))
            gather(&workers, into: &report)
            if report.rounds % 10 == 0 { say("\(report.rounds) rounds, \(report.findings.acknowledged) acknowledged") }
        }
    }

    /// Each in its turn, in an order drawn anew, so that a short drill has one of each. A known fault is found by some.
    private mutating func nextFault(_ generator: inout SeededGenerator) -> Fault {
        switch settings.fault {
        case .forgottenPromise: return .killOrdering
        case .acknowledgeBeforeSync: return .killBoth
        case nil: break
        }
        if faults.isEmpty { faults = Fault.allCases.shuffled(using: &generator) }
        return faults.removeLast()
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
        let probe = OutageProbe(ports: [pair.port(.a), pair.port(.b)])
        switch fault {
        case .killOrdering:
            if settings.fault == .forgottenPromise { return (ordering, try await forgetPromise(ordering, pair)) }
            await pair.kill(ordering)
        case .killFollowing, .formatFollowing: await pair.kill(ordering.other)
        case .restartFollowing:
            await pair.kill(ordering.other)
            try await pair.start(ordering.other)
        case .stopOrdering: await pair.pause(ordering)
        case .stopFollowing: await pair.pause(ordering.other)
        case .cutLink: await pair.cutLink()
        case .cutOffOrdering: await pair.cutOff(ordering)
        case .cutOffFollowing: await pair.cutOff(ordering.other)
        case .killWitness: await pair.kill(.witness)
        case .switchSides:
            async let outage = probe.firstAnswer()
            try await pair.switchSides(from: ordering)
            return (ordering, await outage)
        case .witnessThenKill:
            await pair.kill(.witness)
            await pair.kill(ordering)
            try await Task.sleep(for: .milliseconds(300))
            try await pair.start(.witness)
        case .killBoth: try await killBoth(pair)
        case .cutLinkThenKill:
            await pair.cutLink()
            _ = await probe.firstAnswer()
            await pair.kill(await pair.orderingSide())
            await pair.mendCables()
            try await pair.startWhatIsDown()
        }
        return (ordering, await probe.firstAnswer())
    }

    /// The side comes back with the promise of a time when it was alone, though the other is alone now.
    private func forgetPromise(_ side: DrilledPair.Member, _ pair: DrilledPair) async throws -> Int {
        let probe = OutageProbe(ports: [pair.port(.a), pair.port(.b)])
        await pair.kill(side.other)
        _ = await probe.firstAnswer()
        let superblocks = try pair.superblocks(of: side)
        try await pair.start(side.other)
        try await pair.waitUntilPaired(within: .seconds(15))
        await pair.kill(side)
        let outage = await probe.firstAnswer()
        await pair.cutLink()
        try pair.put(superblocks, into: side)
        try await pair.start(side)
        try await Task.sleep(for: .milliseconds(1500))
        return outage
    }

    private func killBoth(_ pair: DrilledPair) async throws {
        for side in DrilledPair.Member.sides { await pair.kill(side) }
        if settings.fault == .acknowledgeBeforeSync {
            for side in DrilledPair.Member.sides { try pair.loseTail(side) }
        }
        try await pair.startWhatIsDown()
    }

    private func mend(_ fault: Fault, _ pair: DrilledPair, _ ordering: DrilledPair.Member) async throws {
        switch fault {
        case .stopOrdering: await pair.resume(ordering)
        case .stopFollowing: await pair.resume(ordering.other)
        case .formatFollowing: try pair.format(ordering.other)
        default: break
        }
        await pair.mendCables()
        try await pair.startWhatIsDown()
    }
}
