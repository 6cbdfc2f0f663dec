import CallModel
import Simulation
import Testing
import WriteAheadLog

@Suite("The log keeps records in order")
struct RoundTripTests {
    @Test("records come back in order with their times, also after a restart, and a new segment begins at each start")
    func roundTrip() throws {
        let disk = SimulatedDisk(seed: 1)
        let rig = try LogRig(disk)
        try rig.append([sampleRecord(1), [], sampleRecord(2)])
        try rig.append([sampleRecord(3)])
        #expect(rig.acknowledged == 4)
        #expect(rig.log.durable == rig.log.end)
        let again = try LogRig(disk.killImage())
        #expect(try records(of: again.log) == [sampleRecord(1), [], sampleRecord(2), sampleRecord(3)])
        #expect(again.report.end == rig.log.end)
        #expect(again.report.time == rig.time)
        #expect(again.report.notes.map(\.finding) == [.zerosToTheEnd])
        try again.append([sampleRecord(4)])
        var batches: [LoggedBatch] = []
        try again.log.replay(after: LogSequence(3)) { (batch: LoggedBatch) in batches.append(batch) }
        #expect(batches.map(\.firstSequence) == [LogSequence(4), LogSequence(5)])
        #expect(batches.map(\.segment) == [1, 2])
    }

    @Test("a batch is not durable before its flush returned")
    func durableAfterFlush() throws {
        let disk = SimulatedDisk(seed: 1)
        let rig = try LogRig(disk)
        rig.settle()
        try rig.submit([sampleRecord(1)])
        #expect(rig.log.end.sequence == LogSequence(1))
        disk.runStep(.log)
        rig.hear()
        #expect(rig.log.durable == .zero)
        disk.runStep(.log)
        rig.hear()
        #expect(rig.events.last == .durable(rig.log.end, flushMicroseconds: 100))
    }

    @Test("a full segment rolls over to a spare, and two spares are there again")
    func rollover() throws {
        let disk = SimulatedDisk(seed: 1)
        let rig = try LogRig(disk)
        rig.settle()
        #expect(rig.log.spareCount == 2)
        try rig.append(numbers: 0..<60)
        #expect(rig.log.spareCount == 2)
        var segments: Set<UInt64> = []
        try rig.log.replay(after: .zero) { (batch: LoggedBatch) in segments.insert(batch.segment) }
        #expect(segments.count > 3)
        let again = try LogRig(disk.killImage())
        #expect(try records(of: again.log) == sampleRecords(0..<60))
        #expect(again.log.spareCount >= 1)
    }

    @Test("without a spare the append waits and nothing is changed; it goes on when one is ready")
    func spareMissing() throws {
        let disk = SimulatedDisk(seed: 1)
        let rig = try LogRig(disk)
        var refused = false
        for number in 0..<30 where !refused {
            do throws(AppendRefusal) {
                try rig.submit([sampleRecord(number)])
                while disk.runStep(.log) {}
                rig.hear()
            } catch {
                #expect(error == .spareMissing)
                refused = true
            }
        }
        #expect(refused)
        let end = rig.log.end
        rig.settle()
        #expect(rig.log.end == end)
        try rig.append([sampleRecord(99)])
        #expect(rig.log.durable.sequence == end.sequence.next)
    }

    @Test("a full disk delays the spare, gives the room back, and stops nobody; it resumes when asked again")
    func spareDelayed() throws {
        let disk = SimulatedDisk(seed: 1)
        let rig = try LogRig(disk)
        disk.capacity = 40 << 10
        rig.settle()
        guard case .spareDelayed = rig.events.last else {
            Issue.record("\(rig.events)")
            return
        }
        try rig.append([sampleRecord(1)])
        #expect(rig.acknowledged == 1)
        #expect(!disk.allContents.keys.contains { $0.hasPrefix("new-") })
        disk.capacity = .max
        rig.log.requestSpares()
        rig.settle()
        #expect(rig.log.spareCount == 2)
    }

