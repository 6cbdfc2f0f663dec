import ByteCoding
import CallModel
import ContextStore
import Ledger
import Testing

/// What any store has to do, as functions over ``StoreUnderTest``: a store's own suite runs each.
struct StoreContract<Store: StoreUnderTest> {
    let directory = TemporaryDirectory()

    func open(_ configuration: StoreConfiguration = patient) throws -> Store {
        try Store.open(at: directory.store, identity: identity, configuration: configuration)
    }

    func started(_ configuration: StoreConfiguration = patient) throws -> Store {
        let store = try open(configuration)
        store.start(onDurable: { _ in }, onFailure: { _ in })
        return store
    }

    func restartRestoresAll() throws {
        var model = Model()
        do {
            let store = try started()
            #expect(store.restored == .empty)
            store.take(model.batch([put(.reservations, 1, "one"), put(.contexts, 1, "context"), put(.meta, 1, "m")]))
            store.take(model.batch([put(.reservations, 2, "two"), put(.dialogs, 2, "dialog")]))
            store.take(model.batch([remove(.contexts, 1), put(.reservations, 1, "one again")]))
            try store.flush()
            #expect(store.durable == model.state)
            store.close()
        }
        let store = try open()
        #expect(store.restored == model.state)
        for table in Table.allCases {
            var rows: [StoreRow] = []
            try store.forEachRow(table) { rows.append(StoreRow(key: $0, value: $1)) }
            #expect(rows == model.sorted(table), "\(table)")
        }
    }

    func nothingIsLostByClose() throws {
        var model = Model()
        do {
            let store = try started()
            store.take(model.batch([put(.requests, 1, "one")]))
            store.close()
        }
        #expect(try open().restored == model.state)
    }

    func takenIsSeenAtOnce() throws {
        var model = Model()
        let store = try started()
        defer { store.close() }
        store.take(model.batch([put(.contexts, 1, "one"), put(.contexts, 2, "two")]))
        #expect(try store.value(.contexts, key: key(1)) == Array("one".utf8))
        try store.flush()
        #expect(try store.value(.contexts, key: key(1)) == Array("one".utf8))
        store.take(model.batch([remove(.contexts, 1), put(.contexts, 2, "two anew")]))
        #expect(try store.value(.contexts, key: key(1)) == nil)
        #expect(try store.value(.contexts, key: key(2)) == Array("two anew".utf8))
        #expect(try store.value(.contexts, key: key(3)) == nil)
        #expect(try store.value(.requests, key: key(2)) == nil)
    }

    func cameAndWentIsNotWritten() throws {
        var model = Model()
        let store = try started()
        defer { store.close() }
        for number in 0..<1_000 {
            store.take(model.batch([put(.contexts, number, String(repeating: "x", count: 1_000))]))
            store.take(model.batch([remove(.contexts, number)]))
        }
        #expect(store.lag.bytes < 1_000 * 200)
        try store.flush()
        #expect(store.transactions == 1)
        #expect(store.lag == .zero)
        #expect(try store.rows(.contexts, from: [], limit: 10) == [])
    }

