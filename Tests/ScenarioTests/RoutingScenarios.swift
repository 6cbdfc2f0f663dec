import Testing

/// The ways of a call that the seed document and the domain name, each through real sides, sockets, log and store.
@Suite("Routing between two centres", .serialized)
struct RoutingScenarios {
    @Test("pre-routed call with translation route")
    func preRoutedWithTranslationRoute() async throws {
        try await TwoCentres.run { centres in
            // Pre-routing steps 1 to 5: the network asks the client, the client the server; the label comes back.
            let answer = try await centres.bank.route("carrier", "08000", call: "pre-1")
            #expect(answer.status == 200)
            #expect(answer.label == "9555" + answer.dnis)
            #expect(answer["labelType"] == "normal")
            #expect(answer["source"] == "gateway")
            // Steps 6 and 7: the call arrives, and the ACD collects what has waited since step 4.
            let claim = try await centres.insurance.claim(answer, call: "leg-1")
            #expect(claim["outcome"] == "claimed")
            #expect(claim["target"] == "skill-claims")
            #expect(claim["callKey"] == answer["callKey"])
            #expect(claim.variables["variable1"] == "gold")
            let atBank = try await centres.bank.journey("pre-1", shows: "handed over")
            #expect(atBank == ["requested", "forwarded", "label returned", "context modified", "handed over"])
            let atInsurance = try await centres.insurance.journey("leg-1", shows: "handed over")
            for kind in ["requested", "reserved", "label returned", "arrived", "claimed"] {
                #expect(atInsurance.contains(kind))
            }
        }
    }

    @Test("pre-routed without translation route: the context is not parked, but was sent to the server")
    func preRoutedWithoutTranslationRoute() async throws {
        try await TwoCentres.run { centres in
            let answer = try await centres.bank.route("carrier", "08001", call: "pre-2")
            #expect(answer.label == "95559110")
            #expect(answer["source"] == "gateway")
            #expect(answer.body["reservation"] == nil)
            #expect(try await centres.insurance.get("/v1/contexts").list("contexts").isEmpty)
            let dialogs = try await centres.insurance.get("/v1/dialogs?state=any").list("dialogs")
            #expect(dialogs.count == 1)
        }
    }

    @Test("post-routed by a call to a special dialed number on the ACD")
    func postRoutedBySpecialNumber() async throws {
        try await TwoCentres.run { centres in
            let answer = try await centres.bank.route("bank-pg", "7900", call: "post-1")
            #expect(answer.label == "9555" + answer.dnis)
            #expect(try await centres.insurance.claim(answer, call: "leg")["outcome"] == "claimed")
            let ordinary = try await centres.bank.route("bank-pg", "0800", call: "post-2")
            #expect(ordinary.status == 404)
        }
    }

    @Test("post-routed by a CTI transfer with the post-route flag; without the flag refused")
    func postRoutedByTransfer() async throws {
        try await TwoCentres.run { centres in
            let answer = try await centres.bank.transfer("7900", call: "cti-1")
            #expect(answer.label == "9555" + answer.dnis)
            let refused = try await centres.bank.transfer("7900", call: "cti-2", postRoute: false)
            #expect(refused.status == 403)
            #expect(refused.code == "refused")
        }
    }

    @Test("the server's script modifies the context, and the client and the ACD see the modified one")
    func modifiedContext() async throws {
        try await TwoCentres.run { centres in
            let answer = try await centres.bank.route("carrier", "08000", call: "mod-1")
            #expect(answer.variables == ["variable1": "gold", "variable5": "insured"])
            #expect(answer.ecc["user.account"] as? String == "A-gold")
            let claim = try await centres.insurance.claim(answer, call: "leg")
            #expect(claim.variables == ["variable1": "gold", "variable5": "insured"])
            #expect(claim.ecc["user.account"] as? String == "A-gold")
        }
    }

    @Test("a returned label that is not known at the client, with validation on, becomes that routing client's default")
    func invalidLabel() async throws {
        try await TwoCentres.run { centres in
            let carrier = try await centres.bank.route("carrier", "08002", call: "val-1")
            #expect(carrier.label == "95550001")
            #expect(carrier["source"] == "default")
            // The gateway node names no default for the PG: its own counts.
            let pg = try await centres.bank.transfer("7900", call: "val-2")
            #expect(pg["source"] == "gateway")
        }
    }

    @Test("a returned label that is not known at the client, with validation off, is passed on")
    func unvalidatedLabel() async throws {
        try await TwoCentres.run { centres in
            let answer = try await centres.bank.route("carrier", "08012", call: "val-3")
            #expect(answer.label == "4420")
            #expect(answer["source"] == "gateway")
        }
    }

    @Test("when the server returns no label the routing client gets its default label")
    func noLabel() async throws {
        try await TwoCentres.run { centres in
            let answer = try await centres.bank.route("carrier", "08003", call: "none-1")
            #expect(answer.label == "95550001")
            #expect(answer["source"] == "default")
            #expect(try await centres.bank.journey("none-1", shows: "handed over").contains("default label"))
        }
    }

    @Test("when the server is offline the default label comes within the deadline")
    func offline() async throws {
        try await TwoCentres.run { centres in
            let start = ContinuousClock.now
            let answer = try await centres.bank.route("carrier", "0803", call: "off-1", deadlineMilliseconds: 1500)
            #expect(answer.label == "95550001")
            #expect(answer["source"] == "default")
            #expect(ContinuousClock.now - start < .milliseconds(1500))
        }
    }

