internal import ByteCoding
package import CallModel
internal import Glibc

/// What a side must remember before it may act.
package struct Superblock: Hashable, Sendable {
    package var identity: LogIdentity
    package var promise: PairRegister?
    package var jointIntent: JointIntent?
    /// What this side holds counts for nothing until it has joined the other anew.
    package var needsResync: Bool
    /// A bad tail was cut (and kept aside) of which only the other side can say whether it was acknowledged.
    package var tailUndecided: Bool
    /// The log's end when the side was last stopped cleanly: durable, so a log that ends before it is damaged.
    package var cleanEnd: Position?

    package init(
        identity: LogIdentity, promise: PairRegister? = nil, jointIntent: JointIntent? = nil,
        needsResync: Bool = false, tailUndecided: Bool = false, cleanEnd: Position? = nil
    ) {
        self.identity = identity
        self.promise = promise
        self.jointIntent = jointIntent
        self.needsResync = needsResync
        self.tailUndecided = tailUndecided
        self.cleanEnd = cleanEnd
    }
}

/// One copy as it stands in a file: a block of 4,096 bytes.
struct SuperblockCopy: Equatable {
    let counter: UInt64
    let value: Superblock

    static let magic: StaticString = "BATONSUP"

    enum Reading: Equatable {
        case copy(SuperblockCopy)
        case bad(String)
        case newerVersion(UInt16)
    }

    private struct Flags: OptionSet {
        let rawValue: UInt8
        static let promise = Flags(rawValue: 1)
        static let undecided = Flags(rawValue: 2)
        static let intent = Flags(rawValue: 8)
        static let resync = Flags(rawValue: 16)
        static let cleanEnd = Flags(rawValue: 32)
    }

    func encoded() -> [UInt8] {
        let count = LogFormat.blockBytes
        return [UInt8](unsafeUninitializedCapacity: count) { buffer, filled in
            let bytes = UnsafeMutableRawBufferPointer(rebasing: UnsafeMutableRawBufferPointer(buffer)[0..<count])
            memset(bytes.baseAddress!, Int32(LogFormat.padding), count)
            memset(bytes.baseAddress! + 16, 0, 240)
            Preamble.put(Self.magic, into: bytes)
            var flags: Flags = value.needsResync ? .resync : []
            bytes.put(value.identity.side.formatByte, at: 6)
            bytes.put(value.identity.pairID, at: 16)
            bytes.put(value.identity.incarnation, at: 32)
            bytes.put(counter, at: 40)
            if value.tailUndecided { flags.insert(.undecided) }
            if let promise = value.promise {
                flags.insert(.promise)
                Self.put(promise, bytes, at: 48)
            }
            if let intent = value.jointIntent {
                flags.insert(.intent)
                bytes.put(intent.epoch, at: 160)
                bytes.put(intent.incarnation, at: 168)
            }
            if let end = value.cleanEnd {
                flags.insert(.cleanEnd)
                bytes.put(end.epoch, at: 176)
                bytes.put(end.sequence.number, at: 184)
                bytes.put(end.chain, at: 192)
            }
            bytes.put(flags.rawValue, at: 7)
            bytes.seal()
            filled = count
        }
    }

    static func read(_ block: [UInt8]) -> Reading {
        guard block.count == LogFormat.blockBytes else { return .bad("it has \(block.count) bytes") }
        return block.withUnsafeBytes { bytes in
            guard Preamble.has(magic, bytes) else { return .bad("it does not begin with BATONSUP") }
            guard bytes.isSealed else { return .bad("its checksum is wrong") }
            let version = Preamble.version(bytes)
            if version > LogFormat.version { return .newerVersion(version) }
            guard version == LogFormat.version, let side = Side(formatByte: bytes.integer(at: 6)) else {
                return .bad("its version or side is out of range")
            }
            let flags = Flags(rawValue: bytes.integer(at: 7))
            var value = Superblock(
                identity: LogIdentity(pairID: bytes.hash(at: 16), side: side, incarnation: bytes.integer(at: 32)),
                needsResync: flags.contains(.resync), tailUndecided: flags.contains(.undecided))
            if flags.contains(.promise) {
                guard let promise = register(bytes, at: 48) else { return .bad("its promise is out of range") }
                value.promise = promise
            }
            if flags.contains(.intent) {
                value.jointIntent = JointIntent(epoch: bytes.integer(at: 160), incarnation: bytes.integer(at: 168))
            }
            if flags.contains(.cleanEnd) {
                value.cleanEnd = Position(
                    epoch: bytes.integer(at: 176), sequence: LogSequence(bytes.integer(at: 184)),
                    chain: bytes.hash(at: 192))
            }
            return .copy(SuperblockCopy(counter: bytes.integer(at: 40), value: value))
        }
    }

    /// 48 bytes. A side that was single when it wrote them left zeros behind the first ten: no incarnation registered.
    private static func put(_ register: PairRegister, _ bytes: UnsafeMutableRawBufferPointer, at offset: Int) {
        bytes.put(register.epoch, at: offset)
        bytes.put(register.mode.rawValue, at: offset + 8)
        bytes.put(register.active.formatByte, at: offset + 9)
        bytes.put(UInt8(register.lossy ? 1 : 0), at: offset + 10)
        bytes.put(register.incarnationA, at: offset + 16)
        bytes.put(register.incarnationB, at: offset + 24)
        bytes.put(register.nonce, at: offset + 32)
    }

    private static func register(_ bytes: UnsafeRawBufferPointer, at offset: Int) -> PairRegister? {
        guard let mode = PairMode(rawValue: bytes.integer(at: offset + 8)),
            let active = Side(formatByte: bytes.integer(at: offset + 9))
        else { return nil }
        return PairRegister(
            epoch: bytes.integer(at: offset), mode: mode, active: active,
            incarnationA: bytes.integer(at: offset + 16), incarnationB: bytes.integer(at: offset + 24),
            lossy: bytes.integer(at: offset + 10, as: UInt8.self) == 1, nonce: bytes.hash(at: offset + 32))
    }
}
