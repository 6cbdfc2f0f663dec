import ByteCoding
import CallModel
import Duplex
import Ledger
import ReplicatedLedger
import Simulation
import Testing
import WriteAheadLog

@Suite("The private link")
struct PairLinkTests {
    private static let ours = PairGreeting(pairID: pairOfTest, side: .a, incarnation: 7, nonce: 1)

    private func refusal(_ change: (inout PairGreeting) -> Void) -> PairLinkFault? {
        var theirs = PairGreeting(pairID: pairOfTest, side: .b, incarnation: 8, nonce: 2)
        change(&theirs)
        do throws(PairLinkFault) { _ = try Self.ours.judge(theirs.encoded()) } catch { return error }
        return nil
    }

    @Test("the greeting of another pair, of the same side, or two major versions apart is refused, and says why")
    func greetings() {
        #expect(refusal { _ in } == nil)
        #expect(refusal { $0.major += 1 } == nil)
        #expect(refusal { $0.minor += 9 } == nil)
        #expect(refusal { $0.pairID = .zero } == .otherPair(theirs: .zero, ours: pairOfTest))
        #expect(refusal { $0.side = .a } == .sameSide(.a))
        #expect(refusal { $0.major = 3 } == .version(theirs: "3.0", ours: "1.0"))
    }

    @Test("what is no greeting is refused", arguments: [0, 8, 20, 60])
    func noGreeting(bytes: Int) {
        #expect(throws: PairLinkFault.self) { try Self.ours.judge([UInt8](repeating: 0x42, count: bytes)) }
        let cut = Array(Self.ours.encoded().prefix(bytes))
        if bytes < Self.ours.encoded().count {
            #expect(throws: PairLinkFault.self) { try Self.ours.judge(cut) }
        }
    }

    @Test("both sides give a session the same number, and another connection gives it another")
    func sessionNumbers() {
        let theirs = PairGreeting(pairID: pairOfTest, side: .b, incarnation: 8, nonce: 2)
        let later = PairGreeting(pairID: pairOfTest, side: .b, incarnation: 8, nonce: 3)
        #expect(Self.ours.session(with: theirs) == theirs.session(with: Self.ours))
        #expect(Self.ours.session(with: theirs) != Self.ours.session(with: later))
    }

    @Test("a side that greets wrongly is never listened to; the other serves on")
    func wrongGreetingInThePair() throws {
        let rig = try PairRig.paired()
        rig.b.kill()
        rig.pair.network.tamper = { frame, from in
            // Whatever else travels stays as it is.
            guard from == .b, var greeting = try? PairGreeting(decoding: frame) else { return frame }
            greeting.pairID = .zero
            return greeting.encoded()
        }
        rig.b.start()
        rig.pass(5000)
        #expect(rig.a.state == "isolated-enabled" && rig.b.state == "isolated-disabled")
        #expect(rig.outage(.reserve("1"), at: .a, atMost: 2000) != nil)
        rig.pair.network.tamper = nil
        rig.becomesPaired()
    }

    @Test(
        "garbage, a cut frame and a frame with bytes behind it end the session and change nothing else",
        arguments: [0, 1, 2])
    func garbage(kind: Int) throws {
        let rig = try PairRig.paired()
        let before = try rig.answer(.reserve("1"), at: .b)
        for side in Side.allCases {
            rig.pair.network.tamper = { [network = rig.pair.network] frame, from in
                guard from == side else { return frame }
                network.tamper = nil
                return kind == 0
                    ? [UInt8](repeating: 0xee, count: 100) : kind == 1 ? Array(frame.dropLast()) : frame + [1, 2, 3]
            }
            rig.pass(200)
            rig.becomesPaired()
        }
        #expect(rig.states == ["paired-enabled", "paired-disabled"])
        let again = try rig.answer(.reserve("1"), at: .b)
        #expect(again.outcome.reserved?.reservation == before.outcome.reserved?.reservation)
        try rig.expectEqualSides()
    }