    @Test("a spare has its name only when its zeros are durable")
    func spareIsWholeWhenNamed() throws {
        let disk = SimulatedDisk(seed: 1)
        let rig = try LogRig(disk)
        disk.afterChange = { _ in
            for seed in 0..<4 {
                let image = disk.crashImage(seed: UInt64(seed))
                for (name, bytes) in image.allContents where name.hasPrefix("segment-") {
                    #expect(bytes.count == smallSegments.segmentBytes, "\(name)")
                }
            }
        }
        rig.settle()
        disk.afterChange = nil
    }

    @Test("after quiet a guard batch says that the last record was durable, once, and leaves the chain as it is")
    func guardBatch() throws {
        let disk = SimulatedDisk(seed: 1)
        let rig = try LogRig(disk)
        #expect(!rig.log.guardIsDue)
        try rig.append([sampleRecord(1)])
        let end = rig.log.end
        #expect(rig.log.guardIsDue)
        rig.guardBatch()
        #expect(rig.events.last == .guardWritten)
        #expect(!rig.log.guardIsDue)
        #expect(rig.log.end == end)
        try rig.append([sampleRecord(2)])
        let again = try LogRig(disk.killImage())
        #expect(try records(of: again.log) == sampleRecords(1..<3))
        #expect(again.report.batches == 3)
    }

    @Test("old segments go, oldest first, only when nobody needs them and retention says so")
    func trimming() throws {
        let disk = SimulatedDisk(seed: 1)
        var configuration = smallSegments
        configuration.retentionBytes = 4 * smallSegments.segmentBytes
        let rig = try LogRig(disk, configuration: configuration)
        try rig.append(numbers: 0..<100)
        let now = rig.time.wall
        #expect(rig.log.trim(keeping: .zero, now: now) == 0)
        let before = rig.log.retainedBytes
        #expect(rig.log.trim(keeping: rig.log.end.sequence, now: now) > 0)
        rig.settle()
        #expect(rig.events.last == .trimmed)
        #expect(rig.log.retainedBytes < before)
        #expect(rig.log.retainedBytes <= configuration.retentionBytes)
        let base = rig.log.base
        #expect(base.sequence > .zero)
        let later = WallTime(milliseconds: now.milliseconds + configuration.retentionMilliseconds + 1)
        #expect(rig.log.trim(keeping: base.sequence.next, now: later) == 0)
        #expect(rig.log.trim(keeping: rig.log.end.sequence, now: later) > 0)
        rig.settle()
        let again = try LogRig(disk.killImage(), evidence: DurableEvidence(stored: rig.log.end))
        #expect(again.report.base == rig.log.base)
        let kept = Int(rig.log.base.sequence.number)
        #expect(try records(of: again.log, after: rig.log.base.sequence) == sampleRecords(kept..<100))
        #expect(throws: (any Error).self) { try records(of: again.log, after: .zero) }
    }

    @Test("starts without a record between them leave no hole when old segments go")
    func trimmingEmptySegments() throws {
        var configuration = smallSegments
        configuration.retentionBytes = 0
        var rig = try LogRig(SimulatedDisk(seed: 1), configuration: configuration)
        try rig.append(numbers: 0..<3)
        for _ in 0..<3 { rig = try LogRig(rig.disk.killImage(), configuration: configuration) }
        try rig.append(numbers: 3..<5)
        rig = try LogRig(rig.disk.killImage(), configuration: configuration)
        try rig.append(numbers: 5..<7)
        // Everything but the newest batch is needed no more.
        rig.log.trim(keeping: rig.log.end.sequence, now: rig.time.wall)
        rig.settle()
        let again = try LogRig(rig.disk.killImage(), evidence: DurableEvidence(stored: rig.log.end))
        #expect(again.report.base == rig.log.base && again.report.end == rig.log.end)
    }

    @Test("a store that ends before the oldest record kept is refused as a gap")
    func storeBehindLog() throws {
        let disk = SimulatedDisk(seed: 1)
        var configuration = smallSegments
        configuration.retentionBytes = smallSegments.segmentBytes
        let rig = try LogRig(disk, configuration: configuration)
        try rig.append(numbers: 0..<1)
        let stored = rig.log.end
        try rig.append(numbers: 1..<60)
        rig.log.trim(keeping: rig.log.end.sequence, now: rig.time.wall)
        rig.settle()
        #expect(throws: LogError.self) { try LogRig(disk.killImage(), evidence: DurableEvidence(stored: stored)) }
    }

