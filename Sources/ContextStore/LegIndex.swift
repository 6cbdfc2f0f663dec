internal import ByteCoding
internal import CallModel
internal import LMDB
internal import Ledger

/// The store's own index of legs by call, so that a call's legs go with its journey.
///
/// | key | value |
/// |---|---|
/// | the call key as journeys' keys begin with it, then SipHash128 of the leg's key, 16 | the leg's key |
///
/// A leg that moves on to another call leaves a row of the index behind; it goes with the older call's journey, and
/// the leg then stays, since it names another call.
struct LegIndex {
    let tables: StoreTables
    static let hashBytes = 16

    /// Follows a change of a leg before it is made.
    func follow(leg: [UInt8], value: [UInt8]?, in transaction: inout WriteTransaction) throws(LMDBFault) {
        if let value {
            guard let call = Self.call(legValue: value) else { return }
            let key = Self.key(call: call, leg: leg)
            let stored = StoredValue.wrap(table: StoreTables.legsByCallMark, key: key, value: leg)
            try transaction.put(tables.legsByCall, key: key, value: stored)
        } else if let call = try call(ofLeg: leg, in: transaction) {
            try transaction.delete(tables.legsByCall, key: Self.key(call: call, leg: leg))
        }
    }

    /// What the journey keys of the leg's call begin with; nil when the leg is absent or damaged. A damaged one keeps
    /// its row of the index until its call's journey goes.
    func call(ofLeg leg: [UInt8], in transaction: borrowing WriteTransaction) throws(LMDBFault) -> [UInt8]? {
        let found = try transaction.get(tables.database(.legs), key: leg) { stored in
            StoredValue.unwrap(table: Table.legs.rawValue, key: leg, stored: stored)
        }
        guard case .success(let value) = found else { return nil }
        return Self.call(legValue: value)
    }

    private static func call(legValue: [UInt8]) -> [UInt8]? {
        // A value of no known form names no call, so no journey can take its leg along.
        (try? CallKey(legValue: legValue))?.journeyPrefix
    }

    private static func key(call: [UInt8], leg: [UInt8]) -> [UInt8] {
        var writer = ByteWriter(capacity: call.count + hashBytes)
        writer.raw(call)
        writer.hash(SipHash128.hash(leg))
        return writer.bytes
    }
}
