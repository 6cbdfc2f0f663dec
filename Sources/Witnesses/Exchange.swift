internal import NIOCore
internal import NIOPosix
internal import NIOTLS

/// A member of a witness.
package struct WitnessMember: Hashable, Sendable, CustomStringConvertible {
    package let host: String
    package let port: Int

    package init(host: String, port: Int) {
        self.host = host
        self.port = port
    }

    package var description: String { host.contains(":") ? "[\(host)]:\(port)" : "\(host):\(port)" }
}

/// How a question goes over a connection: the handlers in front of the one that waits for the answer.
protocol ExchangeForm: Sendable {
    associatedtype Answer: Sendable
    /// Adds what makes an `Answer` of the peer's bytes. Called on the channel's event loop.
    func addHandlers(to pipeline: ChannelPipeline.SynchronousOperations) throws
    /// Writes the question and flushes.
    func ask(_ context: ChannelHandlerContext)
    /// The connection is ready when TLS is, not when TCP is.
    var waitsForTLS: Bool { get }
}

/// Asks one member over a connection of its own. What fails before the question is written is certain not to have been
/// carried out; what fails later is unknown.
struct Exchange<Form: ExchangeForm> {
    let form: Form
    let member: WitnessMember
    /// Until the connection is ready.
    let connectTimeout: TimeAmount
    /// Until the answer.
    let deadline: NIODeadline

    func run(on loop: any EventLoop) async throws(WitnessFault) -> Form.Answer {
        let (form, member, connectTimeout, deadline) = (form, member, connectTimeout, deadline)
        let promise = loop.makePromise(of: Form.Answer.self)
        ClientBootstrap(group: loop)
            .connectTimeout(connectTimeout)
            .channelOption(ChannelOptions.tcpOption(.tcp_nodelay), value: 1)
            .channelInitializer { channel in
                channel.eventLoop.makeCompletedFuture {
                    try form.addHandlers(to: channel.pipeline.syncOperations)
                    try channel.pipeline.syncOperations.addHandler(AnswerHandler(form: form))
                }
            }
            .connect(host: member.host, port: member.port)
            .flatMapThrowing { channel in
                // Only now: of several addresses of one name, several may have been tried at once.
                let handler = try channel.pipeline.syncOperations.handler(type: AnswerHandler<Form>.self)
                handler.begin(promise, readyWithin: connectTimeout, answeredBefore: deadline)
            }
            .whenFailure { promise.fail(WitnessFault.notApplied(connectionFaultText($0))) }
        do {
            return try await promise.futureResult.get()
        } catch let fault as WitnessFault {
            throw fault.naming(member)
        } catch {
            throw .unknown("\(member): \(error)")
        }
    }
}

/// The last handler of an exchange: asks when the connection is ready, and waits for the one answer.
private final class AnswerHandler<Form: ExchangeForm>: ChannelInboundHandler {
    typealias InboundIn = Form.Answer

    private let form: Form
    private var context: ChannelHandlerContext?
    private var promise: EventLoopPromise<Form.Answer>?
    private var timer: Scheduled<Void>?
    private var isReady: Bool
    private var hasAsked = false
    private var deadline = NIODeadline.distantFuture
    /// Why the connection ended before it was ready.
    private var early: (any Error)?

    init(form: Form) {
        self.form = form
        isReady = !form.waitsForTLS
    }

    func begin(
        _ promise: EventLoopPromise<Form.Answer>, readyWithin: TimeAmount, answeredBefore deadline: NIODeadline
    ) {
        self.promise = promise
        self.deadline = deadline
        guard let context, context.channel.isActive else {
            return finish(.failure(fault(early.map { connectionFaultText($0) } ?? "the connection was closed")))
        }
        if isReady { return ask(context) }
        timer = context.eventLoop.assumeIsolated().scheduleTask(in: readyWithin) {
            self.finish(.failure(WitnessFault.notApplied("no TLS handshake within \(readyWithin.milliseconds) ms")))
        }
    }

    private func ask(_ context: ChannelHandlerContext) {
        timer?.cancel()
        hasAsked = true
        timer = context.eventLoop.assumeIsolated().scheduleTask(deadline: deadline) {
            self.finish(.failure(WitnessFault.unknown("no answer in time")))
        }
        form.ask(context)
    }

    func handlerAdded(context: ChannelHandlerContext) { self.context = context }

    func handlerRemoved(context: ChannelHandlerContext) { self.context = nil }

    func userInboundEventTriggered(context: ChannelHandlerContext, event: Any) {
        if case .handshakeCompleted? = event as? TLSUserEvent {
            isReady = true
            if promise != nil, !hasAsked { ask(context) }
        }
        context.fireUserInboundEventTriggered(event)
    }

    func channelRead(context: ChannelHandlerContext, data: NIOAny) { finish(.success(unwrapInboundIn(data))) }

    func channelInactive(context: ChannelHandlerContext) {
        finish(.failure(fault(early.map { connectionFaultText($0) } ?? "the connection was closed")))
        context.fireChannelInactive()
    }

    func errorCaught(context: ChannelHandlerContext, error: any Error) {
        early = error
        finish(.failure(error as? WitnessFault ?? fault(connectionFaultText(error))))
        context.close(promise: nil)
    }

    private func fault(_ reason: String) -> WitnessFault { hasAsked ? .unknown(reason) : .notApplied(reason) }

    private func finish(_ result: Result<Form.Answer, any Error>) {
        guard let promise else { return }
        self.promise = nil
        timer?.cancel()
        promise.completeWith(result)
        context?.close(promise: nil)
    }
}

extension TimeAmount {
    var milliseconds: Int64 { nanoseconds / 1_000_000 }
}

/// Why a connection was not made, or broke, in few words.
func connectionFaultText(_ error: any Error) -> String {
    switch error {
    case let error as NIOConnectionError:
        error.connectionErrors.last.map { connectionFaultText($0.error) } ?? "no address found for \(error.host)"
    case let error as IOError: systemText(error.errnoCode)
    case ChannelError.connectTimeout(let timeout): "no connection within \(timeout.milliseconds) ms"
    case ChannelError.ioOnClosedChannel, ChannelError.alreadyClosed, ChannelError.eof, ChannelError.inputClosed:
        "the connection was closed"
    default: "\(error)"
    }
}

extension WitnessFault {
    func naming(_ member: WitnessMember) -> WitnessFault {
        switch self {
        case .notApplied(let reason): .notApplied("\(member): \(reason)")
        case .unknown(let reason): .unknown("\(member): \(reason)")
        }
    }
}
