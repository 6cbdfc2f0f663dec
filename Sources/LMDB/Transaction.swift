internal import CLMDB

/// Whether a scan goes on.
package enum ScanStep: Sendable {
    case next
    case stop
}

/// A consistent view of the environment, as of its beginning. Keep it short: pages freed meanwhile are not used again.
///
/// Invariant: a value is seen only inside the closure it is handed to. `RawSpan` cannot leave it, so no pointer into
/// the map outlives the transaction; that is checked by the compiler (must-not-compile tests).
@safe package struct ReadTransaction: ~Copyable {
    private let handle: OpaquePointer
    private let environment: Environment

    init(_ environment: Environment) throws(LMDBFault) {
        var begun: OpaquePointer?
        try unsafe LMDBFault.check(mdb_txn_begin(environment.handle, nil, UInt32(MDB_RDONLY), &begun), .begin)
        // mdb_txn_begin sets the handle whenever it succeeds.
        unsafe handle = begun!
        self.environment = environment
    }

    deinit { unsafe mdb_txn_abort(handle) }

    /// What `body` makes of the value, or nil when the key is absent.
    package borrowing func get<Result>(
        _ database: Database, key: [UInt8], _ body: (RawSpan) -> Result
    ) throws(LMDBFault) -> Result? {
        try unsafe Access.get(handle, database, key: key, body)
    }

    /// Walks rows in key order from the first key not before `from`.
    package borrowing func scan(
        _ database: Database, from: [UInt8] = [], _ body: (_ key: RawSpan, _ value: RawSpan) -> ScanStep
    ) throws(LMDBFault) {
        try unsafe Access.scan(handle, database, from: from, body)
    }

    package borrowing func count(_ database: Database) throws(LMDBFault) -> Int {
        try unsafe Access.count(handle, database)
    }

    /// Pages on the free list. Its rows are (transaction, list of page numbers that begins with their count).
    borrowing func freePages() throws(LMDBFault) -> Int {
        var pages = 0
        try scan(Database(handle: 0)) { _, value in
            if value.byteCount >= MemoryLayout<Int>.size { pages += unsafe value.unsafeLoadUnaligned(as: Int.self) }
            return .next
        }
        return pages
    }

    /// Walks every page that this transaction can reach, and the free list (``PageWalk``). The rows' values are not
    /// looked at.
    package borrowing func checkPages() throws(PageDamage) {
        var descriptor: Int32 = -1
        var info = unsafe MDB_envinfo()
        var statistics = MDB_stat()
        guard unsafe mdb_env_get_fd(environment.handle, &descriptor) == MDB_SUCCESS,
            unsafe mdb_env_info(environment.handle, &info) == MDB_SUCCESS,
            unsafe mdb_env_stat(environment.handle, &statistics) == MDB_SUCCESS, statistics.ms_psize >= 256
        else { throw PageDamage(page: nil, "LMDB says nothing of its pages") }
        let pageBytes = Int(statistics.ms_psize)
        let file = try PageFile(
            descriptor: descriptor, pageBytes: pageBytes, transaction: UInt64(unsafe mdb_txn_id(handle)))
        try unsafe PageWalk.check(file, mapPages: UInt64(info.me_mapsize / pageBytes))
    }
}

