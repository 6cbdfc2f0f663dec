import ByteCoding
import CallModel
import Simulation
import Testing
import WriteAheadLog

/// Every field in use.
let fullSuperblock = Superblock(
    identity: thisSide,
    promise: PairRegister(
        epoch: 5, mode: .paired, active: .b, incarnationA: 7, incarnationB: 8, lossy: true,
        nonce: Hash128(high: 3, low: 4)),
    jointIntent: JointIntent(epoch: 6, incarnation: 10), needsResync: true, tailUndecided: true,
    cleanEnd: Position(epoch: 5, sequence: LogSequence(77), chain: Hash128(high: 11, low: 12)))

@Suite("The superblock is there in one whole copy at any moment")
struct SuperblockTests {
    private func store(_ disk: SimulatedDisk) throws -> SuperblockStore<SimulatedDisk> {
        try SuperblockStore.open(disk)
    }

    @Test("what was written comes back, with every field, from alternating files")
    func alternating() throws {
        let disk = SimulatedDisk(seed: 1)
        var first = try store(disk)
        #expect(first.current == nil)
        var value = Superblock(identity: thisSide)
        try first.write(value)
        let before = disk.contents("superblock-1")
        #expect(try store(disk).current == value)
        value = fullSuperblock
        try first.write(value)
        #expect(disk.contents("superblock-1") == before)
        #expect(try store(disk).current == value)
        var again = try store(disk)
        value.tailUndecided = false
        try again.write(value)
        #expect(disk.contents("superblock-1") != before)
        #expect(try store(disk).current == value)
    }

    @Test("a power cut at any moment leaves the old or the new value")
    func crashes() throws {
        let disk = SimulatedDisk(seed: 1)
        var store = try store(disk)
        var old: Superblock?
        for epoch in 1...6 {
            let new = Superblock(
                identity: thisSide, promise: PairRegister(epoch: UInt64(epoch), mode: .alone, active: .a))
            let before = old
            disk.afterChange = { call in
                for seed in 0..<8 {
                    let image = disk.crashImage(seed: UInt64(call * 8 + seed))
                    #expect(throws: Never.self) {
                        let found = try SuperblockStore.open(image).current
                        #expect(found == before || found == new)
                    }
                }
            }
            try store.write(new)
            disk.afterChange = nil
            #expect(try SuperblockStore.open(disk.crashImage(seed: 1)).current == new)
            old = new
        }
    }

    @Test("one bad copy: the other counts and it is said; both bad: formatted")
    func badCopies() throws {
        let disk = SimulatedDisk(seed: 1)
        var first = try store(disk)
        let older = Superblock(identity: thisSide)
        try first.write(older)
        try first.write(fullSuperblock)
        disk.harm("superblock-0") { $0[2000] ^= 1 }
        let one = try store(disk)
        #expect(one.current == older)
        #expect(one.notes.count == 1)
        disk.harm("superblock-1") { $0.removeLast() }
        let none = try store(disk)
        #expect(none.current == nil)
        #expect(none.notes.count == 2)
    }

    @Test("a submitted value counts when its flush returned, in the order of the log's lane")
    func submitted() throws {
        let disk = SimulatedDisk(seed: 1)
        var store = try store(disk)
        let token = store.submit(fullSuperblock)
        #expect(store.current == nil)
        disk.runAll()
        let events = disk.takeCompletions().compactMap { store.completed($0) }
        #expect(events == [.durable(token)])
        #expect(store.current == fullSuperblock)
        disk.faults[disk.calls + 1] = .syncFails
        _ = store.submit(Superblock(identity: thisSide))
        disk.runAll()
        for completion in disk.takeCompletions() {
            guard case .failed = store.completed(completion) else {
                Issue.record("it did not fail")
                return
            }
        }
        #expect(store.current == fullSuperblock)
    }

    @Test("a superblock of another pair, of the other side or of a newer format is refused with its file's name")
    func strangers() throws {
        let disk = SimulatedDisk(seed: 1)
        var first = try store(disk)
        try first.write(Superblock(identity: thisSide))
        try first.check(pairID: thisSide.pairID, side: .a)
        #expect(throws: LogError.self) { try first.check(pairID: .zero, side: .a) }
        #expect(throws: LogError.otherSide(file: "superblock-1", found: .a, expected: .b)) {
            try first.check(pairID: thisSide.pairID, side: .b)
        }
        disk.harm("superblock-1") { bytes in
            bytes[4] = 2
            let checksum = CRC32C.checksum(Array(bytes[4...]))
            for index in 0..<4 { bytes[index] = UInt8(truncatingIfNeeded: checksum >> UInt32(8 * index)) }
        }
        #expect(throws: LogError.newerVersion(file: "superblock-1", offset: 0, version: 2)) { try store(disk) }
    }
}
