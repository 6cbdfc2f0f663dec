internal import ArgumentParser

struct RouteCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "route", abstract: "Ask for a route: the label for a call.",
        discussion: """
            EXAMPLES
              baton route --client att --dialed 8005550100 --call-id 4711 --ani +4989123456 --set variable1=gold
              baton route --client munich-acd --dialed 7100 --call-id 4712 -o json
            """)

    @OptionGroup var side: SideOptions
    @OptionGroup var output: OutputOptions
    @OptionGroup var callContext: ContextOptions

    @Option(help: "The routing client that asks.") var client: String
    @Option(help: "The number the caller dialed.") var dialed: String
    @Option(help: "The routing client's id of the call.") var callID: String
    @Option(help: "The id of this request, when the call is routed again (default: the call id).") var requestID:
        String?
    @Option(help: "The customer, where the instance has several.") var customer: String?
    @Option(help: "The network's id of the call, if it can transfer it.") var nicCallID: String?
    @Option(help: ArgumentHelp("Answer within this time.", valueName: "milliseconds")) var deadline: Int?

    func run() async throws {
        let body = JSONValue.object(
            ("routingClient", .string(client)), ("dialedNumber", .string(dialed)), ("callID", .string(callID)),
            ("requestID", requestID.map { .string($0) }), ("customer", customer.map { .string($0) }),
            ("nicCallID", nicCallID.map { .string($0) }), ("deadlineMilliseconds", deadline.map { .integer($0) }),
            ("context", try callContext.value()))
        output.print(try await side.fetch("POST", "/v1/routes", body: body), table: Rendering.record)
    }
}

struct ReserveCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "reserve", abstract: "Reserve an entry of a translation route and park a context there.",
        discussion: """
            EXAMPLES
              baton reserve claims-desk --call-id 4711 --ani +4989123456 --set variable1=gold --target agents/claims
              baton reserve claims-desk --call-id 4711 --lease 60 -o json
            """)

    @OptionGroup var side: SideOptions
    @OptionGroup var output: OutputOptions
    @OptionGroup var callContext: ContextOptions

    @Argument(help: "The translation route.") var translationRoute: String
    @Option(help: "The caller's id of the call.") var callID: String
    @Option(help: "The id of this request, when the call reserves again (default: the call id).") var requestID: String?
    @Option(help: "The routing client for whom the label is made.") var client: String?
    @Option(help: "Where the ACD must take the call after the claim.") var target: String?
    @Option(help: ArgumentHelp("How long to wait for the arrival.", valueName: "seconds")) var lease: Int?

    func run() async throws {
        let body = JSONValue.object(
            ("translationRoute", .string(translationRoute)), ("callID", .string(callID)),
            ("requestID", requestID.map { .string($0) }), ("routingClient", client.map { .string($0) }),
            ("target", target.map { .string($0) }), ("leaseSeconds", lease.map { .integer($0) }),
            ("context", try callContext.value()))
        output.print(try await side.fetch("POST", "/v1/reservations", body: body), table: Rendering.record)
    }
}

struct ClaimCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "claim", abstract: "Claim the context that waits for an arriving call: once.",
        discussion: """
            The same call id may repeat its claim and gets the same answer; any other is a stray (exit code 3).

            EXAMPLES
              baton claim hartford-acd inbound 8001 --call-id leg-2
              baton claim hartford-acd inbound 8001 --call-id leg-2 --ani +4989123456 -o json
            """)

    @OptionGroup var side: SideOptions
    @OptionGroup var output: OutputOptions

    @Argument(help: "The peripheral where the call arrived.") var peripheral: String
    @Argument(help: "Its trunk group.") var trunkGroup: String
    @Argument(help: "The number with which it arrived.") var dnis: String
    @Option(help: "The peripheral's id of the arriving call.") var callID: String
    @Option(help: "The caller's number as it arrived.") var ani: String?

    func run() async throws {
        let body = JSONValue.object(
            ("peripheral", .string(peripheral)), ("trunkGroup", .string(trunkGroup)), ("dnis", .string(dnis)),
            ("callID", .string(callID)), ("ani", ani.map { .string($0) }))
        output.print(try await side.fetch("POST", "/v1/claims", body: body), table: Rendering.record)
    }
}

struct ReleaseCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "release", abstract: "Release a reservation (R42), or close a dialog whose caller is gone (D41).",
        discussion: """
            EXAMPLES
              baton release R42
              baton release D41
            """)

    @OptionGroup var side: SideOptions
    @OptionGroup var output: OutputOptions

    @Argument(help: "A reservation (R and a number) or a dialog (D and a number).") var id: String

    func run() async throws {
        let path: String
        switch id.first {
        case "R": path = "/v1/reservations/"
        case "D": path = "/v1/dialogs/"
        default: throw CommandFailure(.usage, "\"\(id)\" is neither a reservation (for example R42) nor a dialog (D41)")
        }
        let answer = try await side.fetch("DELETE", path + percentEncoded(id))
        output.print(answer) { $0.members.isEmpty ? "\(id) is released." : Rendering.record($0) }
    }
}
