package import Logging
package import NIOCore
internal import NIOPosix
internal import ReplicatedLedger
internal import Synchronization

package struct PrivateLinkFault: Error, Hashable, Sendable, CustomStringConvertible {
    package let address: String
    package let reason: String

    package var description: String { "the private link cannot listen on \(address): \(reason)" }
}

/// The transport of the private link between the sides of a pair: whole frames in order over one TCP connection at a
/// time (`Schemas/privatelink.md`). Side A listens, side B dials, at once when a connection is lost and then every 50 ms.
/// A connection has a *session* only after both ends took each other's first frame; at most one session stands, and a
/// newer one replaces it. What any other connection sends never reaches the owner.
///
/// It owns no thread. Everything happens on the event loop it is given; with the owner on the same loop, nothing hops,
/// and all frames of one turn leave in one write.
package final class PrivateLink: Link, Sendable {
    package enum Role: Hashable, Sendable {
        /// Port 0: any free one.
        case listens(host: String, port: Int)
        case dials(host: String, port: Int)
    }

    package struct Settings: Sendable {
        package var role: Role
        /// From the connection to the other end's first frame.
        package var handshakeMilliseconds: Int64 = 5_000
        package var connectMilliseconds: Int64 = 500
        /// From the begin of one attempt to connect to the next.
        package var retryMilliseconds: Int64 = 50
        /// The same, when the other end was there and refused.
        package var refusedRetryMilliseconds: Int64 = 100
        /// Of a first frame.
        package var greetingBytes = 64 * 1024
        package var frameBytes = 16 * 1024 * 1024
        /// Unsent bytes above which the link is congested.
        package var congestedBytes = 4 * 1024 * 1024
        /// Unsent bytes above which the session ends: nobody may fill this side's memory by not reading.
        package var mostUnsentBytes = 256 * 1024 * 1024
        /// Connections without a session at once; more are closed.
        package var mostStrangers = 16
        /// Puts what secures a connection in front of the frames; nil: clear text. The pipeline is empty then.
        package var secure: (@Sendable (any Channel) throws -> Void)?

        package init(role: Role) { self.role = role }
    }

    private struct Outbox: Sendable {
        var frames: [[UInt8]] = []
        /// The session they were written for.
        var session: UInt64 = 0
    }

    private let settings: Settings
    package let eventLoop: any EventLoop
    private let core: NIOLoopBoundBox<PrivateLinkCore>
    private let gauge: LinkGauge
    private let outbox = Mutex(Outbox())

    package init(settings: Settings, eventLoop: any EventLoop, logger: Logger) {
        let gauge = LinkGauge()
        self.settings = settings
        self.eventLoop = eventLoop
        self.gauge = gauge
        core = .makeBoxSendingValue(
            PrivateLinkCore(settings: settings, loop: eventLoop, gauge: gauge, logger: logger), eventLoop: eventLoop)
    }

    /// Begins to listen or to dial; the other side need not be there. Gives the port that is listened on.
    @discardableResult
    package func start(owner: any PrivateLinkOwner) async throws(PrivateLinkFault) -> Int? {
        let core = self.core
        do {
            return try await eventLoop.flatSubmit { core.value.start(owner: owner) }.get()
        } catch {
            guard case .listens(let host, let port) = settings.role else { preconditionFailure("\(error)") }
            throw PrivateLinkFault(address: "\(host):\(port)", reason: faultText(error))
        }
    }

    /// Ends everything; the owner hears no more.
    package func stop() async {
        await onLoop { $0.stop() }
    }

    package func counts() async -> PrivateLinkCounts { await onLoop { $0.counts } }

    // MARK: From any thread

    /// Bytes of the present session that the operating system has not taken yet.
    package var unsentBytes: Int { gauge.unsentBytes.load(ordering: .relaxed) }

    package var isCongested: Bool { unsentBytes > settings.congestedBytes }

    /// Sends a frame of 1 to ``Settings/frameBytes`` bytes in the session that stands now; without one it goes nowhere.
    /// Frames of one thread keep their order. Those of one turn leave together at its end.
    package func send(_ frame: [UInt8]) {
        precondition((1...settings.frameBytes).contains(frame.count), "a frame of \(frame.count) bytes")
        if eventLoop.inEventLoop { return core.value.send(frame) }
        let session = gauge.session.load(ordering: .acquiring)
        let isFirst = outbox.withLock { outbox in
            // What was written for a session that is gone has nowhere to go.
            if outbox.session != session { outbox.frames.removeAll() }
            outbox.session = session
            outbox.frames.append(frame)
            return outbox.frames.count == 1
        }
        if isFirst { eventLoop.execute { self.takeOutbox() } }
    }

    /// Sends what this turn's frames are now, before the turn's end. Only on the event loop.
    package func flush() { core.value.flush() }

    /// Ends the session, after what was sent has been written as far as the connection takes it at once.
    package func endSession(reason: String) {
        if eventLoop.inEventLoop { return core.value.endSession(reason: reason) }
        let session = gauge.session.load(ordering: .acquiring)
        eventLoop.execute { [core] in
            if core.value.session == session { core.value.endSession(reason: reason) }
        }
    }

    private func takeOutbox() {
        let taken = outbox.withLock { outbox in
            defer { outbox.frames.removeAll(keepingCapacity: true) }
            return outbox
        }
        guard taken.session == core.value.session else { return }
        for frame in taken.frames { core.value.send(frame) }
        core.value.flush()
    }

    private func onLoop<Value: Sendable>(_ body: @escaping @Sendable (PrivateLinkCore) -> Value) async -> Value {
        await withCheckedContinuation { continuation in
            eventLoop.execute { [core] in continuation.resume(returning: body(core.value)) }
        }
    }
}

/// What other threads may read of a link.
final class LinkGauge: Sendable {
    let unsentBytes = Atomic<Int>(0)
    /// Counts the sessions; 0 while none stands.
    let session = Atomic<UInt64>(0)
}

/// Why a connection was not made, or broke, in few words.
func faultText(_ error: any Error) -> String {
    switch error {
    case let error as NIOConnectionError:
        error.connectionErrors.last.map { faultText($0.error) } ?? "no address found for \(error.host)"
    case ChannelError.connectTimeout(let timeout): "no connection within \(timeout.nanoseconds / 1_000_000) ms"
    case ChannelError.ioOnClosedChannel, ChannelError.alreadyClosed, ChannelError.eof, ChannelError.inputClosed:
        "the connection was closed"
    case let error as IOError: error.description
    default: "\(error)"
    }
}
