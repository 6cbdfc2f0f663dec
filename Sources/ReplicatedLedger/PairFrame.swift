package import ByteCoding
package import CallModel
package import Duplex
package import Ledger

/// How far a side has applied its log, and what came of it.
package struct Checkpoint: Hashable, Sendable {
    package var position: Position
    package var digest: Digest

    package init(position: Position, digest: Digest) {
        self.position = position
        self.digest = digest
    }
}

/// Where a forwarded record stands in a batch.
package struct ForwardedPlace: Hashable, Sendable {
    package var id: UInt64
    package var sequence: LogSequence

    package init(id: UInt64, sequence: LogSequence) {
        self.id = id
        self.sequence = sequence
    }
}

/// A frame of the private link behind the greeting (`Schemas/private-link.md`).
package enum PairFrame: Sendable {
    case pair(PairMessage)
    /// Each 100 ms: where the sender stands, what it knows to be committed, and its newest checkpoint.
    case heartbeat(PairStanding, committed: LogSequence, Checkpoint?)
    /// One batch as the ordering side encoded it, what is committed by now, and which of its records were forwarded.
    case append(batch: [UInt8], committed: LogSequence, forwarded: [ForwardedPlace])
    /// A record for the side that orders. The outcome comes with the log.
    case forward(id: UInt64, deadlineMilliseconds: UInt32, record: [UInt8])
    /// A forwarded record that certainly has no effect.
    case forwardRefused(id: UInt64, LedgerRefusal)

    private enum Kind: UInt8 {
        case register = 1
        case seen, compared, resume, join, alignTo, snapshotNeeded, aligned, durable, committed, confirm, confirmed
        case heartbeat, append, forward, forwardRefused
    }

    /// Batch ends that a side asking to join may name: more never fit a frame.
    package static let mostEnds = 4096

    // MARK: Encoding

    package func encoded(_ header: PairFrameHeader) -> [UInt8] {
        var writer = ByteWriter(capacity: capacity)
        writer.u8(kind.rawValue)
        writer.u64(header.session)
        writer.u64(header.epoch)
        writer.u64(header.incarnation)
        switch self {
        case .pair(let message): Self.encode(message, &writer)
        case .heartbeat(let standing, let committed, let checkpoint):
            Self.encode(standing, &writer)
            writer.u64(committed.number)
            writer.optional(checkpoint) { writer, checkpoint in
                checkpoint.position.encode(into: &writer)
                writer.list(checkpoint.digest.sums) { $0.hash($1) }
            }
        case .append(let batch, let committed, let forwarded):
            writer.u64(committed.number)
            writer.list(forwarded) { writer, place in
                writer.u64(place.id)
                writer.u64(place.sequence.number)
            }
            writer.raw(batch)
        case .forward(let id, let deadline, let record):
            writer.u64(id)
            writer.u32(deadline)
            writer.raw(record)
        case .forwardRefused(let id, let refusal):
            writer.u64(id)
            Self.encode(refusal, &writer)
        }
        return writer.bytes
    }

    private var capacity: Int {
        switch self {
        case .append(let batch, _, let forwarded): batch.count + 48 + 16 * forwarded.count
        case .forward(_, _, let record): record.count + 48
        default: 192
        }
    }

    private var kind: Kind {
        switch self {
        case .pair(let message):
            switch message {
            case .register: .register
            case .seen: .seen
            case .compared: .compared
            case .resume: .resume
            case .join: .join
            case .alignTo: .alignTo
            case .snapshotNeeded: .snapshotNeeded
            case .aligned: .aligned
            case .durable: .durable
            case .committed: .committed
            case .confirm: .confirm
            case .confirmed: .confirmed
            }
        case .heartbeat: .heartbeat
        case .append: .append
        case .forward: .forward
        case .forwardRefused: .forwardRefused
        }
    }

    private static func encode(_ standing: PairStanding, _ writer: inout ByteWriter) {
        writer.optional(standing.promise) { writer, register in register.encode(into: &writer) }
        standing.end.encode(into: &writer)
        writer.flag(standing.tailUndecided)
    }

    private static func encode(_ message: PairMessage, _ writer: inout ByteWriter) {
        switch message {
        case .register(let standing): encode(standing, &writer)
        case .seen(let register): register.encode(into: &writer)
        case .compared(let agrees): writer.flag(agrees)
        case .resume, .snapshotNeeded: break
        case .join(let ends): writer.list(ends) { $1.encode(into: &$0) }
        case .alignTo(let position), .aligned(let position), .durable(let position): position.encode(into: &writer)
        case .committed(let sequence): writer.u64(sequence.number)
        case .confirm(let token): writer.u64(token)
        case .confirmed(let token, let committed):
            writer.u64(token)
            writer.u64(committed.number)
        }
    }

    private static func encode(_ refusal: LedgerRefusal, _ writer: inout ByteWriter) {
        switch refusal {
        case .unavailable(let reason):
            writer.u8(1)
            writer.string(String(reason.prefix(1000)))
        case .busy(let reason):
            writer.u8(2)
            writer.string(String(reason.prefix(1000)))
        case .tooLarge(let bytes, let limit):
            writer.u8(3)
            writer.u64(UInt64(bytes))
            writer.u64(UInt64(limit))
        }
    }

    // MARK: Decoding

    package static func decode(_ frame: [UInt8]) throws(ByteFault) -> (PairFrameHeader, PairFrame) {
        var reader = ByteReader(frame)
        guard let kind = Kind(rawValue: try reader.u8()) else { throw .value("an unknown kind of frame", at: 0) }
        let header = PairFrameHeader(
            session: try reader.u64(), epoch: try reader.u64(), incarnation: try reader.u64())
        let body = try body(kind, &reader)
        try reader.finish()
        return (header, body)
    }

    private static func body(_ kind: Kind, _ reader: inout ByteReader) throws(ByteFault) -> PairFrame {
        switch kind {
        case .register: return .pair(.register(try standing(&reader)))
        case .seen: return .pair(.seen(try PairRegister(from: &reader)))
        case .compared: return .pair(.compared(agrees: try reader.flag()))
        case .resume: return .pair(.resume)
        case .join:
            return .pair(
                .join(
                    ends: try reader.list { (reader: inout ByteReader) throws(ByteFault) in try Position(from: &reader)
                    }))
        case .alignTo: return .pair(.alignTo(try Position(from: &reader)))
        case .snapshotNeeded: return .pair(.snapshotNeeded)
        case .aligned: return .pair(.aligned(end: try Position(from: &reader)))
        case .durable: return .pair(.durable(try Position(from: &reader)))
        case .committed: return .pair(.committed(LogSequence(try reader.u64())))
        case .confirm: return .pair(.confirm(token: try reader.u64()))
        case .confirmed:
            return .pair(.confirmed(token: try reader.u64(), committed: LogSequence(try reader.u64())))
        case .heartbeat:
            return .heartbeat(
                try standing(&reader), committed: LogSequence(try reader.u64()), try reader.optional(checkpoint))
        case .append:
            let committed = LogSequence(try reader.u64())
            let forwarded = try reader.list { (reader: inout ByteReader) throws(ByteFault) in
                ForwardedPlace(id: try reader.u64(), sequence: LogSequence(try reader.u64()))
            }
            return .append(batch: reader.rest(), committed: committed, forwarded: forwarded)
        case .forward:
            return .forward(
                id: try reader.u64(), deadlineMilliseconds: try reader.u32(), record: reader.rest())
        case .forwardRefused: return .forwardRefused(id: try reader.u64(), try refusal(&reader))
        }
    }

    private static func standing(_ reader: inout ByteReader) throws(ByteFault) -> PairStanding {
        let promise = try reader.optional { (reader: inout ByteReader) throws(ByteFault) in
            try PairRegister(from: &reader)
        }
        return PairStanding(promise: promise, end: try Position(from: &reader), tailUndecided: try reader.flag())
    }

    private static func checkpoint(_ reader: inout ByteReader) throws(ByteFault) -> Checkpoint {
        let position = try Position(from: &reader)
        let at = reader.position
        let sums = try reader.list { (reader: inout ByteReader) throws(ByteFault) in try reader.hash() }
        guard sums.count == Table.digested.count else { throw .value("a digest of \(sums.count) tables", at: at) }
        return Checkpoint(position: position, digest: Digest(sums: sums))
    }

    private static func refusal(_ reader: inout ByteReader) throws(ByteFault) -> LedgerRefusal {
        let at = reader.position
        switch try reader.u8() {
        case 1: return .unavailable(reason: try reader.string())
        case 2: return .busy(reason: try reader.string())
        case 3: return .tooLarge(bytes: Int(clamping: try reader.u64()), limit: Int(clamping: try reader.u64()))
        case let other: throw .value("refusal \(other)", at: at)
        }
    }
}

extension Position {
    func encode(into writer: inout ByteWriter) {
        writer.u64(epoch)
        writer.u64(sequence.number)
        writer.hash(chain)
    }

    init(from reader: inout ByteReader) throws(ByteFault) {
        self.init(
            epoch: try reader.u64(), sequence: LogSequence(try reader.u64()), chain: try reader.hash())
    }
}
