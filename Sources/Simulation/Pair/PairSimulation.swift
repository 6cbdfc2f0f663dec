internal import CallModel
package import Duplex
internal import Ledger
internal import ReplicatedLedger
internal import WriteAheadLog

/// One seed's run, and what it came to.
package struct PairRun: Sendable {
    package let seed: UInt64
    package var violations: [String] = []
    package var trace: [String] = []
    package var faults: [PairFault: Int] = [:]
    package var simulatedMilliseconds: UInt64 = 0
    package var answers = 0
    package var reads = 0
    package var records = 0
    package var swaps: UInt64 = 0
    /// From the end of all faults to the first answer.
    package var recoveryMilliseconds: UInt64 = 0

    package init(seed: UInt64) { self.seed = seed }
}

/// A pair, clients of both sides and random faults, by seed; then the faults end, and everything is compared.
package final class PairSimulation<Rules: PairRules> {
    private let seed: UInt64
    private let pair: SimulatedPair<Rules>
    private let clients: SimulatedClients<Rules>
    private let faults: PairFaults<Rules>
    private var generator: SeededGenerator
    private var committed = CommittedPositions()
    private var promises: [Side: (incarnation: UInt64, epoch: UInt64)] = [:]
    private var run: PairRun

    /// An answer must come so soon after the faults have ended.
    private static var mostRecoveryMilliseconds: UInt64 { 10_000 }

    /// `prepare`: what is to be wrong with both machines.
    package init(
        seed: UInt64, faults kinds: [PairFault] = PairFault.allCases,
        prepare: (SimulatedMachine<Rules>) -> Void = { _ in }
    ) {
        self.seed = seed
        run = PairRun(seed: seed)
        generator = SeededGenerator(seed: seed &* 1_000_003)
        pair = SimulatedPair(seed: seed, segmentBytes: 32 << 10)
        clients = SimulatedClients(pair, seed: generator.next(), count: 4)
        faults = PairFaults(pair, seed: generator.next())
        faults.kinds = kinds
        for machine in pair.machines { prepare(machine) }
        pair.network.stalePerMille = 200
        clients.violation = { [unowned self] in violated($0) }
        faults.violation = { [unowned self] in violated($0) }
        faults.onStart = { [unowned self] in committed.restarted($0) }
        for machine in pair.machines {
            machine.afterEvent = { [unowned self, unowned machine] in look(machine) }
        }
    }

    private func violated(_ what: String) {
        pair.trace.note("VIOLATION: \(what)")
        if run.violations.count < 20 { run.violations.append(what) }
    }

    private var isBad: Bool { !run.violations.isEmpty }

    // MARK: A run

    package func execute() -> PairRun {
        if begin() {
            faults.begin()
            pair.run(milliseconds: 8_000 + generator.next() % 12_000)
            if !isBad { recover() }
            if !isBad { compare() }
        }
        run.faults = faults.counts
        run.simulatedMilliseconds = pair.time.milliseconds
        run.answers = clients.answers.count
        run.reads = clients.reads
        run.swaps = pair.witness.swaps
        run.trace = pair.trace.lines
        pair.time.end()
        return run
    }

    private func begin() -> Bool {
        guard pair.begin() else {
            violated("the pair does not begin")
            return false
        }
        let done = Flag()
        pair.a.ask(.configure(.simulated(entries: 16)), within: 5000) { if case .success = $0 { done.isSet = true } }
        guard pair.run(atMost: 5000, until: { done.isSet }) else {
            violated("the configuration is not taken")
            return false
        }
        return true
    }

    /// `@unchecked Sendable`: a simulation runs on one thread.
    private final class Flag: @unchecked Sendable {
        var isSet = false
    }

    // MARK: At every moment

    private func look(_ machine: SimulatedMachine<Rules>) {
        guard let ledger = machine.ledger else { return }
        let state = ledger.pairState
        if let wrong = committed.see(
            ledger.position, ledger.ledger.digest, at: machine.side,
            orders: state.commits == .here || state.commits == .both)
        {
            violated(wrong)
        }
        let epoch = ledger.promise?.epoch ?? 0
        if let last = promises[machine.side], last.incarnation == machine.incarnation, epoch < last.epoch {
            violated("\(machine.side) promised epoch \(epoch) after \(last.epoch)")
        }
        promises[machine.side] = (machine.incarnation, epoch)
    }

    // MARK: When the faults have ended

    /// Two of the three that are up must serve; then all three do.
    private func recover() {
        let away: Side? = generator.next() % 3 == 0 ? (generator.next() % 2 == 0 ? .a : .b) : nil
        let without = away.flatMap { faults.isDispensable($0) ? $0 : nil }
        pair.trace.note("all faults end\(without.map { ", \($0.rawValue) stays away" } ?? "")")
        faults.end(without: without)
        let start = pair.time.milliseconds
        let count = clients.answers.count
        // Restarts take up to eight seconds of their own.
        let bound = Self.mostRecoveryMilliseconds + 8_000
        // A swap that was under way may name the side that stays away alone: then nobody else may serve.
        let isNobodysTurn = { [pair] in
            guard let register = pair.register, register.mode == .alone else { return false }
            return register.active == without
        }
        guard pair.run(atMost: bound, until: { isBad || isNobodysTurn() || clients.answers.count > count }) else {
            return violated("nothing is served \(bound) ms after the faults have ended; \(words)")
        }
        run.recoveryMilliseconds = pair.time.milliseconds - start
        if let without {
            pair.run(milliseconds: 500)
            faults.bringBack(without)
        }
        guard pair.run(atMost: 40_000, until: { isBad || pair.isPaired }) else {
            return violated("the sides do not pair again; \(words)")
        }
    }

    private var words: String {
        pair.machines.map { machine in
            "\(machine.side) \(machine.ledger.map { "\($0.pairState), \($0.promise?.description ?? "no promise")" } ?? "down")"
        }.joined(separator: "; ")
    }

    private func compare() {
        clients.isStopping = true
        guard pair.run(atMost: 30_000, until: { isBad || clients.isIdle }) else {
            return violated("\(clients.waiting) clients wait for ever; \(words)")
        }
        pair.run(milliseconds: 1500)
        let isEqual = pair.run(atMost: 10_000) { pair.a.ledger?.position == pair.b.ledger?.position && pair.isPaired }
        guard !isBad, let a = pair.a.ledger, let b = pair.b.ledger else { return }
        guard isEqual, a.ledger.digest == b.ledger.digest else {
            return violated("the sides end at \(a.position) and \(b.position)")
        }
        compareLogs(through: a.position)
        for machine in pair.machines {
            for alarm in machine.alarms where alarm.contains("differ") { violated("\(machine.side): \(alarm)") }
        }
        checkRegister()
    }

    /// A record of the clock may be on its way behind the position.
    private func compareLogs(through position: Position) {
        do throws(LogError) {
            let ofA = try batches(pair.a.disk).filter { $0.lastSequence <= position.sequence }
            let ofB = try batches(pair.b.disk).filter { $0.lastSequence <= position.sequence }
            if ofA.map(\.position) != ofB.map(\.position) || ofA.last?.position.chain != position.chain {
                violated("the logs differ in the end")
            }
            let history = PairHistory(log: ofA, answers: clients.answers)
            for what in history.violations + committed.contradictions(to: ofA) { violated(what) }
            if history.digest != pair.a.ledger?.ledger.digest { violated("the log's replay has another digest") }
            run.records = ofA.reduce(0) { $0 + $1.records.count }
        } catch {
            violated("a log cannot be read in the end: \(error)")
        }
    }

    private func batches(_ disk: SimulatedDisk) throws(LogError) -> [LoggedBatch] {
        var reader = try LogReader(disk)
        var batches: [LoggedBatch] = []
        while let batch = try reader.next() { batches.append(batch) }
        return batches
    }

    private func checkRegister() {
        var last: PairRegister?
        for bytes in pair.witness.history {
            guard let register = try? RegisterCoding.decode(bytes, pairID: pair.pairID) else {  // Reported.
                return violated("the register holds what is no value")
            }
            defer { last = register }
            guard let last else { continue }
            let settles = register.epoch == last.epoch && register.mode == .alone && register.active == last.active
            if register.epoch <= last.epoch && !settles { violated("the register went from \(last) to \(register)") }
        }
    }
}
