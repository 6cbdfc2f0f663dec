internal import ArgumentParser
internal import Foundation

struct BatonCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "baton",
        abstract:
            "Parks a call's context under a translation-route key until the ACD claims it, and carries labels and context between two contact centres.",
        discussion: """
            A side is a running `baton run`. The other commands talk to one over HTTP: --url, or $BATON_URL, or \
            http://127.0.0.1:7080.

            EXAMPLES
              baton check Tools/samples/insurance/baton.yaml
              baton run --config Tools/samples/insurance/baton.yaml
              baton reserve claims-desk --call-id 4711 --ani +4989123456 --set variable1=gold
              baton claim hartford-acd inbound 8001 --call-id leg-2
              baton journey 4711

            EXIT CODES
            \(CommandStatus.allCases.map { "  \($0.rawValue)  \($0.meaning)" }.joined(separator: "\n"))
            """,
        version: "baton 0.1.0",
        groupedSubcommands: [
            CommandGroup(name: "Serving", subcommands: [RunCommand.self, CheckCommand.self, WitnessCommand.self]),
            CommandGroup(
                name: "Calls",
                subcommands: [RouteCommand.self, ReserveCommand.self, ClaimCommand.self, ReleaseCommand.self]),
            CommandGroup(
                name: "Inspection",
                subcommands: [
                    StatusCommand.self, RoutesCommand.self, ContextsCommand.self, DialogsCommand.self,
                    GatewaysCommand.self, JourneyCommand.self,
                ]),
            CommandGroup(name: "Recovery", subcommands: [PairCommand.self, LogCommand.self, StoreCommand.self]),
            CommandGroup(
                name: "Measuring and proving",
                subcommands: [BenchCommand.self, DrillCommand.self, PlaySamplesCommand.self]),
        ]
    )
}

/// The whole program: parses, runs one command, and ends with its documented exit code.
package enum BatonProgram {
    package static func main(_ arguments: [String]) async -> Int32 {
        do {
            var command = try BatonCommand.parseAsRoot(arguments)
            if var asynchronous = command as? any AsyncParsableCommand {
                try await asynchronous.run()
            } else {
                try command.run()
            }
            return CommandStatus.ok.rawValue
        } catch {
            return report(error)
        }
    }

    private static func report(_ error: any Error) -> Int32 {
        if let failure = error as? CommandFailure {
            Terminal.note("baton: \(failure.sentence)")
            return failure.status.rawValue
        }
        let code = BatonCommand.exitCode(for: error)
        let message = BatonCommand.fullMessage(for: error)
        if code == .success {
            if !message.isEmpty { Terminal.write(message) }
            return CommandStatus.ok.rawValue
        }
        if !message.isEmpty { Terminal.note(message) }
        return code == .validationFailure ? CommandStatus.usage.rawValue : CommandStatus.failed.rawValue
    }
}
