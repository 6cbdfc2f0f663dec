internal import ByteCoding
internal import NIOCore

/// What goes over the wire to a witness process and back (`Schemas/witness.md`). Each message is a frame: its length in four
/// bytes, big-endian, then magic, version and body. A connection carries any number of requests, one at a time.
enum WitnessWire {
    static let magic = Array("BTNW".utf8)
    static let version: UInt8 = 1
    /// Above what any message needs; checked before anything is kept for a frame.
    static let frameBytes = 64 * 1024

    enum Fault: Error, Equatable, CustomStringConvertible {
        case oversized(UInt32)
        case noWitnessMessage
        case version(UInt8)
        case malformed(String)

        var description: String {
            switch self {
            case .oversized(let bytes): "a frame of \(bytes) bytes; the limit is \(WitnessWire.frameBytes)"
            case .noWitnessMessage: "a frame that is no witness message"
            case .version(let version): "witness protocol version \(version); this one speaks \(WitnessWire.version)"
            case .malformed(let what): "a malformed witness message: \(what)"
            }
        }
    }

    /// The next whole frame's bytes, or nil when more must come.
    static func nextFrame(_ received: inout ByteBuffer) throws(Fault) -> [UInt8]? {
        guard let length = received.getInteger(at: received.readerIndex, as: UInt32.self) else { return nil }
        guard length <= UInt32(frameBytes) else { throw .oversized(length) }
        guard received.readableBytes >= 4 + Int(length) else { return nil }
        received.moveReaderIndex(forwardBy: 4)
        return received.readBytes(length: Int(length))
    }

    fileprivate static func framed(_ write: (inout ByteWriter) -> Void) -> ByteBuffer {
        var writer = ByteWriter(capacity: 256)
        writer.raw(magic)
        writer.u8(version)
        write(&writer)
        var buffer = ByteBuffer()
        buffer.reserveCapacity(4 + writer.count)
        buffer.writeInteger(UInt32(writer.count))
        buffer.writeBytes(writer.bytes)
        return buffer
    }

    fileprivate static func unframed<Message>(
        _ bytes: [UInt8], _ read: (inout ByteReader) throws -> Message
    ) throws(Fault) -> Message {
        do {
            var reader = ByteReader(bytes)
            guard bytes.count > magic.count, try reader.raw(magic.count) == magic else { throw Fault.noWitnessMessage }
            let version = try reader.u8()
            guard version == Self.version else { throw Fault.version(version) }
            let message = try read(&reader)
            try reader.finish()
            return message
        } catch let fault as Fault {
            throw fault
        } catch {
            throw .malformed("\(error)")
        }
    }

    fileprivate static func value(_ reader: inout ByteReader) throws -> [UInt8] {
        let value = try reader.short()
        guard (1...WitnessLimits.valueBytes).contains(value.count) else {
            throw Fault.malformed("a value of \(value.count) bytes; it may have 1 to \(WitnessLimits.valueBytes)")
        }
        return value
    }
}

enum WitnessRequest: Equatable, Sendable {
    case swap(pair: Hash128, expected: [UInt8]?, value: [UInt8])
    case read(pair: Hash128)
    case seed(pair: Hash128, value: [UInt8])

    func framed() -> ByteBuffer {
        WitnessWire.framed { writer in
            switch self {
            case .swap(let pair, let expected, let value):
                writer.u8(1)
                writer.hash(pair)
                writer.optional(expected) { $0.short($1) }
                writer.short(value)
            case .read(let pair):
                writer.u8(2)
                writer.hash(pair)
            case .seed(let pair, let value):
                writer.u8(3)
                writer.hash(pair)
                writer.short(value)
            }
        }
    }

    static func decode(_ bytes: [UInt8]) throws(WitnessWire.Fault) -> WitnessRequest {
        try WitnessWire.unframed(bytes) { reader in
            let kind = try reader.u8()
            let pair = try reader.hash()
            switch kind {
            case 1:
                let expected = try reader.flag() ? try WitnessWire.value(&reader) : nil
                return .swap(pair: pair, expected: expected, value: try WitnessWire.value(&reader))
            case 2: return .read(pair: pair)
            case 3: return .seed(pair: pair, value: try WitnessWire.value(&reader))
            default: throw WitnessWire.Fault.malformed("request \(kind)")
            }
        }
    }
}

enum WitnessAnswer: Equatable, Sendable {
    case swapped
    /// To a swap: it differs; to a read: this is it.
    case current([UInt8]?)
    case failed(WitnessFault)

    private static let mostReasonBytes = 1_000

    func framed() -> ByteBuffer {
        WitnessWire.framed { writer in
            switch self {
            case .swapped: writer.u8(1)
            case .current(let value):
                writer.u8(2)
                writer.optional(value) { $0.short($1) }
            case .failed(let fault):
                writer.u8(fault == .notApplied(fault.reason) ? 3 : 4)
                writer.string(String(decoding: fault.reason.utf8.prefix(Self.mostReasonBytes), as: UTF8.self))
            }
        }
    }

    static func decode(_ bytes: [UInt8]) throws(WitnessWire.Fault) -> WitnessAnswer {
        try WitnessWire.unframed(bytes) { reader in
            switch try reader.u8() {
            case 1: return .swapped
            case 2: return .current(try reader.flag() ? try WitnessWire.value(&reader) : nil)
            case 3: return .failed(.notApplied(try reader.string()))
            case 4: return .failed(.unknown(try reader.string()))
            case let kind: throw WitnessWire.Fault.malformed("answer \(kind)")
            }
        }
    }
}
