import Testing

/// One centre with a few small pools.
enum OneCentre {
    static let configuration = """
        ecc:
          variables:
            - { name: user.account, maximumLength: 20, sensitivity: personal }
            - { name: user.items, maximumLength: 10, elements: 3 }
        peripherals:
          - { name: centre-acd, defaultRoute: "5000", trunkGroups: [inbound] }
        routingClients:
          - { name: voice-bot, type: NIC, defaultLabel: "5002", labels: ["3055XXXX"] }
        translationRoutes:
          - name: desk
            peripheral: centre-acd
            entries: [{ trunkGroup: inbound, dnis: 8001-8040 }]
            labels: { voice-bot: "3055{dnis}" }
          - name: single
            peripheral: centre-acd
            entries: [{ trunkGroup: inbound, dnis: "8101" }]
            repeatSeconds: 1
          - name: brief
            peripheral: centre-acd
            entries: [{ trunkGroup: inbound, dnis: "8201" }, { trunkGroup: inbound, dnis: "8202" }]
            leaseSeconds: 1
            repeatSeconds: 1
            quarantineSeconds: 2
          - name: private
            peripheral: centre-acd
            entries: [{ trunkGroup: inbound, dnis: 8301-8304 }]
            aniCheck: require
        callTypes: { desk: desk }
        dialedNumbers: [{ pattern: "8*", callType: desk }]
        """

    static let scripts = [
        "desk": """
        start: pool
        nodes:
          pool: { type: translationRoute, route: desk, target: skill-desk, else: none }
          none: { type: end }
        """
    ]

    static func run(_ body: (Centre) async throws -> Void) async throws {
        let centre = try await Centre(
            "centre", number: 3, configuration: "customers: [retail, brokers]\n" + configuration, scripts: scripts)
        let result: Result<Void, any Error>
        do { result = .success(try await body(centre)) } catch { result = .failure(error) }
        try await centre.end()
        try result.get()
    }
}

extension Centre {
    /// Asks again until an entry of the translation route has fallen free.
    func reserveWhenFree(_ route: String, call: String, withinSeconds seconds: Double = 10) async throws -> Answer {
        let end = ContinuousClock.now + .seconds(seconds)
        while true {
            let answer = try await reserve(route, call: call)
            if answer.code != "exhausted" { return answer }
            if ContinuousClock.now > end { throw Missing(what: "a free entry of \(route)") }
            try await Task.sleep(for: .milliseconds(50))
        }
    }

    /// Waits until every entry of the translation route is free again.
    func waitUntilFree(_ route: String, withinSeconds seconds: Double = 10) async throws {
        let end = ContinuousClock.now + .seconds(seconds)
        while ContinuousClock.now < end {
            let routes = try await get("/v1/translation-routes").list("translationRoutes")
            let mine = routes.first { $0["translationRoute"] as? String == route || $0["name"] as? String == route }
            if let mine, mine["free"] as? Int == (mine["total"] as? Int ?? mine["entries"] as? Int) { return }
            try await Task.sleep(for: .milliseconds(50))
        }
        throw Missing(what: "all entries of \(route) free")
    }
}
