internal import CallModel
internal import Glibc
internal import LMDB
internal import Ledger

extension ContextStore {
    /// Makes a store of a snapshot of the same pair, in a directory that does not exist yet. The store is built beside
    /// it and renamed when it is whole and durable, so a crash leaves no half of one; what a crashed attempt left
    /// behind is removed first.
    @discardableResult
    package static func restore(
        snapshot: String, to path: String, identity: StoreIdentity,
        configuration: StoreConfiguration = StoreConfiguration()
    ) throws(StoreError) -> SnapshotSummary {
        guard !FileSystem.exists(path) else {
            throw .system(
                path: path, operation: "restore a snapshot", reason: "it is there already; move it aside first")
        }
        let found = try SnapshotReader.header(path: snapshot).identity.pairID
        guard found == identity.pairID else {
            throw .otherPair(path: snapshot, found: found, expected: identity.pairID)
        }
        let building = path + ".restoring"
        try removeStore(at: building)
        try FileSystem.prepareDirectory(building)
        let summary = try fill(building, from: snapshot, identity: identity, configuration: configuration)
        try FileSystem.synchronizeDirectory(building)
        guard rename(building, path) == 0 else {
            throw .system(path: path, operation: "rename \(building)", reason: FileSystem.lastError)
        }
        try FileSystem.synchronizeDirectory(FileSystem.directory(of: path))
        return summary
    }

    private static func fill(
        _ directory: String, from snapshot: String, identity: StoreIdentity, configuration: StoreConfiguration
    ) throws(StoreError) -> SnapshotSummary {
        let tables = try StoreTables(path: directory, mapBytes: configuration.mapBytes)
        let writer = GenerationWriter(tables: tables, configuration: configuration)
        // The state is put only with the last rows.
        var pending: [Change] = []
        var pendingBytes = 0
        let summary = try SnapshotReader.readAll(path: snapshot) { table, key, value throws(StoreError) in
            pending.append(Change(table: table, key: key, value: value))
            pendingBytes += key.count + value.count
            if pendingBytes >= configuration.windowBytes {
                try writer.write(pending, state: nil)
                pending.removeAll()
                pendingBytes = 0
            }
        }
        try writer.write(pending, state: summary.state)
        try write(identity, to: tables)
        return summary
    }

    /// Removes the files of a store and its directory; nothing when there is none.
    private static func removeStore(at path: String) throws(StoreError) {
        guard FileSystem.exists(path) else { return }
        for name in ["data.mdb", "lock.mdb", "writer.lock"] { unlink(path + "/" + name) }
        guard rmdir(path) == 0 else {
            throw .system(path: path, operation: "remove what an earlier restore left", reason: FileSystem.lastError)
        }
    }
}
