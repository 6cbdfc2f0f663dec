import CallModel
import Simulation
import Testing
import WriteAheadLog

@Suite("A crash loses nothing that was acknowledged")
struct CrashTests {
    /// What one life must leave: `base` was there before; of `issued`, the first `acknowledged` were reported durable.
    private struct Expectation {
        var base: [[UInt8]] = []
        var issued: [[UInt8]] = []
        var acknowledged = 0
    }

    /// Opens an image and compares: everything acknowledged, nothing invented, order kept.
    @discardableResult
    private func recover(
        _ image: SimulatedDisk, _ expected: Expectation, _ what: String,
        sourceLocation: SourceLocation = #_sourceLocation
    ) -> LogRig? {
        do {
            let rig = try LogRig(image)
            let found = try records(of: rig.log)
            let all = expected.base + expected.issued
            #expect(
                found.count >= expected.base.count + expected.acknowledged, "\(what): lost",
                sourceLocation: sourceLocation)
            #expect(found == Array(all.prefix(found.count)), "\(what): wrong", sourceLocation: sourceLocation)
            return rig
        } catch {
            Issue.record("\(what): \(error)", sourceLocation: sourceLocation)
            return nil
        }
    }

    @Test("a power cut at every write and sync of a fixed workload leaves a log that recovers")
    func everyBoundary() throws {
        let disk = SimulatedDisk(seed: 1)
        var expected = Expectation()
        var rig: LogRig?
        var images = 0
        disk.afterChange = { call in
            var now = expected
            if let rig { (now.issued, now.acknowledged) = (rig.issued + [], rig.acknowledged) }
            // Handed over but not counted yet: the record that is being written.
            if let inFlight = expected.issued.last, now.issued.last != inFlight { now.issued.append(inFlight) }
            for seed in 0..<3 {
                recover(disk.crashImage(seed: UInt64(call * 3 + seed)), now, "call \(call), image \(seed)")
                images += 1
            }
        }
        rig = try LogRig(disk)
        for number in 0..<36 {
            expected.issued = [sampleRecord(number)]
            try rig?.append([sampleRecord(number)])
            if number % 6 == 5 { rig?.guardBatch() }
        }
        let first = try #require(rig)
        #expect(first.acknowledged == 36)
        // The second life begins on the same files.
        expected = Expectation(base: sampleRecords(0..<36))
        rig = nil
        rig = try LogRig(disk)
        for number in 36..<44 {
            expected.issued = [sampleRecord(number)]
            try rig?.append([sampleRecord(number)])
        }
        disk.afterChange = nil
        #expect(images > 300)
    }

    @Test("crashes in a row, with torn tails and load between them, lose nothing", arguments: 0..<60)
    func crashesInARow(seed: Int) throws {
        var generator = SeededGenerator(seed: UInt64(seed))
        var disk = SimulatedDisk(seed: UInt64(seed))
        var expected = Expectation()
        var cuts = 0
        for life in 0..<5 {
            guard let rig = recover(disk, expected, "life \(life)") else { return }
            cuts += rig.report.notes.filter { RecoveryTable.row($0.finding).decision == .cut }.count
            expected = Expectation(base: try records(of: rig.log))
            rig.settle()
            for number in 0..<Int.random(in: 1...12, using: &generator) {
                try rig.append([sampleRecord(1000 * life + number)])
                if Bool.random(using: &generator) { rig.guardBatch() }
            }
            // Several in flight, some steps done: the cut comes anywhere.
            for number in 0..<3 {
                do throws(AppendRefusal) { try rig.submit([sampleRecord(1000 * life + 500 + number)]) } catch { break }
            }
            for _ in 0..<Int.random(in: 0...7, using: &generator) { rig.disk.runStep(.log) }
            rig.hear()
            expected.issued = rig.issued
            expected.acknowledged = rig.acknowledged
            disk = rig.disk.crashImage(seed: generator.next())
        }
        recover(disk, expected, "last life")
    }

    @Test("a cut tail is kept aside, and the segment is freed behind its end")
    func tailKeptAside() throws {
        let disk = SimulatedDisk(seed: 1)
        let rig = try LogRig(disk)
        try rig.append([sampleRecord(1)])
        let batch = try rig.submit([sampleRecord(2)])
        rig.settle()
        let tail = Array(
            try #require(disk.contents("segment-000000000001.log"))[batch.header.offset...].prefix(batch.bytes.count))
        // The last sectors never arrived.
        disk.harm("segment-000000000001.log") { bytes in
            for index in batch.header.offset + 512..<batch.header.offset + batch.bytes.count { bytes[index] = 0 }
        }
        let again = try LogRig(disk)
        #expect(again.report.notes.map(\.finding) == [.badAlone])
        let name = try #require(again.report.notes.first?.aside)
        let aside = try #require(disk.contents(name))
        #expect(aside.prefix(512) == tail.prefix(512))
        #expect(disk.contents("segment-000000000001.log")?.count == batch.header.offset)
        #expect(try records(of: again.log) == [sampleRecord(1)])
    }

    @Test(
        "a disk fault at every call stops the log or is refused by type, and nothing acknowledged is lost",
        arguments: [DiskFault.inputOutput, .noSpace, .shortWrite, .syncFails])
    func faultAtEveryCall(fault: DiskFault) throws {
        var call = 0
        while try faultyRun(fault, at: call) { call += 1 }
        #expect(call > 60)
    }

    /// False when the workload ends before that call.
    private func faultyRun(_ fault: DiskFault, at call: Int) throws -> Bool {
        let disk = SimulatedDisk(seed: UInt64(call))
        disk.faults[call] = fault
        var expected = Expectation()
        for life in 0..<2 {
            let rig: LogRig
            do throws(LogError) { rig = try LogRig(disk) } catch {
                guard case .disk = error else {
                    Issue.record("\(fault) at \(call): \(error)")
                    return false
                }
                break
            }
            for number in 0..<20 {
                do throws(AppendRefusal) { try rig.append([sampleRecord(life * 20 + number)]) } catch { break }
                if number == 7 { rig.guardBatch() }
            }
            expected.issued += rig.issued
            expected.acknowledged += rig.acknowledged
            if rig.log.failure != nil {
                let writes = disk.calls
                #expect(throws: AppendRefusal.self) { try rig.submit([[1]]) }
                #expect(!rig.log.guardIsDue)
                rig.settle()
                #expect(disk.calls == writes, "\(fault) at \(call): it wrote after a failure")
                break
            }
        }
        let ended = disk.calls <= call
        recover(disk.crashImage(seed: UInt64(call)), expected, "\(fault) at \(call), power cut")
        recover(disk.killImage(), expected, "\(fault) at \(call), killed")
        return !ended
    }

    @Test(
        "a write that the disk lost or misplaced is found, never passed over",
        arguments: [DiskFault.lostWrite, .misdirectedWrite])
    func lyingDisk(fault: DiskFault) throws {
        let honest = SimulatedDisk(seed: 1)
        try LogRig(honest).append(numbers: 0..<30)
        var found = 0
        for call in honest.writes {
            let disk = SimulatedDisk(seed: UInt64(call))
            disk.faults[call] = fault
            let rig = try LogRig(disk)
            try rig.append(numbers: 0..<30)
            let image = disk.killImage()
            image.faults = [:]
            do throws(LogError) {
                let again = try LogRig(image, evidence: DurableEvidence(cleanEnd: rig.log.durable))
                #expect(throws: Never.self) { try #expect(records(of: again.log) == sampleRecords(0..<30)) }
            } catch {
                guard case .damaged = error else {
                    Issue.record("\(fault) at \(call): \(error)")
                    continue
                }
                found += 1
            }
        }
        #expect(found >= 30)
    }
}
