import Testing

/// Reservations and claims at one centre, over HTTP, through log and store.
@Suite("Parking and claiming", .serialized)
struct ClaimScenarios {
    @Test("a voice bot reserves directly, without a script")
    func directReservation() async throws {
        try await OneCentre.run { centre in
            let reserved = try await centre.reserve("desk", call: "bot-1", client: "voice-bot", target: "skill-7")
            #expect(reserved.status == 201)
            #expect(reserved.label == "3055" + reserved.dnis)
            let claim = try await centre.claim(reserved, call: "leg-1")
            #expect(claim["outcome"] == "claimed")
            #expect(claim["target"] == "skill-7")
            #expect(claim.context["ced"] as? String == "1234")
        }
    }

    @Test("the same claim twice gets the same answer, marked as a repeat")
    func sameClaimTwice() async throws {
        try await OneCentre.run { centre in
            let reserved = try await centre.reserve("desk", call: "a")
            let first = try await centre.claim(reserved, call: "leg")
            let second = try await centre.claim(reserved, call: "leg")
            #expect(first["outcome"] == "claimed")
            #expect(!first.flag("repeat"))
            #expect(second["outcome"] == "claimed")
            #expect(second.flag("repeat"))
            #expect(second.context["ced"] as? String == "1234")
            #expect(second["callKey"] == first["callKey"])
        }
    }

    @Test("a GET claim is the same claim")
    func getClaim() async throws {
        try await OneCentre.run { centre in
            let reserved = try await centre.reserve("desk", call: "a")
            let query = "peripheral=centre-acd&trunkGroup=inbound&dnis=\(reserved.dnis)&callID=leg"
            let claim = try await centre.get("/v1/claims?\(query)")
            #expect(claim["outcome"] == "claimed")
            #expect(claim.header("cache-control") == "no-store")
            #expect(try await centre.claim(reserved, call: "leg").flag("repeat"))
        }
    }

    @Test("a DNIS claimed by another call is stray, and stray again though a new call waits there by then")
    func strayStaysStray() async throws {
        try await OneCentre.run { centre in
            let first = try await centre.reserve("single", call: "a")
            #expect(try await centre.claim(first, call: "leg-a")["outcome"] == "claimed")
            let stray = try await centre.claim(first, call: "foreign")
            #expect(stray.status == 404)
            #expect(stray.code == "stray")
            #expect(stray["defaultRoute"] == "5000")
            // The entry falls free after repeatSeconds; the next call waits on the same number.
            let second = try await centre.reserveWhenFree("single", call: "b")
            #expect(second.dnis == first.dnis)
            #expect(try await centre.claim(second, call: "foreign").code == "stray")
            #expect(try await centre.claim(second, call: "leg-b")["outcome"] == "claimed")
        }
    }

    @Test("a call that never arrives expires, may be claimed late in quarantine, and is stray after it")
    func expires() async throws {
        try await OneCentre.run { centre in
            let late = try await centre.reserve("brief", call: "late")
            _ = try await centre.journey("late", shows: "expired")
            let claim = try await centre.claim(late, call: "leg-late")
            #expect(claim["outcome"] == "late")
            #expect(claim.context["ced"] as? String == "1234")

            let never = try await centre.reserve("brief", call: "never")
            _ = try await centre.journey("never", shows: "expired")
            try await centre.waitUntilFree("brief")
            let stray = try await centre.claim(never, call: "leg-never")
            #expect(stray.code == "stray")
        }
    }

    @Test("a required ANI makes a call with another or without ANI a stray")
    func requiredANI() async throws {
        try await OneCentre.run { centre in
            let reserved = try await centre.reserve("private", call: "a", context: ["ani": "+491"])
            #expect(try await centre.claim(reserved, call: "x", ani: "+492").code == "stray")
            #expect(try await centre.claim(reserved, call: "y").code == "stray")
            let claim = try await centre.claim(reserved, call: "z", ani: "+491")
            #expect(claim["outcome"] == "claimed")
            #expect(claim.flag("aniMatched"))
        }
    }

    @Test("the same identity with another context is a conflict, and the first reservation stays")
    func conflict() async throws {
        try await OneCentre.run { centre in
            let reserved = try await centre.reserve("desk", call: "a")
            let again = try await centre.reserve("desk", call: "a")
            #expect(again.status == 201)
            #expect(again.flag("repeat"))
            #expect(again.dnis == reserved.dnis)
            let other = try await centre.reserve("desk", call: "a", context: ["ced": "9999"])
            #expect(other.status == 409)
            #expect(try await centre.claim(reserved, call: "leg").context["ced"] as? String == "1234")
        }
    }

    @Test("a side restarted between reservation and claim: the claim succeeds")
    func restart() async throws {
        try await OneCentre.run { centre in
            let reserved = try await centre.reserve("desk", call: "a")
            let claimed = try await centre.reserve("desk", call: "b")
            let first = try await centre.claim(claimed, call: "leg-b")
            try await centre.restart()
            let claim = try await centre.claim(reserved, call: "leg-a")
            #expect(claim["outcome"] == "claimed")
            #expect(claim.context["ced"] as? String == "1234")
            let again = try await centre.claim(claimed, call: "leg-b")
            #expect(again.flag("repeat"))
            #expect(again["callKey"] == first["callKey"])
        }
    }

    @Test("a configuration changed while entries are in use: they live to their end and are not chosen again")
    func reload() async throws {
        try await OneCentre.run { centre in
            let old = try await centre.reserve("single", call: "a")
            #expect(old.dnis == "8101")
            try await centre.reload(replacing: "dnis: \"8101\"", with: "dnis: \"8102\"")
            #expect(try await centre.reserve("single", call: "b").dnis == "8102")
            #expect(try await centre.claim(old, call: "leg")["outcome"] == "claimed")
            #expect(try await centre.reserve("single", call: "c").code == "exhausted")
        }
    }

    @Test("two claims of one reservation at once: one gets the context, the other is stray")
    func claimedOnce() async throws {
        try await OneCentre.run { centre in
            for round in 0..<20 {
                let reserved = try await centre.reserve("desk", call: "race-\(round)")
                let statuses = try await centre.claimAtOnce(
                    dnis: reserved.dnis, calls: ["left-\(round)", "right-\(round)"])
                #expect(statuses.sorted() == [200, 404])
                _ = try await centre.delete("/v1/reservations/\(reserved["id"])")
            }
        }
    }
}
