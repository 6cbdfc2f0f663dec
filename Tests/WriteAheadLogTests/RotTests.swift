import ByteCoding
import CallModel
import Simulation
import Testing
import WriteAheadLog

@Suite("Damage of durable records is found, never cut away")
struct RotTests {
    private static let count = 40

    /// A log that was stopped after a guard batch.
    private func stopped() throws -> (SimulatedDisk, Position) {
        let disk = SimulatedDisk(seed: 1)
        let rig = try LogRig(disk)
        try rig.append(numbers: 0..<Self.count)
        rig.guardBatch()
        return (disk, rig.log.durable)
    }

    /// Either every record comes back, or the log refuses with a place and a sentence. Returns whether it refused.
    private func isRefused(_ image: SimulatedDisk, _ evidence: DurableEvidence, _ what: String) -> Bool {
        do throws(LogError) {
            let rig = try LogRig(image, evidence: evidence)
            #expect(throws: Never.self, "\(what)") {
                try #expect(records(of: rig.log) == sampleRecords(0..<Self.count), "\(what)")
            }
            return false
        } catch {
            switch error {
            case .damaged(let damage):
                #expect(RecoveryTable.row(damage.finding).decision != .cut, "\(what)")
                #expect(damage.file.hasPrefix("segment-"), "\(what)")
            case .newerVersion, .gap, .otherPair, .otherSide: break
            case .disk, .notEmpty, .badArgument: Issue.record("\(what): \(error)")
            }
            return true
        }
    }

    private func used(_ disk: SimulatedDisk) -> [(name: String, bytes: Int)] {
        disk.allContents.filter { $0.key.hasPrefix("segment-") && $0.value.contains { $0 != 0 } }
            .map { ($0.key, ($0.value.lastIndex { $0 != 0 } ?? 0) + 1) }.sorted { $0.0 < $1.0 }
    }

    @Test("flipped bits", arguments: 0..<10)
    func bitFlips(part: Int) throws {
        let (disk, _) = try stopped()
        let files = used(disk)
        var generator = SeededGenerator(seed: UInt64(part))
        var refused = 0
        for round in 0..<30 {
            let (name, bytes) = files[Int.random(in: 0..<files.count, using: &generator)]
            let at = Int.random(in: 0..<bytes, using: &generator)
            let image = disk.killImage()
            image.harm(name) { $0[at] ^= 1 << UInt8.random(in: 0..<8, using: &generator) }
            if isRefused(image, DurableEvidence(), "part \(part), round \(round): \(name) byte \(at)") { refused += 1 }
        }
        #expect(refused > 5)
    }

    @Test("zeroed, swapped and truncated blocks")
    func blocks() throws {
        let (disk, end) = try stopped()
        let files = used(disk)
        for (name, bytes) in files {
            for block in 0..<bytes / 4096 {
                let from = block * 4096
                let zeroed = disk.killImage()
                zeroed.harm(name) { $0.replaceSubrange(from..<from + 4096, with: repeatElement(0, count: 4096)) }
                _ = isRefused(zeroed, DurableEvidence(cleanEnd: end), "\(name) block \(block) zeroed")
                let swapped = disk.killImage()
                swapped.harm(name) { bytes in
                    let other = block == 1 ? 2 : 1
                    for index in 0..<4096 { bytes.swapAt(from + index, other * 4096 + index) }
                }
                _ = isRefused(swapped, DurableEvidence(cleanEnd: end), "\(name) block \(block) swapped")
            }
            let cut = disk.killImage()
            cut.harm(name) { $0.removeLast($0.count - bytes / 2 / 4096 * 4096) }
            #expect(isRefused(cut, DurableEvidence(), "\(name) truncated"))
        }
        let lost = disk.killImage()
        try lost.remove(files[1].name)
        #expect(isRefused(lost, DurableEvidence(), "\(files[1].name) removed"))
    }

    @Test("the only segment, cut within its header, is no empty log, even when nobody else says what it held")
    func cutWithinHeader() throws {
        let (disk, _) = try stopped()
        for (name, _) in used(disk).dropFirst() { try disk.remove(name) }
        for size in [0, 1, 100, 4095] {
            let cut = disk.killImage()
            cut.harm("segment-000000000001.log") { $0.removeLast($0.count - size) }
            #expect(isRefused(cut, DurableEvidence(), "\(size) bytes"))
        }
    }

    @Test("a damaged record is reported with file, place, the position before it and the next step; nothing is changed")
    func report() throws {
        let (disk, _) = try stopped()
        disk.harm("segment-000000000001.log") { $0[4096 + 200] ^= 1 }
        let before = disk.allContents
        let found = try #require(damage(disk))
        #expect(found.file == "segment-000000000001.log")
        #expect(found.offset == 4096)
        #expect(found.after == .zero)
        #expect(found.finding == .badKnownDurable)
        #expect(found.description.contains("restore"))
        #expect(disk.allContents == before)
    }

    @Test("a store, a clean stop or the other side beyond the log's end proves that records are missing")
    func evidenceBeyondTheEnd() throws {
        let (disk, end) = try stopped()
        let beyond = Position(epoch: 1, sequence: end.sequence.next, chain: .zero)
        #expect(damage(disk.killImage(), DurableEvidence(stored: beyond))?.finding == .badKnownDurable)
        #expect(damage(disk.killImage(), DurableEvidence(cleanEnd: beyond))?.finding == .badKnownDurable)
        var other = DurableEvidence()
        other.otherSide = beyond
        #expect(damage(disk.killImage(), other)?.finding == .badKnownDurable)
        let empty = SimulatedDisk(seed: 1)
        #expect(damage(empty, DurableEvidence(stored: end))?.finding == .badKnownDurable)
        let contradicting = Position(epoch: 1, sequence: LogSequence(5), chain: .zero)
        #expect(damage(disk.killImage(), DurableEvidence(stored: contradicting))?.finding == .contradiction)
    }

    @Test("files of another pair or of the other side, and a newer format, are refused with their names")
    func strangers() throws {
        let (disk, _) = try stopped()
        let pair = LogIdentity(pairID: .zero, side: .a, incarnation: 7)
        let side = LogIdentity(pairID: thisSide.pairID, side: .b, incarnation: 7)
        for (identity, word) in [(pair, "pair"), (side, "side B")] {
            do throws(LogError) {
                _ = try LogRig(disk.killImage(), identity: identity)
                Issue.record("it opened")
            } catch {
                #expect("\(error)".contains("segment-000000000001.log"))
                #expect("\(error)".contains(word))
            }
        }
        let mixed = disk.killImage()
        let other = SimulatedDisk(seed: 2)
        _ = try LogRig(other, identity: side)
        let theirs = try #require(other.contents("segment-000000000001.log"))
        mixed.harm("segment-000000000002.log") { $0 = theirs }
        #expect(throws: LogError.self) { try LogRig(mixed) }
        try mixed.write("segment-000000000009.log", offset: 0, bytes: theirs)
        #expect(throws: LogError.self) { try LogRig(mixed) }
    }
}
