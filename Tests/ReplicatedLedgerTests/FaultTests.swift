import CallModel
import ContextStore
import Ledger
import ReplicatedLedger
import Simulation
import Testing
import WriteAheadLog

@Suite("A fault stops the side at once")
struct FaultTests {
    /// One batch in flight and others behind it.
    private func busySide() throws -> (rig: SideRig, waiting: [Int]) {
        let rig = try SideRig.configured()
        _ = try rig.answer(.reserve("before"))
        let first = [rig.ask(.reserve("1")), rig.ask(.reserve("2"), within: 60)]
        rig.turn()
        return (rig, first + (3...6).map { rig.ask(.reserve("\($0)")) })
    }

    private func expectUnavailable(_ rig: SideRig, _ requests: [Int], sourceLocation: SourceLocation = #_sourceLocation)
    {
        for request in requests {
            guard case .unavailable = rig.refusal(request) else {
                Issue.record("\(request): \(rig.replies.replies(to: request))", sourceLocation: sourceLocation)
                continue
            }
        }
    }

    @Test(
        "after a failed write or sync nothing is acknowledged, nothing is written, and each request gets one unavailable",
        arguments: [DiskFault.inputOutput, .shortWrite, .noSpace, .syncFails], [0, 1])
    func diskFails(fault: DiskFault, step: Int) throws {
        if fault == .syncFails && step == 0 { return }
        let (rig, waiting) = try busySide()
        rig.disk.faults[rig.disk.calls + step] = fault
        let before = rig.ledger.position
        rig.settle()
        expectUnavailable(rig, waiting)
        #expect(rig.stops.reasons.count == 1 && rig.ledger.position == before)
        #expect(rig.ledger.status.notServing == rig.stops.reasons.first)
        let calls = rig.disk.calls
        let later = rig.ask(.claim(dnis: 8001, by: "a"))
        rig.pass(milliseconds: 100_000)
        expectUnavailable(rig, waiting + [later])
        #expect(rig.ledger.drain(), "it can end")
        try rig.ledger.closeLog()
        #expect(rig.disk.calls == calls && rig.ledger.nextWakeMilliseconds == nil)
        let again = try SideRig(rig.disk.crashImage(seed: 9))
        #expect(try again.answer(.reserve("before")).outcome.reserved?.repeated == true)
    }

    @Test("a spare that fails for lack of room is waited for; any other failure of it stops the side")
    func spareFails() throws {
        for (fault, stops) in [(DiskFault.noSpace, 0), (.inputOutput, 1)] {
            let rig = try SideRig(settles: false)
            rig.disk.faults[rig.disk.calls] = fault
            rig.step(.background)
            #expect(rig.stops.reasons.count == stops, "\(fault)")
            #expect((rig.ledger.status.busyReason != nil) == (stops == 0))
        }
    }

    @Test("a failed store stops the side; what is in flight is unknown to its askers, and stands after a restart")
    func storeFails() throws {
        let (rig, waiting) = try busySide()
        rig.ledger.storeFailed(.mapFull(path: "store", mapBytes: 1 << 20))
        expectUnavailable(rig, waiting)
        rig.settle()
        expectUnavailable(rig, waiting)
        #expect(rig.stops.reasons.count == 1 && rig.ledger.drain())
        let again = try SideRig(rig.disk.killImage())
        #expect(try again.answer(.reserve("1")).outcome.reserved?.repeated == true)
        #expect(try again.answer(.reserve("3")).outcome.reserved?.repeated == false)
    }

    @Test("a damaged context is never answered: the side stops and says so")
    func damagedRow() throws {
        let rig = try SideRig.configured()
        _ = try rig.answer(.reserve("1"))
        rig.store.readFault = .damagedRow(path: "store", table: .contexts, key: [1], reason: "its checksum is wrong")
        let claim = rig.ask(.claim(dnis: 8001, by: "a"))
        rig.settle()
        expectUnavailable(rig, [claim])
        #expect(rig.stops.reasons.first?.contains("checksum") == true && rig.stops.reasons.count == 1)
    }

    @Test("a clean stop refuses what is queued, and answers what is in flight when it is durable")
    func drain() throws {
        let (rig, waiting) = try busySide()
        #expect(!rig.ledger.drain())
        expectUnavailable(rig, Array(waiting.dropFirst(2)))
        #expect(rig.replies.replies(to: waiting[0]).isEmpty)
        rig.settle()
        #expect(rig.ledger.drain())
        for request in waiting.prefix(2) { #expect(try rig.outcome(request).reserved != nil) }
        expectUnavailable(rig, [rig.ask(.clock)])
        #expect(rig.stops.reasons == [])
    }

    @Test("a disk that fails while the side is being stopped does not keep it from ending")
    func faultWhileStopping() throws {
        let (rig, waiting) = try busySide()
        #expect(!rig.ledger.drain())
        rig.disk.faults[rig.disk.calls + 1] = .syncFails
        rig.settle()
        expectUnavailable(rig, waiting)
        #expect(rig.ledger.drain() && rig.stops.reasons.count == 1)
        let calls = rig.disk.calls
        try rig.ledger.closeLog()
        #expect(rig.disk.calls == calls)
    }
}
