import CallModel
import Duplex
import Ledger
import ReplicatedLedger
import Simulation
import Testing
import WriteAheadLog

@Suite("A pair of sides")
struct PairTests {
    @Test("side A begins, B joins, and both are paired")
    func begins() throws {
        let rig = try PairRig.paired()
        #expect(rig.states == ["paired-enabled", "paired-disabled"])
        try rig.expectEqualSides()
        #expect(rig.a.alarms + rig.b.alarms == [])
    }

    @Test(
        "a new pair without a configuration knows no name yet: it is unavailable, and says why",
        arguments: Side.allCases)
    func notConfiguredYet(side: Side) throws {
        let rig = PairRig()
        try #require(rig.pair.begin(), rig.story)
        let request = rig.ask(.reserve("1"), at: side)
        rig.reaches(within: 500) { rig.reply(to: request) != nil }
        guard case .failure(.unavailable(let reason))? = rig.reply(to: request) else {
            Issue.record("\(String(describing: rig.reply(to: request)))")
            return
        }
        #expect(reason.contains("configuration"))
    }

    @Test("a reservation asked at B is ordered at A, answered at B, and held by both")
    func forwards() throws {
        let rig = try PairRig.paired()
        let reserved = try rig.answer(.reserve("1"), at: .b)
        let key = try #require(reserved.outcome.reserved?.key)
        #expect(reserved.reservation?.context == .sample("1"))
        let claimed = try rig.answer(.claim(key, by: "call"), at: .a)
        #expect(claimed.outcome.claimed?.reservation == reserved.outcome.reserved?.reservation)
        #expect(claimed.reservation?.context == .sample("1"))
        try rig.expectEqualSides()
    }

    @Test("the same key claimed by two calls at both sides at once is answered to one, and a repeat equals it")
    func claimsOnce() throws {
        let rig = try PairRig.paired()
        let key = try #require(try rig.answer(.reserve("1"), at: .a).outcome.reserved?.key)
        let first = rig.ask(.claim(key, by: "one"), at: .a)
        let second = rig.ask(.claim(key, by: "two"), at: .b)
        let outcomes = [try rig.answer(to: first).outcome, try rig.answer(to: second).outcome]
        #expect(outcomes.compactMap(\.claimed).count == 1)
        let winner = outcomes[0].claimed == nil ? "two" : "one"
        for side in Side.allCases {
            #expect(try rig.answer(.claim(key, by: winner), at: side).outcome.claimed?.repeated == true)
        }
    }

