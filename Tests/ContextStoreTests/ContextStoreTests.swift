import ByteCoding
import CallModel
import ContextStore
import Glibc
import Ledger
import Testing

@Suite("ContextStore: files, damage, bounds")
struct ContextStoreTests {
    let directory = TemporaryDirectory()

    func open(
        _ configuration: StoreConfiguration = patient, as owner: StoreIdentity = identity
    ) throws -> ContextStore {
        try ContextStore.open(path: directory.store, identity: owner, configuration: configuration)
    }

    /// A store with some rows, closed.
    @discardableResult
    func written(rows: Int = 50) throws -> Model {
        var model = Model()
        let store = try open()
        store.start(onDurable: { _ in }, onFailure: { _ in })
        for number in 0..<rows {
            store.take(
                model.batch([
                    put(.reservations, number, "reservation \(number)"), put(.contexts, number, "context \(number)"),
                    put(.dialogs, number, "dialog \(number)"),
                ]))
        }
        try store.flush()
        store.close()
        return model
    }

    func replace(_ old: String, with new: String) throws {
        let path = directory.store + "/data.mdb"
        let descriptor = Glibc.open(path, O_RDWR)
        try #require(descriptor >= 0)
        defer { Glibc.close(descriptor) }
        let size = Int(lseek(descriptor, 0, SEEK_END))
        var bytes = [UInt8](repeating: 0, count: size)
        try #require(pread(descriptor, &bytes, size, 0) == size)
        let wanted = Array(old.utf8)
        var found = 0
        for offset in 0...(size - wanted.count) where bytes[offset] == wanted[0] {
            if Array(bytes[offset..<offset + wanted.count]) == wanted {
                _ = pwrite(descriptor, Array(new.utf8), wanted.count, off_t(offset))
                found += 1
            }
        }
        try #require(found > 0)
    }

    @Test("verify recomputes the digest from the stored bytes and finds a sound store sound")
    func verifySound() throws {
        let model = try written()
        let verification = try ContextStore.verify(path: directory.store)
        #expect(verification.isSound, "\(verification.description)")
        #expect(verification.digest == model.state.digest)
        #expect(verification.state == model.state)
        #expect(verification.identity == identity)
        #expect(verification.rows[.contexts] == 50 && verification.rows[.journeys] == 0)
    }

    @Test("a changed byte in a value is found by verify, and is a typed fault for a reader, never a wrong value")
    func flippedByte() throws {
        try written()
        try replace("context 17", with: "context 71")
        let verification = try ContextStore.verify(path: directory.store)
        #expect(!verification.isSound && verification.damagedCount == 1)
        #expect(verification.damagedRows.first?.table == .contexts)
        #expect(verification.damagedRows.first?.key == key(17))

        let store = try open()
        let expected = StoreError.damagedRow(
            path: directory.store, table: .contexts, key: key(17), reason: "its checksum is wrong")
        #expect(throws: expected) { try store.value(.contexts, key: key(17)) }
        #expect(throws: expected) { try store.rows(.contexts, limit: 100) }
        #expect(throws: expected) { try store.forEachRow(.contexts) { _, _ in } }
        #expect(try store.value(.contexts, key: key(18)) == Array("context 18".utf8))
    }

    @Test("two values that changed places are found")
    func swappedValues() throws {
        try written()
        try replace("context 17", with: "context ##")
        try replace("context 18", with: "context 17")
        try replace("context ##", with: "context 18")
        #expect(try ContextStore.verify(path: directory.store).damagedCount == 2)
    }

    @Test("a row that is lacking is found by the digest, which names the table")
    func lackingRow() throws {
        var model = Model()
        let store = try open()
        store.start(onDurable: { _ in }, onFailure: { _ in })
        let batch = model.batch([put(.dialogs, 1, "one"), put(.dialogs, 2, "two")])
        store.take(AppliedBatch(changes: Array(batch.changes.dropLast()), state: batch.state))
        store.close()
        let verification = try ContextStore.verify(path: directory.store)
        #expect(!verification.isSound && verification.damagedCount == 0)
        #expect(verification.description.contains("rows of dialogs"))
    }

