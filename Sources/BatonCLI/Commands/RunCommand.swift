internal import ArgumentParser
internal import Node

struct RunCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "run", abstract: "Run one side until it is told to stop (SIGTERM or Ctrl-C).",
        discussion: """
            EXAMPLE
              baton run --config Tools/samples/insurance/baton.yaml
            """)

    @Option(help: ArgumentHelp("The side's configuration.", valueName: "file")) var config: String

    func run() async throws {
        do {
            try await Node.run(configurationPath: config)
        } catch {
            throw CommandFailure(.failed, "\(error)")
        }
    }
}
