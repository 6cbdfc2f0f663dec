import CallModel
import Simulation
import Testing
import WriteAheadLog

/// A side aligns its log with the other's: what only it holds is moved aside (RELIABILITY.md, R11).
@Suite("A log is cut to a place that both sides hold")
struct CutTests {
    private func evidence(_ place: Position) -> DurableEvidence {
        var evidence = DurableEvidence()
        evidence.cutAfter = place
        return evidence
    }

    /// A log of 30 batches over several segments, and the end of each batch.
    private func written() throws -> (disk: SimulatedDisk, ends: [Position]) {
        let disk = SimulatedDisk(seed: 1)
        let rig = try LogRig(disk)
        var ends = [Position.zero]
        for number in 1...30 {
            try rig.append([sampleRecord(number)])
            ends.append(rig.log.end)
        }
        return (disk, ends)
    }

    @Test("after any batch, over segments too: what is before stays, what follows is kept aside, and the log goes on")
    func everyPlace() throws {
        let (disk, ends) = try written()
        for (count, place) in ends.enumerated() {
            let image = disk.killImage()
            let rig = try LogRig(image, evidence: evidence(place))
            #expect(rig.report.end == place)
            #expect(try records(of: rig.log) == sampleRecords(1..<count + 1))
            try rig.append([sampleRecord(1000)])
            let again = try LogRig(image.killImage())
            #expect(try records(of: again.log) == sampleRecords(1..<count + 1) + [sampleRecord(1000)])
            let aside = image.allContents.filter { $0.key.hasPrefix("aside-") }
            #expect(aside.isEmpty == (count == 30), "\(count)")
        }
    }

    @Test("a crash at any step of it leaves the whole log or a beginning of it that reaches the place at least")
    func crashes() throws {
        let (disk, ends) = try written()
        let place = ends[12]
        let image = disk.killImage()
        var images: [SimulatedDisk] = []
        image.afterChange = { call in images.append(image.crashImage(seed: UInt64(call))) }
        _ = try LogRig(image, evidence: evidence(place))
        image.afterChange = nil
        #expect(images.count > 5)
        for crashed in images {
            let found = try records(of: LogRig(crashed).log)
            #expect(found.count >= 12 && found == sampleRecords(1..<found.count + 1))
        }
    }

    @Test("a place that is not on the log is refused, and nothing is changed")
    func strangePlace() throws {
        let (disk, ends) = try written()
        let strange = Position(epoch: 1, sequence: ends[5].sequence, chain: ends[6].chain)
        let before = disk.allContents
        #expect(throws: LogError.self) { try LogRig(disk, evidence: evidence(strange)) }
        let isUntouched = disk.allContents == before
        #expect(isUntouched)
    }

    @Test("a bad tail of which only the other side can speak is told of before it is cut, and kept aside")
    func undecided() throws {
        let disk = SimulatedDisk(seed: 1)
        let rig = try LogRig(disk)
        for number in 1...3 { try rig.submit([Array("record \(number)".utf8)]) }
        rig.settle()
        disk.harm("segment-000000000001.log") { $0[4096 * 3 + 165] ^= 0xff }
        var evidence = DurableEvidence()
        evidence.epochWasPaired = true
        var told: Set<String>?
        let before = Set(disk.allContents.keys)
        let (log, report) = try SimulatedLog.open(
            disk, identity: thisSide, configuration: smallSegments, evidence: evidence
        ) { told = Set(disk.allContents.keys) }
        #expect(told == before)
        #expect(report.tailUndecided)
        #expect(try records(of: log).count == 2)
        #expect(disk.allContents.keys.contains { $0.hasPrefix("aside-") })
    }
}
