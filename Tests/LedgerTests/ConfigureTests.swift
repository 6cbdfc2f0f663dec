import CallModel
import Ledger
import Testing

@Suite("Configuration, call keys and time")
struct ConfigureTests {
    @Test("before the first configuration every record but configure, clock and epochOpened is unknown")
    func unconfigured() {
        var rig = Rig(nil)
        #expect(rig.reserve("r").unknownField == "translationRoute")
        #expect(rig.claim(.sample(8001), by: "c").unknownField == "peripheral")
        #expect(rig.apply(.release(Release(reservation: ReservationID(LogSequence(1))))).unknownField == "reservation")
        #expect(rig.open("q").unknownField == "routingClient")
        #expect(rig.close(DialogID(LogSequence(1)), .failed).unknownField == "dialog")
        #expect(rig.apply(.clock) == .noted)
        #expect(rig.apply(.epochOpened(EpochOpened(epoch: 1, mode: .alone, active: .b))) == .noted)
        #expect(rig.apply(.configure(.sample())) == .configured(changed: true))
    }

    @Test("the same configuration again changes nothing")
    func idempotent() {
        var rig = Rig()
        let digest = rig.ledger.digest
        #expect(rig.apply(.configure(.sample())) == .configured(changed: false))
        #expect(rig.ledger.digest == digest && rig.lastChanges.allSatisfy { $0.table == .meta })
    }

    @Test("an entry taken out while in use lives to its end and is not chosen again")
    func takenOut() throws {
        var rig = Rig()
        let first = try rig.reserved("r1")
        let second = try rig.reserved("r2")
        rig.apply(.configure(.sample { $0.routes[0].ranges = [.sample(8003, 8003)] }))
        #expect(rig.claim(first.key, by: "c").claimed != nil)
        #expect(try rig.reserved("r3").key == .sample(8003))
        rig.pass(seconds: 100)
        rig.apply(.clock)
        #expect(rig.state(first.key) == .free && rig.state(second.key) == .free)
        #expect(try rig.reserved("r4").key == .sample(8003))
        #expect(rig.reserve("r5").exhausted?.held == 1)
        #expect(rig.claim(first.key, by: "c").stray?.why == .notInPool)
    }

    @Test("an entry in use is served although its peripheral is gone from the configuration")
    func peripheralGone() throws {
        var rig = Rig()
        let reserved = try rig.reserved("r1")
        rig.apply(.configure(.sample { ($0.routes, $0.peripherals) = ([], []) }))
        #expect(rig.claim(reserved.key, by: "c").claimed != nil)
        #expect(rig.claim(.sample(8002), by: "c").unknownField == "peripheral")
    }

    @Test("new times hold for new reservations only")
    func newTimes() throws {
        var rig = Rig()
        let old = try rig.reserved("r1")
        rig.apply(
            .configure(
                .sample {
                    $0.routes[0].leaseSeconds = 5
                    $0.routes[0].repeatSeconds = 1
                    $0.routes[0].quarantineSeconds = 2
                    $0.routes[0].aniCheck = .require
                }))
        let new = try rig.reserved("r2")
        rig.pass(seconds: 7)
        rig.apply(.clock)
        #expect(rig.state(old.key) == .waiting && rig.state(new.key) == .free)
        #expect(rig.claim(old.key, by: "c", ani: "unlike").claimed != nil)
        rig.pass(seconds: 9)
        #expect(rig.claim(old.key, by: "c").claimed?.repeated == true)
        rig.pass(seconds: 64)
        rig.apply(.clock)
        #expect(rig.state(old.key) == .free)
    }

    @Test("an entry removed and returned keeps its quarantine and its place in the order")
    func returned() throws {
        var rig = Rig()
        let first = try rig.reserved("r1", lease: 1)
        rig.pass(seconds: 2)
        rig.apply(.configure(.sample { $0.routes[0].ranges = [.sample(8002, 8003)] }))
        rig.apply(.configure(.sample()))
        #expect(rig.state(first.key) == .expired)
        _ = try rig.reserved("r2")
        _ = try rig.reserved("r3")
        #expect(rig.reserve("r4").exhausted?.held == 3)
        rig.pass(seconds: 59)
        #expect(try rig.reserved("r4").key == first.key)
    }

    @Test("a key in two pools belongs to the first")
    func overlapping() throws {
        var rig = Rig(.sample { $0.routes[1].ranges = [.sample(8002, 8005), .sample(8000, 8001)] })
        let status = rig.ledger.routeStatus()
        #expect(status.map(\.total) == [3, 3])
        let keys = try (1...3).map { try rig.reserved("r\($0)", route: "service").key }
        #expect(keys == [.sample(8004), .sample(8005), .sample(8000)])
    }