/// The environment's one write transaction. Dropped without `commit`, it is as if it had never been.
@safe package struct WriteTransaction: ~Copyable {
    /// Nil once committed: LMDB has freed it then, whether the commit failed or not.
    private var handle: OpaquePointer?
    private let environment: Environment

    init(_ environment: Environment) throws(LMDBFault) {
        var begun: OpaquePointer?
        try unsafe LMDBFault.check(mdb_txn_begin(environment.handle, nil, 0, &begun), .begin)
        unsafe handle = begun
        self.environment = environment
    }

    deinit { if let handle = unsafe handle { unsafe mdb_txn_abort(handle) } }

    /// Durable when it returns. After an error it is unknown what a later opening of the environment will find: the
    /// transaction, or the one before it.
    package consuming func commit() throws(LMDBFault) {
        let committed = unsafe handle
        unsafe handle = nil
        try unsafe LMDBFault.check(mdb_txn_commit(committed), .commit)
    }

    /// Nothing can be called after `commit`, which consumes.
    private var live: OpaquePointer { unsafe handle! }

    package borrowing func get<Result>(
        _ database: Database, key: [UInt8], _ body: (RawSpan) -> Result
    ) throws(LMDBFault) -> Result? {
        try unsafe Access.get(live, database, key: key, body)
    }

    package borrowing func scan(
        _ database: Database, from: [UInt8] = [], _ body: (_ key: RawSpan, _ value: RawSpan) -> ScanStep
    ) throws(LMDBFault) {
        try unsafe Access.scan(live, database, from: from, body)
    }

    package borrowing func count(_ database: Database) throws(LMDBFault) -> Int {
        try unsafe Access.count(live, database)
    }

    /// Puts a value under a key of 1...511 bytes; an older one is replaced.
    package mutating func put(_ database: Database, key: [UInt8], value: [UInt8]) throws(LMDBFault) {
        let code = unsafe Access.withValue(key) { key in
            unsafe Access.withValue(value) { value in unsafe mdb_put(live, database.handle, &key, &value, 0) }
        }
        try LMDBFault.check(code, .put)
    }

    /// True when the key was there.
    @discardableResult
    package mutating func delete(_ database: Database, key: [UInt8]) throws(LMDBFault) -> Bool {
        let code = unsafe Access.withValue(key) { key in unsafe mdb_del(live, database.handle, &key, nil) }
        if code == MDB_NOTFOUND { return false }
        try LMDBFault.check(code, .delete)
        return true
    }
}

/// What both kinds of transaction do with a live handle.
private enum Access {
    static func get<Result>(
        _ transaction: OpaquePointer, _ database: Database, key: [UInt8], _ body: (RawSpan) -> Result
    ) throws(LMDBFault) -> Result? {
        var value = unsafe MDB_val()
        let code = unsafe withValue(key) { key in unsafe mdb_get(transaction, database.handle, &key, &value) }
        if code == MDB_NOTFOUND { return nil }
        try LMDBFault.check(code, .get)
        return unsafe body(buffer(value).bytes)
    }

    static func scan(
        _ transaction: OpaquePointer, _ database: Database, from: [UInt8], _ body: (RawSpan, RawSpan) -> ScanStep
    ) throws(LMDBFault) {
        var opened: OpaquePointer?
        try unsafe LMDBFault.check(mdb_cursor_open(transaction, database.handle, &opened), .scan)
        defer { unsafe mdb_cursor_close(opened) }
        var value = unsafe MDB_val()
        // LMDB takes no empty key.
        var found = unsafe MDB_val()
        var code: Int32
        if from.isEmpty {
            code = unsafe mdb_cursor_get(opened, &found, &value, MDB_FIRST)
        } else {
            code = unsafe withValue(from) { key in
                let code = unsafe mdb_cursor_get(opened, &key, &value, MDB_SET_RANGE)
                unsafe found = key
                return code
            }
        }
        while code == MDB_SUCCESS {
            guard case .next = unsafe body(buffer(found).bytes, buffer(value).bytes) else { return }
            code = unsafe mdb_cursor_get(opened, &found, &value, MDB_NEXT)
        }
        if code != MDB_NOTFOUND { throw .failed(.scan, code: code) }
    }

    static func count(_ transaction: OpaquePointer, _ database: Database) throws(LMDBFault) -> Int {
        var statistics = MDB_stat()
        try unsafe LMDBFault.check(mdb_stat(transaction, database.handle, &statistics), .statistics)
        return statistics.ms_entries
    }

    /// Lends bytes to LMDB, which copies what it keeps and writes into none of them.
    static func withValue<Result>(_ bytes: [UInt8], _ body: (inout MDB_val) -> Result) -> Result {
        unsafe bytes.withUnsafeBytes { buffer in
            var value = unsafe MDB_val(
                mv_size: buffer.count, mv_data: UnsafeMutableRawPointer(mutating: buffer.baseAddress))
            return unsafe body(&value)
        }
    }

    /// The bytes LMDB points to: they stay as they are until the transaction ends or writes, which the borrow of the
    /// transaction rules out while a span of them lives.
    static func buffer(_ value: MDB_val) -> UnsafeRawBufferPointer {
        unsafe UnsafeRawBufferPointer(start: value.mv_data, count: value.mv_size)
    }
}

extension RawSpan {
    /// A copy that may leave the closure.
    package var copied: [UInt8] { unsafe withUnsafeBytes { unsafe [UInt8]($0) } }
}
