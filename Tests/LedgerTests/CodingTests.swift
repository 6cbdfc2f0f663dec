import ByteCoding
import CallModel
import Ledger
import Testing

@Suite("Records and rows as bytes")
struct CodingTests {
    static let key = TranslationRouteKey.sample(8001)
    static let callKey = CallKey(origin: InstanceName(unchecked: "bank"), day: 20_779, number: 17)

    static let records: [Record] = {
        let dialog = DialogID(LogSequence(5))
        let node = NodeName(unchecked: "node")
        var full = Reserve.sample("r", client: "nic", target: "agent", lease: 9, callKey: callKey, ani: "1")
        full.identity = .dialog(dialog, node)
        var open = OpenDialog.sample("q")
        open.customer = CustomerName(unchecked: "customer")
        open.nicCallID = "nic-1"
        open.callKey = callKey
        open.callKeySequence = 3
        open.side = .b
        var limits = ContextLimits()
        if let declaration = try? ECCDeclaration(
            name: ECCName("user.items"), maximumLength: 9, elements: 4, sensitivity: .payment)
        {
            limits.declare(declaration)
            if let payload = try? ECCPayload(name: "p", declarations: [declaration]) { limits.declare(payload) }
        }
        let configuration = LedgerConfiguration.sample {
            $0.limits = limits
            $0.routes[0].labels[RoutingClientName(unchecked: "ab")] = LabelTemplate(prefix: "1", appendsDNIS: false)
            $0.routes[0].aniCheck = .prefer
        }
        return [
            .configure(configuration), .reserve(.sample("r")), .reserve(full),
            .claim(Claim(key: key, callID: CallID(unchecked: "c"))),
            .claim(Claim(key: key, callID: CallID(unchecked: "c"), ani: "")),
            .release(Release(reservation: ReservationID(LogSequence(7)))), .openDialog(.sample("q")), .openDialog(open),
            .askDialog(AskDialog(dialog: dialog, node: node, gateway: GatewayName(unchecked: "g"))),
            .recordAnswer(
                RecordAnswer(
                    dialog: dialog, node: node, kind: .handoff, label: Label(unchecked: "", type: .busy),
                    source: .gateway,
                    context: .empty)),
            .recordAnswer(
                RecordAnswer(
                    dialog: dialog, node: node, kind: .final, label: Label(unchecked: "1", type: .default),
                    source: .default, reason: "late",
                    arrival: Arrival(
                        reservation: ReservationID(LogSequence(2)), key: key, expiresAt: WallTime(milliseconds: -5)),
                    context: .sample(ani: "1"))),
            .closeDialog(CloseDialog(dialog: dialog, reason: .abandoned)), .clock,
            .epochOpened(EpochOpened(epoch: .max, mode: .paired, active: .b)),
        ]
    }()

    @Test("every record is read back as it was written, to the last byte", arguments: records)
    func recordRoundTrip(record: Record) throws {
        let bytes = record.encoded()
        #expect(bytes[0] == Record.version)
        #expect(try Record(decoding: bytes) == record)
        #expect(try Record(decoding: bytes).encoded() == bytes)
    }

    @Test("a record that ends early, goes on, or is of another version or kind is refused", arguments: records)
    func recordRejections(record: Record) {
        let bytes = record.encoded()
        for count in bytes.indices {
            #expect(throws: ByteFault.self) { try Record(decoding: Array(bytes.prefix(count))) }
        }
        #expect(throws: ByteFault.trailing(1)) { try Record(decoding: bytes + [0]) }
        #expect(throws: ByteFault.self) { try Record(decoding: [2] + bytes.dropFirst()) }
        #expect(throws: ByteFault.self) { try Record(decoding: [1, 99] + bytes.dropFirst(2)) }
    }

    @Test("rows of a ledger that ran are read back as they were written")
    func rowRoundTrips() throws {
        var generator = RecordGenerator(seed: 77)
        var rig = Rig()
        generator.last = 1
        for _ in 0..<700 {
            rig.pass(milliseconds: generator.milliseconds() / 4)
            rig.apply(generator.record())
        }
        for (table, rows) in rig.rows.tables {
            for (key, value) in rows { try Self.roundTrip(table, key, value) }
        }
    }

    static func roundTrip(_ table: Table, _ key: [UInt8], _ value: [UInt8]) throws {
        switch table {
        case .pools: #expect(try LedgerConfiguration(key: key, value: value).encodedValue() == value)
        case .reservations:
            let row = try ReservationRow(key: key, value: value)
            #expect(row.storeKey == key && row.encodedValue() == value)
        case .requests: #expect(try RequestRow(value: value).encodedValue() == value)
        case .dialogs:
            let row = try DialogRow(key: key, value: value)
            #expect(row.storeKey == key && row.encodedValue() == value)
        case .strays:
            let row = try StrayRow(key: key, value: value)
            #expect(row.storeKey == key && row.encodedValue() == value)
        case .contexts:
            switch value[1] {
            case 1:
                let row = try ParkedReservation(key: key, value: value)
                #expect(row.storeKey == key && row.encodedValue() == value)
            case 2:
                let row = try ParkedRequest(key: key, value: value)
                #expect(row.storeKey == key && row.encodedValue() == value)
            default: #expect(try ParkedAnswer(key: key, value: value).encodedValue() == value)
            }
        case .journeys:
            let row = try JourneyRow(key: key, value: value)
            #expect(row.storeKey == key && row.encodedValue() == value)
        case .legs: #expect(try CallKey(legValue: value).legValue == value)
        case .meta: #expect(key == StoreKey.ledger)
        }
    }

