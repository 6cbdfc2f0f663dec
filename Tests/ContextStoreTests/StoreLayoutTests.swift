import ByteCoding
import CallModel
import ContextStore
import LMDB
import Ledger
import Testing

@Suite("ContextStore: what is on the disk is what Schemas/store.md says")
struct StoreLayoutTests {
    let directory = TemporaryDirectory()

    func stored(_ table: String, key: [UInt8]) throws -> [UInt8]? {
        let environment = try Environment(path: directory.store, options: .init(mapBytes: 0, isReadOnly: true))
        let database = try #require(try environment.openDatabase(table, create: false))
        return try environment.beginRead().get(database, key: key) { $0.copied }
    }

    @Test("values stand in a frame of checksum, version and table; identity and state in meta")
    func frames() throws {
        let store = try ContextStore.open(path: directory.store, identity: identity, configuration: patient)
        store.start(onDurable: { _ in }, onFailure: { _ in })
        let state = StoreState(
            position: Position(epoch: 3, sequence: LogSequence(4), chain: Hash128(high: 5, low: 6)),
            time: BatchTime(log: LogTime(milliseconds: 7), wall: WallTime(milliseconds: 8)), digest: .empty)
        let call = CallKey(origin: try InstanceName("bank"), day: 20_414, number: 2)
        let leg = Array("leg".utf8)
        store.take(
            AppliedBatch(
                changes: [
                    Change(table: .contexts, key: [1, 2, 3], value: [9, 8, 7]),
                    Change(table: .legs, key: leg, value: call.legValue),
                    Change(table: .journeys, key: call.journeyPrefix + [0], value: [1]),
                ], state: state))
        store.close()

        func frame(_ table: UInt8, key: [UInt8], _ value: [UInt8]) -> [UInt8] {
            var writer = ByteWriter()
            writer.u32(CRC32C.checksum([1, table] + value) ^ CRC32C.checksum(key))
            writer.u8(1)
            writer.u8(table)
            writer.raw(value)
            return writer.bytes
        }
        #expect(try stored("contexts", key: [1, 2, 3]) == frame(6, key: [1, 2, 3], [9, 8, 7]))
        let identityBytes: [UInt8] = [1, 0, 2, 0, 0, 0, 0, 0, 0, 0, 1, 0, 0, 0, 0, 0, 0, 0, 1, 0, 65]
        #expect(try stored("meta", key: [0xff, 1]) == frame(9, key: [0xff, 1], identityBytes))
        var expected = ByteWriter()
        for number in [3, 4, 6, 5, 7, 8] as [UInt64] { expected.u64(number) }
        expected.u8(5)
        expected.raw([UInt8](repeating: 0, count: 5 * 16))
        #expect(try stored("meta", key: [0xff, 2]) == frame(9, key: [0xff, 2], expected.bytes))
        var indexKey = ByteWriter()
        indexKey.raw([0, 0, 0x4f, 0xbe, 0, 0, 0, 2] + Array("bank".utf8) + [0])
        indexKey.hash(SipHash128.hash(leg))
        #expect(try stored("legsByCall", key: indexKey.bytes) == frame(136, key: indexKey.bytes, leg))
    }

    @Test("a store of a newer format is refused with both numbers")
    func newerFormat() throws {
        try ContextStore.open(path: directory.store, identity: identity, configuration: patient).close()
        do {
            let environment = try Environment(path: directory.store, options: .init(mapBytes: 64 << 20))
            let meta = try #require(try environment.openDatabase("meta", create: false))
            let value: [UInt8] = [1, 9, 2, 0, 77]
            var writer = ByteWriter()
            writer.u32(CRC32C.checksum(value) ^ CRC32C.checksum([0xff, 1]))
            writer.raw(value)
            var transaction = try environment.beginWrite()
            try transaction.put(meta, key: [0xff, 1], value: writer.bytes)
            try transaction.commit()
        }
        #expect(throws: StoreError.newerFormat(path: directory.store, found: 2, known: 1)) {
            try ContextStore.open(path: directory.store, identity: identity, configuration: patient)
        }
    }
}
