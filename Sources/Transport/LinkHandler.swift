internal import INCRP
internal import NIOCore

/// What a link's owner hears of its connection, on the connection's event loop.
protocol LinkReceiver: AnyObject {
    func linkActive(_ link: LinkHandler)
    func link(_ link: LinkHandler, received: Result<INCRPFrame, WireFault>)
    func linkTimer(_ link: LinkHandler)
    /// The connection is gone. Not called after ``LinkHandler/close()``.
    func linkEnded(_ link: LinkHandler, reason: String)
}

/// One connection: frames in and out, one timer, and an end that lets written bytes leave first. Each frame is its
/// length in four bytes, big-endian, and the envelope. The length is checked before anything is kept for it, so a
/// connection holds at most one frame and one read. While the peer does not take what is written to it, nothing is
/// read from it.
final class LinkHandler: ChannelDuplexHandler {
    typealias InboundIn = ByteBuffer
    typealias OutboundIn = ByteBuffer
    typealias OutboundOut = ByteBuffer

    /// Bytes waiting to be sent above which the link counts as congested.
    static let mostUnsentBytes = 1024 * 1024
    private static let closeSeconds: Int64 = 1

    private var receiver: (any LinkReceiver)?
    private var context: ChannelHandlerContext?
    private var received = ByteBuffer()
    private var timer: (deadline: LinkTime, task: Scheduled<Void>)?
    private var readIsWanted = false
    private var error: (any Error)?

    init(receiver: any LinkReceiver) { self.receiver = receiver }

    static func now() -> LinkTime { LinkTime(microseconds: NIODeadline.now().uptimeNanoseconds / 1000) }

    var isCongested: Bool { !(context?.channel.isWritable ?? false) }

    /// `address:port`.
    var remoteAddress: String {
        guard let address = context?.channel.remoteAddress else { return "unknown" }
        guard let ip = address.ipAddress, let port = address.port else { return address.description }
        return ip.contains(":") ? "[\(ip)]:\(port)" : "\(ip):\(port)"
    }

    // MARK: Outbound

    /// A frame that the session made keeps every limit, so it can be encoded; ``flush()`` sends it.
    func send(_ frame: INCRPFrame) {
        guard let context else { return }
        do {
            let bytes = try INCRPWire.encode(frame)
            var buffer = context.channel.allocator.buffer(capacity: bytes.count + 4)
            buffer.writeInteger(UInt32(bytes.count))
            buffer.writeBytes(bytes)
            context.write(wrapOutboundOut(buffer), promise: nil)
        } catch {
            preconditionFailure("a checked \(frame.body.name) does not fit a frame: \(error)")
        }
    }

    func flush() { context?.flush() }

    /// Ends the connection after what was sent has left, or in one second. The receiver hears no more of it.
    func close() {
        receiver = nil
        timer?.task.cancel()
        timer = nil
        guard let channel = context?.channel else { return }
        context?.writeAndFlush(wrapOutboundOut(ByteBuffer())).whenComplete { _ in channel.close(promise: nil) }
        channel.eventLoop.scheduleTask(in: .seconds(Self.closeSeconds)) { channel.close(promise: nil) }
    }

    /// Wants ``LinkReceiver/linkTimer(_:)`` at the deadline; it may come earlier, for a deadline wanted before.
    func wake(at deadline: LinkTime?) {
        guard let deadline, let context else { return }
        if let timer, timer.deadline <= deadline { return }
        timer?.task.cancel()
        let at = NIODeadline.uptimeNanoseconds(deadline.microseconds.addingReportingOverflow(1).partialValue * 1000)
        let task = context.eventLoop.assumeIsolated().scheduleTask(deadline: at) {
            self.timer = nil
            self.receiver?.linkTimer(self)
        }
        timer = (deadline, task)
    }

    func read(context: ChannelHandlerContext) {
        if context.channel.isWritable { context.read() } else { readIsWanted = true }
    }

    func channelWritabilityChanged(context: ChannelHandlerContext) {
        if context.channel.isWritable, readIsWanted {
            readIsWanted = false
            context.read()
        }
        context.fireChannelWritabilityChanged()
    }

    // MARK: Inbound

    func handlerAdded(context: ChannelHandlerContext) {
        self.context = context
        if context.channel.isActive { receiver?.linkActive(self) }
    }

    func handlerRemoved(context: ChannelHandlerContext) { self.context = nil }

    func channelActive(context: ChannelHandlerContext) { receiver?.linkActive(self) }

    func channelInactive(context: ChannelHandlerContext) {
        timer?.task.cancel()
        timer = nil
        let ended = receiver
        receiver = nil
        let reason = error.map { "the connection broke: \($0)" } ?? "the other side closed the connection"
        ended?.linkEnded(self, reason: received.readableBytes > 0 ? reason + " within a frame" : reason)
    }

    func errorCaught(context: ChannelHandlerContext, error: any Error) {
        self.error = error
        context.close(promise: nil)
    }

    func channelRead(context: ChannelHandlerContext, data: NIOAny) {
        guard receiver != nil else { return }
        var buffer = unwrapInboundIn(data)
        if received.readableBytes == 0 { received = buffer } else { received.writeBuffer(&buffer) }
        while receiver != nil, let length = received.getInteger(at: received.readerIndex, as: UInt32.self) {
            guard length <= UInt32(INCRPLimits.frameBytes) else {
                received.clear()
                let fault = WireFault.oversized(bytes: Int(length), limit: INCRPLimits.frameBytes)
                receiver?.link(self, received: .failure(fault))
                return
            }
            guard received.readableBytes >= 4 + Int(length) else { break }
            received.moveReaderIndex(forwardBy: 4)
            guard let bytes = received.readBytes(length: Int(length)) else { break }
            receiver?.link(self, received: Result { () throws(WireFault) in try INCRPWire.decode(bytes) })
        }
        received.discardReadBytes()
    }

    func channelReadComplete(context: ChannelHandlerContext) {
        context.flush()
        context.fireChannelReadComplete()
    }
}
