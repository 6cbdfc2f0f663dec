internal import LMDB
package import Ledger

/// What a whole reading of a store found.
package struct StoreVerification: Hashable, Sendable {
    package let identity: StoreIdentity
    /// What the store says of itself.
    package let state: StoreState
    /// What its rows add up to.
    package let digest: Digest
    /// Rows of each table, the store's own rows of `meta` left out.
    package let rows: [Table: Int]
    package let usage: StoreUsage
    /// The first damaged rows, at most `mostDamagedRows`.
    package let damagedRows: [DamagedRow]
    package let damagedCount: Int

    package struct DamagedRow: Hashable, Sendable {
        package let table: Table
        package let key: [UInt8]
        package let reason: String
    }

    package static let mostDamagedRows = 100

    /// Every value is what was written, and together they are what the position says.
    package var isSound: Bool { damagedCount == 0 && digest == state.digest }

    /// One sentence for the operator.
    package var description: String {
        let total = rows.values.reduce(0, +)
        if damagedCount > 0 {
            let first = damagedRows.first.map {
                "; the first is in \($0.table), key \(StoreError.hexadecimal($0.key)): \($0.reason)"
            }
            return "damaged: \(damagedCount) of \(total) rows are not what was written\(first ?? "")"
        }
        if let table = state.digest.firstDifference(from: digest) {
            return "damaged: the rows of \(table) do not add up to the digest stored at \(state.position)"
        }
        return "sound: \(total) rows at \(state.position)"
    }
}

extension ContextStore {
    /// Reads every value of a store that this process has not opened, checks each, and recomputes the digest. May run
    /// beside a running side. LMDB trusts what is on the disk, so a damaged file can also kill this process: run it in
    /// a child before the daemon opens the file, and take the child's death for damage.
    package static func verify(path: String) throws(StoreError) -> StoreVerification {
        guard StoreTables.exists(path: path) else { throw .missing(path: path) }
        try StoreTables.checkPages(path: path)
        return try StoreReader.open(path: path).verify()
    }
}

extension StoreReader {
    package func verify() throws(StoreError) -> StoreVerification {
        let transaction = try tables.beginRead()
        var digest = Digest.empty
        var rows: [Table: Int] = [:]
        var damaged: [StoreVerification.DamagedRow] = []
        var damagedCount = 0
        for table in Table.allCases {
            var count = 0
            try tables.scanAll(table, in: transaction) { key, value in
                count += 1
                switch value {
                case .success(let value): digest.add(table, key: key, value: value)
                case .failure(let fault):
                    damagedCount += 1
                    if damaged.count < StoreVerification.mostDamagedRows {
                        damaged.append(.init(table: table, key: key, reason: fault.reason))
                    }
                }
            }
            rows[table] = count
        }
        try tables.checkLegIndex(in: transaction)
        guard let identity = try tables.identity(in: transaction) else { throw .missing(path: path) }
        return StoreVerification(
            identity: identity, state: try tables.state(in: transaction), digest: digest, rows: rows,
            usage: try tables.usage(), damagedRows: damaged, damagedCount: damagedCount)
    }
}

extension StoreTables {
    /// Walks all rows, the damaged ones too; the store's own rows of `meta` are left out.
    fileprivate func scanAll(
        _ table: Table, in transaction: borrowing ReadTransaction,
        _ body: (_ key: [UInt8], _ value: Result<[UInt8], StoredValue.Fault>) -> Void
    ) throws(StoreError) {
        do throws(LMDBFault) {
            try transaction.scan(database(table)) { keySpan, stored in
                let key = keySpan.copied
                if table == .meta && key.first == MetaRows.ownPrefix { return .next }
                body(key, StoredValue.unwrap(table: table.rawValue, key: key, stored: stored))
                return .next
            }
        } catch {
            throw self.error(error)
        }
    }
}

extension StoreTables {
    /// Before any table is opened: from then on LMDB follows whatever page numbers stand in the file.
    fileprivate static func checkPages(path: String) throws(StoreError) {
        let transaction: ReadTransaction
        do throws(LMDBFault) {
            transaction = try Environment(path: path, options: .init(mapBytes: 0, isReadOnly: true)).beginRead()
        } catch {
            throw StoreError(error, path: path)
        }
        do throws(PageDamage) { try transaction.checkPages() } catch {
            throw .damaged(path: path, reason: "\(error)")
        }
    }

    /// The rows of the store's own index are what was written.
    fileprivate func checkLegIndex(in transaction: borrowing ReadTransaction) throws(StoreError) {
        var damaged: StoreError?
        do throws(LMDBFault) {
            try transaction.scan(legsByCall) { keySpan, stored in
                let key = keySpan.copied
                if case .failure(let fault) = StoredValue.unwrap(table: Self.legsByCallMark, key: key, stored: stored) {
                    damaged = self.damaged(.legs, key: key, fault)
                    return .stop
                }
                return .next
            }
        } catch {
            throw self.error(error)
        }
        if let damaged { throw damaged }
    }
}
