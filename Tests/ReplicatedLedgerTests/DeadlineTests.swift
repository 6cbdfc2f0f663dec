import CallModel
import Ledger
import ReplicatedLedger
import Simulation
import Testing
import WriteAheadLog

@Suite("Deadlines of requests, and the ledger's own time in quiet")
struct DeadlineTests {
    @Test("a request that is not logged at its deadline is refused, and has no effect")
    func queued() throws {
        let rig = try SideRig.configured()
        rig.ask(.reserve("1"))
        rig.turn()
        let late = rig.ask(.reserve("2"), within: 50)
        let patient = rig.ask(.reserve("3"), within: 5_000)
        #expect(rig.ledger.nextWakeMilliseconds == rig.clock.elapsedMilliseconds() + 50)
        rig.clock.advance(milliseconds: 50)
        rig.turn()
        guard case .unavailable(let reason) = rig.refusal(late) else {
            Issue.record("\(rig.replies.replies(to: late))")
            return
        }
        #expect(reason.contains("no effect"))
        rig.settle()
        #expect(try rig.outcome(patient).reserved != nil)
        #expect(try rig.loggedRecords().contains(.reserve("2")) == false)
        #expect(rig.ledger.ledger.heldCount == 2 && rig.replies.replies(to: late).count == 1)
    }

    @Test("what expired while a batch was in flight does not go into the next one")
    func expiredBehindFlight() throws {
        let rig = try SideRig.configured()
        rig.ask(.reserve("1"))
        rig.turn()
        let late = rig.ask(.reserve("2"), within: 50)
        rig.clock.advance(milliseconds: 60)
        rig.settle()  // The disk's completion comes before any turn.
        rig.hear()
        #expect(try rig.loggedRecords().contains(.reserve("2")) == false)
        #expect(rig.replies.replies(to: late).count == 1 && rig.refusal(late) != nil)
    }

    @Test("the same holds when the disk's completion comes before the turn that would refuse it")
    func expiredAtCompletion() throws {
        let rig = try SideRig.configured()
        rig.ask(.reserve("1"))
        rig.turn()
        let late = rig.ask(.reserve("2"), within: 50)
        rig.disk.runAll()
        rig.clock.advance(milliseconds: 60)
        rig.hear()
        rig.settle()
        #expect(try rig.loggedRecords().contains(.reserve("2")) == false)
        #expect(rig.replies.replies(to: late).count == 1 && rig.refusal(late) != nil)
    }

    @Test("a request in flight at its deadline gets one reply, and may take effect: its repeat meets it")
    func inFlight() throws {
        let rig = try SideRig.configured()
        let request = rig.ask(.reserve("1"), within: 50)
        let neighbour = rig.ask(.reserve("2"), within: 5_000)
        rig.turn()
        rig.clock.advance(milliseconds: 50)
        rig.turn()
        guard case .unavailable(let reason) = rig.refusal(request) else {
            Issue.record("\(rig.replies.replies(to: request))")
            return
        }
        #expect(reason.contains("may still take effect"))
        rig.settle()
        #expect(rig.replies.replies(to: request).count == 1)
        #expect(try rig.outcome(neighbour).reserved?.repeated == false)
        #expect(try rig.answer(.reserve("1")).outcome.reserved?.repeated == true)
    }

    @Test("in quiet one clock record moves what is due, and many deadlines share one")
    func clockRecord() throws {
        let rig = try SideRig.configured()
        for number in 1...5 {
            _ = try rig.answer(.reserve("\(number)"))
            rig.clock.advance(milliseconds: 10)
        }
        let before = rig.ledger.position.sequence
        rig.pass(milliseconds: 19_900)
        #expect(rig.ledger.position.sequence == before, "nothing was due yet")
        rig.pass(milliseconds: 300)
        let records = try rig.loggedRecords().dropFirst(Int(before.number))
        #expect(records.allSatisfy { $0 == .clock } && (1...2).contains(records.count), "\(records)")
        let status = try #require(rig.ledger.ledger.routeStatus().first)
        #expect(rig.ledger.ledger.entry(for: key(8001))?.state == .expired, "\(status)")
        // Quarantined, then free again, each by a clock record.
        rig.pass(milliseconds: 61_000)
        #expect(rig.ledger.ledger.heldCount == 0 && rig.ledger.nextWakeMilliseconds == nil)
    }

    @Test("the wall clock decides nothing: a step of it moves no lease, and log time never goes back")
    func wallStep() throws {
        let rig = try SideRig.configured()
        _ = try rig.answer(.reserve("1"))
        rig.clock.step(wallMilliseconds: 86_400_000)
        _ = try rig.answer(.reserve("2"))
        rig.clock.step(wallMilliseconds: -10 * 86_400_000)
        _ = try rig.answer(.reserve("3"))
        #expect(rig.ledger.ledger.entry(for: key(8001))?.state == .waiting)
        let times = try rig.logged().map(\.time.log)
        #expect(times == times.sorted())
    }

    @Test("50 ms after the last batch a guard says what is durable, once")
    func guardBatch() throws {
        let rig = try SideRig.configured()
        rig.pass(milliseconds: 1_000)
        let calls = rig.disk.calls
        _ = try rig.answer(.clock)
        #expect(rig.disk.calls == calls + 2)
        #expect(rig.ledger.nextWakeMilliseconds == rig.clock.elapsedMilliseconds() + 50)
        rig.pass(milliseconds: 49)
        #expect(rig.disk.calls == calls + 2)
        rig.pass(milliseconds: 1)
        #expect(rig.disk.calls == calls + 4, "one write and one sync")
        #expect(rig.ledger.nextWakeMilliseconds == nil)
        rig.pass(milliseconds: 10_000)
        #expect(rig.disk.calls == calls + 4)
    }

    @Test("a segment without room for the guard leaves the side at rest")
    func guardWithoutRoom() throws {
        // Header block, epoch's batch, two more: the segment of four blocks is full.
        let rig = try SideRig(log: LogConfiguration(segmentBytes: 4 * LogFormat.blockBytes))
        for _ in 0..<2 { _ = try rig.answer(.clock) }
        rig.clock.advance(milliseconds: 50)
        rig.settle()
        #expect(rig.restsUntilLater && rig.ledger.nextWakeMilliseconds == nil)
        _ = try rig.answer(.clock)
        #expect(rig.stops.reasons == [])
    }

    private func key(_ dnis: Int) -> TranslationRouteKey {
        TranslationRouteKey(
            peripheral: PeripheralName(unchecked: "acd"), trunkGroup: TrunkGroupName(unchecked: "T1"),
            dnis: DNIS(unchecked: String(dnis)))
    }
}
