internal import LMDB
package import Ledger

/// A store opened for reading only: offline, or from another process beside a running side (then it shows what LMDB
/// holds, a few seconds behind the ledger). Refused in a process that has the store open already.
package final class StoreReader: Sendable {
    package let path: String
    package let identity: StoreIdentity
    let tables: StoreTables

    package static func open(path: String) throws(StoreError) -> StoreReader { try StoreReader(path: path) }

    private init(path: String) throws(StoreError) {
        guard StoreTables.exists(path: path) else { throw .missing(path: path) }
        self.path = path
        tables = try StoreTables(path: path, mapBytes: nil)
        guard let identity = try tables.identity(in: try tables.beginRead()) else { throw .missing(path: path) }
        self.identity = identity
    }

    /// Where the store stands now.
    package func state() throws(StoreError) -> StoreState { try tables.state(in: try tables.beginRead()) }

    package func usage() throws(StoreError) -> StoreUsage { try tables.usage() }

    package func value(_ table: Table, key: [UInt8]) throws(StoreError) -> [UInt8]? {
        try tables.value(table, key: key, in: try tables.beginRead())
    }

    /// At most `limit` rows with keys not before `from`, in key order.
    package func rows(_ table: Table, from: [UInt8] = [], limit: Int) throws(StoreError) -> [StoreRow] {
        try MergedRows([], table: table, from: from, limit: limit)
            .rows(tables: tables, transaction: try tables.beginRead())
    }

    /// Hands over every row of a table in key order. The row decoder's fault becomes the row's.
    package func forEachRow<Failure: Error>(
        _ table: Table, _ body: (_ key: [UInt8], _ value: [UInt8]) throws(Failure) -> Void
    ) throws(StoreError) {
        try tables.forEachRow(table, body)
    }
}
