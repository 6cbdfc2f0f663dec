internal import NIOCore

/// One connection of the private link: frames in and out. Each is its length in four bytes, big-endian, and its bytes. The
/// length is checked before anything is kept for it. The first frame of each end begins with a byte that says
/// whether it is a greeting or a refusal.
final class LinkConnection: ChannelInboundHandler {
    typealias InboundIn = ByteBuffer
    typealias OutboundOut = ByteBuffer

    enum End: Sendable {
        case dialling, accepting
    }

    private enum Stage {
        /// Nothing came yet.
        case waiting
        case session
        case ended
    }

    enum FirstFrame {
        static let greeting: UInt8 = 1
        static let refusal: UInt8 = 2
        static let mostRefusalBytes = 1_000
    }

    let end: End
    private let core: PrivateLinkCore
    private(set) var mine: [UInt8] = []
    private var stage = Stage.waiting
    private var context: ChannelHandlerContext?
    private var received = ByteBuffer()
    private var timer: Scheduled<Void>?
    private var error: (any Error)?

    private var pending = ByteBuffer()
    private var isFlushDue = false
    private(set) var unsentBytes = 0

    init(end: End, core: PrivateLinkCore) {
        self.end = end
        self.core = core
    }

    private(set) var address = "unknown"

    // MARK: Outbound

    func send(_ frame: [UInt8]) {
        pending.reserveCapacity(minimumWritableBytes: 4 + frame.count)
        pending.writeInteger(UInt32(frame.count))
        pending.writeBytes(frame)
        unsentBytes += 4 + frame.count
        guard !isFlushDue, let context else { return }
        isFlushDue = true
        // After what runs now: all frames of a turn leave in one write, without a wake-up.
        context.eventLoop.assumeIsolated().execute { self.flush() }
    }

    func flush() {
        isFlushDue = false
        let count = pending.readableBytes
        guard count > 0, let context else { return }
        let buffer = pending
        pending = context.channel.allocator.buffer(capacity: min(max(count, 512), 64 * 1024))
        let written = context.eventLoop.makePromise(of: Void.self)
        written.futureResult.assumeIsolated().whenComplete { _ in
            self.unsentBytes -= count
            self.core.written(self)
        }
        core.counts.flushes += 1
        context.writeAndFlush(wrapOutboundOut(buffer), promise: written)
    }

    /// Ends the connection. The core hears no more of it.
    func close() {
        guard stage != .ended else { return }
        flush()
        stage = .ended
        timer?.cancel()
        timer = nil
        context?.close(promise: nil)
    }

    // MARK: Inbound

    func handlerAdded(context: ChannelHandlerContext) {
        self.context = context
        if context.channel.isActive { begin(context) }
    }

    func handlerRemoved(context: ChannelHandlerContext) { self.context = nil }

    func channelActive(context: ChannelHandlerContext) {
        begin(context)
        context.fireChannelActive()
    }

    private func begin(_ context: ChannelHandlerContext) {
        guard timer == nil, stage == .waiting else { return }
        address = context.channel.remoteAddress?.description ?? address
        guard core.began(self) else { return close() }
        let limit = core.settings.handshakeMilliseconds
        timer = context.eventLoop.assumeIsolated().scheduleTask(in: .milliseconds(limit)) {
            self.core.counts.silent += 1
            self.fail("no first frame came within \(limit) ms")
        }
        if end == .dialling { greet() }
    }

    private func greet() {
        mine = core.greeting()
        send([FirstFrame.greeting] + mine)
        flush()
    }

    func channelInactive(context: ChannelHandlerContext) {
        fail(error.map { "the connection broke: \(faultText($0))" } ?? "the other side closed the connection")
        context.fireChannelInactive()
    }

    func errorCaught(context: ChannelHandlerContext, error: any Error) {
        self.error = error
        fail("the connection broke: \(faultText(error))")
    }

    func channelRead(context: ChannelHandlerContext, data: NIOAny) {
        guard stage != .ended else { return }
        var buffer = unwrapInboundIn(data)
        core.counts.bytesReceived += UInt64(buffer.readableBytes)
        if received.readableBytes == 0 { received = buffer } else { received.writeBuffer(&buffer) }
        while stage != .ended, let length = received.getInteger(at: received.readerIndex, as: UInt32.self) {
            let limit = stage == .session ? core.settings.frameBytes : core.settings.greetingBytes
            guard length > 0, length <= limit else {
                core.counts.badFrames += 1
                fail("a frame of \(length) bytes came; it may have 1 to \(limit)")
                break
            }
            let missing = 4 + Int(length) - received.readableBytes
            guard missing <= 0 else {
                // Room at once for the rest of a long frame, whose length was checked.
                if stage == .session { received.reserveCapacity(minimumWritableBytes: missing) }
                break
            }
            received.moveReaderIndex(forwardBy: 4)
            guard let frame = received.readBytes(length: Int(length)) else { break }
            take(frame)
        }
        if stage == .ended { received = ByteBuffer() } else { received.discardReadBytes() }
    }

    func channelReadComplete(context: ChannelHandlerContext) {
        if stage == .session { core.readsEnded(self) }
        context.fireChannelReadComplete()
    }

    private func take(_ frame: [UInt8]) {
        if stage == .session {
            core.counts.framesReceived += 1
            return core.received(self, frame)
        }
        let theirs = Array(frame.dropFirst())
        switch frame.first {
        case FirstFrame.greeting?: greeted(theirs)
        case FirstFrame.refusal? where end == .dialling:
            let reason = String(decoding: theirs.prefix(FirstFrame.mostRefusalBytes), as: UTF8.self)
            fail("the other side refused: \(PrivateLinkCore.printable(reason))", refused: true)
        default:
            core.counts.badFrames += 1
            fail("the first frame is no greeting")
        }
    }

    private func greeted(_ theirs: [UInt8]) {
        switch core.judge(theirs) {
        case .refused(let reason):
            core.counts.refused += 1
            if end == .accepting {
                send([FirstFrame.refusal] + reason.utf8.prefix(FirstFrame.mostRefusalBytes))
                flush()
            }
            fail("its greeting was refused: \(reason)", refused: true)
        case .accepted:
            timer?.cancel()
            timer = nil
            stage = .session
            if end == .accepting { greet() }
            core.opened(self, theirs: theirs)
        }
    }

    private func fail(_ reason: String, refused: Bool = false) {
        guard stage != .ended else { return }
        let hadSession = stage == .session
        stage = .ended
        timer?.cancel()
        timer = nil
        context?.close(promise: nil)
        core.ended(self, hadSession: hadSession, reason: reason, refused: refused)
    }
}
