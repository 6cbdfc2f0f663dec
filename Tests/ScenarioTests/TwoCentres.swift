import Testing

/// A bank (client) and an insurance company (server) that are each other's client too, as in the seed document.
struct TwoCentres {
    let bank: Centre
    let insurance: Centre

    /// Starts both, runs `body`, and stops both.
    static func run(_ body: (TwoCentres) async throws -> Void) async throws {
        let bankPort = try Ports.free()
        let insurance = try await Centre(
            "insurance", number: 1, customerMapping: "[\"6:brokers\", \"retail\"]",
            configuration: insuranceConfiguration(bankPort: bankPort), scripts: insuranceScripts)
        let bank = try await Centre(
            "bank", number: 0, incrpPort: bankPort,
            configuration: bankConfiguration(insurancePort: insurance.incrpPort), scripts: bankScripts)
        for gateway in ["insurance", "brokers"] { try await bank.gatewayUp(gateway) }
        try await insurance.gatewayUp("bank")
        let result: Result<Void, any Error>
        do { result = .success(try await body(TwoCentres(bank: bank, insurance: insurance))) } catch {
            result = .failure(error)
        }
        try await bank.end()
        try await insurance.end()
        try result.get()
    }

    private static let ecc = """
        ecc:
          variables:
            - { name: user.account, maximumLength: 20, sensitivity: personal }
            - { name: user.items, maximumLength: 10, elements: 3 }
          payloads:
            - { name: sale, members: [user.account, user.items] }
        customers: [retail, brokers]

        """

    static func bankConfiguration(insurancePort: Int) -> String {
        ecc + """
            peripherals:
              - { name: bank-acd, defaultRoute: "7000", trunkGroups: [inbound], postRouteNumbers: ["79XX"] }
            routingClients:
              - { name: carrier, type: NIC, networkTransfer: true, defaultLabel: "95550000", labels: ["9555XXXX"] }
              - { name: bank-pg, type: PG, peripheral: bank-acd, defaultLabel: "7001", labels: ["7XXX", "9555XXXX"] }
              - { name: from-insurance, type: INCRP, clientID: 9, instance: insurance, customer: retail }
            translationRoutes:
              - name: advice
                peripheral: bank-acd
                entries: [{ trunkGroup: inbound, dnis: 7101-7110 }]
                labels: { from-insurance: "88{dnis}" }
                repeatSeconds: 1
            gateways:
              - { name: insurance, clientID: 5, instance: insurance, connection: simplexA,
                  sideA: { host: 127.0.0.1, instanceNumber: 1, port: \(insurancePort) } }
              - { name: brokers, clientID: 6, instance: insurance, connection: simplexA,
                  sideA: { host: 127.0.0.1, instanceNumber: 1, port: \(insurancePort) } }
              - { name: nobody, clientID: 5, instance: reinsurer, connection: simplexA,
                  sideA: { host: 127.0.0.1, instanceNumber: 2, port: 1 } }
            callTypes: { checked: checked, unchecked: unchecked, brokers: brokers, offline: offline, advice: advice }
            dialedNumbers:
              - { pattern: "0801*", callType: unchecked }
              - { pattern: "0802*", callType: brokers }
              - { pattern: "0803*", callType: offline }
              - { pattern: "0804*", callType: advice }
              - { pattern: "080*", callType: checked }
              - { pattern: "791X", callType: advice }
              - { pattern: "79*", callType: checked }
              - { pattern: "59*", routingClient: from-insurance, callType: advice }
            """
    }

    static let bankScripts = [
        "checked": gatewayScript("insurance", validate: true),
        "unchecked": gatewayScript("insurance", validate: false),
        "brokers": gatewayScript("brokers", validate: true),
        "offline": gatewayScript("nobody", validate: true),
        "advice": poolScript("advice"),
    ]

