import ByteCoding
import CallModel
import ContextStore
import Ledger
import ReplicatedLedger
import Simulation
import Testing
import WriteAheadLog

/// The records of a log with what comes of each when the whole log is replayed from its beginning, without a store.
private struct History {
    var ledger = Ledger()
    var records: [Record] = []
    var outcomes: [Outcome] = []
    var times: [BatchTime] = []

    init(_ disk: SimulatedDisk) throws {
        var changes: [Change] = []
        for batch in try batches(on: disk) {
            ledger.begin(batch.time, first: batch.firstSequence, changes: &changes)
            for bytes in batch.records {
                let record = try Record(decoding: bytes)
                records.append(record)
                times.append(batch.time)
                outcomes.append(ledger.apply(record, sequence: LogSequence(UInt64(records.count)), changes: &changes))
            }
        }
    }
}

/// Several lives of one side on the same files. What is acknowledged in one must stand in all that follow.
private final class Lives {
    private(set) var disk: SimulatedDisk
    private var rig: SideRig?
    private var workload: Workload
    private var generator: SeededGenerator
    /// Of all lives.
    private var acknowledged: [(record: Record, answer: LedgerAnswer)] = []
    private var seen = 0
    /// Every durable image that the store has had; a store may come back as any of them.
    private var images = [SimulatedStoreImage()]
    private(set) var crashes = 0
    private(set) var acknowledgements = 0

    init(seed: UInt64) {
        disk = SimulatedDisk(seed: seed)
        workload = Workload(seed: seed)
        generator = SeededGenerator(seed: seed &+ 1_000)
    }

    /// Begins a life on what the last one left; at every disk call from the first on, and at every moment that an
    /// answer may have left the side, a crash is tried.
    func live(requests: Int, checksEvery call: Int) throws {
        disk.afterChange = { [unowned self] number in
            guard number % call == 0 else { return }
            crashHere("call \(number)")
        }
        rig = nil
        let rig = try SideRig(disk, image: images[images.count - 1], store: Self.smallWindows)
        self.rig = rig
        seen = 0
        if rig.ledger.ledger.configuration == nil {
            rig.ask(.configure(.sample(entries: 12)), within: .max)
            rig.settle()
        }
        for _ in 0..<requests {
            for _ in 0...workload.number(4) {
                rig.ask(workload.next(), within: [5, 400, 30_000, 100_000][workload.number(4)])
            }
            rig.turn()
            for _ in 0..<workload.number(4) {
                rig.step(workload.number(3) == 0 ? .background : .log)
                learn()
            }
            rig.clock.advance(milliseconds: workload.pause())
            if workload.number(4) == 0 { rig.settle() }
            if workload.number(6) == 0, rig.store.commitOldest() { images.append(rig.store.image) }
            rig.turn()
            learn()
        }
        disk.afterChange = nil
        #expect(rig.stops.reasons == [])
        for request in rig.asked.indices { #expect(rig.replies.replies(to: request).count <= 1) }
    }

    private static func smallWindows(_ clock: SimulatedClock) -> StoreConfiguration {
        var configuration = SideRig.storeConfiguration(clock)
        configuration.windowBytes = 6_000
        return configuration
    }

    private func learn() {
        guard let rig else { return }
        let order = rig.replies.order
        for request in order[seen...] {
            guard case .success(let answer)? = rig.replies.replies(to: request).first else { continue }
            acknowledged.append((rig.asked[request], answer))
            acknowledgements += 1
            workload.learn(answer.outcome)
        }
        seen = order.count
    }

    /// The power goes, or the process is killed: the next life begins on what that leaves.
    func crash() {
        learn()
        disk = generator.next() % 4 == 0 ? disk.killImage() : disk.crashImage(seed: generator.next())
        rig = nil
    }

    private func crashHere(_ what: String) {
        crashes += 1
        let image = images[Int.random(in: 0..<images.count, using: &generator)]
        let isPowerCut = generator.next() % 3 > 0
        let left = isPowerCut ? disk.crashImage(seed: generator.next()) : disk.killImage()
        do {
            try check(left, image)
        } catch {
            Issue.record("\(what), \(isPowerCut ? "power cut" : "killed"): \(error)")
        }
    }

    /// Recovers, and compares with the replay of the whole log and with what was acknowledged.
    private func check(_ left: SimulatedDisk, _ image: SimulatedStoreImage) throws {
        let recovered = try SideRig(left, image: image, settles: false)
        let history = try History(left)
        #expect(
            recovered.recoveredLedger == history.ledger && recovered.recoveredLedger.digest == history.ledger.digest)
        #expect(recovered.report.end.sequence.number == UInt64(history.records.count))
        #expect(recovered.replayed == history.records.count - Int(image.state.position.sequence.number))
        for (record, answer) in acknowledged {
            let index = Int(answer.sequence.number) - 1
            guard index < history.records.count else {
                Issue.record("\(record) was acknowledged and is lost")
                continue
            }
            let stands =
                history.records[index] == record && history.outcomes[index] == answer.outcome
                && history.times[index] == answer.time
            if !stands { Issue.record("\(record) was acknowledged with \(answer.outcome), which does not stand") }
        }
        checkClaims(history)
        recovered.settle()
        for (record, answer) in acknowledged.suffix(10) { try checkRepeat(record, answer, recovered) }
        #expect(recovered.stops.reasons == [])
    }

