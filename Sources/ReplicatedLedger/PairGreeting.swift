package import ByteCoding
package import CallModel

/// Why the other end of the private link is not listened to. Nothing it said has any effect.
package enum PairLinkFault: Error, Hashable, Sendable, CustomStringConvertible {
    case malformed(String)
    case version(theirs: String, ours: String)
    case otherPair(theirs: Hash128, ours: Hash128)
    case sameSide(Side)
    case notNow(String)

    package var description: String {
        switch self {
        case .malformed(let what): "the other end speaks no private link: \(what)"
        case .version(let theirs, let ours):
            "the other side speaks version \(theirs) of the private link, this one \(ours): more than one major "
                + "version apart. Bring both to versions next to each other"
        case .otherPair(let theirs, let ours):
            "the other end belongs to pair \(theirs), this side to \(ours): correct instance or otherSide in one of the "
                + "configurations"
        case .sameSide(let side):
            "the other end is side \(side.rawValue) too: give one of them side \(side.other.rawValue)"
        case .notNow(let why): why
        }
    }
}

/// The first frame of either end of a private link: who speaks, before anything else is believed. A later minor
/// version may add fields behind these.
package struct PairGreeting: Hashable, Sendable {
    package static let magic: [UInt8] = Array("BATONLNK".utf8)

    package var major: UInt16 = 1
    package var minor: UInt16 = 0
    package var pairID: Hash128
    package var side: Side
    package var incarnation: UInt64
    /// Half of the session's number, drawn for each connection.
    package var nonce: UInt64

    package init(pairID: Hash128, side: Side, incarnation: UInt64, nonce: UInt64) {
        self.pairID = pairID
        self.side = side
        self.incarnation = incarnation
        self.nonce = nonce
    }

    package func encoded() -> [UInt8] {
        var writer = ByteWriter(capacity: 64)
        writer.raw(Self.magic)
        writer.u16(major)
        writer.u16(minor)
        writer.hash(pairID)
        writer.u8(side.formatByte)
        writer.u64(incarnation)
        writer.u64(nonce)
        return writer.bytes
    }

    package init(decoding frame: [UInt8]) throws(ByteFault) {
        var reader = ByteReader(frame)
        guard try reader.raw(Self.magic.count) == Self.magic else { throw .value("no greeting", at: 0) }
        major = try reader.u16()
        minor = try reader.u16()
        pairID = try reader.hash()
        let at = reader.position
        guard let side = Side(formatByte: try reader.u8()) else { throw .value("a side that is not A or B", at: at) }
        self.side = side
        incarnation = try reader.u64()
        nonce = try reader.u64()
    }

    /// Refuses whoever is not the other side of this pair.
    package func judge(_ frame: [UInt8]) throws(PairLinkFault) -> PairGreeting {
        let theirs: PairGreeting
        do throws(ByteFault) { theirs = try PairGreeting(decoding: frame) } catch { throw .malformed("\(error)") }
        guard max(theirs.major, major) - min(theirs.major, major) <= 1 else {
            throw .version(theirs: "\(theirs.major).\(theirs.minor)", ours: "\(major).\(minor)")
        }
        if theirs.pairID != pairID { throw .otherPair(theirs: theirs.pairID, ours: pairID) }
        if theirs.side == side { throw .sameSide(side) }
        return theirs
    }

    /// The same number on both sides.
    package func session(with theirs: PairGreeting) -> UInt64 {
        var writer = ByteWriter(capacity: 16)
        writer.u64(side == .a ? nonce : theirs.nonce)
        writer.u64(side == .a ? theirs.nonce : nonce)
        return SipHash128.hash(writer.bytes).low
    }
}
