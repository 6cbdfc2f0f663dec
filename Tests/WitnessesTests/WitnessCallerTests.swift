import Synchronization
import Testing
import Witnesses

/// A driver whose calls wait until the test answers them.
private final class HeldDriver: WitnessDriver {
    typealias Answer = Result<SwapOutcome, WitnessFault>

    private struct State {
        var asked: [[UInt8]] = []
        var held: [CheckedContinuation<Answer, Never>] = []
        var mostAtOnce = 0
    }

    private let state = Mutex(State())

    var asked: [[UInt8]] { state.withLock { $0.asked } }
    var mostAtOnce: Int { state.withLock { $0.mostAtOnce } }
    var isHolding: Bool { state.withLock { !$0.held.isEmpty } }

    func answer(_ answer: Answer) { state.withLock { $0.held.removeFirst() }.resume(returning: answer) }

    func swap(expected: [UInt8]?, value: [UInt8]) async throws(WitnessFault) -> SwapOutcome {
        let answer: Answer = await withCheckedContinuation { continuation in
            state.withLock { state in
                state.asked.append(value)
                state.held.append(continuation)
                state.mostAtOnce = max(state.mostAtOnce, state.held.count)
            }
        }
        return try answer.get()
    }

    func read() async throws(WitnessFault) -> [UInt8]? { nil }
}

@Suite("The ledger's calls of its witness")
struct WitnessCallerTests {
    @Test("each answer comes with its token, one call is under way at a time, and a fault gives no answer")
    func inOrder() async throws {
        let driver = HeldDriver()
        let answers = Mutex([UInt64: SwapOutcome]())
        let faults = Mutex([UInt64]())
        let caller = WitnessCaller(
            driver: driver, onOutcome: { token, outcome in answers.withLock { $0[token] = outcome } },
            onFault: { token, _ in faults.withLock { $0.append(token) } })
        caller.swap(expected: nil, value: [1], token: 11)
        caller.swap(expected: [1], value: [2], token: 12)
        caller.swap(expected: [1], value: [3], token: 13)
        try await until("the first is asked") { driver.isHolding }
        #expect(driver.asked == [[1]])
        driver.answer(.success(.swapped))
        try await until("the second is asked") { driver.isHolding }
        driver.answer(.failure(.unknown("lost")))
        try await until("the third is asked") { driver.isHolding }
        #expect(caller.counts.lastFault == .unknown("lost"))
        driver.answer(.success(.differs(current: [2])))
        try await until("all are done") { caller.counts.answered == 2 }
        #expect(answers.withLock { $0 } == [11: .swapped, 13: .differs(current: [2])])
        #expect(faults.withLock { $0 } == [12])
        #expect(driver.mostAtOnce == 1)
        #expect(caller.counts.unknown == 1 && caller.counts.lastFault == nil)
    }

    @Test("when calls pile up behind one that hangs, the oldest waiting ones make room for the newest")
    func bounded() async throws {
        let driver = HeldDriver()
        let caller = WitnessCaller(driver: driver, onOutcome: { _, _ in })
        caller.swap(expected: nil, value: [0], token: 0)
        try await until("the first is asked") { driver.isHolding }
        for number in 1..<100 { caller.swap(expected: nil, value: [UInt8(number)], token: UInt64(number)) }
        for _ in 0..<5 {
            try await until("one is asked") { driver.isHolding }
            driver.answer(.success(.swapped))
        }
        try await until("all are done") { caller.counts.answered == 5 }
        #expect(Array(driver.asked.suffix(4)) == [[96], [97], [98], [99]])
        #expect(caller.counts.displaced == 95)
        caller.swap(expected: nil, value: [7], token: 200)
        try await until("a later call goes out again") { driver.isHolding }
        driver.answer(.success(.swapped))
        try await until("it is done") { caller.counts.answered == 6 }
    }
}
