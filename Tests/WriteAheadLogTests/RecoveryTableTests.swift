import ByteCoding
import CallModel
import Simulation
import Testing
import WriteAheadLog

@Suite("Recovery is a table")
struct RecoveryTableTests {
    private static let segment = "segment-000000000001.log"

    /// Fills more than its batch's first sector, and less than a block.
    private func oneBlock(_ number: Int) -> [UInt8] { [UInt8](repeating: UInt8(number), count: 1000) }

    /// Three batches of one block, handed over at once or one after the other; the places of their first bytes.
    private func threeBatches(epoch: UInt64 = 1, atOnce: Bool = false) throws -> SimulatedDisk {
        let disk = SimulatedDisk(seed: 1)
        let rig = try LogRig(disk)
        for number in 1...3 {
            try rig.submit([oneBlock(number)], epoch: epoch)
            if !atOnce { rig.settle() }
        }
        rig.settle()
        return disk
    }

    private func flip(_ disk: SimulatedDisk, block: Int, byte: Int = 200) {
        disk.harm(Self.segment) { $0[4096 * block + byte] ^= 0xff }
    }

    /// The last block's batch loses its second sector.
    private func tear(_ disk: SimulatedDisk, block: Int) {
        disk.harm(Self.segment) { bytes in
            for index in 4096 * block + 512..<4096 * block + 1024 { bytes[index] = 0 }
        }
    }

    private func findings(_ disk: SimulatedDisk, _ evidence: DurableEvidence = DurableEvidence()) throws
        -> [RecoveryFinding]
    {
        try LogRig(disk, evidence: evidence).report.notes.map(\.finding)
    }

    private func paired(_ word: OtherSideWord) -> DurableEvidence {
        var evidence = DurableEvidence()
        evidence.epochWasPaired = true
        evidence.otherSideWord = word
        return evidence
    }

    @Test("the dump is what Schemas/recovery.txt says")
    func golden() throws {
        try expectGolden(RecoveryTable.dump(), "Schemas", "recovery.txt")
    }

    @Test("every finding has one row with its own sentence")
    func everyFinding() {
        for finding in RecoveryFinding.allCases { #expect(RecoveryTable.row(finding).finding == finding) }
        #expect(
            Set(RecoveryFinding.allCases.map { RecoveryTable.row($0).sentence }).count == RecoveryFinding.allCases.count
        )
    }

    @Test("header, payload and chain good: taken; zeros to the end: a clean end")
    func goodAndClean() throws {
        let rig = try LogRig(try threeBatches())
        #expect(rig.report.batches == 3)
        #expect(rig.report.notes.map(\.finding) == [.zerosToTheEnd])
    }

    @Test("bad, and a later batch says it was durable: rot, never truncated")
    func rot() throws {
        let disk = try threeBatches()
        flip(disk, block: 1)
        #expect(damage(disk)?.finding == .badKnownDurable)
        let zeroed = try threeBatches()
        zeroed.harm(Self.segment) { $0.replaceSubrange(4096..<8192, with: repeatElement(0, count: 4096)) }
        #expect(damage(zeroed)?.finding == .badKnownDurable)
    }

    @Test("bad, and the store, the superblock or the other side says it was durable: rot")
    func rotByEvidence() throws {
        let disk = try threeBatches()
        let end = try LogRig(disk.killImage()).report.end
        flip(disk, block: 3)
        #expect(damage(disk.killImage(), DurableEvidence(stored: end))?.finding == .badKnownDurable)
        #expect(damage(disk.killImage(), DurableEvidence(cleanEnd: end))?.finding == .badKnownDurable)
        #expect(try findings(disk.killImage()) == [.badAlone])
    }

    @Test("bad, nothing says durable, epoch was paired: the other side's word decides")
    func pairedTail() throws {
        let disk = try threeBatches()
        flip(disk, block: 3)
        #expect(try findings(disk.killImage(), paired(.notAsked)) == [.badPairedNotAsked])
        #expect(damage(disk.killImage(), paired(.has))?.finding == .badPairedOtherHas)
        #expect(damage(disk.killImage(), paired(.badToo))?.finding == .badPairedOtherBad)
        #expect(damage(disk.killImage(), paired(.anotherIncarnation))?.finding == .badPairedOtherIncarnation)
        #expect(damage(disk.killImage(), paired(.unreachable))?.finding == .badPairedUnreachable)
        #expect(try findings(disk.killImage(), paired(.cleanlyLacks)) == [.badPairedOtherLacks])
    }

    @Test("the same, other side unreachable, a 512-byte sector of the batch all zero: never written whole, cut")
    func zeroSector() throws {
        let disk = try threeBatches()
        tear(disk, block: 3)
        #expect(try findings(disk, paired(.unreachable)) == [.badPairedUnreachableZeroSector])
    }