    @Test("a range may be written with any split of its DNIS into prefix and digits")
    func splits() throws {
        let trunkGroup = TrunkGroupName(unchecked: "T1")
        var rig = Rig(
            .sample {
                $0.routes[0].ranges = [
                    EntryRange(trunkGroup: trunkGroup, prefix: "+4980", first: 1, last: 3, digits: 2)
                ]
                $0.routes[1].ranges = [
                    EntryRange(trunkGroup: trunkGroup, prefix: "+4", first: 98_002, last: 98_004, digits: 5),
                    EntryRange(trunkGroup: trunkGroup, prefix: "reception", first: 0, last: 0, digits: 0),
                ]
            })
        #expect(rig.ledger.routeStatus().map(\.total) == [3, 2])
        #expect(try rig.reserved("r1").key.dnis.text == "+498001")
        #expect(try rig.reserved("r2", route: "service").key.dnis.text == "+498004")
        #expect(try rig.reserved("r3", route: "service").key.dnis.text == "reception")
    }

    @Test("call keys count up within a day, start anew each day, and never go back with the wall clock")
    func callKeys() throws {
        var rig = Rig()
        let day = rig.wall.day
        #expect(try rig.reserved("r1").callKey == CallKey(origin: InstanceName("bank"), day: day, number: 1))
        #expect(try rig.opened("q1").callKey.number == 2)
        let today = rig.wall
        rig.wall = WallTime(milliseconds: today.milliseconds + 86_400_000)
        #expect(try rig.opened("q2").callKey == CallKey(origin: InstanceName("bank"), day: day + 1, number: 1))
        rig.wall = today
        #expect(try rig.opened("q3").callKey == CallKey(origin: InstanceName("bank"), day: day + 1, number: 2))
    }

    @Test("a call key from another instance is kept")
    func foreignCallKey() throws {
        var rig = Rig()
        let key = CallKey(origin: try InstanceName("insurance"), day: 3, number: 9)
        #expect(rig.reserve("r1", callKey: key).reserved?.callKey == key)
        #expect(try rig.reserved("r2").callKey.number == 1)
    }

    @Test("log time never goes back")
    func noWayBack() throws {
        var rig = Rig()
        rig.log = LogTime(milliseconds: 50_000)
        let reserved = try rig.reserved("r1")
        rig.log = LogTime(milliseconds: 10)
        rig.apply(.clock)
        #expect(rig.ledger.lastTime.log == LogTime(milliseconds: 50_000))
        #expect(rig.ledger.nextDeadline == reserved.expiresAt)
    }

    @Test("a long time passed at once moves an entry through its whole life, by its own deadlines")
    func longJump() throws {
        var rig = Rig()
        let reserved = try rig.reserved("r1")
        rig.pass(seconds: 10_000)
        rig.apply(.clock)
        let row = try #require(rig.ledger.entry(for: reserved.key))
        #expect(row.state == .free && row.freeAt == reserved.expiresAt.adding(seconds: 60))
        #expect(rig.ledger.nextDeadline == nil)
    }

    @Test("one batch moves at most 4,096, the rest moves with the next")
    func boundedMoves() throws {
        var ledger = Ledger()
        var changes: [Change] = []
        let configuration = LedgerConfiguration.sample { $0.routes[0].ranges = [.sample(1000, 9999)] }
        let wall = WallTime(milliseconds: 0)
        ledger.begin(BatchTime(log: .zero, wall: wall), first: LogSequence(1), changes: &changes)
        _ = ledger.apply(.configure(configuration), sequence: LogSequence(1), changes: &changes)
        for number in 2..<5002 {
            _ = ledger.apply(.reserve(.sample("r\(number)")), sequence: LogSequence(UInt64(number)), changes: &changes)
        }
        let later = LogTime(milliseconds: 30_000)
        ledger.begin(BatchTime(log: later, wall: wall), first: LogSequence(5002), changes: &changes)
        #expect(ledger.routeStatus()[0].expired == 4096 && ledger.routeStatus()[0].waiting == 904)
        #expect(try #require(ledger.nextDeadline) <= later)
        ledger.begin(BatchTime(log: later, wall: wall), first: LogSequence(5003), changes: &changes)
        #expect(ledger.routeStatus()[0].expired == 5000)
        ledger.checkInvariants()
    }

    @Test("a pool of a million million entries costs nothing until it is used")
    func hugePool() throws {
        let range = EntryRange(
            trunkGroup: TrunkGroupName(unchecked: "T1"), prefix: "", first: 0, last: 999_999_999_999, digits: 12)
        var rig = Rig(.sample { $0.routes[0].ranges = [range] })
        #expect(rig.ledger.routeStatus()[0].free == 1_000_000_000_000)
        #expect(try rig.reserved("r1").key.dnis.text == "000000000000")
    }
}