    @Test("when the server stops answering the default label comes within the deadline")
    func stopsAnswering() async throws {
        try await TwoCentres.run { centres in
            try await centres.insurance.stop()
            let answer = try await centres.bank.route("carrier", "08000", call: "off-2", deadlineMilliseconds: 1500)
            #expect(answer.label == "95550001")
            try await centres.insurance.restart(wasStopped: true)
            try await centres.bank.gatewayUp("insurance")
            #expect(try await centres.bank.route("carrier", "08000", call: "off-3")["source"] == "gateway")
        }
    }

    @Test("a request that arrived over INCRP and tries to leave over a gateway takes the failure path")
    func neverForwardedTwice() async throws {
        try await TwoCentres.run { centres in
            let answer = try await centres.bank.route("carrier", "08004", call: "fwd-1")
            #expect(answer.label == "95559140")
            #expect(answer["source"] == "gateway")
            #expect(try await centres.bank.get("/v1/dialogs?state=any").list("dialogs").count == 1)
        }
    }

    @Test("both directions between two instances: each is client and server")
    func bothDirections() async throws {
        try await TwoCentres.run { centres in
            let there = try await centres.bank.route("carrier", "08000", call: "both-1")
            #expect(try await centres.insurance.claim(there, call: "leg-1")["outcome"] == "claimed")
            let back = try await centres.insurance.route("insurance-pg", "5900", call: "both-2")
            #expect(back.label == "88" + back.dnis)
            let claim = try await centres.bank.claim(back, call: "leg-2")
            #expect(claim["outcome"] == "claimed")
            #expect(claim["callKey"].hasPrefix("insurance-"))
        }
    }

    @Test("two client ICMs at one server are told apart by client id and customer mapping")
    func twoClients() async throws {
        try await TwoCentres.run { centres in
            let retail = try await centres.bank.route("carrier", "08000", call: "two-1")
            let brokers = try await centres.bank.route("carrier", "08020", call: "two-2")
            #expect(retail.dnis.hasPrefix("80"))
            #expect(brokers.dnis.hasPrefix("81"))
            let clients = try await centres.insurance.get("/v1/dialogs?state=any").list("dialogs")
                .compactMap { $0["routingClient"] as? String }
            #expect(Set(clients) == ["bank", "bank-brokers"])
        }
    }

    @Test("a network transfer across instances is refused; a local transfer within the instance works")
    func networkTransfer() async throws {
        try await TwoCentres.run { centres in
            let across = try await centres.bank.transfer("7900", call: "net-1", kind: "network")
            #expect(across.status == 403)
            #expect(across.code == "refused")
            let local = try await centres.bank.transfer("7911", call: "net-2")
            #expect(local.status == 200)
            #expect(try await centres.bank.claim(local, call: "leg")["outcome"] == "claimed")
        }
    }

    @Test("one call lawfully routed twice gets two labels")
    func routedTwice() async throws {
        try await TwoCentres.run { centres in
            let first = try await centres.bank.route("carrier", "08000", call: "twice", request: "first")
            let second = try await centres.bank.route("carrier", "08000", call: "twice", request: "second")
            #expect(first.label != second.label)
            #expect(!second.flag("repeat"))
        }
    }

    @Test("the same request again gets the same answer; with other content it is a conflict")
    func repeatedRequest() async throws {
        try await TwoCentres.run { centres in
            let first = try await centres.bank.route("carrier", "08000", call: "again")
            let second = try await centres.bank.route("carrier", "08000", call: "again")
            #expect(second.label == first.label)
            #expect(second.dialog == first.dialog)
            #expect(second.flag("repeat"))
            let other = try await centres.bank.route(
                "carrier", "08000", call: "again", context: ["variables": ["variable1": "silver"]])
            #expect(other.status == 409)
            #expect(other.code == "conflict")
        }
    }

    @Test("the caller hangs up while routed: the dialog is closed and the reservation released, also at the server")
    func hangUp() async throws {
        try await TwoCentres.run { centres in
            let answer = try await centres.bank.route("carrier", "08000", call: "gone")
            let closed = try await centres.bank.delete("/v1/dialogs/\(answer.dialog)")
            #expect(closed.status == 200)
            _ = try await centres.insurance.journey(answer["callKey"], shows: "released")
            let late = try await centres.insurance.claim(answer, call: "leg")
            #expect(late.status == 404)
            #expect(late.code == "stray")
        }
    }

    @Test("an exhausted pool takes the script's failure path, and says how many are held and when one is free")
    func exhausted() async throws {
        try await TwoCentres.run { centres in
            let first = try await centres.bank.route("carrier", "08005", call: "full-1")
            #expect(first.dnis == "8301")
            let second = try await centres.bank.route("carrier", "08005", call: "full-2")
            #expect(second.label == "95559999")
            let direct = try await centres.insurance.reserve("one", call: "full-3")
            #expect(direct.status == 503)
            #expect(direct.code == "exhausted")
            #expect(direct.body["held"] as? Int == 1)
            #expect(!direct["nextFreeAt"].isEmpty)
        }
    }

    @Test("NICCallID is kept for a routing client that can transfer in the network, and absent for a PG")
    func nicCallID() async throws {
        try await TwoCentres.run { centres in
            _ = try await centres.bank.route("carrier", "08000", call: "nic-1", nicCallID: "net-77")
            _ = try await centres.bank.route("bank-pg", "7900", call: "nic-2", nicCallID: "net-78")
            let dialogs = try await centres.bank.get("/v1/dialogs?state=any").list("dialogs")
            let kept = Dictionary(
                uniqueKeysWithValues: dialogs.map { ($0["routingClient"] as? String ?? "", $0["nicCallID"] as? String) }
            )
            #expect(kept["carrier"] == .some("net-77"))
            #expect(kept["bank-pg"] == .some(nil))
        }
    }
}