    private func checkClaims(_ history: History) {
        var claimants: [ReservationID: CallID] = [:]
        for (record, outcome) in zip(history.records, history.outcomes) {
            guard case .claim(let claim) = record, let claimed = outcome.claimed else { continue }
            let first = claimants.updateValue(claim.callID, forKey: claimed.reservation) ?? claim.callID
            #expect(first == claim.callID, "\(claimed.reservation) was claimed by two calls")
        }
    }

    /// While its entry is not free yet a repeated request meets its first answer, with the same context.
    private func checkRepeat(_ record: Record, _ answer: LedgerAnswer, _ rig: SideRig) throws {
        let id = answer.outcome.reserved?.reservation ?? answer.outcome.claimed?.reservation
        if let id {
            guard rig.ledger.ledger.reservation(id) != nil else { return }
            let again = try rig.answer(record)
            #expect(again.reservation == answer.reservation && again.reservation != nil, "another context")
            if let reserved = answer.outcome.reserved {
                let repeated = again.outcome.reserved
                #expect(repeated?.repeated == true && repeated?.reservation == id && repeated?.label == reserved.label)
                #expect(repeated?.key == reserved.key && repeated?.callKey == reserved.callKey)
            } else {
                #expect(again.outcome.claimed?.repeated == true && again.outcome.claimed?.reservation == id)
            }
        } else if let opened = answer.outcome.opened, rig.ledger.ledger.dialog(opened.dialog) != nil {
            let again = try rig.answer(record).outcome.opened
            #expect(again?.dialog == opened.dialog && again?.callKey == opened.callKey && again?.repeated == true)
        }
    }
}

@Suite("Whatever is acknowledged survives every crash")
struct CrashTests {
    @Test("a power cut or a kill at every disk call of a random workload", arguments: 1...2 as ClosedRange<UInt64>)
    func everyCall(seed: UInt64) throws {
        let lives = Lives(seed: seed)
        try lives.live(requests: 30, checksEvery: 1)
        #expect(lives.crashes > 60 && lives.acknowledgements > 40)
    }

    @Test("crashes in a row, with work between them", arguments: 11...12 as ClosedRange<UInt64>)
    func crashesInARow(seed: UInt64) throws {
        let lives = Lives(seed: seed)
        for _ in 0..<4 {
            try lives.live(requests: 15, checksEvery: 5)
            lives.crash()
        }
        try lives.live(requests: 1, checksEvery: 1)
        #expect(lives.acknowledgements > 60)
    }
}
