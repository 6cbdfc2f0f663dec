package import ByteCoding
package import CallModel
internal import Glibc

/// Who is in the sync set: both sides, or the active one only (RELIABILITY.md, witness register).
package enum PairMode: UInt8, Hashable, Sendable, CaseIterable {
    case paired = 1
    case alone = 2
}

/// What a side has bound itself to, durably, before acting on it.
package struct Promise: Hashable, Sendable {
    package var epoch: UInt64
    package var mode: PairMode
    package var active: Side

    package init(epoch: UInt64, mode: PairMode, active: Side) {
        self.epoch = epoch
        self.mode = mode
        self.active = active
    }
}

/// A value of the witness register, which belongs to the superblock's pair.
package struct RegisterValue: Hashable, Sendable {
    package var promise: Promise
    package var incarnationA: UInt64
    package var incarnationB: UInt64
    package var lossy: Bool
    package var nonce: Hash128

    package init(promise: Promise, incarnationA: UInt64, incarnationB: UInt64, lossy: Bool, nonce: Hash128) {
        self.promise = promise
        self.incarnationA = incarnationA
        self.incarnationB = incarnationB
        self.lossy = lossy
        self.nonce = nonce
    }
}

/// A swap whose outcome is not known yet. `old` nil: from an absent register.
package struct PendingSwap: Hashable, Sendable {
    package var old: RegisterValue?
    package var new: RegisterValue

    package init(old: RegisterValue?, new: RegisterValue) {
        self.old = old
        self.new = new
    }
}

/// S serves nothing alone until the outcome of pairing with this incarnation is known (R5).
package struct JointIntent: Hashable, Sendable {
    package var epoch: UInt64
    package var incarnation: UInt64

    package init(epoch: UInt64, incarnation: UInt64) {
        self.epoch = epoch
        self.incarnation = incarnation
    }
}

/// What a side must remember before it may act.
package struct Superblock: Hashable, Sendable {
    package var identity: LogIdentity
    package var promise: Promise?
    package var pendingSwap: PendingSwap?
    package var jointIntent: JointIntent?
    package var needsResync: Bool
    /// The log's end when the side was last stopped cleanly: durable, so a log that ends before it is damaged.
    package var cleanEnd: Position?

    package init(
        identity: LogIdentity, promise: Promise? = nil, pendingSwap: PendingSwap? = nil,
        jointIntent: JointIntent? = nil,
        needsResync: Bool = false, cleanEnd: Position? = nil
    ) {
        self.identity = identity
        self.promise = promise
        self.pendingSwap = pendingSwap
        self.jointIntent = jointIntent
        self.needsResync = needsResync
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
        static let swap = Flags(rawValue: 2)
        static let swapFromAbsent = Flags(rawValue: 4)
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
            if let promise = value.promise {
                flags.insert(.promise)
                Self.put(promise, bytes, at: 48)
            }
            if let swap = value.pendingSwap {
                flags.insert(.swap)
                if let old = swap.old { Self.put(old, bytes, at: 64) } else { flags.insert(.swapFromAbsent) }
                Self.put(swap.new, bytes, at: 112)
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
                needsResync: flags.contains(.resync))
            if flags.contains(.promise) {
                guard let promise = promise(bytes, at: 48) else { return .bad("its promise is out of range") }
                value.promise = promise
            }
            if flags.contains(.swap) {
                let old = flags.contains(.swapFromAbsent) ? nil : register(bytes, at: 64)
                guard let new = register(bytes, at: 112), flags.contains(.swapFromAbsent) || old != nil else {
                    return .bad("its pending swap is out of range")
                }
                value.pendingSwap = PendingSwap(old: old, new: new)
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

    private static func put(_ promise: Promise, _ bytes: UnsafeMutableRawBufferPointer, at offset: Int) {
        bytes.put(promise.epoch, at: offset)
        bytes.put(promise.mode.rawValue, at: offset + 8)
        bytes.put(promise.active.formatByte, at: offset + 9)
    }

    private static func promise(_ bytes: UnsafeRawBufferPointer, at offset: Int) -> Promise? {
        guard let mode = PairMode(rawValue: bytes.integer(at: offset + 8)),
            let active = Side(formatByte: bytes.integer(at: offset + 9))
        else { return nil }
        return Promise(epoch: bytes.integer(at: offset), mode: mode, active: active)
    }

    private static func put(_ register: RegisterValue, _ bytes: UnsafeMutableRawBufferPointer, at offset: Int) {
        put(register.promise, bytes, at: offset)
        bytes.put(UInt8(register.lossy ? 1 : 0), at: offset + 10)
        bytes.put(register.incarnationA, at: offset + 16)
        bytes.put(register.incarnationB, at: offset + 24)
        bytes.put(register.nonce, at: offset + 32)
    }

    private static func register(_ bytes: UnsafeRawBufferPointer, at offset: Int) -> RegisterValue? {
        guard let promise = promise(bytes, at: offset) else { return nil }
        return RegisterValue(
            promise: promise, incarnationA: bytes.integer(at: offset + 16),
            incarnationB: bytes.integer(at: offset + 24),
            lossy: bytes.integer(at: offset + 10, as: UInt8.self) == 1, nonce: bytes.hash(at: offset + 32))
    }
}
