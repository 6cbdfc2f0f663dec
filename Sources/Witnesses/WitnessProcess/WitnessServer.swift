package import Logging
package import NIOCore
internal import NIOPosix

package enum WitnessServerFault: Error, Hashable, Sendable, CustomStringConvertible {
    case folder(String, String)
    case address(String, String)

    package var description: String {
        switch self {
        case .folder(let folder, let what): "\(folder) \(what)"
        case .address(let address, let what): "cannot listen on \(address): \(what)"
        }
    }
}

/// What a witness process did, for its log and for tests.
package struct WitnessCounts: Hashable, Sendable {
    package var swapped: UInt64 = 0
    package var differed: UInt64 = 0
    package var read: UInt64 = 0
    package var seeded: UInt64 = 0
    /// Requests of a pair whose register does not answer.
    package var refused: UInt64 = 0
    /// Connections closed for what they sent.
    package var garbage: UInt64 = 0
    /// Connections closed because they sent nothing, or half a frame, for too long.
    package var silent: UInt64 = 0
    /// Connections closed because there were too many.
    package var tooMany: UInt64 = 0
}

/// The witness of pairs with two machines and a small third one: a register for each pair in a folder, reached over TCP.
/// It decides nothing. It answers a change only when that is durable, and stops for good when the disk leaves that open.
package final class WitnessServer: Sendable {
    package struct Settings: Sendable {
        package var host: String
        /// 0 takes any free port.
        package var port: Int
        package var directory: String
        package var mostConnections = 64
        /// From the connection to its first whole request, and from the first byte of a request to its last.
        package var handshakeMilliseconds: Int64 = 5_000
        /// Between requests.
        package var idleMilliseconds: Int64 = 60_000

        package init(host: String, port: Int, directory: String) {
            self.host = host
            self.port = port
            self.directory = directory
        }
    }

    private let settings: Settings
    private let loop: any EventLoop
    private let folder: RegisterFolder
    private let core: NIOLoopBoundBox<WitnessServerCore>
    private let end: EventLoopPromise<String?>

    /// Opens the folder. Damaged registers are told, and do not answer; the others do.
    package init(settings: Settings, group: any EventLoopGroup, logger: Logger) throws(WitnessServerFault) {
        let loop = group.next()
        let folder = try RegisterFolder(settings.directory)
        do {
            for fault in try folder.faults() { logger.error("\(fault)") }
        } catch {
            throw .folder(settings.directory, "cannot be read: \(error)")
        }
        self.settings = settings
        self.loop = loop
        self.folder = folder
        end = loop.makePromise(of: String?.self)
        core = .makeBoxSendingValue(
            WitnessServerCore(settings: settings, folder: folder, logger: logger, end: end), eventLoop: loop)
    }

    /// Listens, and says on which port.
    @discardableResult
    package func start() async throws(WitnessServerFault) -> Int {
        let core = self.core
        let bootstrap = ServerBootstrap(group: loop)
            .serverChannelOption(ChannelOptions.socketOption(.so_reuseaddr), value: 1)
            .childChannelOption(ChannelOptions.tcpOption(.tcp_nodelay), value: 1)
            .childChannelInitializer { channel in
                channel.eventLoop.makeCompletedFuture {
                    try channel.pipeline.syncOperations.addHandler(WitnessConnection(server: core.value))
                }
            }
        do {
            let listener = try await bootstrap.bind(host: settings.host, port: settings.port).get()
            loop.execute { core.value.listening(listener) }
            return listener.localAddress?.port ?? settings.port
        } catch {
            throw .address("\(settings.host):\(settings.port)", connectionFaultText(error))
        }
    }

    /// Waits until the witness was stopped (nil), or must not go on, with the reason.
    package func ended() async -> String? {
        do {
            return try await end.futureResult.get()
        } catch {
            return "\(error)"
        }
    }

    package func counts() async -> WitnessCounts {
        await withCheckedContinuation { continuation in
            loop.execute { [core] in continuation.resume(returning: core.value.counts) }
        }
    }

    /// Closes the listener and all connections; a request under way is carried out, and may stay without its answer.
    package func stop() async {
        await withCheckedContinuation { continuation in
            loop.execute { [core] in
                core.value.stop(reason: nil)
                continuation.resume()
            }
        }
        await folder.close()
    }
}

