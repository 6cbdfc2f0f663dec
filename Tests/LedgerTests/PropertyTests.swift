import ByteCoding
import CallModel
import Ledger
import Testing

/// Random records out of a small world, so that repeats, conflicts, exhaustion and strays are many.
struct RecordGenerator {
    var random: SplitMix64
    /// Sequences so far, to name dialogs and reservations that are (or were) there.
    var last: UInt64 = 0
    private var opened: [UInt64] = []
    private var history: [Record] = []

    init(seed: UInt64) { random = SplitMix64(seed: seed) }

    private mutating func pick(_ upTo: Int) -> Int { Int.random(in: 1...upTo, using: &random) }

    private mutating func recent() -> LogSequence { LogSequence(UInt64(max(1, Int(last) - pick(40) + 1))) }

    /// One of the last few that were asked for, or now and then anything.
    private mutating func recentDialog() -> DialogID {
        if random.chance(10) || opened.isEmpty { return DialogID(recent()) }
        return DialogID(LogSequence(opened[opened.count - min(pick(4), opened.count)]))
    }

    mutating func milliseconds() -> UInt64 {
        switch pick(20) {
        case 1...9: 0
        case 10...16: UInt64(pick(3000))
        case 17...19: UInt64(pick(20)) * 1000
        default: UInt64(pick(200)) * 1000
        }
    }

    mutating func configuration() -> LedgerConfiguration {
        .sample { configuration in
            let routes = ["sales", "service", "extra"].filter { _ in !random.chance(5) }
            var next = UInt64(8000)
            configuration.routes = routes.map { name in
                var route = TranslationRoute(
                    name: TranslationRouteName(unchecked: name), peripheral: PeripheralName(unchecked: "acd"),
                    ranges: (0..<pick(2)).map { _ in
                        next += UInt64(pick(3))
                        defer { next += 3 }
                        return .sample(next, next + UInt64(pick(3)) - 1, random.chance(3) ? "T2" : "T1")
                    },
                    labels: [RoutingClientName(unchecked: "nic"): LabelTemplate(prefix: String(pick(99)))])
                route.leaseSeconds = UInt32(pick(30))
                route.repeatSeconds = UInt32(pick(12) - 1)
                route.quarantineSeconds = UInt32(pick(70) - 1)
                route.aniCheck = ANICheck.allCases[pick(3) - 1]
                return route
            }
            configuration.answersKeptSeconds = UInt32(pick(120))
            configuration.dialogAgeSeconds = UInt32(pick(60))
            if random.chance(6) { configuration.peripherals = [] }
        }
    }

    private mutating func context() -> EncodedContext {
        .sample(ani: random.chance(3) ? nil : String(pick(2)), ced: random.chance(8) ? "9" : nil)
    }

    private mutating func reserve() -> Reserve {
        var reserve = Reserve.sample(
            String(pick(12)), route: ["sales", "service", "extra", "sals"][pick(4) - 1], call: "c\(pick(2))",
            client: random.chance(2) ? "nic" : nil, lease: random.chance(6) ? UInt32(pick(40)) : nil)
        reserve.context = context()
        if random.chance(2) { reserve.identity = .dialog(recentDialog(), NodeName(unchecked: "n\(pick(2))")) }
        if random.chance(8) {
            reserve.callKey = CallKey(origin: InstanceName(unchecked: "insurance"), day: 7, number: UInt32(pick(9)))
        }
        return reserve
    }

    private mutating func answer() -> RecordAnswer {
        RecordAnswer(
            dialog: recentDialog(), node: NodeName(unchecked: "n"), kind: random.chance(2) ? .handoff : .final,
            label: Label(unchecked: "77", type: .normal), source: LabelSource.allCases[pick(3) - 1], context: context())
    }

