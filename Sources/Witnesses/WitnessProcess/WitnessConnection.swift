internal import NIOCore

/// One connection at the witness process: requests in, one at a time, answers out. While a request is carried out
/// nothing is read, so a connection holds at most one frame and one read.
final class WitnessConnection: ChannelDuplexHandler {
    typealias InboundIn = ByteBuffer
    typealias OutboundIn = ByteBuffer
    typealias OutboundOut = ByteBuffer

    private let server: WitnessServerCore
    private var context: ChannelHandlerContext?
    private var received = ByteBuffer()
    private var address = "unknown"
    private var isWorking = false
    private var readIsWanted = false
    private var timer: Scheduled<Void>?

    init(server: WitnessServerCore) { self.server = server }

    func close() { context?.close(promise: nil) }

    func handlerAdded(context: ChannelHandlerContext) { self.context = context }

    func handlerRemoved(context: ChannelHandlerContext) { self.context = nil }

    func channelActive(context: ChannelHandlerContext) {
        address = context.channel.remoteAddress?.description ?? address
        guard server.began(self, from: address) else { return context.close(promise: nil) }
        limit(server.settings.handshakeMilliseconds, "it sent no request")
        context.fireChannelActive()
    }

    func channelInactive(context: ChannelHandlerContext) {
        timer?.cancel()
        timer = nil
        server.ended(self)
        context.fireChannelInactive()
    }

    func errorCaught(context: ChannelHandlerContext, error: any Error) { context.close(promise: nil) }

    func channelRead(context: ChannelHandlerContext, data: NIOAny) {
        var buffer = unwrapInboundIn(data)
        if received.readableBytes == 0 {
            received = buffer
            if !isWorking { limit(server.settings.handshakeMilliseconds, "it sent half a request") }
        } else {
            received.writeBuffer(&buffer)
        }
        takeRequest()
    }

    func read(context: ChannelHandlerContext) {
        if isWorking { readIsWanted = true } else { context.read() }
    }

    private func takeRequest() {
        guard !isWorking, let context else { return }
        let request: WitnessRequest
        do throws(WitnessWire.Fault) {
            guard let frame = try WitnessWire.nextFrame(&received) else { return }
            received.discardReadBytes()
            request = try WitnessRequest.decode(frame)
        } catch {
            server.garbage(error, from: address)
            received.clear()
            // A peer of another version is told so; whoever does not understand it is closed all the same.
            if case .version = error {
                context.write(
                    wrapOutboundOut(WitnessAnswer.failed(.notApplied(error.description)).framed()), promise: nil)
                context.flush()
            }
            return context.close(promise: nil)
        }
        isWorking = true
        timer?.cancel()
        timer = nil
        server.perform(request, on: context.eventLoop) { self.answer($0) }
    }

    private func answer(_ answer: WitnessAnswer) {
        isWorking = false
        guard let context else { return }
        context.writeAndFlush(wrapOutboundOut(answer.framed()), promise: nil)
        limit(
            received.readableBytes > 0 ? server.settings.handshakeMilliseconds : server.settings.idleMilliseconds,
            "it sent no further request")
        takeRequest()
        if readIsWanted, !isWorking {
            readIsWanted = false
            context.read()
        }
    }

    private func limit(_ milliseconds: Int64, _ what: String) {
        timer?.cancel()
        guard let context else { return }
        timer = context.eventLoop.assumeIsolated().scheduleTask(in: .milliseconds(milliseconds)) {
            self.server.silent("\(what) for \(milliseconds) ms", from: self.address)
            self.close()
        }
    }
}
