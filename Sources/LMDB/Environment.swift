internal import CLMDB

/// A named table of an environment.
package struct Database: Hashable, Sendable {
    let handle: UInt32
}

/// How full the map is. Pages on the free list are used again, so used = last page minus free list.
package struct EnvironmentUsage: Hashable, Sendable {
    package let pageBytes: Int
    package let usedPages: Int
    package let freePages: Int
    package let mapPages: Int

    package var usedFraction: Double { mapPages == 0 ? 0 : Double(usedPages) / Double(mapPages) }
}

/// An LMDB environment: one directory with `data.mdb` and `lock.mdb`. It closes when the last reference, a
/// transaction's included, is gone.
///
/// Deliberately absent: DUPSORT, nested transactions, WRITEMAP, NOSYNC, NOMETASYNC, APPENDDUP. Every commit is
/// durable when it returns.
@safe package final class Environment: @unchecked Sendable {
    // Safe to share: LMDB's environment handle may be used by any thread; it is set once and freed in deinit.
    let handle: OpaquePointer
    private let place: EnvironmentRegistry.Place
    package let path: String
    package let isReadOnly: Bool

    package struct Options: Sendable {
        /// Size of the sparse map; ignored by a read-only opening, which takes the file's.
        package var mapBytes: Int
        package var mostDatabases: UInt32
        package var mostReaders: UInt32
        package var isReadOnly: Bool

        package init(mapBytes: Int, mostDatabases: UInt32 = 16, mostReaders: UInt32 = 256, isReadOnly: Bool = false) {
            self.mapBytes = mapBytes
            self.mostDatabases = mostDatabases
            self.mostReaders = mostReaders
            self.isReadOnly = isReadOnly
        }
    }

    /// Opens the environment in an existing directory.
    package init(path: String, options: Options) throws(LMDBFault) {
        let place = try EnvironmentRegistry.enter(path: path)
        do throws(LMDBFault) {
            unsafe handle = try Self.open(path: path, options: options)
        } catch {
            EnvironmentRegistry.leave(place)
            throw error
        }
        self.place = place
        self.path = path
        isReadOnly = options.isReadOnly
    }

    private static func open(path: String, options: Options) throws(LMDBFault) -> OpaquePointer {
        var created: OpaquePointer?
        try unsafe LMDBFault.check(mdb_env_create(&created), .createEnvironment)
        // mdb_env_create sets the handle whenever it succeeds.
        let handle = unsafe created!
        do throws(LMDBFault) {
            if !options.isReadOnly {
                try unsafe LMDBFault.check(mdb_env_set_mapsize(handle, options.mapBytes), .configure)
            }
            try unsafe LMDBFault.check(mdb_env_set_maxdbs(handle, options.mostDatabases), .configure)
            try unsafe LMDBFault.check(mdb_env_set_maxreaders(handle, options.mostReaders), .configure)
            let flags = UInt32(MDB_NOTLS) | (options.isReadOnly ? UInt32(MDB_RDONLY) : 0)
            try unsafe LMDBFault.check(mdb_env_open(handle, path, flags, 0o600), .openEnvironment)
        } catch {
            unsafe mdb_env_close(handle)
            throw error
        }
        return unsafe handle
    }

    deinit {
        unsafe mdb_env_close(handle)
        EnvironmentRegistry.leave(place)
    }

    package func beginRead() throws(LMDBFault) -> ReadTransaction { try ReadTransaction(self) }

    /// Waits for another writer of this environment, of any process.
    package func beginWrite() throws(LMDBFault) -> WriteTransaction { try WriteTransaction(self) }

    /// Opens a named table; nil when it is absent and `create` is false.
    package func openDatabase(_ name: String, create: Bool) throws(LMDBFault) -> Database? {
        var transaction: OpaquePointer?
        let flags = create ? 0 : UInt32(MDB_RDONLY)
        try unsafe LMDBFault.check(mdb_txn_begin(handle, nil, flags, &transaction), .begin)
        var database: MDB_dbi = 0
        let code = unsafe mdb_dbi_open(transaction, name, create ? UInt32(MDB_CREATE) : 0, &database)
        guard code == MDB_SUCCESS else {
            unsafe mdb_txn_abort(transaction)
            if code == MDB_NOTFOUND { return nil }
            throw .failed(.openDatabase, code: code)
        }
        // Also a reading transaction has to commit, or the handle is closed with it.
        try unsafe LMDBFault.check(mdb_txn_commit(transaction), .commit)
        return Database(handle: database)
    }

    /// Frees the slots of readers whose process died, and says how many there were.
    @discardableResult
    package func clearStaleReaders() throws(LMDBFault) -> Int {
        var dead: Int32 = 0
        try unsafe LMDBFault.check(mdb_reader_check(handle, &dead), .checkReaders)
        return Int(dead)
    }

    package func usage() throws(LMDBFault) -> EnvironmentUsage {
        var info = unsafe MDB_envinfo()
        try unsafe LMDBFault.check(mdb_env_info(handle, &info), .statistics)
        var statistics = MDB_stat()
        try unsafe LMDBFault.check(mdb_env_stat(handle, &statistics), .statistics)
        let free = try beginRead().freePages()
        let pageBytes = Int(statistics.ms_psize)
        return unsafe EnvironmentUsage(
            pageBytes: pageBytes, usedPages: max(0, info.me_last_pgno + 1 - free), freePages: free,
            mapPages: info.me_mapsize / max(1, pageBytes))
    }
}
