import ByteCoding
import CallModel
import ContextStore
import Ledger
import Testing

@Suite("ContextStore: journeys and legs are bounded, oldest calls go first")
struct JourneyBoundsTests {
    let directory = TemporaryDirectory()

    func call(day: UInt32, number: UInt32) throws -> CallKey {
        CallKey(origin: try InstanceName("bank"), day: day, number: number)
    }

    func event(_ call: CallKey, _ sequence: UInt64) -> Change {
        var writer = ByteWriter()
        writer.raw(call.journeyPrefix)
        writer.bigEndian(sequence)
        writer.bigEndian(UInt16(0))
        return Change(table: .journeys, key: writer.bytes, value: [1, 2, 3])
    }

    func leg(_ name: String, _ call: CallKey) -> Change {
        Change(table: .legs, key: Array(name.utf8), value: call.legValue)
    }

    func legs(_ store: ContextStore) throws -> [String] {
        try store.rows(.legs, limit: 1_000).map { String(decoding: $0.key, as: UTF8.self) }
    }

    func open(rowsMost: Int, daysMost: UInt32, trimRowsMost: Int = 1_000) throws -> ContextStore {
        var configuration = patient
        configuration.journeyRowsMost = rowsMost
        configuration.journeyDaysMost = daysMost
        configuration.trimRowsMost = trimRowsMost
        let store = try ContextStore.open(path: directory.store, identity: identity, configuration: configuration)
        store.start(onDurable: { _ in }, onFailure: { _ in })
        return store
    }

    func wall(day: Int64) -> Int64 { day * 86_400_000 }

    @Test("rows above the most are removed from the oldest call on, with the legs of calls that are gone")
    func byCount() throws {
        let store = try open(rowsMost: 6, daysMost: 30)
        defer { store.close() }
        var model = Model()
        for number in 1...4 as ClosedRange<UInt32> {
            let call = try call(day: 100, number: number)
            store.take(
                model.batch(
                    [
                        event(call, UInt64(number) * 10), event(call, UInt64(number) * 10 + 1),
                        leg("leg-\(number)", call),
                    ],
                    wallMilliseconds: wall(day: 100)))
        }
        try store.flush()
        #expect(try store.rows(.journeys, limit: 100).count == 6)
        #expect(try legs(store) == ["leg-2", "leg-3", "leg-4"])

        // Half of a call's rows go: its legs stay until the last has gone.
        store.take(model.batch([event(try call(day: 100, number: 5), 50)], wallMilliseconds: wall(day: 100)))
        try store.flush()
        #expect(try store.rows(.journeys, limit: 100).count == 6)
        #expect(try legs(store) == ["leg-2", "leg-3", "leg-4"])
    }

    @Test("days out of bounds are removed, also when no journey is left")
    func byDay() throws {
        let store = try open(rowsMost: 1_000, daysMost: 7)
        defer { store.close() }
        var model = Model()
        let old = try call(day: 100, number: 1)
        let young = try call(day: 105, number: 1)
        store.take(
            model.batch(
                [event(old, 1), leg("old", old), event(young, 2), leg("young", young)], wallMilliseconds: wall(day: 105)
            ))
        try store.flush()
        #expect(try legs(store) == ["old", "young"])
        store.take(model.batch([], wallMilliseconds: wall(day: 108)))
        try store.flush()
        #expect(try legs(store) == ["young"])
        #expect(try store.rows(.journeys, limit: 100).count == 1)
        store.take(model.batch([], wallMilliseconds: wall(day: 200)))
        try store.flush()
        #expect(try legs(store) == [])
        #expect(try store.rows(.journeys, limit: 100) == [])
    }

    @Test("a leg that belongs to a younger call by now stays when the older call's journey goes")
    func legMovesOn() throws {
        let store = try open(rowsMost: 1_000, daysMost: 7)
        defer { store.close() }
        var model = Model()
        let old = try call(day: 100, number: 1)
        let young = try call(day: 105, number: 1)
        store.take(model.batch([event(old, 1), leg("call", old)], wallMilliseconds: wall(day: 100)))
        try store.flush()
        store.take(model.batch([event(young, 2), leg("call", young)], wallMilliseconds: wall(day: 108)))
        try store.flush()
        #expect(try store.value(.legs, key: Array("call".utf8)) == young.legValue)
        store.take(model.batch([], wallMilliseconds: wall(day: 113)))
        try store.flush()
        #expect(try legs(store) == [])
    }

    @Test("one transaction removes a bounded number of rows; the next ones go on")
    func boundedWork() throws {
        let store = try open(rowsMost: 1_000, daysMost: 7, trimRowsMost: 10)
        defer { store.close() }
        var model = Model()
        let old = try call(day: 100, number: 1)
        store.take(model.batch((0..<25).map { event(old, $0) }, wallMilliseconds: wall(day: 100)))
        try store.flush()
        for left in [15, 5, 0] {
            store.take(model.batch([], wallMilliseconds: wall(day: 200)))
            try store.flush()
            #expect(try store.rows(.journeys, limit: 100).count == left)
        }
    }
}