    @Test("a batch whose record fills a sector with zeros is not taken for one that was never written")
    func lawfulZeroSector() throws {
        let disk = SimulatedDisk(seed: 1)
        let rig = try LogRig(disk)
        try rig.append([[UInt8](repeating: 0, count: 2000)])
        #expect(try records(of: LogRig(disk.killImage()).log) == [[UInt8](repeating: 0, count: 2000)])
        flip(disk, block: 1, byte: 300)
        #expect(damage(disk, paired(.unreachable))?.finding == .badPairedUnreachable)
    }

    @Test("the same, this side was alone: a torn tail, cut and kept aside")
    func aloneTail() throws {
        let disk = try threeBatches()
        tear(disk, block: 3)
        let rig = try LogRig(disk)
        #expect(rig.report.notes.map(\.finding) == [.badAlone])
        #expect(disk.contents("aside-1-12288.bin") != nil)
        #expect(try records(of: rig.log) == [oneBlock(1), oneBlock(2)])
    }

    @Test("valid batches after a hole whose durable sequence lies before the hole: a tail, not rot")
    func hole() throws {
        let disk = try threeBatches(atOnce: true)
        disk.harm(Self.segment) { $0.replaceSubrange(8192..<12288, with: repeatElement(0, count: 4096)) }
        #expect(try findings(disk.killImage()) == [.holeBeforeUndurable, .badAlone])
        #expect(try records(of: LogRig(disk).log) == [oneBlock(1)])
    }

    @Test("a guard batch that is damaged holds no record: passed over")
    func damagedGuard() throws {
        let disk = SimulatedDisk(seed: 1)
        let rig = try LogRig(disk)
        try rig.append([sampleRecord(1)])
        rig.guardBatch()
        try rig.append([sampleRecord(2)])
        flip(disk, block: 2, byte: 50)
        let again = try LogRig(disk)
        #expect(again.report.notes.map(\.finding) == [.damagedGuard, .zerosToTheEnd])
        #expect(try records(of: again.log) == sampleRecords(1..<3))
    }

    @Test("chain break, epoch going down, or a gap between good batches: a misdirected or lost write")
    func contradictions() throws {
        // Block 3 of a log that differs in its first record follows another chain.
        let other = SimulatedDisk(seed: 1)
        let rig = try LogRig(other)
        for number in [9, 2, 3] { try rig.append([oneBlock(number)]) }
        let theirs = Array(try #require(other.contents(Self.segment))[12288..<16384])
        let broken = try threeBatches()
        broken.harm(Self.segment) { $0.replaceSubrange(12288..<16384, with: theirs) }
        #expect(damage(broken)?.finding == .contradiction)
        // A batch of another place of the same segment.
        let misdirected = try threeBatches()
        misdirected.harm(Self.segment) { bytes in
            for index in 0..<4096 { bytes[8192 + index] = bytes[12288 + index] }
        }
        #expect(damage(misdirected)?.finding == .contradiction)
        // The same chain and sequence, but a lower epoch than its predecessor.
        let lower = try threeBatches(epoch: 5)
        let low = try threeBatches(epoch: 4)
        let third = Array(try #require(low.contents(Self.segment))[12288..<16384])
        lower.harm(Self.segment) { $0.replaceSubrange(12288..<16384, with: third) }
        #expect(damage(lower)?.finding == .contradiction)
    }

    @Test("a torn header of the newest segment was never used; the header of one with batches is missed")
    func segmentHeaders() throws {
        let disk = try threeBatches()
        try disk.write("segment-000000000002.log", offset: 100, bytes: [1, 2, 3])
        let rig = try LogRig(disk)
        #expect(try records(of: rig.log) == (1...3).map(oneBlock))
        #expect(disk.contents("segment-000000000002.log") == nil)
        let lost = try threeBatches()
        lost.harm(Self.segment) { $0[20] ^= 1 }
        #expect(damage(lost)?.finding == .badKnownDurable)
    }

    @Test("a batch or a segment of a newer format is refused with file and place")
    func newerFormat() throws {
        for (offset, count) in [(0, 4096), (4096, 160)] {
            let disk = try threeBatches()
            disk.harm(Self.segment) { bytes in
                bytes[offset + 4] = 2
                let checksum = CRC32C.checksum(Array(bytes[offset + 4..<offset + count]))
                for index in 0..<4 { bytes[offset + index] = UInt8(truncatingIfNeeded: checksum >> UInt32(8 * index)) }
            }
            #expect(throws: LogError.newerVersion(file: Self.segment, offset: offset, version: 2)) { try LogRig(disk) }
        }
    }
}