    func mergedRowsAreInOrder(seed: UInt64) throws {
        var random = Random(state: seed)
        var model = Model()
        let store = try started()
        defer { store.close() }
        for _ in 0..<60 {
            var changes: [Change] = []
            for _ in 0..<Int.random(in: 0...20, using: &random) {
                let table: Table = Bool.random(using: &random) ? .dialogs : .journeys
                let number = Int.random(in: 0..<80, using: &random)
                changes.append(
                    Int.random(in: 0..<3, using: &random) == 0
                        ? remove(table, number) : put(table, number, "value \(random.next())"))
            }
            store.take(model.batch(changes, wallMilliseconds: 0))
            if Int.random(in: 0..<6, using: &random) == 0 { try store.flush() }
            let from = Bool.random(using: &random) ? [] : key(Int.random(in: 0..<80, using: &random))
            let limit = [1, 2, 5, 1_000].randomElement(using: &random)!
            for table in [Table.dialogs, .journeys] {
                #expect(
                    try store.rows(table, from: from, limit: limit) == model.sorted(table, from: from, limit: limit))
            }
        }
        try store.flush()
        #expect(store.durable == model.state)
    }

    func lagIsCountedAndRefusesReservations() throws {
        var model = Model()
        let clock = ManualClock()
        var configuration = patient
        configuration.lagBytesMost = 10_000
        configuration.lagMillisecondsMost = 500
        configuration.clock = { clock.milliseconds }
        let store = try started(configuration)
        defer { store.close() }
        #expect(store.pressure == .none && store.lag == .zero)

        store.take(model.batch([put(.contexts, 1, "one")]))
        clock.advance(milliseconds: 400)
        #expect(store.lag.milliseconds == 400 && store.lag.bytes > 10)
        #expect(store.pressure == .none)
        clock.advance(milliseconds: 101)
        #expect(store.pressure.reason?.contains("501 ms behind") == true)
        try store.flush()
        #expect(store.pressure == .none && store.lag == .zero)

        store.take(model.batch([put(.contexts, 2, String(repeating: "x", count: 11_000))]))
        #expect(store.pressure.reason?.contains("behind the log") == true)
        try store.flush()
        #expect(store.pressure == .none)
    }

    /// While the store's thread writes all the time, whoever reads finds each row as it was taken last.
    func readersMissNothing() throws {
        var configuration = patient
        configuration.windowMilliseconds = 1
        configuration.windowBytes = 4_000
        let store = try started(configuration)
        defer { store.close() }
        var model = Model()
        var random = Random(state: 11)
        for round in 0..<1_500 {
            let number = Int.random(in: 0..<300, using: &random)
            store.take(model.batch([put(.dialogs, number, "value \(round)"), remove(.dialogs, (number + 7) % 300)]))
            let asked = key(Int.random(in: 0..<300, using: &random))
            let found = try store.value(.dialogs, key: asked)
            #expect(found == model.rows[.dialogs]?[asked])
            if round % 50 == 0 {
                #expect(
                    try store.rows(.dialogs, from: asked, limit: 20) == model.sorted(.dialogs, from: asked, limit: 20))
            }
        }
        try store.flush()
        #expect(store.transactions > 3 && store.durable == model.state)
    }

    func positionWithoutChangesIsKept() throws {
        var model = Model()
        do {
            let store = try started()
            store.take(model.batch([]))
            try store.flush()
            store.close()
        }
        #expect(try open().restored.position == model.state.position)
    }

    func positionsBecomeDurableInOrder() throws {
        var model = Model()
        let told = Told()
        var configuration = patient
        configuration.windowBytes = 2_000
        let store = try open(configuration)
        store.start(onDurable: { told.durable($0) }, onFailure: { _ in })
        for number in 0..<200 { store.take(model.batch([put(.contexts, number, String(repeating: "y", count: 300))])) }
        try store.flush()
        store.close()
        let sequences = told.positions.map(\.sequence)
        #expect(sequences == sequences.sorted() && Set(sequences).count == sequences.count)
        #expect(sequences.count > 10, "a transaction is bounded by the window's bytes")
        #expect(told.positions.last == model.state.position)
    }
}

extension StorePressure {
    var reason: String? { if case .busy(let reason) = self { reason } else { nil } }
}

/// Numbers that are the same in each run.
struct Random: RandomNumberGenerator {
    var state: UInt64

    mutating func next() -> UInt64 {
        state &+= 0x9e37_79b9_7f4a_7c15
        var mixed = state
        mixed = (mixed ^ mixed >> 30) &* 0xbf58_476d_1ce4_e5b9
        mixed = (mixed ^ mixed >> 27) &* 0x94d0_49bb_1331_11eb
        return mixed ^ mixed >> 31
    }
}
