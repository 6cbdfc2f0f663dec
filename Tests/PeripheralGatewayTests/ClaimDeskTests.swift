import CallModel
import Ledger
import LedgerDouble
import PeripheralGateway
import ReplicatedLedger
import Testing

@Suite struct ClaimDeskTests {
    @Test("a voice bot reserves directly, without a script, and gets the label for its routing client")
    func reservesDirectly() async throws {
        let fixture = try DeskFixture()
        let answer = try await fixture.desk.reserve(DeskFixture.reservation())
        #expect(answer.label.text == "95558001")
        #expect(answer.key.description == "insurance-acd/tg-1/8001")
        #expect(answer.generation == answer.id.sequence.number)
        #expect(answer.callKey.origin.text == "insurance")
        #expect(!answer.repeated)
    }

    @Test("the claim of the arriving call gets the ultimate target and the whole context")
    func claims() async throws {
        let fixture = try DeskFixture()
        let reserved = try await fixture.desk.reserve(DeskFixture.reservation())
        let claimed = try await fixture.desk.claim(DeskFixture.claim(dnis: reserved.key.dnis.text))
        #expect(claimed.outcome == .claimed)
        #expect(claimed.target?.text == "skill-car")
        #expect(claimed.context == DeskFixture.context())
        #expect(claimed.callKey == reserved.callKey)
        #expect(claimed.aniMatched)
        #expect(!claimed.repeated)
    }

    @Test("a claim repeated by the same call id gets the same answer")
    func repeatsClaim() async throws {
        let fixture = try DeskFixture()
        _ = try await fixture.desk.reserve(DeskFixture.reservation())
        var first = try await fixture.desk.claim(DeskFixture.claim(dnis: "8001"))
        let second = try await fixture.desk.claim(DeskFixture.claim(dnis: "8001"))
        first.repeated = true
        #expect(first == second)
    }

    @Test("another call on a claimed key is a stray and gets the default route, never the context")
    func refusesStray() async throws {
        let fixture = try DeskFixture()
        _ = try await fixture.desk.reserve(DeskFixture.reservation())
        _ = try await fixture.desk.claim(DeskFixture.claim(dnis: "8001"))
        let refusal = await fixture.refusal { () async throws(DeskRefusal) in
            try await fixture.desk.claim(DeskFixture.claim(dnis: "8001", callID: "acd-2"))
        }
        #expect(refusal == .stray(StrayAnswer(defaultRoute: "7000", why: .claimedByAnother)))
    }

    @Test("a call that arrives after its lease is served late")
    func servesLate() async throws {
        let fixture = try DeskFixture()
        _ = try await fixture.desk.reserve(DeskFixture.reservation())
        fixture.ledger.advance(seconds: 21)
        let claimed = try await fixture.desk.claim(DeskFixture.claim(dnis: "8001"))
        #expect(claimed.outcome == .late)
        #expect(claimed.context == DeskFixture.context())
    }

    @Test("a reservation asked for again by the same identity gets the first answer and reserves nothing new")
    func repeatsReservation() async throws {
        let fixture = try DeskFixture()
        var first = try await fixture.desk.reserve(DeskFixture.reservation())
        let second = try await fixture.desk.reserve(DeskFixture.reservation())
        first.repeated = true
        #expect(first == second)
    }

    @Test("one call lawfully reserved for twice, with another request id, gets two entries")
    func reservesTwice() async throws {
        let fixture = try DeskFixture()
        let first = try await fixture.desk.reserve(DeskFixture.reservation())
        var request = DeskFixture.reservation()
        request.requestID = RequestID(unchecked: "leg-1 again")
        let second = try await fixture.desk.reserve(request)
        #expect(first.key != second.key)
    }

    @Test("the same identity with another target is a conflict")
    func conflicts() async throws {
        let fixture = try DeskFixture()
        _ = try await fixture.desk.reserve(DeskFixture.reservation())
        var request = DeskFixture.reservation()
        request.target = UltimateTarget(unchecked: "skill-life")
        let refusal = await fixture.refusal { [request] () async throws(DeskRefusal) in
            try await fixture.desk.reserve(request)
        }
        #expect(refusal?.code == .conflict)
    }

    @Test("an exhausted pool answers at once with how many entries are held and when the next one falls free")
    func tellsExhaustion() async throws {
        let fixture = try DeskFixture(entries: 1)
        _ = try await fixture.desk.reserve(DeskFixture.reservation())
        let refusal = await fixture.refusal { () async throws(DeskRefusal) in
            try await fixture.desk.reserve(DeskFixture.reservation(callID: "leg-2"))
        }
        guard case .exhausted(let answer) = refusal else {
            Issue.record("\(String(describing: refusal))")
            return
        }
        #expect(answer.held == 1)
        #expect(answer.nextFreeAt != nil)
        // 20 seconds of lease and 60 of quarantine at the latest.
        #expect(answer.retryAfterSeconds == 80)
    }

    @Test("a released reservation is a stray for the call that arrives after all; releasing again says so")
    func releases() async throws {
        let fixture = try DeskFixture()
        let reserved = try await fixture.desk.reserve(DeskFixture.reservation())
        let first = try await fixture.desk.release(reserved.id)
        #expect(first == ReleaseAnswer(id: reserved.id, released: true, state: .released, repeated: false))
        let second = try await fixture.desk.release(reserved.id)
        #expect(second == ReleaseAnswer(id: reserved.id, released: true, state: .released, repeated: true))
        let refusal = await fixture.refusal { () async throws(DeskRefusal) in
            try await fixture.desk.claim(DeskFixture.claim(dnis: "8001"))
        }
        #expect(refusal == .stray(StrayAnswer(defaultRoute: "7000", why: .nothingWaits)))
    }

