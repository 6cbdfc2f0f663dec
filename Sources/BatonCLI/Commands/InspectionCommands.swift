internal import ArgumentParser
internal import Inspection

struct StatusCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "status", abstract: "How the side is doing: state, position, durability, store.",
        discussion: """
            Exit code 6 when the side does not serve.

            EXAMPLE
              baton status --url http://127.0.0.1:7081
            """)

    @OptionGroup var side: SideOptions
    @OptionGroup var output: OutputOptions

    func run() async throws {
        let status = try await side.fetch("GET", "/v1/pair")
        output.print(status, table: Self.rendered)
        for reason in Rendering.rows(of: status).compactMap({ $0["notServing"]?.text }) {
            throw CommandFailure(.unavailable, "the side does not serve: \(reason)")
        }
    }

    static func rendered(_ status: JSONValue) -> String {
        let sides = Rendering.rows(of: status).map(Rendering.record)
        return ([status["detail"]?.text ?? ""] + sides).filter { !$0.isEmpty }.joined(separator: "\n\n")
    }
}

struct RoutesCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "routes", abstract: "The translation routes, with their entries by state.",
        discussion: """
            EXAMPLE
              baton routes -o json
            """)

    @OptionGroup var side: SideOptions
    @OptionGroup var output: OutputOptions

    func run() async throws {
        let list = try await side.fetch("GET", "/v1/translation-routes")
        output.print(list) { Rendering.list($0, Self.view) }
    }

    static let view = ListView(
        empty: "The configuration has no translation routes.",
        [
            .init("translation route", "name"), .init("peripheral", "peripheral"),
            .init("entries", "entries", alignment: .right), .init("free", "free", alignment: .right),
            .init("waiting", "waiting", alignment: .right), .init("claimed", "claimed", alignment: .right),
            .init("expired", "expired", alignment: .right), .init("released", "released", alignment: .right),
            .init("next free at", "nextFreeAt"), .init("lease s", "leaseSeconds", alignment: .right),
            .init("repeat s", "repeatSeconds", alignment: .right),
            .init("quarantine s", "quarantineSeconds", alignment: .right), .init("ANI check", "aniCheck"),
        ])
}

struct ContextsCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "contexts", abstract: "The contexts that stand under a key, personal fields masked.",
        discussion: """
            EXAMPLES
              baton contexts
              baton contexts --state any --route claims-desk --limit 20
            """)

    @OptionGroup var side: SideOptions
    @OptionGroup var output: OutputOptions
    @OptionGroup var page: PageOptions

    @Option(help: "waiting, claimed, expired, released or any.") var state = "waiting"
    @Option(help: "Of this translation route only.") var route: String?
    @Flag(help: "Show personal and payment values; needs the bearer token.") var personal = false

    func run() async throws {
        let query = page.query(
            ("state", state), ("translationRoute", route), ("personal", personal ? "true" : nil))
        let list = try await side.fetch("GET", "/v1/contexts" + query)
        output.print(list) { Rendering.list($0, Self.view) }
    }

    static let view = ListView(
        empty: "No such context: nothing waits, or --state and --route fit none.",
        [
            .init("reservation", "reservation"), .init("state", "state"), .init("peripheral", "peripheral"),
            .init("trunk group", "trunkGroup"), .init("DNIS", "dnis"), .init("translation route", "translationRoute"),
            .init("call key", "callKey"), .init("call", "callID"), .init("target", "target"),
            .init("reserved at", "reservedAt"), .init("expires at", "expiresAt"), .init("context", "context"),
        ])
}

struct DialogsCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "dialogs", abstract: "The route requests that are open, or whose answers are still kept.",
        discussion: """
            EXAMPLES
              baton dialogs
              baton dialogs --state open -o json
            """)

    @OptionGroup var side: SideOptions
    @OptionGroup var output: OutputOptions
    @OptionGroup var page: PageOptions

    @Option(help: "open, asked, answered, closed or any.") var state = "any"

    func run() async throws {
        let list = try await side.fetch("GET", "/v1/dialogs" + page.query(("state", state)))
        output.print(list) { Rendering.list($0, Self.view) }
    }

    static let view = ListView(
        empty: "No such dialog: nobody has asked for a route lately.",
        [
            .init("dialog", "dialog"), .init("state", "state"), .init("closed as", "closeReason"),
            .init("routing client", "routingClient"), .init("dialed number", "dialedNumber"), .init("call", "callID"),
            .init("call key", "callKey"), .init("label", "label"), .init("source", "source"),
            .init("reservation", "reservation"), .init("opened at", "openedAt"),
        ])
}

struct GatewaysCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "gateways", abstract: "The links to other ICMs.",
        discussion: """
            EXAMPLE
              baton gateways
            """)

    @OptionGroup var side: SideOptions
    @OptionGroup var output: OutputOptions

    func run() async throws {
        let list = try await side.fetch("GET", "/v1/gateways")
        output.print(list) { Rendering.list($0, Self.view) }
    }

    static let view = ListView(
        empty: "The configuration has no gateways.",
        [
            .init("gateway", "gateway"), .init("up", "up"), .init("address", "address"),
            .init("peer", "peerInstance"), .init("side", "peerSide"), .init("version", "version"),
            .init("asked", "asked", alignment: .right),
            .init("answered", "answered", alignment: .right), .init("failed", "failed", alignment: .right),
            .init("late", "late", alignment: .right), .init("in flight", "inFlight", alignment: .right),
            .init("reason", "reason"),
        ])
}

struct JourneyCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "journey", abstract: "A call's whole way, with times.",
        discussion: """
            CALL is a call key (bank-20779-17), the id of any leg, a dialog (D41) or a reservation (R42). With --data it \
            is read from the log of a data directory alone, also beside a running side or where the store is lost.

            EXAMPLES
              baton journey bank-20779-17
              baton journey bank-20779-17 --data data
              baton journey leg-2 --url http://127.0.0.1:7081 -o json
            """)

    @OptionGroup var side: SideOptions
    @OptionGroup var output: OutputOptions

    @Argument(help: "A call key, a call id, a dialog or a reservation.") var call: String
    @Option(help: ArgumentHelp("Work from the log of this data directory alone.", valueName: "directory")) var data:
        String?

    func run() async throws {
        if let data {
            let found = try offline { () throws(InspectionFault) in
                try JourneyFromLog.find(call, in: SideFiles(directory: data))
            }
            for note in found.notes { Terminal.note(note) }
            return output.print(JSONValue(found)) { JourneyTimeline.rendered($0, of: call) }
        }
        let journey = try await side.fetch("GET", "/v1/journeys/" + percentEncoded(call))
        output.print(journey) { JourneyTimeline.rendered($0, of: call) }
    }
}
