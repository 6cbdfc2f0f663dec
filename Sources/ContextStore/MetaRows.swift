internal import ByteCoding
internal import CallModel
internal import Ledger

/// The store's own rows of `meta`. Their keys begin with 0xFF; all others are the ledger's.
enum MetaRows {
    static let ownPrefix: UInt8 = 0xff
    static let identityKey: [UInt8] = [ownPrefix, 1]
    static let stateKey: [UInt8] = [ownPrefix, 2]
    static let format = 1

    static func identity(_ identity: StoreIdentity) -> [UInt8] {
        var writer = ByteWriter()
        writer.u16(UInt16(format))
        writer.hash(identity.pairID)
        writer.string(identity.side.rawValue)
        return writer.bytes
    }

    /// The format alone stands first for ever, so that any later one can be refused by its number.
    static func format(_ bytes: [UInt8]) throws(ByteFault) -> Int {
        var reader = ByteReader(bytes)
        return Int(try reader.u16())
    }

    static func identity(_ bytes: [UInt8]) throws(ByteFault) -> StoreIdentity {
        var reader = ByteReader(bytes)
        _ = try reader.u16()
        let pairID = try reader.hash()
        let at = reader.position
        let name = try reader.string()
        guard let side = Side(rawValue: name) else { throw .value("side \(name)", at: at) }
        try reader.finish()
        return StoreIdentity(pairID: pairID, side: side)
    }

    static func state(_ state: StoreState) -> [UInt8] {
        var writer = ByteWriter(capacity: 160)
        writer.u64(state.position.epoch)
        writer.u64(state.position.sequence.number)
        writer.hash(state.position.chain)
        writer.u64(state.time.log.milliseconds)
        writer.i64(state.time.wall.milliseconds)
        writer.u8(UInt8(state.digest.sums.count))
        for sum in state.digest.sums { writer.hash(sum) }
        return writer.bytes
    }

    static func state(_ bytes: [UInt8]) throws(ByteFault) -> StoreState {
        var reader = ByteReader(bytes)
        let epoch = try reader.u64()
        let sequence = LogSequence(try reader.u64())
        let position = Position(epoch: epoch, sequence: sequence, chain: try reader.hash())
        let log = LogTime(milliseconds: try reader.u64())
        let wall = WallTime(milliseconds: try reader.i64())
        let at = reader.position
        let count = Int(try reader.u8())
        guard count == Table.digested.count else { throw .value("digest of \(count) tables", at: at) }
        var sums: [Hash128] = []
        for _ in 0..<count { sums.append(try reader.hash()) }
        try reader.finish()
        return StoreState(position: position, time: BatchTime(log: log, wall: wall), digest: Digest(sums: sums))
    }
}
