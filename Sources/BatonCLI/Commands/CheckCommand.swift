internal import ArgumentParser
internal import ConfigurationFiles
internal import Foundation

struct CheckCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "check", abstract: "Check a configuration and its scripts without running them.",
        discussion: """
            Each error is told as FILE:LINE:COLUMN: sentence.

            EXAMPLE
              baton check Tools/samples/insurance/baton.yaml
            """)

    @Argument(help: "The side's configuration.") var file: String

    func run() async throws {
        let side: SideConfiguration
        do {
            side = try Configuration.load(path: file, environment: ProcessInfo.processInfo.environment)
        } catch {
            throw CommandFailure(.failed, "the configuration is refused\n\(error)")
        }
        for warning in side.warnings { Terminal.note("warning: \(warning)") }
        Terminal.write(
            "\(file) is good: instance \(side.instance), \(side.translationRoutes.count) translation routes, "
                + "\(side.gateways.count) gateways, \(side.scripts.count) scripts.")
    }
}
