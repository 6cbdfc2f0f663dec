import ByteCoding
import CallModel
import ContextStore
import Ledger
import ReplicatedLedger
import Simulation
import Testing
import WriteAheadLog

@Suite("A side comes back as it was, or says why it does not")
struct RestartTests {
    /// A stopped side with one reservation of each number; the store holds what came before `stored`.
    private func stopped(_ count: Int = 6, stored: Int = 3, log: LogConfiguration = smallLog) throws -> SideRig {
        let rig = try SideRig.configured(log: log)
        for number in 1...count {
            _ = try rig.answer(.reserve("\(number)"))
            if number == stored { rig.store.flush() }
        }
        #expect(rig.ledger.drain())
        try rig.ledger.closeLog()
        return rig
    }

    private func fault(
        _ disk: SimulatedDisk, image: SimulatedStoreImage = SimulatedStoreImage(), pair: Hash128 = pairOfTest,
        side: Side = .a, sourceLocation: SourceLocation = #_sourceLocation
    ) -> RecoveryFault? {
        do throws(RecoveryFault) {
            _ = try SideRig(disk, image: image, pair: pair, side: side)
            Issue.record("it started", sourceLocation: sourceLocation)
            return nil
        } catch {
            return error
        }
    }

    @Test("after a clean stop the state is the same, and only what the store did not hold is replayed")
    func cleanRestart() throws {
        let before = try stopped()
        let after = try SideRig(before.disk.killImage(), image: before.store.image)
        #expect(after.replayed == 3)
        #expect(after.recoveredLedger == before.ledger.ledger && after.report.end == before.ledger.position)
        #expect(after.recoveredLedger.digest == before.ledger.ledger.digest)
        for number in 1...6 {
            let answer = try after.answer(.reserve("\(number)"))
            #expect(answer.outcome.reserved?.repeated == true && answer.reservation?.context == .sample("\(number)"))
        }
        let all = try SideRig(before.disk.killImage())
        #expect(all.replayed == 8 && all.recoveredLedger == before.ledger.ledger)
        before.store.flush()
        #expect(try SideRig(before.disk.killImage(), image: before.store.image).replayed == 0)
    }

    @Test("no time passes while the side is down: leases end late, never early")
    func noTimeWhileDown() throws {
        let before = try stopped(1)
        let after = try SideRig(
            before.disk.killImage(), image: before.store.image,
            clock: SimulatedClock(elapsedMilliseconds: 90_000_000, wall: WallTime(milliseconds: 1_795_900_000_000)))
        #expect(try after.answer(.claim(dnis: 8001, by: "a")).outcome.claimed?.late == false)
    }

    @Test("after a clean stop a log that lost its end is refused, never taken for a torn tail")
    func cleanEndIsKnown() throws {
        let before = try stopped()
        let disk = before.disk.killImage()
        let newest = try #require(try batches(on: disk).last)
        disk.harm(LogFormat.segmentFile(newest.segment)) { bytes in
            for index in newest.offset..<newest.offset + 4_096 { bytes[index] = 0 }
        }
        guard case .log(.damaged) = fault(disk) else {
            Issue.record("not told as damage")
            return
        }
    }

    @Test("a log whose superblock is lost is refused: whose it is cannot be known", arguments: [true, false])
    func superblockLost(removed: Bool) throws {
        let disk = try stopped().disk.killImage()
        for file in SuperblockStore<SimulatedDisk>.files {
            if removed { try disk.remove(file) } else { disk.harm(file) { $0[100] ^= 1 } }
        }
        let files = disk.allContents
        guard case .superblockLost(let notes) = fault(disk) else {
            Issue.record("not told as lost")
            return
        }
        #expect(notes.isEmpty == removed && disk.allContents == files, "it changed something")
    }

    @Test("one damaged copy of the superblock is told, and the other one counts")
    func superblockCopy() throws {
        let before = try stopped()
        let disk = before.disk.killImage()
        disk.harm("superblock-1") { $0[100] ^= 1 }
        #expect(try SideRig(disk, image: before.store.image).recoveredLedger == before.ledger.ledger)
    }

    @Test("the log, the store or the superblock of another pair or side is refused")
    func others() throws {
        let mine = try stopped()
        let disk = mine.disk.killImage()
        let other = try SideRig(SimulatedDisk(seed: 2), pair: Hash128(high: 9, low: 9))
        let segment = LogFormat.segmentFile(1)
        disk.harm(segment) { $0 = other.disk.contents(segment) ?? [] }
        guard case .log(.otherPair) = fault(disk) else {
            Issue.record("another pair's log was taken")
            return
        }
        guard case .store(.otherPair) = fault(mine.disk.killImage(), image: other.store.image) else {
            Issue.record("another pair's store was taken")
            return
        }
        guard case .log(.otherSide) = fault(mine.disk.killImage(), side: .b) else {
            Issue.record("the other side's files were taken")
            return
        }
    }

    @Test("a store whose rows are not those of its digest is refused")
    func storeDiffers() throws {
        let before = try stopped()
        var image = before.store.image
        let row = try #require(try before.store.rows(.reservations, from: [], limit: 1).first)
        image.harm(.reservations, key: row.key, to: nil)
        switch fault(before.disk.killImage(), image: image) {
        case .rows, .storeDiffers: break
        case let found: Issue.record("\(String(describing: found))")
        }
    }

    @Test("a store ahead of its log is refused: the log has lost what was durable")
    func storeAhead() throws {
        let rig = try SideRig.configured()
        let early = rig.disk.killImage()
        _ = try rig.answer(.reserve("1"))
        rig.store.flush()
        guard case .log(.damaged) = fault(early, image: rig.store.image) else {
            Issue.record("not told as damage")
            return
        }
    }

    @Test("old segments go when the store has them, and a store that lacks them is refused, not rebuilt with a hole")
    func trimmed() throws {
        var log = smallLog
        log.retentionBytes = 64 << 10
        let rig = try SideRig.configured(log: log)
        for number in 1...60 {
            _ = try rig.answer(.reserve("\(number)"))
            if number % 10 == 0 {
                rig.clock.advance(milliseconds: 11_000)
                rig.store.flush()
                rig.settle()
            }
        }
        #expect(rig.disk.contents(LogFormat.segmentFile(1)) == nil)
        let again = try SideRig(rig.disk.killImage(), image: rig.store.image, log: log)
        #expect(again.recoveredLedger == rig.ledger.ledger)
        guard case .log(.gap) = fault(rig.disk.killImage()) else {
            Issue.record("not told as a gap")
            return
        }
    }
}
