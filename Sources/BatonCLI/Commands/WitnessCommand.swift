internal import ArgumentParser
internal import Dispatch
internal import Foundation
internal import Logging
internal import NIOPosix
internal import Synchronization
internal import Witnesses

struct WitnessCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "witness", abstract: "Run the witness of duplex pairs on a small third machine.",
        discussion: """
            Keeps one register for each pair, in a file each, changed only by compare-and-swap; every change is durable \
            before it is answered. It decides nothing and never reads the clock. Its folder must not be restored from a \
            copy: a register that was is not served until an operator sets it anew. Logs to standard error; SIGTERM or \
            Ctrl-C ends it.

            The two sides name it in their configuration:
              pair: { ..., witness: { process: { host: 127.0.0.1, port: 7090 } } }

            EXAMPLE
              baton witness --listen 127.0.0.1:7090 --data witness
            """)

    @Option(help: ArgumentHelp("Where to listen; port 0 is any free one.", valueName: "host:port"))
    var listen = "127.0.0.1:7090"
    @Option(
        help: ArgumentHelp("The folder of the registers; made when only its last part is missing.", valueName: "folder")
    )
    var data: String
    @Flag(help: "Listen on another address than loopback, though what crosses can be read and changed on the way.")
    var allowClearText = false
    @Option(help: "Log this and what is graver: trace, debug, info, notice, warning, error, critical.")
    var logLevel = "info"

    func run() async throws {
        guard let level = Logger.Level(rawValue: logLevel) else {
            throw CommandFailure(.usage, "--log-level is \"\(logLevel)\"; see baton witness --help")
        }
        let address = try ListenAddress(parsing: listen, allowClearText: allowClearText)
        LoggingSystem.bootstrap(StreamLogHandler.standardError)
        var logger = Logger(label: "witness")
        logger.logLevel = level
        if !address.isLoopback {
            logger.warning(
                "listening on \(address.host) in clear text: anybody on the way can read and change registers")
        }
        let stop = StopSignals()
        defer { stop.finish() }
        do {
            let server = try WitnessServer(
                settings: .init(host: address.host, port: address.port, directory: data),
                group: MultiThreadedEventLoopGroup.singleton, logger: logger)
            let port = try await server.start()
            logger.info("listening on \(address.host) port \(port), registers in \(data)")
            Task { if let reason = await server.ended() { stop.finish(reason) } }
            let reason = await stop.reason()
            await server.stop()
            if let reason { throw CommandFailure(.failed, reason) }
            let counts = await server.counts()
            logger.info("stopped after \(counts.swapped) changes, \(counts.differed) refused comparisons")
        } catch let failure as CommandFailure {
            throw failure
        } catch {
            throw CommandFailure(.failed, "\(error)")
        }
    }
}

/// `HOST:PORT`, an IPv6 address in brackets.
package struct ListenAddress: Equatable, Sendable {
    package let host: String
    package let port: Int

    package init(parsing text: String, allowClearText: Bool) throws(CommandFailure) {
        guard let match = text.wholeMatch(of: /(?:\[([0-9A-Fa-f:.]+)\]|([^:\[\]]+)):([0-9]{1,5})/),
            let port = Int(match.3), port <= 65_535, let host = match.1 ?? match.2
        else {
            throw CommandFailure(.usage, "--listen is \"\(text)\"; it must be HOST:PORT, for example 127.0.0.1:7090")
        }
        self.host = String(host)
        self.port = port
        if !isLoopback, !allowClearText {
            throw CommandFailure(
                .usage, "--listen is \(host), which is not loopback; without TLS that needs --allow-clear-text")
        }
    }

    var isLoopback: Bool {
        if host == "localhost" || host == "::1" { return true }
        let parts = host.split(separator: ".", omittingEmptySubsequences: false)
        return parts.count == 4 && parts[0] == "127" && parts.allSatisfy { UInt8($0) != nil }
    }
}

/// Ends on SIGTERM or SIGINT, or with a reason of the program's own.
private final class StopSignals: Sendable {
    private let reasons: AsyncStream<String?>
    private let continuation: AsyncStream<String?>.Continuation
    private let sources: Mutex<[any DispatchSourceSignal]>

    init() {
        let (reasons, continuation) = AsyncStream.makeStream(of: String?.self)
        self.reasons = reasons
        self.continuation = continuation
        sources = Mutex(
            [SIGTERM, SIGINT].map { number in
                signal(number, SIG_IGN)
                let source = DispatchSource.makeSignalSource(signal: number, queue: .global())
                source.setEventHandler { continuation.yield(nil) }
                source.resume()
                return source
            })
    }

    /// Nil when a signal came.
    func reason() async -> String? {
        for await reason in reasons { return reason }
        return nil
    }

    func finish(_ reason: String? = nil) {
        continuation.yield(reason)
        continuation.finish()
        sources.withLock { sources in
            for source in sources { source.cancel() }
            sources = []
        }
    }
}
