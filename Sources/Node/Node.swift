internal import ConfigurationFiles
internal import Dispatch
internal import Glibc
package import Logging
internal import Synchronization

/// Runs one side of an instance until it is told to stop: what `baton run` does.
package enum Node {
    /// Loads the configuration, starts the side, and serves until SIGTERM or SIGINT; SIGHUP loads the configuration
    /// again and keeps the last good one when the new one is refused. Throws ``ConfigurationErrors`` or a
    /// ``SideFault``, whose descriptions are for the operator.
    package static func run(
        configurationPath: String, environment: [String: String], care: StoreCare, logger: Logger,
        onServing: @escaping @Sendable (RunningSide) -> Void = { _ in }
    ) async throws {
        let configuration = try Configuration.load(path: configurationPath, environment: environment)
        let side = try await RunningSide.start(configuration, care: care, logger: logger)
        let signals = Signals()
        onServing(side)
        let stopping = Task {
            for await signal in signals.stream {
                guard signal == .reload else { return }
                await reload(side, path: configurationPath, environment: environment, logger: logger)
            }
        }
        let fault = await withTaskGroup(of: SideFault?.self) { group in
            group.addTask { await side.waitUntilEnded() }
            group.addTask {
                await stopping.value
                return nil
            }
            defer {
                group.cancelAll()
                signals.finish()
            }
            let first = await group.next() ?? nil
            // A side that failed has nothing left to store: what it acknowledged is in the log.
            if first == nil { await stop(side, logger: logger) }
            return first
        }
        if let fault { throw fault }
    }

    private static func stop(_ side: RunningSide, logger: Logger) async {
        logger.info("the side is stopping")
        do { try await side.stop() } catch {
            logger.error("the stop was not clean: \(error). Nothing acknowledged is lost")
        }
    }

    private static func reload(
        _ side: RunningSide, path: String, environment: [String: String], logger: Logger
    ) async {
        do {
            try await side.reload(try Configuration.load(path: path, environment: environment))
        } catch {
            logger.error("the configuration was not reloaded, the last good one stays:\n\(error)")
        }
    }
}

/// SIGTERM and SIGINT stop, SIGHUP reloads.
private final class Signals: Sendable {
    enum Signal: Sendable { case stop, reload }

    let stream: AsyncStream<Signal>
    private let continuation: AsyncStream<Signal>.Continuation
    private let sources: Mutex<[any DispatchSourceSignal]>

    init() {
        let (stream, continuation) = AsyncStream.makeStream(of: Signal.self)
        self.stream = stream
        self.continuation = continuation
        sources = Mutex(
            [(SIGTERM, Signal.stop), (SIGINT, .stop), (SIGHUP, .reload)].map { number, meaning in
                signal(number, SIG_IGN)
                let source = DispatchSource.makeSignalSource(signal: number, queue: .global())
                source.setEventHandler { continuation.yield(meaning) }
                source.resume()
                return source
            })
    }

    func finish() {
        continuation.finish()
        sources.withLock { sources in
            for source in sources { source.cancel() }
            sources = []
        }
    }
}
