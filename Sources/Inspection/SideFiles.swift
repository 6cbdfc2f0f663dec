internal import ContextStore
internal import Glibc
package import WriteAheadLog

/// Where the parts of a side's data directory are.
package struct SideFiles: Hashable, Sendable {
    package let directory: String

    package init(directory: String) { self.directory = directory }

    package var log: String { directory + "/log" }
    package var store: String { directory + "/store" }
    package var snapshots: String { directory + "/snapshots" }

    /// The log for reading: beside a running side, or of a stopped or damaged one.
    func openLog() throws(InspectionFault) -> PosixDisk {
        do throws(PosixDisk.OpenError) {
            return try PosixDisk(directory: log, access: .reading)
        } catch { throw .directory(error) }
    }

    /// Takes the log's lock, so that no side runs here while something is replaced.
    package func lock() throws(InspectionFault) -> PosixDisk {
        guard exists(log) else { throw .noLog(directory: directory) }
        do throws(PosixDisk.OpenError) { return try PosixDisk(directory: log) } catch { throw .directory(error) }
    }

    /// Newest first; none when there is no directory of snapshots yet.
    package func snapshotPaths() throws(InspectionFault) -> [String] {
        guard exists(snapshots) else { return [] }
        do throws(StoreError) { return try Snapshots.list(in: snapshots) } catch { throw .store(error) }
    }

    package func prepareSnapshots() throws(InspectionFault) {
        if mkdir(snapshots, 0o750) != 0 && errno != EEXIST {
            throw .system(path: snapshots, operation: "make the directory", reason: Self.lastError)
        }
    }

    /// Renames the store so that nothing of it is lost, to `store.NAME-N` with the first free N; nil when there is none.
    package func moveStoreAside(as name: String) throws(InspectionFault) -> String? {
        guard exists(store) else { return nil }
        var number = 1
        while exists("\(store).\(name)-\(number)") { number += 1 }
        let aside = "\(store).\(name)-\(number)"
        try Self.rename(store, to: aside)
        try syncDirectory()
        return aside
    }

    func prepare() throws(InspectionFault) {
        for path in [directory, log] where mkdir(path, 0o750) != 0 {
            throw .system(path: path, operation: "make the directory", reason: Self.lastError)
        }
    }

    /// Takes back ``prepare()``, as far as nothing was put there.
    func removeEmpty() {
        for path in [log, directory] { rmdir(path) }
    }

    /// What an earlier attempt left behind; nothing when there is nothing.
    static func removeStore(at path: String) throws(InspectionFault) {
        guard access(path, F_OK) == 0 else { return }
        for name in ["data.mdb", "lock.mdb", "writer.lock"] { unlink(path + "/" + name) }
        guard rmdir(path) == 0 else {
            throw .system(path: path, operation: "remove what an earlier attempt left", reason: lastError)
        }
    }

    static func rename(_ path: String, to other: String) throws(InspectionFault) {
        guard Glibc.rename(path, other) == 0 else {
            throw .system(path: path, operation: "rename it to \(other)", reason: lastError)
        }
    }

    func syncDirectory() throws(InspectionFault) {
        let descriptor = open(directory, O_RDONLY | O_DIRECTORY | O_CLOEXEC)
        guard descriptor >= 0 else {
            throw .system(path: directory, operation: "open the directory", reason: Self.lastError)
        }
        defer { close(descriptor) }
        guard fsync(descriptor) == 0 else {
            throw .system(path: directory, operation: "make the directory durable", reason: Self.lastError)
        }
    }

    func exists(_ path: String) -> Bool { access(path, F_OK) == 0 }

    var hasStore: Bool { exists(store + "/data.mdb") }

    static var lastError: String { String(cString: strerror(errno)) }
}