    /// A new record, or one of the last few again.
    mutating func record() -> Record {
        defer { last += 1 }
        if !history.isEmpty, random.chance(6) { return history[history.count - min(pick(5), history.count)] }
        history.append(newRecord())
        return history[history.count - 1]
    }

    private mutating func newRecord() -> Record {
        switch pick(40) {
        case 1: return random.chance(3) ? .configure(configuration()) : .clock
        case 2...12: return .reserve(reserve())
        case 13...24:
            let key = TranslationRouteKey.sample(
                8000 + pick(random.chance(3) ? 14 : 4), random.chance(4) ? "T2" : "T1",
                peripheral: random.chance(30) ? "adc" : "acd")
            return .claim(
                Claim(
                    key: key, callID: CallID(unchecked: "a\(pick(random.chance(4) ? 100 : 4))"),
                    ani: random.chance(3) ? nil : String(pick(2))))
        case 25...27: return .release(Release(reservation: ReservationID(recent())))
        case 28...32:
            opened.append(last + 1)
            return .openDialog(
                .sample(
                    String(pick(8)), dialed: random.chance(8) ? "1" : "0800", call: "c",
                    ced: random.chance(8) ? "2" : "1"))
        case 33:
            return .askDialog(
                AskDialog(
                    dialog: recentDialog(), node: NodeName(unchecked: "n"), gateway: GatewayName(unchecked: "g")))
        case 34...36: return .recordAnswer(answer())
        case 37...39:
            return .closeDialog(
                CloseDialog(dialog: recentDialog(), reason: [.handedOver, .default, .abandoned, .failed][pick(4) - 1]))
        default: return .epochOpened(EpochOpened(epoch: 1, mode: .alone, active: .a))
        }
    }
}

@Suite("The ledger against a naive model")
struct PropertyTests {
    static let seeds: [UInt64] = Array(1...12)

    @Test("random records have the outcomes and leave the states of a naive model", arguments: seeds)
    func agreesWithModel(seed: UInt64) throws {
        var generator = RecordGenerator(seed: seed)
        var rig = Rig(nil)
        var model = NaiveLedger()
        let steps = 800
        for step in 0..<steps {
            rig.pass(milliseconds: generator.milliseconds())
            if generator.random.chance(300) { rig.wall = WallTime(milliseconds: rig.wall.milliseconds + 86_400_000) }
            let record = step == 0 ? Record.configure(.sample()) : generator.record()
            if step == 0 { generator.last = 1 }
            let outcome = rig.apply(record)
            model.begin(rig.log, rig.wall)
            let expected = model.apply(record, rig.sequence)
            #expect(outcome == expected, "seed \(seed), step \(step): \(record)")
            try compare(rig, model, "seed \(seed), step \(step): \(record)")
            if outcome != expected { return }
        }
    }

