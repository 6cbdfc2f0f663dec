import ByteCoding
import CallModel
import Ledger
import Testing

/// SplitMix64: the same numbers for the same seed, for ever.
struct SplitMix64: RandomNumberGenerator {
    private var state: UInt64

    init(seed: UInt64) { state = seed }

    mutating func next() -> UInt64 {
        state &+= 0x9e37_79b9_7f4a_7c15
        var mixed = state
        mixed = (mixed ^ (mixed >> 30)) &* 0xbf58_476d_1ce4_e5b9
        mixed = (mixed ^ (mixed >> 27)) &* 0x94d0_49bb_1331_11eb
        return mixed ^ (mixed >> 31)
    }

    mutating func chance(_ oneIn: Int) -> Bool { Int.random(in: 0..<oneIn, using: &self) == 0 }
}

/// What the store holds after the changes so far.
struct Rows: Equatable {
    var tables: [Table: [[UInt8]: [UInt8]]] = [:]

    mutating func follow(_ changes: [Change]) {
        for change in changes { tables[change.table, default: [:]][change.key] = change.value }
    }

    var digest: Digest {
        var digest = Digest.empty
        for table in Table.digested {
            for (key, value) in tables[table, default: [:]] { digest.add(table, key: key, value: value) }
        }
        return digest
    }

    func restored() throws -> Ledger {
        var ledger = Ledger()
        for table in Table.allCases {
            for (key, value) in tables[table, default: [:]] { try ledger.restore(table, key: key, value: value) }
        }
        try ledger.finishRestoring()
        return ledger
    }

    func journeys(of callKey: CallKey) throws -> [JourneyRow] {
        try tables[.journeys, default: [:]].filter { $0.key.starts(with: callKey.journeyPrefix) }
            .sorted { $0.key.lexicographicallyPrecedes($1.key) }
            .map { try JourneyRow(key: $0.key, value: $0.value) }
    }

    func parked(_ reservation: ReservationID) throws -> ParkedReservation? {
        try tables[.contexts]?[reservation.contextKey].map {
            try ParkedReservation(key: reservation.contextKey, value: $0)
        }
    }
}

/// A ledger fed one record a batch, its rows beside it, and a clock that a test moves.
struct Rig {
    var ledger = Ledger()
    var rows = Rows()
    var log = LogTime(milliseconds: 1_000)
    var wall = WallTime(milliseconds: 1_795_000_000_000)
    var sequence = LogSequence.zero
    var lastChanges: [Change] = []
    /// Off only where thousands of steps are taken for another reason.
    var checksInvariants = true

    init(_ configuration: LedgerConfiguration? = .sample()) {
        if let configuration { apply(.configure(configuration)) }
    }

    @discardableResult
    mutating func apply(_ record: Record) -> Outcome {
        sequence = sequence.next
        lastChanges = []
        ledger.begin(BatchTime(log: log, wall: wall), first: sequence, changes: &lastChanges)
        let outcome = ledger.apply(record, sequence: sequence, changes: &lastChanges)
        rows.follow(lastChanges)
        if checksInvariants { ledger.checkInvariants() }
        return outcome
    }

    mutating func pass(seconds: Double) { pass(milliseconds: UInt64(seconds * 1000)) }

    mutating func pass(milliseconds: UInt64) {
        log = LogTime(milliseconds: log.milliseconds + milliseconds)
        wall = WallTime(milliseconds: wall.milliseconds + Int64(milliseconds))
    }

    mutating func reserve(
        _ request: String, route: String = "sales", call: String? = nil, client: String? = nil, target: String? = nil,
        lease: UInt32? = nil, callKey: CallKey? = nil, ani: String? = nil
    ) -> Outcome {
        apply(
            .reserve(
                .sample(
                    request, route: route, call: call, client: client, target: target, lease: lease, callKey: callKey,
                    ani: ani)))
    }

    mutating func reserved(
        _ request: String, route: String = "sales", call: String? = nil, client: String? = nil, lease: UInt32? = nil,
        ani: String? = nil
    ) throws -> Reserved {
        try #require(reserve(request, route: route, call: call, client: client, lease: lease, ani: ani).reserved)
    }

    mutating func reserve(in dialog: DialogID, _ node: String, route: String = "sales") -> Outcome {
        var reserve = Reserve.sample("x", route: route, call: "leg")
        reserve.identity = .dialog(dialog, NodeName(unchecked: node))
        return apply(.reserve(reserve))
    }

    mutating func claim(_ key: TranslationRouteKey, by call: String, ani: String? = nil) -> Outcome {
        apply(.claim(Claim(key: key, callID: CallID(unchecked: call), ani: ani)))
    }

    mutating func open(_ request: String, dialed: String = "0800", call: String? = nil, ced: String = "1") -> Outcome {
        apply(.openDialog(.sample(request, dialed: dialed, call: call, ced: ced)))
    }

