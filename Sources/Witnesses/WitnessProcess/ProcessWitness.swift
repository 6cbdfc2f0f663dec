package import ByteCoding
package import NIOCore
internal import NIOPosix

/// A register at a witness process (`baton witness`).
package struct ProcessWitness: SeedableWitness {
    private let member: WitnessMember
    private let pair: Hash128
    private let group: any EventLoopGroup
    private let timeout: TimeAmount

    package init(
        member: WitnessMember, pair: Hash128, group: any EventLoopGroup,
        timeoutMilliseconds: Int64 = WitnessLimits.timeoutMilliseconds
    ) {
        self.member = member
        self.pair = pair
        self.group = group
        timeout = .milliseconds(timeoutMilliseconds)
    }

    package func swap(expected: [UInt8]?, value: [UInt8]) async throws(WitnessFault) -> SwapOutcome {
        WitnessLimits.check(value)
        switch try await ask(.swap(pair: pair, expected: expected, value: value)) {
        case .swapped: return .swapped
        case .current(let current): return .differs(current: current)
        case .failed(let fault): throw fault.naming(member)
        }
    }

    package func read() async throws(WitnessFault) -> [UInt8]? {
        switch try await ask(.read(pair: pair)) {
        case .current(let current): return current
        case .failed(let fault): throw fault.naming(member)
        case .swapped: throw .unknown("\(member) answered a read as if it were a swap")
        }
    }

    package func seed(_ value: [UInt8]) async throws(WitnessFault) {
        WitnessLimits.check(value)
        switch try await ask(.seed(pair: pair, value: value)) {
        case .swapped: return
        case .failed(let fault): throw fault.naming(member)
        case .current: throw .unknown("\(member) answered a seed as if it were a read")
        }
    }

    private func ask(_ request: WitnessRequest) async throws(WitnessFault) -> WitnessAnswer {
        try await Exchange(
            form: WitnessForm(request: request), member: member, connectTimeout: timeout, deadline: .now() + timeout
        ).run(on: group.next())
    }
}

private struct WitnessForm: ExchangeForm {
    typealias Answer = WitnessAnswer

    let request: WitnessRequest

    var waitsForTLS: Bool { false }

    func addHandlers(to pipeline: ChannelPipeline.SynchronousOperations) throws {
        try pipeline.addHandler(WitnessAnswerDecoder())
    }

    func ask(_ context: ChannelHandlerContext) {
        context.writeAndFlush(NIOAny(request.framed()), promise: nil)
    }
}

private final class WitnessAnswerDecoder: ChannelInboundHandler {
    typealias InboundIn = ByteBuffer
    typealias InboundOut = WitnessAnswer

    private var received = ByteBuffer()

    func channelRead(context: ChannelHandlerContext, data: NIOAny) {
        var buffer = unwrapInboundIn(data)
        received.writeBuffer(&buffer)
        do throws(WitnessWire.Fault) {
            guard let frame = try WitnessWire.nextFrame(&received) else { return }
            context.fireChannelRead(wrapInboundOut(try WitnessAnswer.decode(frame)))
        } catch {
            context.fireErrorCaught(WitnessFault.unknown("it is no witness process: \(error)"))
        }
    }
}
