internal import ReplicatedLedger
internal import Synchronization

/// The ledger's seam to its witness over any driver: swaps run off the ledger's thread, one after the other, and the
/// answer comes through a closure with the swap's token. A swap without an answer (a fault of the driver) stays without
/// one: the pair asks again with the same old value when it still wants to know (R6).
package final class WitnessCaller: Witness, Sendable {
    /// What became of the calls so far, for status and metrics.
    package struct Counts: Hashable, Sendable {
        package var answered: UInt64 = 0
        package var notApplied: UInt64 = 0
        package var unknown: UInt64 = 0
        /// Never begun, since newer ones took their place in the queue.
        package var displaced: UInt64 = 0
        /// Of the last call, when that had no answer.
        package var lastFault: WitnessFault?
    }

    private struct Swap: Sendable {
        let expected: [UInt8]?
        let value: [UInt8]
        let token: UInt64
    }

    private struct State: Sendable {
        var waiting: [Swap] = []
        var isCalling = false
        var counts = Counts()
    }

    /// Swaps that wait behind the one under way. The pair has one question at a time; more are its repetitions.
    private static let mostWaiting = 4

    private let driver: any WitnessDriver
    private let onOutcome: @Sendable (_ token: UInt64, SwapOutcome) -> Void
    private let onFault: @Sendable (_ token: UInt64, WitnessFault) -> Void
    private let state = Mutex(State())

    /// The closures are called on any thread, one after the other, and must not block.
    package init(
        driver: any WitnessDriver, onOutcome: @escaping @Sendable (_ token: UInt64, SwapOutcome) -> Void,
        onFault: @escaping @Sendable (_ token: UInt64, WitnessFault) -> Void = { _, _ in }
    ) {
        self.driver = driver
        self.onOutcome = onOutcome
        self.onFault = onFault
    }

    package var counts: Counts { state.withLock { $0.counts } }

    package func swap(expected: [UInt8]?, value: [UInt8], token: UInt64) {
        let begins = state.withLock { state in
            if state.waiting.count == Self.mostWaiting {
                // The newest carries what the pair knows now.
                state.waiting.removeFirst()
                state.counts.displaced += 1
            }
            state.waiting.append(Swap(expected: expected, value: value, token: token))
            defer { state.isCalling = true }
            return !state.isCalling
        }
        if begins { Task { await callAll() } }
    }

    private func next() -> Swap? {
        state.withLock { state in
            if state.waiting.isEmpty {
                state.isCalling = false
                return nil
            }
            return state.waiting.removeFirst()
        }
    }

    private func callAll() async {
        while let swap = next() {
            do {
                let outcome = try await driver.swap(expected: swap.expected, value: swap.value)
                count { $0.answered += 1 }
                onOutcome(swap.token, outcome)
            } catch {
                count { counts in
                    switch error {
                    case .notApplied: counts.notApplied += 1
                    case .unknown: counts.unknown += 1
                    }
                    counts.lastFault = error
                }
                onFault(swap.token, error)
            }
        }
    }

    private func count(_ change: (inout Counts) -> Void) {
        state.withLock { state in
            state.counts.lastFault = nil
            change(&state.counts)
        }
    }
}