    private func compare(_ rig: Rig, _ model: NaiveLedger, _ comment: Comment) throws {
        for (key, life) in model.lives {
            let row = try #require(rig.ledger.entry(for: key), comment)
            #expect(row.state == life.state && row.freeAt == life.freeAt, comment)
            #expect(row.reservation == life.reserved.reservation && row.dialog == life.dialog, comment)
            let isParked = rig.rows.tables[.contexts]?[row.reservation.contextKey] != nil
            #expect(isParked == (life.state != .free), comment)
        }
        #expect(rig.ledger.dialogCount == model.dialogs.count, comment)
        for (id, dialog) in model.dialogs {
            let row = try #require(rig.ledger.dialog(id), comment)
            #expect(row.state == dialog.state && row.deadline == dialog.deadline, comment)
            #expect(row.reservation == dialog.reservation && row.closeReason == dialog.reason, comment)
        }
        #expect(rig.ledger.strayCount == model.strays.values.reduce(0) { $0 + $1.count }, comment)
        for (status, (route, keys)) in zip(rig.ledger.routeStatus(), model.pools) {
            #expect(status.name == route.name && status.total == keys.count, comment)
            let held = keys.count { model.lives[$0].map { $0.state != .free } ?? false }
            #expect(status.free == keys.count - held, comment)
        }
        if rig.sequence.number % 10 == 0 { #expect(rig.ledger.digest == rig.rows.digest, comment) }
    }

    @Test("the random records reach every outcome that there is")
    func reachesEverything() {
        var seen: Set<String> = []
        for seed in Self.seeds {
            var generator = RecordGenerator(seed: seed)
            var rig = Rig(nil)
            rig.checksInvariants = false
            for step in 0..<5_000 {
                rig.pass(milliseconds: generator.milliseconds())
                let outcome = rig.apply(step == 0 ? .configure(.sample()) : generator.record())
                if step == 0 { generator.last = 1 }
                seen.insert(name(outcome))
            }
        }
        let all = [
            "configured", "reserved", "reserved again", "exhausted", "claimed", "claimed late", "claimed again",
            "claimed of another ANI", "stray notInPool", "stray nothingWaits", "stray claimedByAnother",
            "stray otherANI", "stray toldBefore", "released", "not released", "dialogOpened", "dialogOpened again",
            "dialogAsked", "answerRecorded", "answerRecorded not first", "dialogClosed", "dialogClosed before",
            "dialogClosed before and released", "dialogClosed and released", "conflict", "unknown dialog",
            "unknown reservation", "unknown translationRoute", "unknown peripheral", "noted",
        ]
        #expect(Set(all).subtracting(seen) == [])
    }

    private func name(_ outcome: Outcome) -> String {
        switch outcome {
        case .configured: "configured"
        case .reserved(let reserved): reserved.repeated ? "reserved again" : "reserved"
        case .exhausted: "exhausted"
        case .claimed(let claimed):
            claimed.repeated
                ? "claimed again"
                : claimed.late ? "claimed late" : claimed.aniMatched ? "claimed" : "claimed of another ANI"
        case .stray(let stray): "stray \(stray.why)"
        case .released(let released): released.released ? "released" : "not released"
        case .dialogOpened(let opened): opened.repeated ? "dialogOpened again" : "dialogOpened"
        case .dialogAsked: "dialogAsked"
        case .answerRecorded(let first): first ? "answerRecorded" : "answerRecorded not first"
        case .dialogClosed(let closed):
            (closed.closed ? "dialogClosed" : "dialogClosed before")
                + (closed.released == nil ? "" : " and released")
        case .conflict: "conflict"
        case .unknown(let field, _, _): "unknown \(field)"
        case .noted: "noted"
        }
    }

    @Test(
        "the same records give the same changes and digest, also through a ledger restored at any point",
        arguments: seeds)
    func deterministicAndRestorable(seed: UInt64) throws {
        var generator = RecordGenerator(seed: seed &+ 1_000)
        var first = Rig(nil)
        var second = Rig(nil)
        for step in 0..<500 {
            let milliseconds = generator.milliseconds()
            let record = step == 0 ? Record.configure(.sample()) : generator.record()
            if step == 0 { generator.last = 1 }
            first.pass(milliseconds: milliseconds)
            second.pass(milliseconds: milliseconds)
            if generator.random.chance(7) {
                second.ledger = try second.rows.restored()
                second.ledger.checkInvariants()
                #expect(second.ledger == first.ledger, "seed \(seed), step \(step)")
            }
            let outcomes = (first.apply(record), second.apply(try Record(decoding: record.encoded())))
            #expect(outcomes.0 == outcomes.1, "seed \(seed), step \(step): \(record)")
            #expect(first.lastChanges == second.lastChanges, "seed \(seed), step \(step): \(record)")
            #expect(
                first.ledger.digest == second.ledger.digest && first.ledger.nextDeadline == second.ledger.nextDeadline)
            if first.lastChanges != second.lastChanges { return }
        }
        #expect(first.ledger == second.ledger && first.rows == second.rows)
    }
}