    mutating func opened(_ request: String) throws -> DialogOpened { try #require(open(request).opened) }

    mutating func answer(
        _ dialog: DialogID, _ kind: RecordAnswer.Kind = .final, label: String = "9001", source: LabelSource = .script,
        ced: String = "1"
    ) -> Outcome {
        apply(
            .recordAnswer(
                RecordAnswer(
                    dialog: dialog, node: NodeName(unchecked: "n"), kind: kind,
                    label: Label(unchecked: label, type: .normal), source: source, context: .sample(ced: ced))))
    }

    mutating func close(_ dialog: DialogID, _ reason: CloseReason) -> Outcome {
        apply(.closeDialog(CloseDialog(dialog: dialog, reason: reason)))
    }

    func state(_ key: TranslationRouteKey) -> EntryState? { ledger.entry(for: key)?.state }

    func kinds(_ callKey: CallKey) throws -> [JourneyKind] { try rows.journeys(of: callKey).map(\.kind) }
}

extension LedgerConfiguration {
    /// `sales`: 8001-8003 on trunk group T1 of the ACD; `service`: two single DNIS on T2; lease 20, repeat 10,
    /// quarantine 60.
    static func sample(_ change: (inout LedgerConfiguration) -> Void = { _ in }) -> LedgerConfiguration {
        let acd = PeripheralName(unchecked: "acd")
        var sales = TranslationRoute(
            name: TranslationRouteName(unchecked: "sales"), peripheral: acd, ranges: [.sample(8001, 8003)],
            labels: [RoutingClientName(unchecked: "nic"): LabelTemplate(prefix: "99")])
        sales.aniCheck = .off
        let service = TranslationRoute(
            name: TranslationRouteName(unchecked: "service"), peripheral: acd,
            ranges: [.sample(9005, 9005, "T2"), .sample(9001, 9001, "T2")])
        var configuration = LedgerConfiguration(
            instance: InstanceName(unchecked: "bank"), routes: [sales, service],
            peripherals: [Peripheral(name: acd, defaultRoute: "queue")])
        change(&configuration)
        return configuration
    }
}

extension EntryRange {
    static func sample(_ first: UInt64, _ last: UInt64, _ trunkGroup: String = "T1") -> EntryRange {
        EntryRange(trunkGroup: TrunkGroupName(unchecked: trunkGroup), prefix: "", first: first, last: last, digits: 4)
    }
}

extension TranslationRouteKey {
    static func sample(_ dnis: Int, _ trunkGroup: String = "T1", peripheral: String = "acd") -> TranslationRouteKey {
        TranslationRouteKey(
            peripheral: PeripheralName(unchecked: peripheral), trunkGroup: TrunkGroupName(unchecked: trunkGroup),
            dnis: DNIS(unchecked: String(dnis)))
    }
}

extension EncodedContext {
    static func sample(ani: String? = nil, ced: String? = nil) -> EncodedContext {
        var context = CallContext()
        context.ani = ani
        context.ced = ced
        context.variables[2] = "gold"
        return context.encoded()
    }
}

extension Reserve {
    static func sample(
        _ request: String, route: String = "sales", call: String? = nil, client: String? = nil, target: String? = nil,
        lease: UInt32? = nil, callKey: CallKey? = nil, ani: String? = nil
    ) -> Reserve {
        Reserve(
            route: TranslationRouteName(unchecked: route), identity: .request(RequestID(unchecked: request)),
            callID: CallID(unchecked: call ?? "leg-\(request)"),
            routingClient: client.map { RoutingClientName(unchecked: $0) },
            target: target.map { UltimateTarget(unchecked: $0) }, leaseSeconds: lease, callKey: callKey,
            context: .sample(ani: ani))
    }
}

extension OpenDialog {
    static func sample(_ request: String, dialed: String = "0800", call: String? = nil, ced: String = "1") -> OpenDialog
    {
        OpenDialog(
            routingClient: RoutingClientName(unchecked: "nic"), requestID: RequestID(unchecked: request),
            callID: CallID(unchecked: call ?? "leg-\(request)"), dialedNumber: dialed, side: .a,
            context: .sample(ced: ced))
    }
}

extension Outcome {
    var reserved: Reserved? { if case .reserved(let reserved) = self { reserved } else { nil } }
    var claimed: Claimed? { if case .claimed(let claimed) = self { claimed } else { nil } }
    var stray: Stray? { if case .stray(let stray) = self { stray } else { nil } }
    var exhausted: Exhausted? { if case .exhausted(let exhausted) = self { exhausted } else { nil } }
    var released: Released? { if case .released(let released) = self { released } else { nil } }
    var opened: DialogOpened? { if case .dialogOpened(let opened) = self { opened } else { nil } }
    var closed: DialogClosed? { if case .dialogClosed(let closed) = self { closed } else { nil } }
    var conflict: Conflict? { if case .conflict(let conflict) = self { conflict } else { nil } }
    var unknownField: String? { if case .unknown(let field, _, _) = self { field } else { nil } }
}
