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
                    guard let value = generation.lookUp(table, key: key) else { continue }
                    try change(table, key: key, value: value, in: &transaction)
                }
            }
            try JourneyBounds(tables: tables, configuration: configuration).trim(
                today: state.time.wall.day, added: generation[.journeys].keys.count, in: &transaction)
            try apply(.meta, key: MetaRows.stateKey, value: MetaRows.state(state), in: &transaction)
            try transaction.commit()
        } catch {
            throw tables.error(error)
        }
    }

    /// Writes rows of a snapshot in one transaction, with the state when they are the last.
    func write(_ changes: [Change], state: StoreState?) throws(StoreError) {
        do throws(LMDBFault) {
            var transaction = try tables.environment.beginWrite()
            for row in changes { try change(row.table, key: row.key, value: row.value, in: &transaction) }
            if let state { try apply(.meta, key: MetaRows.stateKey, value: MetaRows.state(state), in: &transaction) }
            try transaction.commit()
        } catch {
            throw tables.error(error)
        }
    }

    private func change(
        _ table: Table, key: [UInt8], value: [UInt8]?, in transaction: inout WriteTransaction
    ) throws(LMDBFault) {
        if table == .legs { try LegIndex(tables: tables).follow(leg: key, value: value, in: &transaction) }
        try apply(table, key: key, value: value, in: &transaction)
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
