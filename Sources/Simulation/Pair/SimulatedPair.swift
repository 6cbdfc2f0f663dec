package import ByteCoding
package import CallModel
package import Duplex
internal import Ledger
package import ReplicatedLedger
internal import WriteAheadLog

/// What a paired side's ledger touches in a simulation.
package enum PairedSurroundings<Rules: PairRules>: Surroundings {
    package typealias DiskSeam = SimulatedDisk
    package typealias StoreSeam = SimulatedStore
    package typealias ClockSeam = SimulatedClock
    package typealias LinkSeam = SimulatedLink
    package typealias WitnessSeam = SimulatedWitnessClient
}

/// Both sides of a pair, their network and their witness in one process on virtual time. The same seed gives the same
/// run.
package final class SimulatedPair<Rules: PairRules> {
    package let time = VirtualTime()
    package let network: SimulatedNetwork
    package let witness: SimulatedWitness
    package let a: SimulatedMachine<Rules>
    package let b: SimulatedMachine<Rules>
    package let pairID = Hash128(high: 0xb470_0000_0000_0002, low: 0x0000_0000_0000_0017)
    /// What happened, when: the trace of a failing seed.
    package let trace: SimulationTrace

    package init(seed: UInt64, settings: LedgerSettings = LedgerSettings(), segmentBytes: Int = 64 << 10) {
        let (time, pairID) = (time, pairID)
        let trace = SimulationTrace(time)
        let network = SimulatedNetwork(time: time, seed: seed &+ 1)
        let witness = SimulatedWitness(time: time, pairID: pairID, trace: trace, seed: seed &+ 2)
        let makeMachine = { (side: Side) in
            SimulatedMachine<Rules>(
                side: side, pairID: pairID, time: time, network: network, witness: witness, trace: trace,
                seed: seed &+ (side == .a ? 3 : 4), settings: settings, segmentBytes: segmentBytes)
        }
        (self.trace, self.network, self.witness) = (trace, network, witness)
        a = makeMachine(.a)
        b = makeMachine(.b)
    }

    package func machine(_ side: Side) -> SimulatedMachine<Rules> { side == .a ? a : b }

    package var machines: [SimulatedMachine<Rules>] { [a, b] }

    package func run(milliseconds: UInt64) { time.run(milliseconds: milliseconds) }

    package func run(atMost milliseconds: UInt64, until isReached: () -> Bool) -> Bool {
        time.run(atMost: milliseconds, until: isReached)
    }

    /// What the witness holds; nil as well when that is no value of this pair.
    package var register: PairRegister? {
        guard let bytes = witness.value else { return nil }
        return try? RegisterCoding.decode(bytes, pairID: pairID)
    }

    /// One side orders, the other follows it, in one epoch.
    package var isPaired: Bool {
        let states = Set(machines.map { $0.state ?? "down" })
        return states == ["paired-enabled", "paired-disabled"]
    }

    /// The side that orders now, in its own view.
    package var ordering: Side? {
        for machine in machines {
            if let state = machine.state, state.hasSuffix("-enabled") { return machine.side }
        }
        return nil
    }

    /// Side A begins the pair, B joins it.
    package func begin() -> Bool {
        a.start()
        b.start()
        return run(atMost: 20_000) { isPaired }
    }
}

/// What happened, line by line, each with its moment in milliseconds and microseconds.
///
/// `@unchecked Sendable`: a simulation runs on one thread.
package final class SimulationTrace: @unchecked Sendable {
    private let time: VirtualTime
    package private(set) var lines: [String] = []
    package var isKept = true

    init(_ time: VirtualTime) { self.time = time }

    package func note(_ what: @autoclosure () -> String) {
        if isKept { lines.append("\(time.microseconds / 1000).\(time.microseconds % 1000) \(what())") }
    }
}
