internal import Glibc

enum MonotonicClock {
    static func milliseconds() -> UInt64 {
        var now = timespec()
        clock_gettime(CLOCK_MONOTONIC, &now)
        return UInt64(now.tv_sec) * 1_000 + UInt64(now.tv_nsec) / 1_000_000
    }
}

enum FileSystem {
    static func freeBytes(path: String) -> UInt64? {
        var found = statvfs()
        guard statvfs(path, &found) == 0 else { return nil }
        return UInt64(found.f_bavail) * UInt64(found.f_frsize)
    }

    static func exists(_ path: String) -> Bool { access(path, F_OK) == 0 }

    static var lastError: String { String(cString: strerror(errno)) }

    static func directory(of path: String) -> String {
        guard let slash = path.lastIndex(of: "/") else { return "." }
        return slash == path.startIndex ? "/" : String(path[..<slash])
    }

    /// Creates the directory when it is absent, and makes its name durable.
    static func prepareDirectory(_ path: String) throws(StoreError) {
        if mkdir(path, 0o700) != 0 && errno != EEXIST {
            throw .notWritable(path: path, reason: lastError)
        }
        guard access(path, R_OK | W_OK | X_OK) == 0 else { throw .notWritable(path: path, reason: lastError) }
    }

    /// A file that is not there counts as removed.
    static func remove(_ path: String) throws(StoreError) {
        if unlink(path) != 0 && errno != ENOENT {
            throw .system(path: path, operation: "remove the file", reason: lastError)
        }
    }

    static func removeDirectory(_ path: String) throws(StoreError) {
        if rmdir(path) != 0 { throw .system(path: path, operation: "remove the directory", reason: lastError) }
    }

    static func rename(_ from: String, to path: String) throws(StoreError) {
        if Glibc.rename(from, path) != 0 {
            throw .system(path: path, operation: "rename \(from)", reason: lastError)
        }
    }

    /// Makes the names in a directory durable.
    static func synchronizeDirectory(_ path: String) throws(StoreError) {
        let descriptor = Glibc.open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC)
        guard descriptor >= 0 else { throw .system(path: path, operation: "open the directory", reason: lastError) }
        defer { Glibc.close(descriptor) }
        guard fsync(descriptor) == 0 else {
            throw .system(path: path, operation: "make the directory durable", reason: lastError)
        }
    }
}

/// Holds `writer.lock` of a store's directory, so that one process at a time writes it. The kernel lets go of it when
/// the process dies.
final class WriterLock: Sendable {
    private let descriptor: Int32

    init(directory: String) throws(StoreError) {
        let path = directory + "/writer.lock"
        descriptor = Glibc.open(path, O_RDWR | O_CREAT | O_CLOEXEC, 0o600)
        guard descriptor >= 0 else { throw .notWritable(path: path, reason: FileSystem.lastError) }
        guard flock(descriptor, LOCK_EX | LOCK_NB) == 0 else {
            let inUse = errno == EWOULDBLOCK
            let reason = FileSystem.lastError
            Glibc.close(descriptor)
            if inUse { throw .inUse(path: directory) }
            throw .system(path: path, operation: "lock it", reason: reason)
        }
    }

    deinit { Glibc.close(descriptor) }
}
