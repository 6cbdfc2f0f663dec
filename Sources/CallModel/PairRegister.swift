package import ByteCoding

/// Who is in the sync set of a pair: both sides, or the active one only.
package enum PairMode: UInt8, Hashable, Sendable, CaseIterable {
    case paired = 1
    case alone = 2
}

/// What the witness register holds, and what a side binds itself to before it acts on it (RELIABILITY.md, "The pair").
/// A promise is the register's exact value, so the next compare-and-swap has something exact to compare with.
package struct PairRegister: Hashable, Sendable, CustomStringConvertible {
    /// Grows with every change but one: an ALONE side that settles an unknown swap keeps its epoch.
    package var epoch: UInt64
    package var mode: PairMode
    /// Orders all input; with ``PairMode/alone`` it is the whole sync set.
    package var active: Side
    /// The incarnations whose word counts; zero where a side never took part.
    package var incarnationA: UInt64
    package var incarnationB: UInt64
    /// An operator gave up what only the lost side knew (R13).
    package var lossy: Bool
    /// Tells two swaps to otherwise equal values apart.
    package var nonce: Hash128

    package init(
        epoch: UInt64, mode: PairMode, active: Side, incarnationA: UInt64 = 0, incarnationB: UInt64 = 0,
        lossy: Bool = false, nonce: Hash128 = .zero
    ) {
        self.epoch = epoch
        self.mode = mode
        self.active = active
        self.incarnationA = incarnationA
        self.incarnationB = incarnationB
        self.lossy = lossy
        self.nonce = nonce
    }

    package func incarnation(of side: Side) -> UInt64 { side == .a ? incarnationA : incarnationB }

    package mutating func register(_ incarnation: UInt64, of side: Side) {
        if side == .a { incarnationA = incarnation } else { incarnationB = incarnation }
    }

    package var description: String {
        let set = mode == .paired ? "PAIRED, active \(active.rawValue)" : "ALONE(\(active.rawValue))"
        return "epoch \(epoch) \(set)\(lossy ? ", lossy" : "")"
    }

    package func encode(into writer: inout ByteWriter) {
        writer.u64(epoch)
        writer.u8(mode.rawValue)
        writer.u8(active.formatByte)
        writer.flag(lossy)
        writer.u64(incarnationA)
        writer.u64(incarnationB)
        writer.hash(nonce)
    }

    package init(from reader: inout ByteReader) throws(ByteFault) {
        epoch = try reader.u64()
        let at = reader.position
        guard let mode = PairMode(rawValue: try reader.u8()), let active = Side(formatByte: try reader.u8()) else {
            throw .value("a mode or side out of range", at: at)
        }
        self.mode = mode
        self.active = active
        lossy = try reader.flag()
        incarnationA = try reader.u64()
        incarnationB = try reader.u64()
        nonce = try reader.hash()
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
