package import ByteCoding
package import CallModel
package import ReplicatedLedger

/// The register on virtual time: compare-and-swap with answers that are late, or lost before or after the swap was
/// applied; gone and back; knowing less than it did.
package final class SimulatedWitness {
    package enum Mood: Sendable {
        case up
        /// Nothing reaches it.
        case down
        /// It came back with an older value. A restored witness changes nothing until an operator re-seeds it (R12).
        case rolledBack
    }

    private let time: VirtualTime
    private let pairID: Hash128
    private let trace: SimulationTrace
    private var generator: SeededGenerator
    /// What the register holds, and all that it ever held.
    package private(set) var history: [[UInt8]] = []
    package private(set) var value: [UInt8]?
    package private(set) var mood = Mood.up
    /// Sides that cannot reach it.
    package var unreachable: Set<Side> = []
    package var delayMicroseconds: ClosedRange<UInt64> = 200...3000
    /// Of a thousand swaps: lost on the way there, answered into the void, or underway for seconds.
    package var lostPerMille: UInt64 = 0
    package var unansweredPerMille: UInt64 = 0
    package var latePerMille: UInt64 = 0
    package private(set) var swaps: UInt64 = 0
    private var forgotten: [Side: UInt64] = [:]

    package init(time: VirtualTime, pairID: Hash128, trace: SimulationTrace, seed: UInt64) {
        self.time = time
        self.pairID = pairID
        self.trace = trace
        generator = SeededGenerator(seed: seed)
    }

    package func client(_ side: Side) -> SimulatedWitnessClient { SimulatedWitnessClient(side: side, witness: self) }

    package func goDown() { mood = .down }

    package func comeBack() { if mood == .down { mood = .up } }

    /// False when it never held another value.
    package func rollBack() -> Bool {
        guard history.count > 1, mood == .up else { return false }
        mood = .rolledBack
        value = history[Int.random(in: 0..<history.count - 1, using: &generator)]
        return true
    }

    /// The operator sets it to the newest value that either side may know.
    package func reseed() {
        mood = .up
        value = history.last
    }

    /// Nothing that this side asked and that is still on its way will ever be applied: it was formatted, which takes
    /// longer than any swap lives.
    package func forget(_ side: Side) { forgotten[side, default: 0] += 1 }

    /// Whatever stands there, for a test.
    package func replace(_ bytes: [UInt8]?) {
        value = bytes
        if let bytes { history.append(bytes) }
    }

    fileprivate func swap(
        from side: Side, expected: [UInt8]?, value: [UInt8], answer: @escaping (WitnessAnswer) -> Void
    ) {
        swaps += 1
        trace.note("\(side.rawValue) asks for \(words(value)) in place of \(words(expected))")
        if chance(lostPerMille) { return }
        let isLate = chance(latePerMille)
        let asked = forgotten[side]
        time.after(microseconds: isLate ? UInt64.random(in: 100_000...4_000_000, using: &generator) : delay()) {
            [weak self] in
            guard let self, mood != .down, !unreachable.contains(side), forgotten[side] == asked else { return }
            // Restored, it would apply what it must not: it answers nobody (R12).
            if mood == .rolledBack && self.value == expected { return }
            let result = compareAndSwap(expected, value)
            trace.note("the witness answers \(side.rawValue): \(words(result))")
            if chance(unansweredPerMille) { return }
            time.after(microseconds: delay()) { [weak self] in
                guard let self, mood != .down, !unreachable.contains(side) else { return }
                answer(result)
            }
        }
    }

    private func compareAndSwap(_ expected: [UInt8]?, _ new: [UInt8]) -> WitnessAnswer {
        guard mood == .up, value == expected else { return .differs(current: value) }
        value = new
        history.append(new)
        return .swapped
    }

    private func words(_ result: WitnessAnswer) -> String {
        switch result {
        case .swapped: "swapped"
        case .differs(let current): "it holds \(words(current))"
        }
    }

    private func words(_ value: [UInt8]?) -> String {
        guard let value else { return "nothing" }
        do throws(RegisterFault) {
            return try RegisterCoding.decode(value, pairID: pairID).description
        } catch { return "\(error)" }
    }

    private func delay() -> UInt64 { UInt64.random(in: delayMicroseconds, using: &generator) }

    private func chance(_ perMille: UInt64) -> Bool { perMille > 0 && generator.next() % 1000 < perMille }
}

/// One life of a side asks through one of these.
///
/// `@unchecked Sendable`: a simulation runs on one thread.
package final class SimulatedWitnessClient: Witness, @unchecked Sendable {
    private let side: Side
    private let witness: SimulatedWitness
    package var onAnswer: (_ token: UInt64, WitnessAnswer) -> Void = { _, _ in }

    init(side: Side, witness: SimulatedWitness) {
        self.side = side
        self.witness = witness
    }

    package func swap(expected: [UInt8]?, value: [UInt8], token: UInt64) {
        witness.swap(from: side, expected: expected, value: value) { [weak self] in self?.onAnswer(token, $0) }
    }
}
