internal import ByteCoding
internal import CallModel
internal import LMDB
internal import Ledger

/// Writes one generation in one transaction, trims the journeys in it, and puts the state it reaches.
struct GenerationWriter {
    let tables: StoreTables
    let configuration: StoreConfiguration

    func write(_ generation: Generation, state: StoreState) throws(StoreError) {
        do throws(LMDBFault) {
            var transaction = try tables.environment.beginWrite()
            for table in Table.allCases {
                // In key order, so that neighbours meet on one page while it is at hand.
                let keys = generation[table].keys.sorted(by: Bytes.precedes)
                for key in keys {
                    guard let change = generation.lookUp(table, key: key) else { continue }
                    if table == .legs {
                        try LegIndex(tables: tables).follow(key: key, value: change, in: &transaction)
                    }
                    try apply(table, key: key, value: change, in: &transaction)
                }
            }
            try JourneyBounds(tables: tables, configuration: configuration).trim(
                today: state.time.wall.day, added: generation[.journeys].count, in: &transaction)
            try apply(.meta, key: MetaRows.stateKey, value: MetaRows.state(state), in: &transaction)
            try transaction.commit()
        } catch {
            throw tables.error(error)
        }
    }

    private func apply(
        _ table: Table, key: [UInt8], value: [UInt8]?, in transaction: inout WriteTransaction
    ) throws(LMDBFault) {
        if let value {
            let stored = StoredValue.wrap(table: table.rawValue, key: key, value: value)
            try transaction.put(tables.database(table), key: key, value: stored)
        } else {
            try transaction.delete(tables.database(table), key: key)
        }
    }
}

/// The store's own index of legs by call, so that a call's legs go with its journey.
///
/// | key | value |
/// |---|---|
/// | call key as in the leg's value, then SipHash128 of the leg's key | the leg's key |
///
/// A leg that moves on to another call leaves a row of the index behind; it goes with the older call's journey, and
/// the leg then stays, since it names another call.
struct LegIndex {
    let tables: StoreTables
    static let hashBytes = 16

    /// Follows a change of a leg before it is made.
    func follow(key: [UInt8], value: [UInt8]?, in transaction: inout WriteTransaction) throws(LMDBFault) {
        if let value {
            let indexKey = Self.key(call: value, leg: key)
            let stored = StoredValue.wrap(table: StoreTables.legsByCallMark, key: indexKey, value: key)
            try transaction.put(tables.legsByCall, key: indexKey, value: stored)
        } else if let call = try call(ofLeg: key, in: transaction) {
            try transaction.delete(tables.legsByCall, key: Self.key(call: call, leg: key))
        }
    }

    /// The leg's value, a call key; nil when it is absent or damaged. A damaged one keeps its row of the index until
    /// its call's journey goes.
    func call(ofLeg key: [UInt8], in transaction: borrowing WriteTransaction) throws(LMDBFault) -> [UInt8]? {
        let found = try transaction.get(tables.database(.legs), key: key) { stored in
            StoredValue.unwrap(table: Table.legs.rawValue, key: key, stored: stored)
        }
        if case .success(let call) = found { return call }
        return nil
    }

    static func key(call: [UInt8], leg: [UInt8]) -> [UInt8] {
        var writer = ByteWriter(capacity: call.count + hashBytes)
        writer.raw(call)
        writer.hash(SipHash128.hash(leg))
        return writer.bytes
    }
}
