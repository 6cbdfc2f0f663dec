import CallModel
import Ledger
import ReplicatedLedger
import Simulation
import Testing
import WriteAheadLog

/// When the ledger says that the other side's open dialogs are to be taken up.
@Suite("Taking up a lost side's dialogs")
struct TakeUpTests {
    @Test("the side that goes on says so once, when everything that it inherited is applied")
    func onceAllIsKnown() throws {
        let rig = try PairRig.paired()
        _ = try rig.answer(.reserve("1"), at: .a)
        // In the log of B, and not known to be committed there, when A dies.
        _ = rig.ask(.reserve("2"), at: .a)
        rig.reaches(within: 1000) { (try? rig.logs().b.last?.position) == (try? rig.logs().a.last?.position) }
        let inherited = try #require(try rig.logs().b.last?.position.sequence)
        rig.a.kill()
        rig.reaches(within: 5000) { !rig.b.takeUps.isEmpty }
        #expect(rig.b.takeUps.count == 1)
        #expect(try #require(rig.b.takeUps.first) > inherited)
        rig.a.start()
        rig.becomesPaired()
        #expect(rig.b.takeUps.count == 1)
    }

    @Test("a side that serves alone says so again after its restart: its earlier life may have died over them")
    func afterRestart() throws {
        let rig = try PairRig.paired()
        rig.a.kill()
        rig.reaches(within: 5000) { rig.b.takeUps.count == 1 }
        rig.b.kill()
        rig.b.start()
        rig.reaches(within: 5000) { rig.b.takeUps.count == 2 }
    }

    @Test("a side that hands over has nothing taken up")
    func handOver() throws {
        let rig = try PairRig.paired()
        let before = [rig.a.takeUps.count, rig.b.takeUps.count]
        rig.a.deliver { $0.order(.switchSides) { _ in } }
        rig.reaches(within: 5000) { rig.states == ["paired-disabled", "paired-enabled"] }
        #expect([rig.a.takeUps.count, rig.b.takeUps.count] == before)
    }
}
