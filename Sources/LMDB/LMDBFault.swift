internal import CLMDB

/// What LMDB was asked to do when it failed.
package enum LMDBOperation: String, Sendable {
    case createEnvironment = "create the environment"
    case configure = "configure the environment"
    case openEnvironment = "open the environment"
    case openDatabase = "open a database"
    case begin = "begin a transaction"
    case get = "get a value"
    case scan = "move a cursor"
    case put = "put a value"
    case delete = "delete a value"
    case commit = "commit a transaction"
    case statistics = "read statistics"
    case checkReaders = "check for stale readers"
}

/// A failure of LMDB. After any of these on a write the environment is not to be used any more (RELIABILITY.md).
package enum LMDBFault: Error, Hashable, Sendable, CustomStringConvertible {
    /// This process has the environment open already; a second opening would break LMDB's file locks.
    case openTwice(path: String)
    case failed(LMDBOperation, code: Int32)

    package var isMapFull: Bool { hasCode(MDB_MAP_FULL) }

    /// LMDB itself says that what it reads is not its own format, or contradicts itself.
    package var isDamage: Bool {
        [MDB_CORRUPTED, MDB_PAGE_NOTFOUND, MDB_INVALID, MDB_PANIC, MDB_VERSION_MISMATCH].contains { hasCode($0) }
    }

    private func hasCode(_ wanted: Int32) -> Bool {
        if case .failed(_, let code) = self { code == wanted } else { false }
    }

    package var description: String {
        switch self {
        case .openTwice(let path): "\(path) is already open in this process"
        case .failed(let operation, let code):
            // mdb_strerror gives a pointer to static text, for every code.
            unsafe "cannot \(operation.rawValue): \(String(cString: mdb_strerror(code))) (\(code))"
        }
    }

    static func check(_ code: Int32, _ operation: LMDBOperation) throws(LMDBFault) {
        if code != MDB_SUCCESS { throw .failed(operation, code: code) }
    }
}