    @Test("many requests at both sides at once are all answered, each once")
    func manyAtOnce() throws {
        let rig = try PairRig.paired()
        let requests = (0..<200).map { rig.ask(.reserve("\($0)"), at: $0 % 2 == 0 ? .a : .b) }
        var keys: Set<TranslationRouteKey> = []
        for request in requests { keys.insert(try #require(try rig.answer(to: request).outcome.reserved?.key)) }
        #expect(keys.count == requests.count)
        try rig.expectEqualSides()
    }

    @Test("an idle pair goes on as it is, and keeps its epoch")
    func idles() throws {
        let rig = try PairRig.paired()
        let swaps = rig.pair.witness.swaps
        rig.pass(60_000)
        #expect(rig.states == ["paired-enabled", "paired-disabled"] && rig.pair.witness.swaps == swaps)
        try rig.expectEqualSides()
    }

    @Test("A dies: B serves with everything that was acknowledged; A returns and joins", arguments: [true, false])
    func orderingSideDies(isPowerCut: Bool) throws {
        let rig = try PairRig.paired()
        let key = try #require(try rig.answer(.reserve("1"), at: .a).outcome.reserved?.key)
        isPowerCut ? rig.a.cutPower() : rig.a.kill()
        let outage = try #require(rig.outage(.claim(key, by: "call"), at: .b, atMost: 5000), rig.story)
        #expect(outage < 300 && rig.b.state == "isolated-enabled")
        #expect(try rig.answer(.claim(key, by: "other"), at: .b).outcome.claimed == nil)
        rig.a.start()
        rig.becomesPaired()
        #expect(rig.states == ["paired-disabled", "paired-enabled"])
        #expect(try rig.answer(.claim(key, by: "call"), at: .a).outcome.claimed?.repeated == true)
        try rig.expectEqualSides()
    }

    @Test("A falls silent without a word: B serves within 1.2 s; A, told, stops and joins")
    func orderingSideSilent() throws {
        let rig = try PairRig.paired()
        let key = try #require(try rig.answer(.reserve("1"), at: .a).outcome.reserved?.key)
        rig.a.pause()
        let outage = try #require(rig.outage(.claim(key, by: "call"), at: .b, atMost: 5000), rig.story)
        #expect(outage < 1200)
        rig.a.resume()
        rig.becomesPaired()
        #expect(rig.states == ["paired-disabled", "paired-enabled"])
        try rig.expectEqualSides()
    }

    @Test("a request that waits at a following side while the ordering side dies is answered by the one that goes on")
    func waitsForDecision() throws {
        let rig = try PairRig.paired()
        rig.a.pause()
        let request = rig.ask(.reserve("1"), at: .b)
        rig.pass(100)
        rig.a.kill()
        #expect(try rig.answer(to: request).outcome.reserved?.repeated == false)
    }

    @Test("B dies: A goes alone, serves, and B joins again", arguments: [true, false])
    func followingSideDies(isPowerCut: Bool) throws {
        let rig = try PairRig.paired()
        isPowerCut ? rig.b.cutPower() : rig.b.kill()
        let outage = try #require(rig.outage(.reserve("1"), at: .a, atMost: 5000), rig.story)
        #expect(outage < 300 && rig.a.state == "isolated-enabled")
        rig.b.start()
        rig.becomesPaired()
        #expect(rig.states == ["paired-enabled", "paired-disabled"])
        try rig.expectEqualSides()
    }

    @Test("with the witness gone the pair goes on over a link that breaks and comes back", arguments: [1, 2])
    func linkBlip(times: Int) throws {
        let rig = try PairRig.paired()
        rig.pair.witness.goDown()
        for _ in 0..<times {
            rig.pair.network.breakConnection()
            rig.pass(5)
            #expect(rig.states != ["paired-enabled", "paired-disabled"])
            rig.becomesPaired(within: 1000)
            _ = try rig.answer(.reserve("after"), at: .b)
        }
        #expect(rig.states == ["paired-enabled", "paired-disabled"])
        try rig.expectEqualSides()
    }

    @Test("B restarts while nobody may go alone: the pair resumes its epoch without a witness")
    func restartsWithoutWitness() throws {
        let rig = try PairRig.paired()
        let key = try #require(try rig.answer(.reserve("1"), at: .a).outcome.reserved?.key)
        rig.pair.witness.goDown()
        let swapped = rig.pair.witness.history.count
        rig.b.cutPower()
        rig.pass(200)
        let asked = rig.ask(.claim(key, by: "call"), at: .a)
        rig.pass(500)
        #expect(rig.reply(to: asked) == nil, "A alone must not answer")
        rig.b.start()
        #expect(try rig.answer(to: asked).outcome.claimed != nil)
        rig.becomesPaired()
        #expect(rig.pair.witness.history.count == swapped)
        try rig.expectEqualSides()
    }

    @Test("both sides lose their power at once and resume, with everything acknowledged and no witness")
    func bothRestart() throws {
        let rig = try PairRig.paired()
        var keys: [TranslationRouteKey] = []
        for number in 0..<20 {
            keys.append(
                try #require(try rig.answer(.reserve("\(number)"), at: number % 2 == 0 ? .a : .b).outcome.reserved?.key)
            )
        }
        rig.pair.witness.goDown()
        rig.a.cutPower()
        rig.b.cutPower()
        rig.pass(100)
        rig.b.start()
        rig.pass(300)
        rig.a.start()
        rig.becomesPaired()
        for key in keys { #expect(try rig.answer(.claim(key, by: "call"), at: .b).outcome.claimed != nil) }
        try rig.expectEqualSides()
    }

    @Test("a formatted B joins from the log while A serves", arguments: [0, 300])
    func formattedSideJoins(records: Int) throws {
        let rig = try PairRig.paired()
        rig.b.kill()
        rig.b.format()
        for number in 0..<records { _ = rig.ask(.reserve("\(number)", contextBytes: 900), at: .a) }
        rig.reaches(within: 5000) { rig.a.state == "isolated-enabled" }
        rig.b.start()
        rig.becomesPaired()
        #expect(rig.states == ["paired-enabled", "paired-disabled"])
        #expect(try rig.answer(.reserve("last"), at: .b).outcome.reserved != nil)
        try rig.expectEqualSides()
    }

    @Test("what only a lost ordering side had in its log is moved aside when it joins, and was never acknowledged")
    func contradictingTail() throws {
        let rig = try PairRig.paired()
        _ = try rig.answer(.reserve("before"), at: .a)
        rig.pair.network.isCut = true
        rig.pair.network.silence([.a, .b])
        let lost = rig.ask(.reserve("lost"), at: .a, within: 300)
        rig.pass(100)
        rig.a.kill()
        #expect(rig.reply(to: lost) == nil)
        #expect(rig.outage(.reserve("after"), at: .b, atMost: 5000) != nil, rig.story)
        rig.pair.network.isCut = false
        rig.a.start()
        rig.becomesPaired()
        #expect(rig.a.alarms.contains { $0.contains("moved aside") }, rig.story)
        #expect(try rig.answer(.reserve("lost"), at: .a).outcome.reserved?.repeated == false)
        try rig.expectEqualSides()
    }

    @Test("a log is cut only when nothing is on its way to the disk any more")
    func cutWaitsForTheDisk() throws {
        let rig = try PairRig.paired()
        rig.a.stepMicroseconds = 100_000...150_000
        rig.pair.network.isCut = true
        rig.pair.network.silence([.a, .b])
        for number in 0..<8 {
            _ = rig.ask(.reserve("lost \(number)"), at: .a, within: 500)
            rig.pass(1)
        }
        rig.pair.witness.unreachable = [.a]
        rig.reaches(within: 2000) { rig.b.state == "isolated-enabled" }
        rig.pair.witness.unreachable = []
        rig.pair.network.isCut = false
        rig.becomesPaired(within: 60_000)
        #expect(rig.a.stops == [] && rig.b.stops == [])
        rig.a.stepMicroseconds = 20...400
        try rig.expectEqualSides()
    }

    @Test("a side that knows the other to be registered alone never goes on under their common promise")
    func neverStealsFromAlone() throws {
        let rig = try PairRig.paired()
        // B wins the register, and its disk takes long to bind it to that.
        rig.b.stepMicroseconds = 1_000_000...1_000_001
        rig.pair.witness.unreachable = [.a]
        rig.pair.network.isCut = true
        rig.pair.network.breakConnection()
        rig.pass(20)
        rig.pair.witness.unreachable = []
        rig.reaches(within: 500) { rig.a.state == "isolated-disabled" }
        rig.pair.network.isCut = false
        rig.pass(400)
        rig.pair.network.isCut = true
        rig.pair.network.breakConnection()
        rig.pass(1000)
        #expect(rig.a.state == "isolated-disabled", rig.story)
        rig.pair.network.isCut = false
        rig.reaches(within: 10_000) { rig.b.state == "isolated-enabled" }
        rig.becomesPaired(within: 60_000)
    }

    @Test("a planned switch hands the order over without refusing a request")
    func switches() throws {
        let rig = try PairRig.paired()
        var requests: [Int] = []
        for number in 0..<10 { requests.append(rig.ask(.reserve("\(number)"), at: number % 2 == 0 ? .a : .b)) }
        rig.a.deliver { $0.order(.switchSides) { _ in } }
        for number in 10..<20 { requests.append(rig.ask(.reserve("\(number)"), at: number % 2 == 0 ? .a : .b)) }
        for request in requests { #expect(try rig.answer(to: request).outcome.reserved != nil, rig.story) }
        rig.becomesPaired(within: 1000)
        #expect(rig.states == ["paired-disabled", "paired-enabled"])
        rig.b.deliver { $0.order(.switchSides) { _ in } }
        rig.reaches(within: 1000) { rig.states == ["paired-enabled", "paired-disabled"] }
        try rig.expectEqualSides()
    }

    @Test("a switch that the witness does not answer leaves the pair as it was")
    func switchWithoutWitness() throws {
        let rig = try PairRig.paired()
        rig.pair.witness.goDown()
        rig.a.deliver { $0.order(.switchSides) { _ in } }
        rig.pass(600)
        #expect(rig.states == ["paired-enabled", "paired-disabled"])
        #expect(try rig.answer(.reserve("1"), at: .b).outcome.reserved != nil)
    }

    @Test("the side alone in the sync set goes on after a restart, without a witness and without the other side")
    func aloneRestarts() throws {
        let rig = try PairRig.paired()
        rig.b.kill()
        rig.reaches(within: 5000) { rig.a.state == "isolated-enabled" }
        _ = try rig.answer(.reserve("1"), at: .a)
        rig.pair.witness.goDown()
        rig.a.cutPower()
        rig.a.start()
        #expect(try rig.answer(.reserve("1"), at: .a).outcome.reserved?.repeated == true)
    }

    @Test("the side outside the sync set serves nothing, however long it waits, and says why")
    func outsideServesNothing() throws {
        let rig = try PairRig.paired()
        rig.b.kill()
        rig.reaches(within: 5000) { rig.a.state == "isolated-enabled" }
        rig.a.kill()
        rig.b.start()
        rig.pass(20_000)
        #expect(rig.b.state != "isolated-enabled" && rig.b.ledger?.status.notServing != nil)
        let asked = rig.ask(.reserve("1"), at: .b, within: 1000)
        rig.pass(1100)
        guard case .failure(.unavailable)? = rig.reply(to: asked) else {
            Issue.record("\(String(describing: rig.reply(to: asked)))")
            return
        }
    }

    @Test("a joiner that the register counts in, and that was not told so before the serving side died, serves")
    func countedInUntold() throws {
        let rig = try PairRig.paired()
        let key = try #require(try rig.answer(.reserve("1"), at: .a).outcome.reserved?.key)
        rig.b.kill()
        rig.reaches(within: 5000) { rig.a.state == "isolated-enabled" }
        let alone = rig.pair.witness.swaps
        rig.pair.witness.unansweredPerMille = 1000
        rig.b.start()
        rig.reaches(within: 5000) { rig.pair.witness.swaps > alone && rig.pair.register?.mode == .paired }
        #expect(rig.b.state == "isolated-disabled", rig.story)
        rig.a.kill()
        rig.pair.witness.unansweredPerMille = 0
        let outage = try #require(rig.outage(.claim(key, by: "call"), at: .b, atMost: 10_000), rig.story)
        #expect(outage < 2500, rig.story)
        rig.a.start()
        rig.becomesPaired()
        #expect(try rig.answer(.claim(key, by: "call"), at: .a).outcome.claimed?.repeated == true)
        try rig.expectEqualSides()
    }

    @Test("a tail that is bad on both sides, and may have been acknowledged, is cut on neither's word: both wait")
    func bothTailsBad() throws {
        let rig = try PairRig.paired()
        _ = try rig.answer(.reserve("1"), at: .a)
        rig.a.kill()
        rig.b.kill()
        for machine in rig.pair.machines { machine.rotLastBatch() }
        for machine in rig.pair.machines { machine.start() }
        rig.reaches(within: 5000) { rig.states == ["isolated-disabled", "isolated-disabled"] }
        rig.pass(10_000)
        #expect(rig.states == ["isolated-disabled", "isolated-disabled"], rig.story)
        #expect(rig.a.alarms.contains { $0.contains("bad on both sides") }, rig.story)

        // The operator gives the tail up, on a side whose partner is off.
        rig.b.kill()
        rig.pass(1000)
        rig.a.deliver { $0.order(.force) { _ in } }
        rig.reaches(within: 5000) { rig.a.state == "isolated-enabled" }
        rig.b.start()
        rig.becomesPaired()
        try rig.expectEqualSides()
    }

    @Test("a tail that is bad on one side is fetched from the other", arguments: Side.allCases)
    func oneTailBad(side: Side) throws {
        let rig = try PairRig.paired()
        let key = try #require(try rig.answer(.reserve("1"), at: .a).outcome.reserved?.key)
        rig.a.kill()
        rig.b.kill()
        rig.pair.machine(side).rotLastBatch()
        for machine in rig.pair.machines { machine.start() }
        rig.becomesPaired()
        #expect(try rig.answer(.claim(key, by: "call"), at: .b).outcome.claimed != nil)
        try rig.expectEqualSides()
    }

    @Test("a side whose superblock is older than its log does not start, and says so")
    func forgottenPromise() throws {
        let rig = try PairRig.paired()
        rig.b.kill()
        rig.reaches(within: 5000) { rig.a.state == "isolated-enabled" }
        let superblocks = rig.a.disk.allContents.filter { $0.key.hasPrefix("superblock") }
        #expect(superblocks.count == 2)
        rig.b.start()
        rig.becomesPaired()
        _ = try rig.answer(.reserve("1"), at: .a)
        rig.a.kill()
        for (file, bytes) in superblocks { rig.a.disk.harm(file) { $0 = bytes } }
        #expect(rig.a.start() == false)
        #expect(rig.a.refusedStarts.last?.contains("older than the log") == true, rig.story)
    }

    @Test("a read that must be current sees what was acknowledged at the other side, at both sides")
    func currentReads() throws {
        let rig = try PairRig.paired()
        for side in Side.allCases {
            let answer = try rig.answer(.reserve("at \(side.rawValue)"), at: side)
            var seen: Position?
            rig.pair.machine(side.other).read(within: 1000) { view in
                if case .success(let view) = view { seen = view.position }
            }
            rig.reaches(within: 1000) { seen != nil }
            #expect((seen?.sequence ?? .zero) >= answer.sequence)
        }
    }

    @Test("a side whose flush does not end gives way to the other")
    func stalledDisk() throws {
        let rig = try PairRig.paired()
        rig.a.stepMicroseconds = 60_000_000...60_000_001
        let asked = rig.ask(.reserve("1"), at: .b, within: 10_000)
        #expect(try rig.answer(to: asked).outcome.reserved != nil)
        #expect(rig.b.state == "isolated-enabled", rig.story)
    }
}
