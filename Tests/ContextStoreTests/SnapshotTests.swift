import ByteCoding
import CallModel
import ContextStore
import Glibc
import Ledger
import Testing

@Suite("ContextStore: snapshots")
struct SnapshotTests {
    let directory = TemporaryDirectory()
    var restored: String { directory.path + "/restored" }

    /// A store with rows in several tables and a snapshot of it.
    func snapshot(rows: Int = 30) throws -> (model: Model, path: String) {
        var model = Model()
        let store = try ContextStore.open(path: directory.store, identity: identity, configuration: patient)
        store.start(onDurable: { _ in }, onFailure: { _ in })
        defer { store.close() }
        let call = CallKey(origin: try InstanceName("bank"), day: 20_414, number: 1)
        for number in 0..<rows {
            store.take(
                model.batch([
                    put(.reservations, number, "reservation \(number)"), put(.contexts, number, "context \(number)"),
                    Change(table: .legs, key: Array("leg \(number)".utf8), value: call.legValue),
                ]))
        }
        try store.flush()
        return (model, try store.writeSnapshot(into: directory.path).path)
    }

    func bytes(of path: String) throws -> [UInt8] {
        let file = try #require(fopen(path, "r"))
        defer { fclose(file) }
        var bytes: [UInt8] = []
        while case let byte = fgetc(file), byte != EOF { bytes.append(UInt8(truncatingIfNeeded: byte)) }
        return bytes
    }

    func write(_ bytes: [UInt8], to path: String) throws {
        let file = try #require(fopen(path, "w"))
        #expect(fwrite(bytes, 1, bytes.count, file) == bytes.count)
        fclose(file)
    }

    @Test("a store restored from a snapshot has the same rows, position and digest, and verifies")
    func roundTrip() throws {
        let (model, path) = try snapshot()
        let verified = try SnapshotReader.verify(path: path)
        #expect(verified.state == model.state && verified.rows == 90 && verified.identity == identity)
        var small = patient
        small.windowBytes = 500
        try ContextStore.restore(snapshot: path, to: restored, identity: identity, configuration: small)
        #expect(try ContextStore.verify(path: restored).isSound)
        let store = try ContextStore.open(path: restored, identity: identity, configuration: patient)
        #expect(store.restored == model.state)
        for table in Table.allCases {
            #expect(try store.rows(table, limit: 1_000) == model.sorted(table), "\(table)")
        }
        // The store's own index of legs came along: days out of bounds take the legs with them.
        store.start(onDurable: { _ in }, onFailure: { _ in })
        defer { store.close() }
        var later = model
        store.take(later.batch([], wallMilliseconds: 30_000 * 86_400_000))
        try store.flush()
        #expect(try store.rows(.legs, limit: 1_000) == [])
    }

    @Test("every changed byte and every cut of a snapshot is found, and none of it becomes a store")
    func damage() throws {
        let (_, path) = try snapshot(rows: 3)
        let sound = try bytes(of: path)
        let damagedPath = directory.path + "/damaged"
        for offset in sound.indices {
            var damaged = sound
            damaged[offset] ^= 1 << UInt8(offset % 8)
            try write(damaged, to: damagedPath)
            #expect(throws: StoreError.self, "byte \(offset)") { try SnapshotReader.verify(path: damagedPath) }
        }
        for count in sound.indices {
            try write(Array(sound[..<count]), to: damagedPath)
            #expect(throws: StoreError.self, "\(count) bytes") { try SnapshotReader.verify(path: damagedPath) }
        }
        try write(sound + [0], to: damagedPath)
        #expect(throws: StoreError.self) { try SnapshotReader.verify(path: damagedPath) }
        #expect(throws: StoreError.self) {
            try ContextStore.restore(
                snapshot: damagedPath, to: restored, identity: identity, configuration: patient)
        }
        #expect(access(restored, F_OK) != 0)
        // The next attempt clears what that one left.
        try ContextStore.restore(snapshot: path, to: restored, identity: identity, configuration: patient)
    }

    @Test("only the two newest snapshots are kept")
    func twoKept() throws {
        var model = Model()
        let store = try ContextStore.open(path: directory.store, identity: identity, configuration: patient)
        store.start(onDurable: { _ in }, onFailure: { _ in })
        defer { store.close() }
        var written: [String] = []
        for number in 0..<4 {
            store.take(model.batch([put(.dialogs, number, "dialog")]))
            try store.flush()
            written.append(try store.writeSnapshot(into: directory.path).path)
        }
        #expect(try Snapshots.list(in: directory.path) == [written[3], written[2]])
    }

    @Test("another pair's snapshot, a newer format and an existing store are refused with a sentence")
    func refused() throws {
        let (_, path) = try snapshot(rows: 1)
        let other = StoreIdentity(pairID: Hash128(high: 7, low: 7), side: .a)
        #expect(throws: StoreError.otherPair(path: path, found: identity.pairID, expected: other.pairID)) {
            try ContextStore.restore(snapshot: path, to: restored, identity: other)
        }
        var newer = try bytes(of: path)
        newer[8] = 2
        try write(newer, to: path)
        #expect(throws: StoreError.newerFormat(path: path, found: 2, known: 1)) {
            try SnapshotReader.verify(path: path)
        }
        let error = #expect(throws: StoreError.self) {
            try ContextStore.restore(snapshot: path, to: directory.store, identity: identity)
        }
        #expect(error?.description.contains("move it aside first") == true)
    }
}
