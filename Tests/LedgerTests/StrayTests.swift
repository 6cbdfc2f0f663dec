import CallModel
import Ledger
import Testing

@Suite("Stray calls")
struct StrayTests {
    @Test("a call on a free entry is a stray, and stays one whatever waits there by then")
    func strayStaysStray() throws {
        var rig = Rig()
        #expect(rig.claim(.sample(8001), by: "c").stray?.why == .nothingWaits)
        let reserved = try rig.reserved("r1")
        #expect(reserved.key == .sample(8001))
        let again = try #require(rig.claim(.sample(8001), by: "c").stray)
        #expect(again.why == .toldBefore && again.standing == reserved.reservation)
        #expect(rig.claim(.sample(8001), by: "other").claimed != nil)
    }

    @Test("a stray is forgotten after the quarantine time")
    func strayEnds() throws {
        var rig = Rig()
        _ = rig.claim(.sample(8001), by: "c")
        _ = try rig.reserved("r1", lease: 300)
        rig.pass(milliseconds: 59_999)
        #expect(rig.claim(.sample(8001), by: "c").stray?.why == .toldBefore)
        rig.pass(milliseconds: 1)
        #expect(rig.claim(.sample(8001), by: "c").claimed != nil)
        #expect(rig.ledger.strayCount == 0)
    }

    @Test("a stray on one key may claim on another")
    func perKey() throws {
        var rig = Rig()
        _ = rig.claim(.sample(8003), by: "c")
        let reserved = try rig.reserved("r1")
        #expect(rig.claim(reserved.key, by: "c").claimed != nil)
    }

    @Test("a key that no pool has is a stray and is not remembered")
    func notInPool() {
        var rig = Rig()
        #expect(rig.claim(.sample(7000), by: "c").stray?.why == .notInPool)
        #expect(rig.claim(.sample(8001, "T9"), by: "c").stray?.why == .notInPool)
        #expect(rig.ledger.strayCount == 0)
    }

    @Test("an unknown peripheral is answered with the nearest name")
    func unknownPeripheral() {
        var rig = Rig()
        #expect(
            rig.claim(.sample(8001, peripheral: "adc"), by: "c")
                == .unknown(field: "peripheral", name: "adc", nearest: "acd"))
    }

    @Test("when a key's list is full, no call that was told stray ever gets a context there")
    func fullList() throws {
        var rig = Rig()
        for number in 0..<70 { #expect(rig.claim(.sample(8001), by: "s\(number)").stray != nil) }
        #expect(rig.ledger.strayCount == 65)
        _ = try rig.reserved("r1", lease: 300)
        rig.pass(seconds: 59)
        for number in 0..<70 { #expect(rig.claim(.sample(8001), by: "s\(number)").stray?.why == .toldBefore) }
        // The list empties at 60 s; the mark, put off at 59 s by the calls told under it, stands.
        rig.pass(seconds: 2)
        #expect(rig.claim(.sample(8001), by: "s69").stray?.why == .toldBefore)
        rig.pass(seconds: 58)
        #expect(rig.claim(.sample(8001), by: "s69").stray?.why == .toldBefore)
        rig.pass(seconds: 61)
        #expect(rig.claim(.sample(8001), by: "s69").claimed != nil)
        rig.pass(seconds: 60)
        rig.apply(.clock)
        #expect(rig.ledger.strayCount == 0)
    }

    @Test("with the ANI check off another ANI is served")
    func aniOff() throws {
        var rig = Rig()
        let reserved = try rig.reserved("r1", ani: "111")
        #expect(rig.claim(reserved.key, by: "c", ani: "222").claimed?.aniMatched == true)
    }

    @Test("with the ANI check prefer another ANI is served and said to be another")
    func aniPrefer() throws {
        var rig = Rig(.sample { $0.routes[0].aniCheck = .prefer })
        let all = try (1...3).map { try rig.reserved("r\($0)", ani: "111") }
        #expect(rig.claim(all[0].key, by: "c0", ani: "222").claimed?.aniMatched == false)
        #expect(rig.claim(all[0].key, by: "c0").claimed?.aniMatched == false)
        #expect(rig.claim(all[1].key, by: "c1", ani: "111").claimed?.aniMatched == true)
        #expect(rig.claim(all[2].key, by: "c2").claimed?.aniMatched == true)
        #expect(rig.ledger.counters.aniMismatched == 1)
    }

    @Test("with the ANI check require another or an absent ANI is a stray, and the right one still claims")
    func aniRequire() throws {
        var rig = Rig(.sample { $0.routes[0].aniCheck = .require })
        let reserved = try rig.reserved("r1", ani: "111")
        #expect(rig.claim(reserved.key, by: "c1", ani: "222").stray?.why == .otherANI)
        #expect(rig.claim(reserved.key, by: "c2").stray?.why == .otherANI)
        #expect(rig.claim(reserved.key, by: "c3", ani: "111").claimed?.aniMatched == true)
        let without = try rig.reserved("r2")
        #expect(rig.claim(without.key, by: "c4", ani: "111").stray?.why == .otherANI)
    }

    @Test("what arrived instead stands on the way of the call that waits or waited there")
    func strayInJourney() throws {
        var rig = Rig()
        let reserved = try rig.reserved("r1")
        rig.pass(seconds: 100)
        _ = rig.claim(reserved.key, by: "too-late")
        let rows = try rig.rows.journeys(of: reserved.callKey)
        #expect(rows.map(\.kind) == [.reserved, .expired, .stray])
        #expect(rows[2].details.contains(JourneyRow.Detail(name: "callID", text: "too-late")))
    }
}
