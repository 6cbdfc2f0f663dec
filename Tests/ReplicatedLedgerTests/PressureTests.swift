import CallModel
import ContextStore
import Ledger
import ReplicatedLedger
import Simulation
import Testing
import WriteAheadLog

@Suite("New contexts wait while they cannot be kept; what takes one away never does")
struct PressureTests {
    private func slowStore(_ clock: SimulatedClock) -> StoreConfiguration {
        var configuration = SideRig.storeConfiguration(clock)
        configuration.lagBytesMost = 4_000
        return configuration
    }

    /// A side whose store is behind, with a reservation at 8001.
    private func behind(settings: LedgerSettings = LedgerSettings()) throws -> SideRig {
        let rig = try SideRig.configured(store: slowStore, settings: settings)
        _ = try rig.answer(.reserve("first", contextBytes: 4_000))
        #expect(rig.ledger.status.busyReason?.contains("behind the log") == true)
        return rig
    }

    @Test("a reservation waits while the store is behind, and is made when it has caught up")
    func waits() throws {
        let rig = try behind()
        let reserve = rig.ask(.reserve("1"))
        let open = rig.ask(.open("2"))
        rig.settle()
        #expect(rig.replies.replies(to: reserve).isEmpty && rig.replies.replies(to: open).isEmpty)
        rig.store.flush()
        rig.settle()
        #expect(try rig.outcome(reserve).reserved != nil && rig.outcome(open).opened != nil)
    }

    @Test("at its deadline it gets busy, and nothing was changed")
    func busy() throws {
        let rig = try behind()
        let reserve = rig.ask(.reserve("1"), within: 300)
        rig.pass(milliseconds: 299)
        #expect(rig.replies.replies(to: reserve).isEmpty)
        rig.pass(milliseconds: 1)
        guard case .busy(let reason) = rig.refusal(reserve) else {
            Issue.record("\(rig.replies.replies(to: reserve))")
            return
        }
        #expect(reason.contains("behind the log"))
        rig.store.flush()
        rig.settle()
        #expect(try rig.loggedRecords().contains(.reserve("1")) == false && rig.replies.replies(to: reserve).count == 1)
    }

    @Test("a claim, an answer and a close are served meanwhile")
    func claims() throws {
        let rig = try SideRig.configured(store: slowStore)
        let dialog = try #require(try rig.answer(.open("d")).outcome.opened).dialog
        _ = try rig.answer(.reserve("first", contextBytes: 4_000))
        let waiting = rig.ask(.reserve("1"))
        #expect(try rig.answer(.claim(dnis: 8001, by: "a")).outcome.claimed != nil)
        #expect(try rig.answer(.answer(dialog, "77")).outcome == .answerRecorded(first: true))
        _ = try rig.answer(.closeDialog(CloseDialog(dialog: dialog, reason: .handedOver)))
        #expect(rig.replies.replies(to: waiting).isEmpty)
    }

    @Test("reservations that wait do not take the claims' room in the queue")
    func heldDoNotCrowdOut() throws {
        var settings = LedgerSettings()
        settings.queuedBytesLimit = 8_000
        let rig = try behind(settings: settings)
        let waiting =
            (1...10).map { rig.ask(.reserve("\($0)", contextBytes: 1_000)) }
            + (11...20).map { rig.ask(.reserve("\($0)")) }
        let refused = waiting.filter { rig.refusal($0) != nil }
        #expect(!refused.isEmpty && refused.count < 20, "the queue is bounded")
        for request in refused {
            #expect(rig.refusal(request).map { if case .busy = $0 { true } else { false } } == true)
        }
        #expect(try rig.answer(.claim(dnis: 8001, by: "a")).outcome.claimed != nil)
    }

    @Test("so many small requests cannot fill the memory: each is charged for its place")
    func boundedInNumber() throws {
        var settings = LedgerSettings()
        settings.queuedBytesLimit = 50_000
        let rig = try SideRig.configured(settings: settings)
        rig.ask(.reserve("1"))
        rig.turn()
        let claims = (0..<300).map { rig.ask(.claim(dnis: 8001, by: "c\($0)")) }
        #expect(claims.count { rig.refusal($0) == nil } < 200)
        rig.settle()
        for claim in claims { #expect(rig.replies.replies(to: claim).count == 1) }
    }

    @Test("it asks again by itself whether the store has caught up, also when nothing else happens")
    func polls() throws {
        let rig = try behind()
        let reserve = rig.ask(.reserve("1"))
        rig.settle()
        rig.store.onDurable = { _ in }  // Nobody is told.
        rig.store.flush()
        rig.pass(milliseconds: 100)
        #expect(try rig.outcome(reserve).reserved != nil)
    }

    @Test("without room for a spare reservations get busy, claims go on, and it recovers by itself")
    func noSpare() throws {
        let disk = SimulatedDisk(seed: 1)
        let rig = try SideRig.configured(disk)
        _ = try rig.answer(.reserve("0"))
        disk.capacity = disk.allContents.values.reduce(0) { $0 + $1.count }
        // Fills the segment, so that a new spare is wanted.
        for number in 1...10 { _ = try rig.answer(.claim(dnis: 8001, by: "c\(number)")) }
        #expect(rig.ledger.status.busyReason?.contains("no space left") == true)
        let reserve = rig.ask(.reserve("late"), within: 30_000)
        rig.settle()
        #expect(rig.replies.replies(to: reserve).isEmpty)
        #expect(try rig.answer(.claim(dnis: 8001, by: "c1")).outcome.claimed?.repeated == true)
        rig.pass(milliseconds: 5_000)
        #expect(rig.replies.replies(to: reserve).isEmpty && rig.stops.reasons == [] && rig.restsUntilLater)
        disk.capacity = .max
        rig.pass(milliseconds: 2_000)
        #expect(try rig.outcome(reserve).reserved != nil && rig.ledger.status.busyReason == nil)
    }

    @Test("with the last segment full claims wait for room, and the side comes to rest meanwhile")
    func noSegmentAtAll() throws {
        let disk = SimulatedDisk(seed: 1)
        let rig = try SideRig.configured(disk)
        _ = try rig.answer(.reserve("0"))
        _ = try rig.answer(.reserve("00"))
        disk.capacity = disk.allContents.values.reduce(0) { $0 + $1.count }
        var claims = 0
        while true {
            let claim = rig.ask(.claim(dnis: 8001, by: "a"), within: 60_000)
            rig.settle()
            if rig.replies.replies(to: claim).isEmpty { break }
            claims += 1
            try #require(claims < 200)
        }
        #expect(claims > 12, "two spares were there")
        rig.clock.advance(milliseconds: 25_000)  // Leases are due as well.
        rig.settle()
        #expect(rig.restsUntilLater, "it would spin")
        rig.pass(milliseconds: 100)
        let last = rig.asked.count - 1
        #expect(rig.replies.replies(to: last).isEmpty)
        let impatient = rig.ask(.claim(dnis: 8002, by: "b"), within: 10)
        rig.pass(milliseconds: 20)
        #expect(rig.refusal(impatient) != nil)
        disk.capacity = .max
        rig.pass(milliseconds: 2_000)
        #expect(rig.replies.replies(to: last).count == 1 && rig.stops.reasons == [])
        for request in rig.asked.indices { #expect(rig.replies.replies(to: request).count == 1) }
    }
}
