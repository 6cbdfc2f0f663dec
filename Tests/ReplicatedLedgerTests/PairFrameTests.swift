import ByteCoding
import CallModel
import Duplex
import Ledger
import ReplicatedLedger
import Testing

@Suite("Frames of the private link, and the witness register's value")
struct PairFrameTests {
    private let register = PairRegister(
        epoch: 7, mode: .paired, active: .b, incarnationA: 11, incarnationB: 12, lossy: true,
        nonce: Hash128(high: 1, low: 2))
    private let position = Position(epoch: 7, sequence: LogSequence(42), chain: Hash128(high: 3, low: 4))
    private let header = PairFrameHeader(session: 5, epoch: 7, incarnation: 11)

    private var frames: [PairFrame] {
        let messages: [PairMessage] = [
            .register(PairStanding(promise: nil, end: .zero)),
            .register(PairStanding(promise: register, end: position, tailUndecided: true)), .seen(register),
            .compared(agrees: true), .resume, .join(ends: [.zero, position]), .alignTo(position), .snapshotNeeded,
            .aligned(end: position), .durable(position), .committed(LogSequence(9)), .confirm(token: 1),
            .confirmed(token: 1, committed: LogSequence(8)),
        ]
        return messages.map { .pair($0) } + [
            .heartbeat(PairStanding(promise: nil, end: .zero), committed: .zero, nil),
            .heartbeat(
                PairStanding(promise: register, end: position), committed: LogSequence(40),
                Checkpoint(position: position, digest: .empty)),
            .append(
                batch: [1, 2, 3], committed: LogSequence(4),
                forwarded: [ForwardedPlace(id: 1, sequence: LogSequence(5))]),
            .forward(id: 9, deadlineMilliseconds: 1000, record: [4, 5]),
            .forwardRefused(id: 9, .busy(reason: "full")), .forwardRefused(id: 9, .unavailable(reason: "gone")),
            .forwardRefused(id: 9, .tooLarge(bytes: 10, limit: 5)),
        ]
    }

    @Test("every frame comes back as it was sent, with its header")
    func roundTrip() throws {
        for frame in frames {
            let bytes = frame.encoded(header)
            let (readHeader, read) = try PairFrame.decode(bytes)
            #expect(readHeader == header)
            #expect(read.encoded(header) == bytes, "\(frame)")
            #expect("\(read)" == "\(frame)")
        }
    }

    @Test("a frame cut anywhere is a fault, or a shorter batch or record that its own checksums refuse")
    func cut() {
        for frame in frames {
            let bytes = frame.encoded(header)
            let carries = if case .append = frame { true } else if case .forward = frame { true } else { false }
            for count in 0..<bytes.count where !carries {
                #expect(throws: ByteFault.self) { try PairFrame.decode(Array(bytes.prefix(count))) }
            }
        }
    }

    @Test("a greeting of another pair, the same side or two major versions apart is refused by name")
    func greetings() throws {
        let pair = Hash128(high: 1, low: 1)
        let a = PairGreeting(pairID: pair, side: .a, incarnation: 1, nonce: 2)
        var b = PairGreeting(pairID: pair, side: .b, incarnation: 3, nonce: 4)
        #expect(try a.judge(b.encoded()) == b)
        #expect(a.session(with: b) == b.session(with: a))
        #expect(throws: PairLinkFault.sameSide(.a)) { try a.judge(a.encoded()) }
        b.major = 2
        #expect(try a.judge(b.encoded()).major == 2)
        b.major = 3
        #expect(throws: PairLinkFault.version(theirs: "3.0", ours: "1.0")) { try a.judge(b.encoded()) }
        b.major = 1
        b.pairID = .zero
        #expect(throws: PairLinkFault.otherPair(theirs: .zero, ours: pair)) { try a.judge(b.encoded()) }
        for garbage in [[], [1, 2, 3], Array("GET / HTTP/1.1\r\n".utf8)] as [[UInt8]] {
            #expect(throws: PairLinkFault.self) { try a.judge(garbage) }
        }
    }

    @Test("a register value of another pair, of a newer format or with a flipped bit is refused by name")
    func registerValues() throws {
        let pair = Hash128(high: 1, low: 1)
        let bytes = RegisterCoding.encode(register, pairID: pair)
        #expect(try RegisterCoding.decode(bytes, pairID: pair) == register)
        #expect(throws: RegisterFault.otherPair(pair)) { try RegisterCoding.decode(bytes, pairID: .zero) }
        for index in bytes.indices {
            var bad = bytes
            bad[index] ^= 0x10
            #expect(throws: RegisterFault.self) { try RegisterCoding.decode(bad, pairID: pair) }
        }
    }
}