/// What ``WitnessServer`` does on its event loop.
final class WitnessServerCore {
    let settings: WitnessServer.Settings
    private let folder: RegisterFolder
    private let logger: Logger
    private let end: EventLoopPromise<String?>
    private var listener: (any Channel)?
    private var isStopped = false
    private var connections: [ObjectIdentifier: WitnessConnection] = [:]
    private(set) var counts = WitnessCounts()
    private var lastComplaint: NIODeadline?
    private var keptToItself: UInt64 = 0

    init(settings: WitnessServer.Settings, folder: RegisterFolder, logger: Logger, end: EventLoopPromise<String?>) {
        self.settings = settings
        self.folder = folder
        self.logger = logger
        self.end = end
    }

    func listening(_ channel: any Channel) {
        if isStopped { channel.close(promise: nil) } else { listener = channel }
    }

    func stop(reason: String?) {
        if !isStopped { end.succeed(reason) }
        isStopped = true
        listener?.close(promise: nil)
        listener = nil
        for connection in connections.values { connection.close() }
    }

    /// False when the connection is one too many.
    func began(_ connection: WitnessConnection, from address: String) -> Bool {
        guard !isStopped, connections.count < settings.mostConnections else {
            counts.tooMany += 1
            complain("a connection from \(address) was closed: there are \(connections.count) already")
            return false
        }
        connections[ObjectIdentifier(connection)] = connection
        return true
    }

    func ended(_ connection: WitnessConnection) { connections[ObjectIdentifier(connection)] = nil }

    func garbage(_ fault: WitnessWire.Fault, from address: String) {
        counts.garbage += 1
        complain("the connection from \(address) was closed: \(fault)")
    }

    func silent(_ what: String, from address: String) {
        counts.silent += 1
        complain("the connection from \(address) was closed: \(what)")
    }

    /// At most one line a second: a stranger must not fill the disk with our log.
    private func complain(_ sentence: String) {
        let now = NIODeadline.now()
        if let lastComplaint, now - lastComplaint < .seconds(1) {
            keptToItself += 1
            return
        }
        lastComplaint = now
        logger.warning("\(sentence)\(keptToItself > 0 ? " (and \(keptToItself) more like it)" : "")")
        keptToItself = 0
    }

    /// Carries out a request; `answer` comes on the event loop. Nothing comes when the disk left the outcome open: then the
    /// witness stops.
    func perform(_ request: WitnessRequest, on loop: any EventLoop, answer: @escaping (WitnessAnswer) -> Void) {
        let bound = NIOLoopBound((self, answer), eventLoop: loop)
        folder.perform(request) { result in
            loop.execute {
                let (core, answer) = bound.value
                if let done = core.account(request, result) { answer(done) }
            }
        }
    }

    private func account(_ request: WitnessRequest, _ result: Result<WitnessAnswer, RegisterFileFault>)
        -> WitnessAnswer?
    {
        switch (result, request) {
        case (.failure(.notDurable(let path, let reason)), _):
            let sentence = RegisterFileFault.notDurable(path: path, reason: reason).description
            logger.critical("\(sentence)")
            stop(reason: sentence)
            return nil
        case (.failure(let fault), _):
            counts.refused += 1
            complain("a request was refused: \(fault)")
            return .failed(fault.witnessFault)
        case (.success(.swapped), .seed(let pair, _)):
            counts.seeded += 1
            logger.warning("the register of pair \(pair) was set anew by an operator")
        case (.success(.swapped), .swap(let pair, _, _)):
            counts.swapped += 1
            logger.info("the register of pair \(pair) was changed")
        case (.success(.current), .swap): counts.differed += 1
        case (.success(.current), .read): counts.read += 1
        case (.success, _): break
        }
        if case .success(let answer) = result { return answer }
        return nil
    }
}