    static func insuranceConfiguration(bankPort: Int) -> String {
        ecc + """
            peripherals:
              - { name: insurance-acd, defaultRoute: "5000", trunkGroups: [inbound], postRouteNumbers: ["59XX"] }
            routingClients:
              - { name: bank, type: INCRP, clientID: 5, instance: bank }
              - { name: bank-brokers, type: INCRP, clientID: 6, instance: bank }
              - { name: insurance-pg, type: PG, peripheral: insurance-acd, defaultLabel: "5001", labels: ["5XXX", "88XXXX"] }
              - { name: voice-bot, type: NIC, defaultLabel: "5002", labels: ["3055XXXX"] }
            translationRoutes:
              - name: claims
                peripheral: insurance-acd
                entries: [{ trunkGroup: inbound, dnis: 8001-8040 }]
                labels: { bank: "9555{dnis}", voice-bot: "3055{dnis}" }
                repeatSeconds: 2
                quarantineSeconds: 2
              - name: brokers
                peripheral: insurance-acd
                entries: [{ trunkGroup: inbound, dnis: 8101-8110 }]
                labels: { bank-brokers: "9555{dnis}" }
              - name: one
                peripheral: insurance-acd
                entries: [{ trunkGroup: inbound, dnis: "8301" }]
                labels: { bank: "9555{dnis}" }
                leaseSeconds: 1
                repeatSeconds: 1
                quarantineSeconds: 2
              - name: private
                peripheral: insurance-acd
                entries: [{ trunkGroup: inbound, dnis: 8401-8404 }]
                aniCheck: require
            gateways:
              - { name: bank, clientID: 9, instance: bank, connection: simplexA,
                  sideA: { host: 127.0.0.1, instanceNumber: 0, port: \(bankPort) } }
            callTypes:
              { claims: claims, brokers: brokers, one: one, direct: direct, unknown: unknown, none: none, forward: forward }
            dialedNumbers:
              - { pattern: "*", routingClient: bank-brokers, callType: brokers }
              - { pattern: "080X1", callType: direct }
              - { pattern: "080X2", callType: unknown }
              - { pattern: "080X3", callType: none }
              - { pattern: "080X4", callType: forward }
              - { pattern: "080X5", callType: one }
              - { pattern: "080*", callType: claims }
              - { pattern: "79*", callType: claims }
              - { pattern: "59*", routingClient: insurance-pg, callType: forward }
            """
    }

    static let insuranceScripts = [
        "claims": """
        start: mark
        nodes:
          mark:
            type: set
            fields: { variable5: insured, user.account: "A-${variable1}" }
            then: pool
            else: pool
          pool: { type: translationRoute, route: claims, target: skill-claims, else: none }
          none: { type: end }
        """,
        "brokers": poolScript("brokers"),
        "one": """
        start: pool
        nodes:
          pool: { type: translationRoute, route: one, target: skill-night, else: busy }
          busy: { type: label, label: "95559999" }
        """,
        "direct": "start: desk\nnodes:\n  desk: { type: label, label: \"95559110\" }\n",
        "unknown": "start: desk\nnodes:\n  desk: { type: label, label: \"4420\" }\n",
        "none": "start: stop\nnodes:\n  stop: { type: end }\n",
        "forward": """
        start: ask
        nodes:
          ask: { type: gateway, gateway: bank, validateLabel: true, clidMasking: never, payload: sale, else: instead }
          instead: { type: label, label: "95559140" }
        """,
    ]

    private static func gatewayScript(_ gateway: String, validate: Bool) -> String {
        """
        start: ask
        nodes:
          ask:
            type: gateway
            gateway: \(gateway)
            validateLabel: \(validate)
            clidMasking: whenRestricted
            payload: sale
            defaultLabels: { carrier: "95550001" }
        """
    }

    private static func poolScript(_ route: String) -> String {
        """
        start: pool
        nodes:
          pool: { type: translationRoute, route: \(route), target: skill-\(route), else: none }
          none: { type: end }
        """
    }
}