    @Test("a decoder's fault while restoring names the row")
    func decoderFault() throws {
        try written(rows: 2)
        let store = try open()
        let error = #expect(throws: StoreError.self) {
            try store.forEachRow(.dialogs) { _, _ throws(ByteFault) in throw .trailing(3) }
        }
        #expect(error?.description.contains("a row of dialogs is damaged") == true)
    }

    @Test("another pair's store, or the other side's, is refused with both names and left as it is")
    func otherOwner() throws {
        let model = try written()
        let other = Hash128(high: 9, low: 9)
        #expect(throws: StoreError.otherPair(path: directory.store, found: identity.pairID, expected: other)) {
            try open(as: StoreIdentity(pairID: other, side: .a))
        }
        #expect(throws: StoreError.otherSide(path: directory.store, found: .a, expected: .b)) {
            try open(as: StoreIdentity(pairID: identity.pairID, side: .b))
        }
        #expect(try open().restored == model.state)
    }

    @Test("a second opening in the process is refused, for writing and for reading, until the first is gone")
    func openedTwice() throws {
        do {
            let store = try open()
            #expect(throws: StoreError.inUse(path: directory.store)) { try open() }
            #expect(throws: StoreError.inUse(path: directory.store)) { try StoreReader.open(path: directory.store) }
            _ = store.restored
        }
        _ = try open()
    }

    @Test("after close the files are free for another opening, and the closed store says so when it is read")
    func closed() throws {
        let store = try open()
        store.close()
        let second = try open()
        #expect(throws: StoreError.closed(path: directory.store)) { try store.value(.contexts, key: key(1)) }
        #expect(throws: StoreError.closed(path: directory.store)) { try store.rows(.contexts, limit: 1) }
        #expect(try second.value(.contexts, key: key(1)) == nil)
    }

    @Test("a directory that cannot be made, or no store to read, is refused with a sentence")
    func notThere() throws {
        let path = directory.path + "/absent/store"
        let error = #expect(throws: StoreError.self) { try ContextStore.open(path: path, identity: identity) }
        #expect(error?.description.contains("Give the user of baton write access") == true)
        #expect(throws: StoreError.missing(path: path)) { try ContextStore.verify(path: path) }
    }

    @Test("a full map is a typed error: told once, nothing is written any more, reservations are refused")
    func mapFull() throws {
        var configuration = patient
        configuration.mapBytes = 1 << 20
        let store = try open(configuration)
        let told = Told()
        store.start(onDurable: { told.durable($0) }, onFailure: { told.failed($0) })
        var model = Model()
        store.take(model.batch([put(.contexts, 0, "first")]))
        try store.flush()
        let kept = store.durable
        store.take(model.batch((1..<2_000).map { put(.contexts, $0, String(repeating: "x", count: 1_000)) }))
        let expected = StoreError.mapFull(path: directory.store, mapBytes: 1 << 20)
        #expect(throws: expected) { try store.flush() }
        #expect(store.durable == kept && store.failure == expected)
        #expect(store.pressure.reason?.contains("is full") == true)
        #expect(try store.value(.contexts, key: key(1)) != nil)
        store.take(model.batch([put(.contexts, 1, "later")]))
        store.close()
        #expect(told.failures == [expected])
    }

    @Test("above 70 % of the map new reservations are refused, and taken again when there is room")
    func mapNearlyFull() throws {
        var configuration = patient
        configuration.mapBytes = 4 << 20
        let store = try open(configuration)
        defer { store.close() }
        store.start(onDurable: { _ in }, onFailure: { _ in })
        var model = Model()
        store.take(model.batch((0..<1_000).map { put(.contexts, $0, String(repeating: "x", count: 3_000)) }))
        try store.flush()
        #expect(store.usage.usedPercent >= 70)
        #expect(store.pressure.reason?.contains("% of its map") == true)
        store.take(model.batch((0..<1_000).map { remove(.contexts, $0) }))
        try store.flush()
        // Pages freed by a transaction are counted free at once.
        #expect(store.pressure == .none)
    }

    @Test("below the least free space no transaction is begun; it resumes by itself when there is space")
    func shortOfSpace() throws {
        let free = SharedNumber(10 << 20)
        var configuration = patient
        configuration.retryMilliseconds = 5
        configuration.freeBytes = { _ in free.value }
        let store = try open(configuration)
        let told = Told()
        store.start(onDurable: { told.durable($0) }, onFailure: { told.failed($0) })
        var model = Model()
        store.take(model.batch([put(.contexts, 1, "one")]))
        let expected = StoreError.noSpace(path: directory.store, freeBytes: 10 << 20, leastBytes: 256 << 20)
        #expect(throws: expected) { try store.flush() }
        #expect(store.pressure.reason?.contains("10 MiB are free") == true)
        // Claims and releases go on: taken and readable.
        store.take(model.batch([put(.contexts, 2, "two")]))
        #expect(try store.value(.contexts, key: key(2)) == Array("two".utf8))
        #expect(store.transactions == 0 && told.failures.isEmpty)

        free.value = 1 << 30
        while store.pressure != .none { sched_yield() }
        try store.flush()
        #expect(store.durable == model.state)
        store.close()
    }

    @Test("without a call to flush a window is written when its time has come")
    func windowTime() throws {
        var configuration = patient
        configuration.windowMilliseconds = 5
        let store = try open(configuration)
        defer { store.close() }
        store.start(onDurable: { _ in }, onFailure: { _ in })
        var model = Model()
        store.take(model.batch([put(.contexts, 1, "one")]))
        while store.durable != model.state { sched_yield() }
        #expect(store.lag == .zero)
    }

    @Test("100,000 rows are handed over in well under a second")
    func restoreSpeed() throws {
        var model = Model()
        do {
            let store = try open()
            store.start(onDurable: { _ in }, onFailure: { _ in })
            let value = String(repeating: "r", count: 200)
            store.take(model.batch((0..<100_000).map { put(.reservations, $0, value) }))
            store.close()
        }
        let store = try open()
        var count = 0
        let duration = try ContinuousClock().measure { try store.forEachRow(.reservations) { _, _ in count += 1 } }
        #expect(count == 100_000)
        // Debug builds are many times slower than the program; this bound only catches a wrong order of growth.
        #expect(duration < .seconds(5))
        print("100,000 rows restored in \(duration)")
    }
}
