import CallModel
import Ledger
import Testing

@Suite("The life of a pool entry")
struct EntryLifeTests {
    @Test("entries that were never used are chosen first, in the order of the configuration")
    func neverUsedFirst() throws {
        var rig = Rig()
        let keys = try (1...2).map { try rig.reserved("r\($0)", route: "service").key }
        #expect(keys == [.sample(9005, "T2"), .sample(9001, "T2")])
    }

    @Test("the entry free for longest is chosen")
    func oldestFreedFirst() throws {
        var rig = Rig()
        let all = try (1...3).map { try rig.reserved("r\($0)") }
        for index in [1, 2, 0] {
            #expect(rig.claim(all[index].key, by: "c\(index)").claimed != nil)
            rig.pass(seconds: 1)
        }
        rig.pass(seconds: 30)
        let again = try (4...6).map { try rig.reserved("r\($0)").key }
        #expect(again == [all[1].key, all[2].key, all[0].key])
    }

    @Test("entries that became free at the same time are chosen in the order of their keys")
    func tiesByKey() throws {
        var rig = Rig()
        for number in 1...3 { _ = try rig.reserved("r\(number)") }
        rig.pass(seconds: 100)
        let again = try (4...6).map { try rig.reserved("r\($0)").key }
        #expect(again == [.sample(8001), .sample(8002), .sample(8003)])
    }

    @Test("a reservation's label is that of its routing client, else the route's default")
    func labels() throws {
        var rig = Rig()
        #expect(try rig.reserved("r1", client: "nic").label == Label("998001"))
        #expect(try rig.reserved("r2").label == Label("8002"))
        #expect(try rig.reserved("r3", client: "other").label == Label("8003"))
    }

    @Test("a waiting entry expires with its lease and is free after the quarantine")
    func leaseAndQuarantine() throws {
        var rig = Rig()
        let reserved = try rig.reserved("r1")
        #expect(reserved.expiresAt == rig.log.adding(seconds: 20))
        #expect(reserved.expiresAtWall == WallTime(milliseconds: rig.wall.milliseconds + 20_000))
        rig.pass(milliseconds: 19_999)
        rig.apply(.clock)
        #expect(rig.state(reserved.key) == .waiting)
        rig.pass(milliseconds: 1)
        rig.apply(.clock)
        #expect(rig.state(reserved.key) == .expired)
        rig.pass(milliseconds: 59_999)
        rig.apply(.clock)
        #expect(rig.state(reserved.key) == .expired)
        #expect(try rig.rows.parked(reserved.reservation) != nil)
        rig.pass(milliseconds: 1)
        rig.apply(.clock)
        #expect(rig.state(reserved.key) == .free)
        #expect(try rig.rows.parked(reserved.reservation) == nil)
    }

    @Test(
        "a reservation may ask for its own lease, within one second and one hour",
        arguments: [(0, 1), (7, 7), (9000, 3600)])
    func ownLease(asked: UInt32, given: UInt32) throws {
        var rig = Rig()
        #expect(try rig.reserved("r1", lease: asked).expiresAt == rig.log.adding(seconds: given))
    }

    @Test("an expired context can be claimed late until its quarantine ends")
    func lateClaim() throws {
        var rig = Rig()
        let reserved = try rig.reserved("r1")
        rig.pass(seconds: 79)
        let claimed = try #require(rig.claim(reserved.key, by: "c").claimed)
        #expect(claimed.late && !claimed.repeated && claimed.reservation == reserved.reservation)
        #expect(rig.claim(reserved.key, by: "c").claimed?.late == true)
        rig.pass(seconds: 10)
        #expect(rig.claim(reserved.key, by: "c").stray?.why == .nothingWaits)
    }

    @Test("a claim repeated by the same call id gets the same answer until the entry is free")
    func claimRepeats() throws {
        var rig = Rig()
        let reserved = try rig.reserved("r1")
        let first = try #require(rig.claim(reserved.key, by: "c").claimed)
        #expect(!first.repeated && first.callKey == reserved.callKey)
        rig.pass(milliseconds: 9_999)
        let second = try #require(rig.claim(reserved.key, by: "c").claimed)
        #expect(second.repeated && second.reservation == first.reservation && second.aniMatched == first.aniMatched)
        rig.pass(milliseconds: 1)
        #expect(rig.claim(reserved.key, by: "c").stray != nil)
    }

