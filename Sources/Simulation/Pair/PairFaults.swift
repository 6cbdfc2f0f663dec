internal import CallModel
package import Duplex
internal import ReplicatedLedger
internal import WriteAheadLog

/// What goes wrong in a simulated pair.
package enum PairFault: String, Hashable, Sendable, CaseIterable {
    case kill, powerCut, bothPowerCut, format, rot
    case breakLink, cutLink, silence, silenceOneWay, holdFrames, garbageFrame
    case pause, clockJump
    case witnessDown, witnessUnreachable, witnessRolledBack, witnessLossy
    case diskError, diskFull, slowDisk, stalledDisk, slowStore
    case plannedSwitch
}

/// Lets faults happen to a pair at random moments, and ends each of them again.
///
/// It keeps to what RELIABILITY.md promises against: a side is formatted, or its medium rots, only while the other
/// side's log is known to hold everything.
package final class PairFaults<Rules: PairRules> {
    private let pair: SimulatedPair<Rules>
    private var generator: SeededGenerator
    private(set) var counts: [PairFault: Int] = [:]
    private var isOver = false
    /// Sides whose medium was harmed: recovery may refuse what it finds there.
    private var harmed: Set<Side> = []
    private var restarting: Set<Side> = []
    var violation: (String) -> Void = { _ in }
    var onStart: (Side) -> Void = { _ in }
    var kinds = PairFault.allCases

    init(_ pair: SimulatedPair<Rules>, seed: UInt64) {
        self.pair = pair
        generator = SeededGenerator(seed: seed)
        for machine in pair.machines {
            machine.onStopped = { [weak self] reason in self?.stopped(machine.side, reason) }
            machine.onResync = { [weak self] in self?.resync(machine.side) }
        }
    }

    private func number(_ range: ClosedRange<UInt64>) -> UInt64 { UInt64.random(in: range, using: &generator) }

    private func anySide() -> Side { number(0...1) == 0 ? .a : .b }

    func begin() { happenLater() }

    private func happenLater() {
        // Often alone, now and then several at once.
        let delay = number(0...3) == 0 ? number(0...150) : number(200...2500)
        pair.time.after(milliseconds: delay) { [weak self] in
            guard let self, !isOver else { return }
            happen(kinds[Int(number(0...UInt64(kinds.count - 1)))], to: anySide())
            happenLater()
        }
    }

    /// Undoes itself after the time, at the latest when all faults end.
    private func afterwards(_ range: ClosedRange<UInt64>, _ body: @escaping () -> Void) {
        pair.time.after(milliseconds: number(range)) { [weak self] in if self?.isOver == false { body() } }
    }

    // MARK: What happens

    private func happen(_ fault: PairFault, to side: Side) {
        let happens =
            switch fault {
            case .kill, .powerCut, .bothPowerCut, .format, .rot: endLife(fault, side)
            case .breakLink, .cutLink, .silence, .silenceOneWay, .holdFrames, .garbageFrame: harmLink(fault, side)
            case .witnessDown, .witnessUnreachable, .witnessRolledBack, .witnessLossy: harmWitness(fault, side)
            case .diskError, .diskFull, .slowDisk, .stalledDisk, .slowStore: harmDisk(fault, side)
            case .pause, .clockJump, .plannedSwitch: disturb(fault, side)
            }
        guard happens else { return }
        counts[fault, default: 0] += 1
        pair.trace.note("fault: \(fault.rawValue) \(side.rawValue)")
    }

    private func endLife(_ fault: PairFault, _ side: Side) -> Bool {
        let machine = pair.machine(side)
        switch fault {
        case .kill:
            guard machine.isUp else { return false }
            machine.kill()
        case .powerCut:
            guard machine.isUp else { return false }
            machine.cutPower()
        case .bothPowerCut:
            for machine in pair.machines where machine.isUp {
                machine.cutPower()
                restartLater(machine.side)
            }
            return true
        case .format:
            guard mayLose(side) else { return false }
            machine.kill()
            format(side)
        default:
            guard mayLose(side), machine.isUp else { return false }
            machine.cutPower()
            rot(machine)
        }
        restartLater(side)
        return true
    }

    private func harmLink(_ fault: PairFault, _ side: Side) -> Bool {
        let network = pair.network
        switch fault {
        case .breakLink: network.breakConnection()
        case .cutLink, .silence, .silenceOneWay:
            network.isCut = true
            switch fault {
            case .cutLink: network.breakConnection()
            case .silence: network.silence([.a, .b])
            default: network.silence([side])
            }
            afterwards(50...3000) { network.isCut = false }
        case .holdFrames: network.heldUntil[side] = pair.time.microseconds + number(20_000...900_000)
        default:
            let garbage = (0..<number(1...80)).map { _ in UInt8(truncatingIfNeeded: number(100...255)) }
            network.tamper = { [weak network] _, _ in
                network?.tamper = nil
                return garbage
            }
        }
        return true
    }

    private func harmWitness(_ fault: PairFault, _ side: Side) -> Bool {
        let witness = pair.witness
        switch fault {
        case .witnessDown:
            guard witness.mood == .up else { return false }
            witness.goDown()
            afterwards(100...5000) { witness.comeBack() }
        case .witnessUnreachable:
            witness.unreachable.insert(side)
            afterwards(100...4000) { witness.unreachable.remove(side) }
        case .witnessRolledBack:
            guard witness.rollBack() else { return false }
            afterwards(200...3000) { witness.reseed() }
        default:
            (witness.lostPerMille, witness.unansweredPerMille, witness.latePerMille) = (200, 300, 200)
            afterwards(500...6000) {
                (witness.lostPerMille, witness.unansweredPerMille, witness.latePerMille) = (0, 0, 0)
            }
        }
        return true
    }

    private func harmDisk(_ fault: PairFault, _ side: Side) -> Bool {
        let machine = pair.machine(side)
        switch fault {
        case .diskError:
            let kinds: [DiskFault] = [.inputOutput, .noSpace, .shortWrite, .syncFails]
            machine.disk.faults[machine.disk.calls + Int(number(0...15))] = kinds[Int(number(0...3))]
        case .diskFull:
            machine.disk.capacity = machine.disk.usedBytes + Int(number(0...40_000))
            afterwards(300...6000) { machine.disk.capacity = .max }
        case .slowDisk:
            machine.stepMicroseconds = 1_000...number(2_000...80_000)
            afterwards(300...5000) { machine.stepMicroseconds = 20...400 }
        case .stalledDisk:
            machine.stepMicroseconds = 4_000_000...5_000_000
            afterwards(100...3000) { machine.stepMicroseconds = 20...400 }
        default:
            machine.store?.refusal = "the store is slow"
            machine.storeMilliseconds = 10_000
            afterwards(500...5000) {
                machine.store?.refusal = nil
                machine.storeMilliseconds = 2000
            }
        }
        return true
    }

    private func disturb(_ fault: PairFault, _ side: Side) -> Bool {
        let machine = pair.machine(side)
        switch fault {
        case .pause:
            guard machine.isUp, !machine.isPaused else { return false }
            machine.pause()
            afterwards(20...3500) { machine.resume() }
        case .clockJump: machine.stepWallClock(milliseconds: Int64(number(0...7_200_000)) - 3_600_000)
        default:
            guard machine.state == "paired-enabled", !machine.isPaused else { return false }
            machine.deliver { $0.order(.switchSides) { _ in } }
        }
        return true
    }

    // MARK: Losing a medium

    /// The other side's log holds everything that was ever acknowledged, whatever becomes of this one's.
    private func mayLose(_ side: Side) -> Bool {
        guard !harmed.contains(side.other), let bytes = pair.witness.history.last,
            let register = try? RegisterCoding.decode(bytes, pairID: pair.pairID)  // Written by the sides themselves.
        else { return false }
        let other = pair.machine(side.other)
        let counts = register.incarnation(of: side.other) == other.incarnation
        return counts && (register.mode == .paired || register.active == side.other) && !isPromisedAlone(side)
    }

    /// On its way to be the only one: what the witness shows of that is not all.
    private func isPromisedAlone(_ side: Side) -> Bool {
        guard let promise = pair.machine(side).lastPromise else { return false }
        return promise.mode == .alone && promise.active == side
    }

    private func format(_ side: Side) {
        pair.machine(side).format()
        pair.witness.forget(side)
        harmed.remove(side)
    }

    /// A byte of what was durable has changed: anywhere, or where the log was written last.
    private func rot(_ machine: SimulatedMachine<Rules>) {
        let segments = machine.writtenSegments
        let isNewest = number(0...1) == 0
        guard let segment = isNewest ? segments.last : segments.randomElement(using: &generator) else { return }
        let least = isNewest ? max(0, segment.last - 4 * LogFormat.blockBytes) : 0
        let place = Int(number(UInt64(least)...UInt64(segment.last)))
        machine.disk.harm(segment.file) { bytes in bytes[place] ^= 0x41 }
        harmed.insert(machine.side)
    }

    // MARK: Lives

    private func restartLater(_ side: Side) {
        guard restarting.insert(side).inserted else { return }
        let delay = number(0...5) == 0 ? number(2000...8000) : number(10...2500)
        pair.time.after(milliseconds: delay) { [weak self] in
            guard let self, restarting.remove(side) != nil else { return }
            start(side)
        }
    }

    private func start(_ side: Side) {
        let machine = pair.machine(side)
        if machine.isUp { return }
        onStart(side)
        if machine.start() {
            // Recovery has read the whole log: what changed lies where nothing stands.
            harmed.remove(side)
            return
        }
        let why = machine.refusedStarts.last ?? ""
        if Self.isDiskFault(why) {
            machine.disk.faults = [:]
            machine.disk.capacity = .max
        } else if !harmed.contains(side) {
            return violation("\(side) does not start: \(why)")
        } else if mayLose(side) {
            format(side)
        }
        restartLater(side)
    }

    private func stopped(_ side: Side, _ reason: String) {
        if !Self.isDiskFault(reason) && !harmed.contains(side) { violation("\(side) stopped: \(reason)") }
        restartLater(side)
    }

    private func resync(_ side: Side) {
        let machine = pair.machine(side)
        guard mayLose(side) else {
            return violation("\(side) is to begin anew, though it may hold what nobody else does")
        }
        machine.kill()
        format(side)
        restartLater(side)
    }

    private static func isDiskFault(_ text: String) -> Bool {
        ["input/output error", "no space left", "only half", "an earlier write failed"].contains { text.contains($0) }
    }

    // MARK: The end of all faults

    /// Everything works again; `without`: a side that stays away.
    func end(without away: Side? = nil) {
        isOver = true
        let (network, witness) = (pair.network, pair.witness)
        network.isCut = false
        network.tamper = nil
        (witness.lostPerMille, witness.unansweredPerMille, witness.latePerMille) = (0, 0, 0)
        witness.unreachable = []
        if witness.mood == .rolledBack { witness.reseed() }
        witness.comeBack()
        restarting = []
        for machine in pair.machines {
            machine.resume()
            machine.disk.faults = [:]
            machine.disk.capacity = .max
            machine.stepMicroseconds = 20...400
            machine.storeMilliseconds = 2000
            machine.store?.refusal = nil
            if machine.side == away { machine.kill() } else if !machine.isUp { restartLater(machine.side) }
        }
    }

    /// The side that stayed away comes back.
    func bringBack(_ side: Side) { start(side) }

    /// Without this side the other must be able to go on.
    func isDispensable(_ side: Side) -> Bool {
        let other = pair.machine(side.other)
        return mayLose(side) && !harmed.contains(side.other) && other.ledger?.isTailUndecided == false
    }
}