    @Test("a record or a batch over its limit is refused with the limit, and nothing is written")
    func limits() throws {
        let rig = try LogRig(SimulatedDisk(seed: 1))
        let room = smallSegments.maximumPayloadBytes
        #expect(throws: AppendRefusal.tooLarge(bytes: room + 1, limit: room)) {
            try rig.submit([[UInt8](repeating: 1, count: room - 3)])
        }
        try rig.append([[UInt8](repeating: 1, count: room - 4)])
        #expect(rig.acknowledged == 1)
        var roomy = LogConfiguration(segmentBytes: (4 << 20) + (64 << 10))
        roomy.spareSegments = 0
        let large = try LogRig(SimulatedDisk(seed: 1), configuration: roomy)
        let limit = LogFormat.maximumRecordBytes
        #expect(throws: AppendRefusal.tooLarge(bytes: limit + 1, limit: limit)) {
            try large.submit([[UInt8](repeating: 1, count: limit + 1)])
        }
    }

    @Test("the other side's copy has the same chain and batch boundaries, whatever its segments are")
    func copies() throws {
        let leader = try LogRig(SimulatedDisk(seed: 1))
        let other = LogIdentity(pairID: thisSide.pairID, side: .b, incarnation: 9)
        let follower = try LogRig(
            SimulatedDisk(seed: 2), configuration: LogConfiguration(segmentBytes: 28 << 10), identity: other)
        follower.settle()
        for number in 0..<40 {
            let batch = try leader.submit([sampleRecord(number), sampleRecord(number + 1000)])
            leader.settle()
            let copy = try follower.log.appendCopy(batch.bytes, committed: leader.log.durable.sequence)
            follower.settle()
            #expect(copy.position == batch.position)
            if number % 5 == 0 { leader.guardBatch() }
        }
        #expect(follower.log.durable == leader.log.durable)
        #expect(try records(of: follower.log) == records(of: leader.log))
        let stale = try leader.submit([sampleRecord(1)])
        let next = try leader.submit([sampleRecord(2)])
        #expect(throws: AppendRefusal.self) { try follower.log.appendCopy(next.bytes, committed: .zero) }
        var torn = stale.bytes
        torn[300] ^= 1
        #expect(throws: AppendRefusal.self) { try follower.log.appendCopy(torn, committed: .zero) }
        let again = try LogRig(
            follower.disk.killImage(), configuration: LogConfiguration(segmentBytes: 28 << 10), identity: other)
        #expect(again.report.end == follower.log.end)
    }

    @Test("a log may begin after a position that did not come from it, in an empty directory only")
    func beginsAfterSnapshot() throws {
        let disk = SimulatedDisk(seed: 1)
        let position = Position(epoch: 4, sequence: LogSequence(1000), chain: thisSide.pairID)
        let time = BatchTime(log: LogTime(milliseconds: 5000), wall: WallTime(milliseconds: 6000))
        try SimulatedLog.format(disk, identity: thisSide, configuration: smallSegments, at: position, time: time)
        let rig = try LogRig(disk, evidence: DurableEvidence(stored: position))
        #expect(rig.report.end == position)
        #expect(rig.report.time == time)
        try rig.submit([sampleRecord(1)], epoch: 4)
        rig.settle()
        #expect(rig.log.durable.sequence == LogSequence(1001))
        #expect(throws: LogError.self) {
            try SimulatedLog.format(disk, identity: thisSide, configuration: smallSegments, at: position, time: time)
        }
    }

    @Test("a reader beside a running side sees whole batches and changes nothing")
    func readerBesides() throws {
        let disk = SimulatedDisk(seed: 1)
        let rig = try LogRig(disk)
        try rig.append(numbers: 0..<30)
        let before = disk.allContents
        var reader = try LogReader(disk, after: LogSequence(10))
        var sequences: [LogSequence] = []
        while let batch = try reader.next() { sequences.append(batch.firstSequence) }
        #expect(sequences == (11...30).map { LogSequence($0) })
        #expect(reader.ending == nil)
        #expect(disk.allContents == before)
    }
}