    @Test("a context is claimed once: any other call is a stray")
    func claimedOnce() throws {
        var rig = Rig()
        let reserved = try rig.reserved("r1")
        _ = rig.claim(reserved.key, by: "c1")
        let stray = try #require(rig.claim(reserved.key, by: "c2").stray)
        #expect(
            stray.why == .claimedByAnother && stray.standing == reserved.reservation && stray.defaultRoute == "queue")
        #expect(rig.claim(reserved.key, by: "c1").claimed?.repeated == true)
    }

    @Test("a released context is no longer there: its call is a stray")
    func released() throws {
        var rig = Rig()
        let reserved = try rig.reserved("r1")
        #expect(rig.apply(.release(Release(reservation: reserved.reservation))).released?.released == true)
        #expect(rig.claim(reserved.key, by: "c").stray?.why == .nothingWaits)
        let again = rig.apply(.release(Release(reservation: reserved.reservation))).released
        #expect(again == Released(released: false, state: .released))
        rig.pass(seconds: 10)
        #expect(rig.apply(.release(Release(reservation: reserved.reservation))).unknownField == "reservation")
        #expect(rig.state(reserved.key) == .free)
    }

    @Test("releasing what was claimed or has expired changes nothing")
    func releaseTooLate() throws {
        var rig = Rig()
        let claimed = try rig.reserved("r1")
        let expired = try rig.reserved("r2", lease: 1)
        _ = rig.claim(claimed.key, by: "c")
        rig.pass(seconds: 2)
        #expect(
            rig.apply(.release(Release(reservation: claimed.reservation))).released
                == Released(released: false, state: .claimed))
        #expect(
            rig.apply(.release(Release(reservation: expired.reservation))).released
                == Released(released: false, state: .expired))
        #expect(rig.claim(expired.key, by: "c2").claimed?.late == true)
    }

    @Test("an exhausted route says how many entries are held and when the next falls free at the latest")
    func exhaustion() throws {
        var rig = Rig()
        let all = try (1...3).map { try rig.reserved("r\($0)") }
        let first = try #require(rig.reserve("r4").exhausted)
        #expect(first.held == 3 && first.nextFreeAt == rig.log.adding(seconds: 80))
        _ = rig.claim(all[1].key, by: "c")
        #expect(rig.reserve("r4").exhausted?.nextFreeAt == rig.log.adding(seconds: 10))
        rig.pass(seconds: 10)
        #expect(try rig.reserved("r4").key == all[1].key)
        #expect(rig.ledger.counters.exhausted[TranslationRouteName(unchecked: "sales")] == 2)
    }

    @Test("a translation route without entries is exhausted and has no next time")
    func emptyRoute() throws {
        var rig = Rig(.sample { $0.routes[0].ranges = [] })
        #expect(
            rig.reserve("r1").exhausted
                == Exhausted(
                    route: TranslationRouteName(unchecked: "sales"), held: 0, nextFreeAt: nil, nextFreeAtWall: nil))
    }

    @Test("the generation grows for ever, also when an entry leaves a pool and comes back")
    func generations() throws {
        var rig = Rig()
        var last = try rig.reserved("r0").reservation
        for round in 1...4 {
            rig.pass(seconds: 100)
            rig.apply(.configure(.sample { if round == 2 { $0.routes[0].ranges = [.sample(8002, 8003)] } }))
            let next = try rig.reserved("r\(round)").reservation
            #expect(next > last)
            last = next
        }
    }

    @Test("a repeated reservation gets its first answer, also after its route is gone")
    func reserveRepeats() throws {
        var rig = Rig()
        let first = try rig.reserved("r1", client: "nic")
        rig.apply(.configure(.sample { $0.routes.remove(at: 0) }))
        let second = try rig.reserved("r1", client: "nic")
        #expect(second.repeated && second.reservation == first.reservation && second.label == first.label)
        #expect(second.callKey == first.callKey && second.expiresAt == first.expiresAt)
    }

    @Test("the same request on another translation route is another reservation")
    func identityHasRoute() throws {
        var rig = Rig()
        let first = try rig.reserved("r1")
        #expect(try rig.reserved("r1", route: "service").reservation != first.reservation)
    }

    @Test("the same request with another content is a conflict")
    func conflicts() throws {
        var rig = Rig()
        let first = try rig.reserved("r1")
        let others = [
            rig.reserve("r1", call: "other"), rig.reserve("r1", client: "nic"), rig.reserve("r1", target: "agent"),
            rig.reserve("r1", lease: 5), rig.reserve("r1", ani: "1"),
        ]
        for other in others { #expect(other.conflict?.first == first.reservation.sequence) }
        #expect(rig.ledger.counters.conflicts == 5)
    }

    @Test("an identity is new again when its entry is free")
    func identityEnds() throws {
        var rig = Rig()
        let first = try rig.reserved("r1")
        _ = rig.claim(first.key, by: "c")
        rig.pass(seconds: 10)
        let second = try rig.reserved("r1", call: "another")
        #expect(!second.repeated && second.reservation != first.reservation)
    }

    @Test("an unknown translation route is answered with the nearest name")
    func unknownRoute() {
        var rig = Rig()
        #expect(rig.reserve("r1", route: "sale") == .unknown(field: "translationRoute", name: "sale", nearest: "sales"))
    }
}
