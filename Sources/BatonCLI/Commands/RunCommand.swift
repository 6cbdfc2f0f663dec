internal import ArgumentParser
internal import Foundation
internal import Inspection
internal import Logging
internal import Node

struct RunCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "run", abstract: "Run one side until it is told to stop (SIGTERM or Ctrl-C).",
        discussion: """
            Logs to standard error. SIGHUP reads the configuration again; the last good one stays when the new one is \
            refused. BATON_... variables override scalar settings (BATON_DATADIRECTORY, BATON_HTTP_PORT).

            EXAMPLE
              baton run --config Tools/samples/insurance/baton.yaml
            """)

    @Option(help: ArgumentHelp("The side's configuration.", valueName: "file")) var config: String

    @Option(help: "Log this and what is graver: trace, debug, info, notice, warning, error, critical.")
    var logLevel = "info"

    func run() async throws {
        guard let level = Logger.Level(rawValue: logLevel) else {
            throw CommandFailure(.usage, "--log-level is \"\(logLevel)\"; see baton run --help")
        }
        LoggingSystem.bootstrap(StreamLogHandler.standardError)
        var logger = Logger(label: "baton")
        logger.logLevel = level
        do {
            try await Node.run(
                configurationPath: config, environment: ProcessInfo.processInfo.environment,
                care: StoreCare(verify: { VerifierProcess.verify($0) }), logger: logger)
        } catch {
            throw CommandFailure(.failed, "\(error)")
        }
    }
}
