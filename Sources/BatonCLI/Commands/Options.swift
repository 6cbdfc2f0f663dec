internal import ArgumentParser
internal import CallModel
internal import FoundationEssentials

enum OutputFormat: String, ExpressibleByArgument, CaseIterable {
    case table
    case json
}

struct OutputOptions: ParsableArguments {
    @Option(name: [.customShort("o"), .long], help: "How to print: table or json.")
    var output = OutputFormat.table

    /// Prints the side's answer as it is, or what `table` makes of it.
    func print(_ value: JSONValue, table: (JSONValue) -> String) {
        Terminal.write(output == .json ? value.pretty : table(value))
    }
}

struct SideOptions: ParsableArguments {
    @Option(help: "The side to talk to (default: $BATON_URL, else http://127.0.0.1:7080).")
    var url: String?

    @Option(help: ArgumentHelp("A file that holds the bearer token.", valueName: "file"))
    var tokenFile: String?

    @Option(help: ArgumentHelp("Give up after this many milliseconds.", valueName: "milliseconds"))
    var timeout = 5000

    func address() throws(CommandFailure) -> SideURL {
        try SideURL(parsing: url ?? ProcessInfo.processInfo.environment["BATON_URL"] ?? "http://127.0.0.1:7080")
    }

    func token() throws(CommandFailure) -> String? {
        guard let tokenFile else { return nil }
        let text = String(decoding: try readFile(tokenFile), as: UTF8.self)
        let token = text.split(whereSeparator: \.isWhitespace).first.map(String.init)
        guard let token else { throw CommandFailure(.usage, "the token file \(tokenFile) is empty") }
        return token
    }

    func connect() throws(CommandFailure) -> any SideClient {
        guard (1...600_000).contains(timeout) else {
            throw CommandFailure(.usage, "--timeout must be 1 to 600000 milliseconds")
        }
        return try openSideClient(to: try address(), token: try token(), timeoutMilliseconds: timeout)
    }

    /// Asks the side once and closes the connection, whatever comes.
    func fetch(_ method: String, _ path: String, body: JSONValue? = nil) async throws(CommandFailure) -> JSONValue {
        let client = try connect()
        do throws(CommandFailure) {
            let value = try await client.fetch(method, path, body: body)
            await client.close()
            return value
        } catch {
            await client.close()
            throw error
        }
    }
}

struct PageOptions: ParsableArguments {
    @Option(help: "At most so many rows, 1 to 500.")
    var limit = 100

    @Option(help: ArgumentHelp("Go on where a page before said there are more.", valueName: "next"))
    var after: String?

    /// The query of a listing: these options, and the parameters that have a value.
    func query(_ parameters: (name: String, value: String?)...) -> String {
        let all = parameters + [("limit", String(limit)), ("after", after)]
        let parts = all.compactMap { parameter in
            parameter.value.map { "\(parameter.name)=\(percentEncoded($0))" }
        }
        return "?" + parts.joined(separator: "&")
    }
}

struct ContextOptions: ParsableArguments {
    @Option(help: "The caller's number.")
    var ani: String?

    @Flag(help: "The caller withheld the number.")
    var aniRestricted = false

    @Option(help: "Caller-entered digits.")
    var ced: String?

    @Option(help: "User-to-user information.")
    var uui: String?

    @Option(
        name: [.customLong("set")],
        help: ArgumentHelp(
            "A variable: variable1=gold, user.account=4711, user.items[0]=card. May be repeated.",
            valueName: "name=value"))
    var assignments: [String] = []

    @Option(
        help: ArgumentHelp(
            "A file with the context as JSON (- for standard input); the options above change it.", valueName: "file"))
    var context: String?

    func value() throws(CommandFailure) -> JSONValue {
        do {
            var callContext = CallContext()
            if let context {
                callContext = try ContextJSON.context(from: try JSONValue(parsing: try readFile(context)))
            }
            if let ani { callContext.ani = ani }
            if aniRestricted { callContext.aniRestricted = true }
            if let ced { callContext.ced = ced }
            if let uui { callContext.uui = uui }
            for assignment in assignments { try ContextJSON.assign(assignment, in: &callContext) }
            return ContextJSON.value(of: callContext)
        } catch let failure as CommandFailure {
            throw failure
        } catch {
            throw CommandFailure(.usage, "the context is wrong: \(error)")
        }
    }
}

/// A whole small file; `-` is standard input.
func readFile(_ path: String) throws(CommandFailure) -> [UInt8] {
    do {
        if path == "-" { return Array(try Data(contentsOf: URL(filePath: "/dev/stdin"))) }
        return Array(try Data(contentsOf: URL(filePath: path)))
    } catch {
        throw CommandFailure(.usage, "the file \(path) cannot be read: \(Terminal.reason(of: error))")
    }
}