    @Test("a claimed reservation has nothing to release any more")
    func releasesNothing() async throws {
        let fixture = try DeskFixture()
        let reserved = try await fixture.desk.reserve(DeskFixture.reservation())
        _ = try await fixture.desk.claim(DeskFixture.claim(dnis: "8001"))
        let answer = try await fixture.desk.release(reserved.id)
        #expect(answer == ReleaseAnswer(id: reserved.id, released: false, state: .claimed, repeated: false))
    }

    @Test("with the ANI check on prefer another ANI is served and told; on require it is a stray")
    func checksANI() async throws {
        let prefer = try DeskFixture(aniCheck: .prefer)
        _ = try await prefer.desk.reserve(DeskFixture.reservation())
        let claimed = try await prefer.desk.claim(DeskFixture.claim(dnis: "8001", ani: "+1"))
        #expect(!claimed.aniMatched)

        let require = try DeskFixture(aniCheck: .require)
        _ = try await require.desk.reserve(DeskFixture.reservation())
        let refusal = await require.refusal { () async throws(DeskRefusal) in
            try await require.desk.claim(DeskFixture.claim(dnis: "8001", ani: ""))
        }
        #expect(refusal == .stray(StrayAnswer(defaultRoute: "7000", why: .otherANI)))
    }

    @Test("an empty ANI, as a dialplan sends it for a withheld number, counts as none")
    func takesEmptyANIForNone() {
        #expect(DeskFixture.claim(dnis: "8001", ani: "").ani == nil)
    }
}

@Suite struct DeskBadInputTests {
    @Test(
        "unknown routing client, translation route and peripheral are refused with the nearest name; nothing is stored")
    func refusesUnknownNames() async throws {
        let fixture = try DeskFixture()
        let client = await fixture.refusal { () async throws(DeskRefusal) in
            try await fixture.desk.reserve(DeskFixture.reservation(client: "carier"))
        }
        #expect(client == .unknown(field: "routingClient", name: "carier", nearest: "carrier"))
        #expect(fixture.ledger.records.isEmpty)

        var request = DeskFixture.reservation()
        request.translationRoute = TranslationRouteName(unchecked: "advise")
        let route = await fixture.refusal { [request] () async throws(DeskRefusal) in
            try await fixture.desk.reserve(request)
        }
        #expect(route == .unknown(field: "translationRoute", name: "advise", nearest: "advice"))

        let claim = ClaimRequest(
            key: TranslationRouteKey(
                peripheral: PeripheralName(unchecked: "insurance-acb"), trunkGroup: TrunkGroupName(unchecked: "tg-1"),
                dnis: DNIS(unchecked: "8001")), callID: CallID(unchecked: "acd-1"))
        let peripheral = await fixture.refusal { () async throws(DeskRefusal) in try await fixture.desk.claim(claim) }
        #expect(peripheral == .unknown(field: "peripheral", name: "insurance-acb", nearest: "insurance-acd"))
    }

    @Test(
        "a variable over 40 bytes, an ECC variable over its size or undeclared, NUL, CR and LF are refused before anything is submitted",
        arguments: [
            ("variable3", String(repeating: "x", count: 41), RefusalCode.limit),
            ("variable3", String(repeating: "ü", count: 21), .limit),
            ("user.account", "thirteen chars", .limit),
            ("user.acount", "x", .unknown),
            ("ced", "1\u{0}2", .syntax),
            ("ced", "1\r2", .syntax),
            ("uui", "1\n2", .syntax),
        ])
    func refusesContexts(_ field: String, _ text: String, _ code: RefusalCode) async throws {
        let fixture = try DeskFixture()
        var request = DeskFixture.reservation()
        request.context.set(try ContextField(parsing: field), to: text)
        let refusal = await fixture.refusal { [request] () async throws(DeskRefusal) in
            try await fixture.desk.reserve(request)
        }
        #expect(refusal?.code == code)
        #expect(fixture.ledger.records.isEmpty)
    }

    @Test("a lease outside 1 to 3,600 seconds, and an ANI over its limit in a claim, are refused")
    func refusesNumbers() async throws {
        let fixture = try DeskFixture()
        for seconds: UInt32 in [0, 3601] {
            var request = DeskFixture.reservation()
            request.leaseSeconds = seconds
            let refusal = await fixture.refusal { [request] () async throws(DeskRefusal) in
                try await fixture.desk.reserve(request)
            }
            #expect(refusal?.code == .limit)
        }
        let refusal = await fixture.refusal { () async throws(DeskRefusal) in
            try await fixture.desk.claim(DeskFixture.claim(dnis: "8001", ani: String(repeating: "1", count: 41)))
        }
        #expect(refusal == .field(FieldFault(field: "ani", fault: .tooLong(bytes: 41, limit: 40))))
        #expect(fixture.ledger.records.isEmpty)
    }

    @Test("busy and unavailable are told as such, and a record too large as a limit")
    func mapsRefusals() async throws {
        let fixture = try DeskFixture()
        let cases: [(LedgerRefusal, DeskRefusal)] = [
            (.busy(reason: "store behind"), .busy(reason: "store behind")),
            (.unavailable(reason: "deadline"), .unavailable(reason: "deadline")),
            (.tooLarge(bytes: 9, limit: 8), .tooLarge(bytes: 9, limit: 8)),
        ]
        for (given, expected) in cases {
            fixture.ledger.refuse { _ in given }
            let refusal = await fixture.refusal { () async throws(DeskRefusal) in
                try await fixture.desk.reserve(DeskFixture.reservation())
            }
            #expect(refusal == expected)
        }
    }
}
