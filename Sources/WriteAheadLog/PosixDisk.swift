internal import Glibc

/// A directory of the operating system. Synchronous calls run on the caller's thread; submitted work runs on one
/// dedicated thread a lane.
///
/// `@unchecked Sendable`: `files`, `lanes` and `lock` are guarded by `filesLock`, each lane by its own lock; the rest is constant.
package final class PosixDisk: Disk, @unchecked Sendable {
    package enum Access: Sendable {
        /// Takes the lock of the directory, held until ``close()``.
        case exclusive
        /// Takes no lock: for tools beside a running side. Every writing call fails.
        case reading
    }

    package enum OpenError: Error, Hashable, Sendable, CustomStringConvertible {
        case inUse(directory: String)
        case notWritable(directory: String, text: String)
        case absent(directory: String, text: String)

        package var description: String {
            switch self {
            case .inUse(let directory):
                "\(directory) is in use by another process: "
                    + "stop the side that runs there, or give this one its own directory"
            case .notWritable(let directory, let text):
                "\(directory) is not writable: \(text). Correct its owner, mode or mount, then start again"
            case .absent(let directory, let text):
                "\(directory) cannot be opened: \(text). Create it, or correct the configured path"
            }
        }
    }

    static let lockFile = "LOCK"

    package let directory: String
    private let access: Access
    private let directoryFile: PosixFile
    private var lock: PosixFile?
    private let filesLock = PosixLock()
    private var files: [String: PosixFile] = [:]
    private var lanes: [DiskLane: PosixLane] = [:]
    private let onCompletion: @Sendable (DiskCompletion) -> Void

    /// Opens `directory`, which is made when only its last part is missing. `onCompletion` is called on the lanes'
    /// threads.
    package init(
        directory: String, access: Access = .exclusive,
        onCompletion: @escaping @Sendable (DiskCompletion) -> Void = { _ in }
    ) throws(OpenError) {
        self.directory = directory
        self.access = access
        self.onCompletion = onCompletion
        if access == .exclusive, mkdir(directory, 0o750) != 0, errno != EEXIST {
            let text = PosixFile.text(errno)
            if errno == EACCES || errno == EROFS { throw .notWritable(directory: directory, text: text) }
            throw .absent(directory: directory, text: text)
        }
        let descriptor = Glibc.open(directory, O_RDONLY | O_DIRECTORY | O_CLOEXEC)
        guard descriptor >= 0 else { throw .absent(directory: directory, text: PosixFile.text(errno)) }
        directoryFile = PosixFile(descriptor)
        lock = access == .exclusive ? try Self.takeLock(directoryFile.descriptor, directory) : nil
    }

    private static func takeLock(_ directory: CInt, _ name: String) throws(OpenError) -> PosixFile {
        let descriptor = openat(directory, lockFile, O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0o640)
        guard descriptor >= 0 else { throw .notWritable(directory: name, text: PosixFile.text(errno)) }
        let file = PosixFile(descriptor)
        while flock(descriptor, LOCK_EX | LOCK_NB) != 0 {
            if errno == EINTR { continue }
            if errno == EWOULDBLOCK { throw .inUse(directory: name) }
            throw .notWritable(directory: name, text: PosixFile.text(errno))
        }
        return file
    }

    deinit { close() }

    /// Ends both lanes after the work they hold, and gives the directory's lock back. Afterwards nothing may be
    /// submitted or written.
    package func close() {
        let ending = filesLock.locked {
            defer { lanes = [:] }
            return lanes.values.map { $0 }
        }
        for lane in ending { lane.end() }
        filesLock.locked { lock = nil }
    }

    package func submit(_ work: DiskWork) {
        let lane = filesLock.locked {
            if let lane = lanes[work.lane] { return lane }
            let lane = PosixLane(failsForGood: work.lane == .log)
            lanes[work.lane] = lane
            return lane
        }
        // The lane's thread holds no reference to the disk while it waits, so that the disk can end.
        lane.add { [self] canceled in
            let begin = PosixClock.microseconds()
            var result: Result<Void, DiskError> = .success(())
            do throws(DiskError) {
                if canceled {
                    throw DiskError(
                        operation: .write, file: directory, errno: ECANCELED, text: "an earlier write failed")
                }
                for step in work.steps { try perform(step) }
            } catch {
                result = .failure(error)
            }
            let elapsed = PosixClock.microseconds() - begin
            onCompletion(DiskCompletion(token: work.token, result: result, elapsedMicroseconds: elapsed))
            if case .success = result { return true }
            return false
        }
    }

    // MARK: Calls that wait

    package func list() throws(DiskError) -> [String] {
        // A descriptor of its own: fdopendir takes it over, with its reading position.
        let descriptor = openat(directoryFile.descriptor, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC)
        guard descriptor >= 0, let stream = fdopendir(descriptor) else { throw failure(.list, directory) }
        defer { closedir(stream) }
        var names: [String] = []
        errno = 0
        while let entry = readdir(stream) {
            let name = withUnsafePointer(to: &entry.pointee.d_name) {
                $0.withMemoryRebound(to: CChar.self, capacity: 256) { String(cString: $0) }
            }
            if name != "." && name != ".." && name != Self.lockFile { names.append(name) }
        }
        if errno != 0 { throw failure(.list, directory) }
        return names
    }

    package func size(_ file: String) throws(DiskError) -> Int {
        var status = stat()
        guard fstat(try handle(file, .size).descriptor, &status) == 0 else { throw failure(.size, file) }
        return Int(status.st_size)
    }

    package func read(_ file: String, offset: Int, count: Int) throws(DiskError) -> [UInt8] {
        let descriptor = try handle(file, .read).descriptor
        var code: CInt = 0
        let bytes = [UInt8](unsafeUninitializedCapacity: count) { buffer, filled in
            while filled < count {
                let got = pread(descriptor, buffer.baseAddress! + filled, count - filled, offset + filled)
                if got < 0 && errno == EINTR { continue }
                if got < 0 { code = errno }
                if got <= 0 { break }
                filled += got
            }
        }
        if code != 0 { throw failure(.read, file, code) }
        return bytes
    }

    package func write(_ file: String, offset: Int, bytes: [UInt8]) throws(DiskError) {
        let descriptor = try handle(file, .write, create: true).descriptor
        var written = 0
        repeat {
            written = bytes.withUnsafeBytes { pwrite(descriptor, $0.baseAddress, $0.count, offset) }
        } while written < 0 && errno == EINTR
        if written < 0 { throw failure(.write, file) }
        // A short write is an error like any other: what stopped it is not known, and nothing is tried again.
        if written != bytes.count {
            throw DiskError(
                operation: .write, file: file, errno: 0, text: "only \(written) of \(bytes.count) bytes were written")
        }
    }

    package func sync(_ file: String) throws(DiskError) {
        let handle = try handle(file, .sync)
        // A reader has no right to sync, and no reason.
        if access == .reading { throw failure(.sync, file, EROFS) }
        if fdatasync(handle.descriptor) != 0 { throw failure(.sync, file) }
    }

    package func zeroFill(_ file: String, count: Int) throws(DiskError) {
        try remove(file)
        let descriptor = try handle(file, .zeroFill, create: true).descriptor
        // First the room, in one piece and with an early "no space"; then zeros, so that a later write of a block
        // changes no metadata.
        // (An empty file asks for none: posix_fallocate refuses that.)
        let code = count == 0 ? 0 : posix_fallocate(descriptor, 0, count)
        if code != 0 && code != EOPNOTSUPP { throw failure(.zeroFill, file, code) }
        let piece = [UInt8](repeating: 0, count: min(count, 1 << 20))
        var offset = 0
        while offset < count {
            let part = min(piece.count, count - offset)
            let written = piece.withUnsafeBytes { pwrite(descriptor, $0.baseAddress, part, offset) }
            if written < 0 && errno == EINTR { continue }
            if written <= 0 { throw failure(.zeroFill, file) }
            offset += written
            // In pieces, so that a flush of the log never waits behind a whole segment of zeros.
            if offset % (4 << 20) == 0, fdatasync(descriptor) != 0 { throw failure(.zeroFill, file) }
        }
    }

    package func truncate(_ file: String, size: Int) throws(DiskError) {
        if ftruncate(try handle(file, .truncate, create: true).descriptor, size) != 0 { throw failure(.truncate, file) }
    }

    package func rename(_ from: String, to: String) throws(DiskError) {
        try check(from, .rename, writing: true)
        try check(to, .rename, writing: true)
        if renameat(directoryFile.descriptor, from, directoryFile.descriptor, to) != 0 { throw failure(.rename, from) }
        filesLock.locked { files[to] = files.removeValue(forKey: from) }
    }

    package func remove(_ file: String) throws(DiskError) {
        try check(file, .remove, writing: true)
        _ = filesLock.locked { files.removeValue(forKey: file) }
        if unlinkat(directoryFile.descriptor, file, 0) != 0 && errno != ENOENT { throw failure(.remove, file) }
    }

    package func syncDirectory() throws(DiskError) {
        if fsync(directoryFile.descriptor) != 0 { throw failure(.syncDirectory, directory) }
    }

    package func freeSpace() throws(DiskError) -> Int {
        var status = statvfs()
        guard fstatvfs(directoryFile.descriptor, &status) == 0 else { throw failure(.freeSpace, directory) }
        return Int(
            clamping: UInt64(status.f_bavail).multipliedReportingOverflow(by: UInt64(status.f_frsize)).partialValue)
    }

    // MARK: Files

    private func check(_ file: String, _ operation: DiskOperation, writing: Bool) throws(DiskError) {
        if file.isEmpty || file.contains("/") || file == "." || file == ".." || file == Self.lockFile {
            throw DiskError(
                operation: operation, file: file, errno: EINVAL, text: "is not the name of a file of this directory")
        }
        if writing && access == .reading { throw failure(operation, file, EROFS) }
    }

    private func handle(_ file: String, _ operation: DiskOperation, create: Bool = false) throws(DiskError) -> PosixFile
    {
        try check(file, operation, writing: create)
        if let known = filesLock.locked({ files[file] }) { return known }
        let mode = access == .exclusive ? O_RDWR : O_RDONLY
        let descriptor = openat(
            directoryFile.descriptor, file, mode | O_CLOEXEC | O_NOFOLLOW | (create ? O_CREAT : 0), 0o640)
        guard descriptor >= 0 else { throw failure(operation, file) }
        let opened = PosixFile(descriptor)
        filesLock.locked { files[file] = opened }
        return opened
    }

    private func failure(_ operation: DiskOperation, _ file: String, _ code: CInt = errno) -> DiskError {
        DiskError(operation: operation, file: file, errno: code, text: PosixFile.text(code))
    }
}
