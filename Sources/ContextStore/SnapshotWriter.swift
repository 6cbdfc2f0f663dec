internal import CallModel
internal import Glibc
internal import LMDB
internal import Ledger

/// What a snapshot holds.
package struct SnapshotSummary: Hashable, Sendable {
    package let path: String
    package let identity: StoreIdentity
    package let state: StoreState
    package let rows: UInt64
}

extension ContextStore {
    /// Writes what LMDB holds durably now as a snapshot into a directory that exists, and removes all but the two
    /// newest there. Takes as long as the store is large: call it from a thread that may wait. Pages freed meanwhile
    /// are not used again until it ends.
    @discardableResult
    package func writeSnapshot(into directory: String) throws(StoreError) -> SnapshotSummary {
        try Snapshots.write(tables: try openTables(), identity: identity, into: directory)
    }
}

extension StoreReader {
    /// As ``ContextStore/writeSnapshot(into:)``, offline or beside a running side.
    @discardableResult
    package func writeSnapshot(into directory: String) throws(StoreError) -> SnapshotSummary {
        try Snapshots.write(tables: tables, identity: identity, into: directory)
    }
}

/// The snapshots of a directory: `snapshot-SEQUENCE.baton`, the sequence with leading zeros to 20 digits.
package enum Snapshots {
    package static let kept = 2
    private static let prefix = "snapshot-"
    private static let suffix = ".baton"

    static func write(
        tables: StoreTables, identity: StoreIdentity, into directory: String
    ) throws(StoreError) -> SnapshotSummary {
        let transaction = try tables.beginRead()
        let state = try tables.state(in: transaction)
        let path = path(in: directory, sequence: state.position.sequence)
        var file = try SequentialFileWriter(path: path)
        try file.append(SnapshotFormat.header(identity, state))
        var rows: UInt64 = 0
        var digest = Digest.empty
        for table in Table.allCases {
            try tables.scan(table, in: transaction) { key, value throws(StoreError) in
                guard value.count <= SnapshotFormat.mostValueBytes else {
                    throw .damagedRow(path: tables.path, table: table, key: key, reason: "it has \(value.count) bytes")
                }
                try file.append(SnapshotFormat.row(table, key: key, value: value))
                digest.add(table, key: key, value: value)
                rows += 1
                return .next
            }
        }
        if let table = state.digest.firstDifference(from: digest) {
            throw .damaged(path: tables.path, reason: "the rows of \(table) do not add up to its digest")
        }
        try file.append(SnapshotFormat.trailer(rows: rows, digest: digest))
        try file.finish()
        try removeOld(in: directory)
        return SnapshotSummary(path: path, identity: identity, state: state, rows: rows)
    }

    /// Paths of the snapshots in a directory, newest first.
    package static func list(in directory: String) throws(StoreError) -> [String] {
        guard let stream = opendir(directory) else {
            throw .system(path: directory, operation: "list the directory", reason: FileSystem.lastError)
        }
        defer { closedir(stream) }
        var names: [String] = []
        while let entry = readdir(stream) {
            let name = withUnsafeBytes(of: entry.pointee.d_name) { bytes in
                String(decoding: bytes.prefix { $0 != 0 }, as: UTF8.self)
            }
            if name.hasPrefix(prefix) && name.hasSuffix(suffix) { names.append(name) }
        }
        return names.sorted(by: >).map { directory + "/" + $0 }
    }

    private static func removeOld(in directory: String) throws(StoreError) {
        for path in try list(in: directory).dropFirst(kept) where unlink(path) != 0 {
            throw .system(path: path, operation: "remove the file", reason: FileSystem.lastError)
        }
    }

    private static func path(in directory: String, sequence: LogSequence) -> String {
        let digits = String(sequence.number)
        return directory + "/" + prefix + String(repeating: "0", count: 20 - digits.count) + digits + suffix
    }
}
