internal import ByteCoding
internal import Glibc
internal import LMDB
internal import Ledger

/// The LMDB environment of a store with its tables open. Says what is stored; knows nothing of what waits in memory.
struct StoreTables: Sendable {
    static let legsByCallName = "legsByCall"
    /// Marks values of the store's own index in their checksum.
    static let legsByCallMark: UInt8 = 0x80 | Table.legs.rawValue

    let path: String
    let mapBytes: Int
    let environment: Environment
    /// The ledger's tables by number, then the index of legs.
    private let databases: [Database]

    static let dataFile = "data.mdb"
    /// What LMDB makes in an environment's directory.
    static let files = [dataFile, "lock.mdb"]

    static func exists(path: String) -> Bool { FileSystem.exists("\(path)/\(dataFile)") }

    /// Opens the environment; `mapBytes` nil opens it for reading only.
    init(path: String, mapBytes: Int?) throws(StoreError) {
        self.path = path
        self.mapBytes = mapBytes ?? 0
        do throws(LMDBFault) {
            let options = Environment.Options(mapBytes: mapBytes ?? 0, isReadOnly: mapBytes == nil)
            let environment = try Environment(path: path, options: options)
            let open = { (name: String) throws(LMDBFault) -> Database? in
                try environment.openDatabase(name, create: mapBytes != nil)
            }
            var databases: [Database] = []
            for name in Table.allCases.map(\.description) + [Self.legsByCallName] {
                if let database = try open(name) { databases.append(database) }
            }
            self.environment = environment
            self.databases = databases
        } catch {
            throw StoreError(error, path: path, mapBytes: mapBytes ?? 0)
        }
        guard databases.count == Table.allCases.count + 1 else { throw .missing(path: path) }
    }

    /// (call key, hash of the leg) -> the leg's key: finds a call's legs when its journey is trimmed.
    var legsByCall: Database { databases[Table.allCases.count] }

    /// Numbers of tables begin at 1 and have no gap.
    func database(_ table: Table) -> Database { databases[Int(table.rawValue) - 1] }

    func error(_ fault: LMDBFault) -> StoreError { StoreError(fault, path: path, mapBytes: mapBytes) }

    func damaged(_ table: Table, key: [UInt8], _ fault: StoredValue.Fault) -> StoreError {
        .damagedRow(path: path, table: table, key: key, reason: fault.reason)
    }

    func beginRead() throws(StoreError) -> ReadTransaction {
        do throws(LMDBFault) { return try environment.beginRead() } catch { throw self.error(error) }
    }

    func value(_ table: Table, key: [UInt8], in transaction: borrowing ReadTransaction) throws(StoreError) -> [UInt8]? {
        let found: Result<[UInt8], StoredValue.Fault>?
        do throws(LMDBFault) {
            found = try transaction.get(database(table), key: key) { stored in
                StoredValue.unwrap(table: table.rawValue, key: key, stored: stored)
            }
        } catch {
            throw self.error(error)
        }
        switch found {
        case nil: return nil
        case .success(let value): return value
        case .failure(let fault): throw damaged(table, key: key, fault)
        }
    }

    /// Walks the rows from `from` on in key order until `body` says stop. A row that is not what was written ends it.
    func scan(
        _ table: Table, from: [UInt8] = [], in transaction: borrowing ReadTransaction,
        _ body: (_ key: [UInt8], _ value: [UInt8]) throws(StoreError) -> ScanStep
    ) throws(StoreError) {
        var failure: StoreError?
        do throws(LMDBFault) {
            try transaction.scan(database(table), from: from) { keySpan, stored in
                let key = keySpan.copied
                do throws(StoreError) {
                    if table == .meta && key.first == MetaRows.ownPrefix { return .next }
                    switch StoredValue.unwrap(table: table.rawValue, key: key, stored: stored) {
                    case .success(let value): return try body(key, value)
                    case .failure(let fault): throw damaged(table, key: key, fault)
                    }
                } catch {
                    failure = error
                    return .stop
                }
            }
        } catch {
            throw self.error(error)
        }
        if let failure { throw failure }
    }

    /// Nil when the store is new.
    func identity(in transaction: borrowing ReadTransaction) throws(StoreError) -> StoreIdentity? {
        guard let bytes = try value(.meta, key: MetaRows.identityKey, in: transaction) else { return nil }
        let format: Int
        do throws(ByteFault) { format = try MetaRows.format(bytes) } catch { throw damagedMeta("identity", error) }
        guard format <= MetaRows.format else {
            throw .newerFormat(path: path, found: format, known: MetaRows.format)
        }
        do throws(ByteFault) { return try MetaRows.identity(bytes) } catch { throw damagedMeta("identity", error) }
    }

    func state(in transaction: borrowing ReadTransaction) throws(StoreError) -> StoreState {
        guard let bytes = try value(.meta, key: MetaRows.stateKey, in: transaction) else { return .empty }
        do throws(ByteFault) { return try MetaRows.state(bytes) } catch { throw damagedMeta("state", error) }
    }

    private func damagedMeta(_ row: String, _ fault: ByteFault) -> StoreError {
        .damaged(path: path, reason: "the \(row) row of meta: \(fault)")
    }

    func usage() throws(StoreError) -> StoreUsage {
        do throws(LMDBFault) {
            let usage = try environment.usage()
            return StoreUsage(usedBytes: usage.usedPages * usage.pageBytes, mapBytes: usage.mapPages * usage.pageBytes)
        } catch {
            throw self.error(error)
        }
    }
}