    @Test("the order of route keys' bytes is peripheral, trunk group, DNIS, and a prefix comes first")
    func keyOrder() throws {
        let keys = [("a", "t", "1"), ("a", "t", "10"), ("a", "t2", "0"), ("ab", "a", "0"), ("b", "a", "0")].map {
            TranslationRouteKey(
                peripheral: PeripheralName(unchecked: $0.0), trunkGroup: TrunkGroupName(unchecked: $0.1),
                dnis: DNIS(unchecked: $0.2))
        }
        let stored = keys.map(\.storeKey)
        #expect(stored.sorted { $0.lexicographicallyPrecedes($1) } == stored)
        for key in keys { #expect(try TranslationRouteKey(storeKey: key.storeKey) == key) }
    }

    @Test("journeys lie by day, number, origin, sequence, ordinal, and those of a call share its prefix")
    func journeyOrder() {
        func row(_ day: UInt32, _ number: UInt32, _ sequence: UInt64, _ ordinal: UInt16) -> [UInt8] {
            let callKey = CallKey(origin: InstanceName(unchecked: "bank"), day: day, number: number)
            let row = JourneyRow(
                callKey: callKey, sequence: LogSequence(sequence), ordinal: ordinal, kind: .claimed, at: .zero)
            #expect(row.storeKey.starts(with: callKey.journeyPrefix))
            #expect(row.storeKey.starts(with: StoreKey.journeys(ofDay: day)))
            return row.storeKey
        }
        let keys = [row(1, 2, 9, 9), row(1, 256, 1, 0), row(1, 256, 1, 1), row(1, 256, 2, 0), row(256, 1, 1, 0)]
        #expect(keys.sorted { $0.lexicographicallyPrecedes($1) } == keys)
    }

    @Test("no key of the store is longer than LMDB takes")
    func keyLengths() {
        let long = String(repeating: "x", count: 32)
        let key = TranslationRouteKey(
            peripheral: PeripheralName(unchecked: long), trunkGroup: TrunkGroupName(unchecked: long),
            dnis: DNIS(unchecked: long))
        #expect(key.storeKey.count == 99)
        #expect(StoreKey.stray(key.storeKey, call: .zero).count == 115)
        #expect(CallKey(origin: InstanceName(unchecked: long), day: 1, number: 1).journeyPrefix.count + 10 == 51)
        #expect(CallID(unchecked: String(repeating: "x", count: CallID.limit)).legKey.count == 128)
    }

    @Test("random and damaged bytes never trap a decoder", arguments: [UInt64(1), 2, 3, 4])
    func fuzz(seed: UInt64) {
        var random = SplitMix64(seed: seed)
        let samples = Self.records.map { $0.encoded() }
        for round in 0..<4_000 {
            var bytes: [UInt8]
            if round % 2 == 0 {
                bytes = (0..<Int.random(in: 0...80, using: &random)).map { _ in
                    UInt8.random(in: 0...255, using: &random)
                }
                if bytes.count > 2, random.chance(2) {
                    (bytes[0], bytes[1]) = (1, UInt8.random(in: 0...11, using: &random))
                }
            } else {
                bytes = samples[Int.random(in: 0..<samples.count, using: &random)]
                for _ in 0...Int.random(in: 0...3, using: &random) {
                    bytes[Int.random(in: 0..<bytes.count, using: &random)] = UInt8.random(in: 0...255, using: &random)
                }
            }
            decodeEverywhere(bytes)
        }
    }

    private func decodeEverywhere(_ bytes: [UInt8]) {
        if let record = try? Record(decoding: bytes) {
            var ledger = Ledger()
            var changes: [Change] = []
            _ = ledger.apply(record, sequence: LogSequence(1), changes: &changes)
        }
        let key = Self.key.storeKey
        let sequence = LogSequence(3).storeKey
        _ = try? ReservationRow(key: key, value: bytes)
        _ = try? ReservationRow(key: bytes, value: bytes)
        _ = try? DialogRow(key: sequence, value: bytes)
        _ = try? RequestRow(value: bytes)
        _ = try? StrayRow(key: bytes, value: bytes)
        _ = try? ParkedReservation(key: sequence, value: bytes)
        _ = try? ParkedRequest(key: sequence, value: bytes)
        _ = try? ParkedAnswer(key: sequence, value: bytes)
        _ = try? JourneyRow(key: bytes, value: bytes)
        _ = try? LedgerConfiguration(key: StoreKey.configuration, value: bytes)
        _ = try? CallKey(legValue: bytes)
        for table in Table.allCases {
            var ledger = Ledger()
            try? ledger.restore(table, key: key, value: bytes)
            try? ledger.finishRestoring()
        }
    }

    @Test("a ledger is not restored from rows that contradict each other")
    func contradictions() throws {
        var rig = Rig()
        _ = try rig.reserved("r1")
        _ = try rig.opened("q1")
        _ = rig.claim(.sample(8002), by: "c")
        #expect(try rig.rows.restored() == rig.ledger)
        for table in [Table.pools, .requests, .reservations] {
            var rows = rig.rows
            rows.tables[table] = [:]
            #expect(throws: RestoreFault.self, "without \(table)") { _ = try rows.restored() }
        }
        var extra = rig.rows
        let identity = Hash128(high: 1, low: 2)
        extra.tables[.requests]?[StoreKey.request(identity)] = RequestRow.dialog(DialogID(LogSequence(1)))
            .encodedValue()
        #expect(throws: RestoreFault.disagrees(.requests)) { _ = try extra.restored() }
    }
}