    @Test("frames of an earlier session and of another incarnation have no effect", arguments: [true, false])
    func oldSession(isSession: Bool) throws {
        let rig = try PairRig.paired()
        var old: [[UInt8]] = []
        rig.pair.network.tamper = { frame, from in
            if from == .b { old.append(frame) }
            return frame
        }
        _ = try rig.answer(.reserve("1"), at: .b)
        rig.pass(200)
        rig.pair.network.tamper = nil
        if isSession {
            rig.pair.network.breakConnection()
        } else {
            rig.b.kill()
            rig.b.format()
            rig.b.start()
        }
        rig.pass(5)
        rig.becomesPaired()
        rig.pass(300)
        let (before, swaps) = (rig.a.ledger?.position, rig.pair.witness.swaps)
        #expect(!old.isEmpty)
        for frame in old { rig.a.deliver { $0.linkReceived(frame) } }
        rig.pass(1)
        #expect(rig.pair.isPaired && rig.a.ledger?.position == before && rig.pair.witness.swaps == swaps)
        try rig.expectEqualSides()
    }

    @Test("digests are compared at equal positions; a difference alarms once, names the table, and service goes on")
    func digests() throws {
        let rig = try PairRig.paired()
        _ = try rig.answer(.reserve("1"), at: .a)
        rig.pair.network.tamper = { frame, from in
            guard from == .a,
                case (let header, .heartbeat(let standing, let told, var checkpoint?))? =
                    try? PairFrame.decode(frame)  // A greeting is no frame.
            else { return frame }
            var sums = checkpoint.digest.sums
            sums[0] = Hash128(high: 1, low: 2)
            checkpoint.digest = Digest(sums: sums)
            return PairFrame.heartbeat(standing, committed: told, checkpoint).encoded(header)
        }
        rig.pass(1000)
        #expect(rig.b.alarms.count == 1 && rig.b.alarms[0].contains("differ") && rig.a.alarms == [])
        #expect(rig.b.alarms[0].contains("\(Table.digested[0])"))
        #expect(rig.outage(.reserve("2"), at: .b, atMost: 1000) != nil)
    }
}

@Suite("The witness, as a pair meets it")
struct PairWitnessTests {
    @Test("a register that knows less than the pair promised brings no transition, and an alarm")
    func rolledBack() throws {
        let rig = try PairRig.paired()
        rig.pair.witness.replace(rig.pair.witness.history[0])
        rig.b.kill()
        rig.pass(3000)
        #expect(rig.a.state == "testing" && rig.a.alarms.contains { $0.contains("R12") }, rig.story)
        let asked = rig.ask(.reserve("1"), at: .a, within: 500)
        rig.pass(600)
        guard case .failure(.unavailable)? = rig.reply(to: asked) else {
            Issue.record("it served")
            return
        }
        rig.b.start()
        rig.becomesPaired()
    }

    @Test("a key of another pair in the witness has no effect but an alarm")
    func foreignKey() throws {
        let rig = try PairRig.paired()
        let foreign = PairRegister(epoch: 900, mode: .alone, active: .b)
        rig.pair.witness.replace(RegisterCoding.encode(foreign, pairID: .zero))
        rig.b.kill()
        rig.pass(3000)
        #expect(rig.a.state == "testing" && rig.a.alarms.contains { $0.contains("belongs to pair") }, rig.story)
        rig.b.start()
        rig.becomesPaired()
        #expect(rig.states == ["paired-enabled", "paired-disabled"])
    }

    @Test("a swap whose answer was lost is settled by asking again, and one side serves")
    func lostAnswers() throws {
        let rig = try PairRig.paired()
        rig.pair.witness.unansweredPerMille = 700
        rig.a.kill()
        #expect(rig.outage(.reserve("1"), at: .b, atMost: 20_000) != nil, rig.story)
        rig.a.start()
        rig.becomesPaired(within: 60_000)
        try rig.expectEqualSides()
    }

    @Test("a clock of one side that is an hour off ends no lease early and changes nothing on the other side")
    func wallClock() throws {
        let rig = try PairRig.paired()
        rig.a.stepWallClock(milliseconds: 3_600_000)
        let reserved = try #require(try rig.answer(.reserve("1"), at: .a).outcome.reserved)
        rig.a.stepWallClock(milliseconds: -7_200_000)
        rig.pass(15_000)
        #expect(try rig.answer(.claim(reserved.key, by: "call"), at: .b).outcome.claimed?.late == false)
        try rig.expectEqualSides()
    }
}
