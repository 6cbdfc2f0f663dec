internal import ArgumentParser

struct PairCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "pair", abstract: "The duplex pair: which side orders, and what an operator may do about it.",
        subcommands: [PairStatusCommand.self, PairSwitchCommand.self, PairInitCommand.self],
        defaultSubcommand: PairStatusCommand.self)
}

struct PairStatusCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "status", abstract: "How the side and its pair are doing, and why.",
        discussion: """
            Exit code 6 when the side does not serve.

            EXAMPLE
              baton pair status --url http://127.0.0.1:7081
            """)

    @OptionGroup var side: SideOptions
    @OptionGroup var output: OutputOptions

    func run() async throws {
        var status = StatusCommand()
        status.side = side
        status.output = output
        try await status.run()
    }
}

struct PairSwitchCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "switch", abstract: "Hand the order over to the other side; requests wait, none is refused.",
        discussion: """
            Asked of the side that orders (paired-enabled). With --force, asked of the side that does not serve: it takes \
            the place of the other one, which must be powered off. What only that one acknowledged is lost.

            EXAMPLES
              baton pair switch
              baton pair switch --url http://127.0.0.1:7091 --force --accept-data-loss
            """)

    @OptionGroup var side: SideOptions
    @OptionGroup var output: OutputOptions
    @Flag(help: "Take the place of the other side, which is powered off.") var force = false
    @Flag(help: "With --force: what only the other side acknowledged may be lost.") var acceptDataLoss = false
    @Option(help: ArgumentHelp("With --force: the sentence that is asked for, else typed.", valueName: "sentence"))
    var confirm: String?

    func validate() throws {
        if force != acceptDataLoss { throw ValidationError("--force and --accept-data-loss go together") }
    }

    func run() async throws {
        if force {
            let present = try await side.fetch("GET", "/v1/pair")
            let letter = Rendering.rows(of: present).first?["side"]?.text == "A" ? "B" : "A"
            try Confirmation.ask(for: "side \(letter) is powered off", given: confirm)
        }
        var order: [(String, JSONValue)] = [("order", .string(force ? "force" : "switch"))]
        if force { order.append(("acceptDataLoss", .bool(true))) }
        let status = try await side.fetch("POST", "/v1/pair", body: .object(order.map { JSONMember($0.0, $0.1) }))
        output.print(status, table: StatusCommand.rendered)
    }
}

struct PairInitCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "init", abstract: "Begin the pair on this side, when both sides are formatted.",
        discussion: """
            Side A begins a new pair by itself. This is for a pair whose sides both lost their data: the witness still \
            knows of the old pair, and nobody holds what it acknowledged.

            EXAMPLE
              baton pair init --url http://127.0.0.1:7080
            """)

    @OptionGroup var side: SideOptions
    @OptionGroup var output: OutputOptions
    @Option(help: ArgumentHelp("The sentence that is asked for, else typed.", valueName: "sentence"))
    var confirm: String?

    func run() async throws {
        try Confirmation.ask(for: "both sides are empty", given: confirm)
        let order = JSONValue.object([JSONMember("order", "initialise")])
        output.print(try await side.fetch("POST", "/v1/pair", body: order), table: StatusCommand.rendered)
    }
}

/// A step that cannot be undone is confirmed by a typed sentence.
enum Confirmation {
    static func ask(for sentence: String, given: String?) throws(CommandFailure) {
        var answer = given
        if answer == nil {
            Terminal.note("This cannot be undone. Type the sentence to go on:  \(sentence)")
            answer = readLine()
        }
        guard answer == sentence else {
            throw CommandFailure(.refused, "not confirmed; nothing was done (wanted: \(sentence))")
        }
    }
}
