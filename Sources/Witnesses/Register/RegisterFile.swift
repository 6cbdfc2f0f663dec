internal import ByteCoding
internal import Glibc

/// One register on disk. Every change is a new file: temporary name, fsync, rename, fsync of the directory, and only
/// then an answer. Crash windows: before the rename the old value stands; after it the new one stands, and
/// ``settle()`` makes that durable before anybody is told.
///
/// All calls wait for the disk. Whoever uses it sees to it that there is one user at a time.
struct RegisterFile {
    let path: String
    let pair: Hash128

    private var temporaryPath: String { path + ".new" }

    /// Makes durable what a process that was killed in the middle of a change may have left behind. A reader calls it
    /// before it tells what it sees.
    func settle() throws(RegisterFileFault) {
        if let file = try open(O_RDONLY) {
            if fsync(file.number) != 0 { throw .notDurable(path: path, reason: systemText()) }
        }
        try syncDirectory()
    }

    /// Nil when the register is absent.
    func value() throws(RegisterFileFault) -> [UInt8]? { try image()?.value }

    /// What the file holds, if that can be trusted.
    private func image() throws(RegisterFileFault) -> RegisterImage? {
        guard let file = try open(O_RDONLY) else { return nil }
        let image: RegisterImage
        do {
            image = try RegisterImage.decode(try read(file))
        } catch let fault as RegisterImage.Fault {
            switch fault {
            case .damaged(let what): throw .damaged(path: path, what: what)
            case .otherFormat(let format): throw .otherFormat(path: path, format: format)
            }
        } catch let fault as RegisterFileFault {
            throw fault
        } catch {
            throw .unreadable(path: path, reason: "\(error)")
        }
        if image.pair != pair { throw .otherPair(path: path, found: "\(image.pair)", expected: "\(pair)") }
        var status = stat()
        guard fstat(file.number, &status) == 0 else { throw .unreadable(path: path, reason: systemText()) }
        if image.inode != UInt64(status.st_ino) { throw .restored(path: path) }
        return image
    }

    /// Compares and swaps. `differs` has changed nothing.
    func swap(expected: [UInt8]?, value: [UInt8]) throws(RegisterFileFault) -> SwapOutcome {
        let present = try image()
        guard present?.value == expected else { return .differs(current: present?.value) }
        try write(value, changes: (present?.changes ?? 0) + 1)
        return .swapped
    }

    /// Writes `value` whatever is there, also over a damaged or restored file; never over another pair's.
    func seed(_ value: [UInt8]) throws(RegisterFileFault) {
        do {
            try write(value, changes: (try image()?.changes ?? 0) + 1)
        } catch .damaged, .restored {
            try write(value, changes: 1)
        }
    }

    private func write(_ value: [UInt8], changes: UInt64) throws(RegisterFileFault) {
        WitnessLimits.check(value)
        guard let file = try open(O_WRONLY | O_CREAT | O_EXCL, at: freshTemporaryPath()) else {
            throw .notWritten(path: path, reason: systemText())
        }
        var status = stat()
        guard fstat(file.number, &status) == 0 else { throw .notWritten(path: path, reason: systemText()) }
        let image = RegisterImage(pair: pair, inode: UInt64(status.st_ino), changes: changes, value: value).encoded()
        let written = image.withUnsafeBytes { bytes in
            retryingOnInterrupt { Glibc.write(file.number, bytes.baseAddress, bytes.count) }
        }
        guard written == image.count else {
            let reason = written < 0 ? systemText() : "only \(written) of \(image.count) bytes were written"
            throw .notWritten(path: path, reason: reason)
        }
        // A file whose fsync failed is thrown away; the next change begins with another one.
        guard fsync(file.number) == 0 else { throw .notWritten(path: path, reason: systemText()) }
        guard rename(temporaryPath, path) == 0 else { throw .notWritten(path: path, reason: systemText()) }
        try syncDirectory()
    }

    /// What an earlier, unfinished change left under the temporary name goes first.
    private func freshTemporaryPath() -> String {
        unlink(temporaryPath)
        return temporaryPath
    }

    private func syncDirectory() throws(RegisterFileFault) {
        let directory = Descriptor(Glibc.open(Self.directory(of: path), O_RDONLY | O_DIRECTORY | O_CLOEXEC))
        guard directory.isOpen, fsync(directory.number) == 0 else {
            throw .notDurable(path: path, reason: systemText())
        }
    }

    static func directory(of path: String) -> String {
        guard let slash = path.lastIndex(of: "/") else { return "." }
        return slash == path.startIndex ? "/" : String(path[..<slash])
    }

    /// Nil when there is no such file.
    private func open(_ mode: CInt, at path: String? = nil) throws(RegisterFileFault) -> Descriptor? {
        let file = Descriptor(Glibc.open(path ?? self.path, mode | O_CLOEXEC | O_NOFOLLOW, 0o640))
        if file.isOpen { return file }
        if path == nil && errno == ENOENT { return nil }
        if path == nil { throw .unreadable(path: self.path, reason: systemText()) }
        throw .notWritten(path: self.path, reason: systemText())
    }

    private func read(_ file: Descriptor) throws(RegisterFileFault) -> [UInt8] {
        var count = 0
        // One byte more than a register has, so that a larger file is seen to be none.
        let bytes = [UInt8](unsafeUninitializedCapacity: RegisterImage.mostBytes + 1) { buffer, filled in
            count = retryingOnInterrupt { pread(file.number, buffer.baseAddress, buffer.count, 0) }
            filled = max(count, 0)
        }
        if count < 0 { throw .unreadable(path: path, reason: systemText()) }
        return bytes
    }
}

/// An open file that is closed with its last user.
final class Descriptor: Sendable {
    let number: CInt

    init(_ number: CInt) { self.number = number }

    deinit { if isOpen { close(number) } }

    var isOpen: Bool { number >= 0 }

    /// Takes the file's lock for this process; false when another one holds it.
    func lock() -> Bool { retryingOnInterrupt { Int(flock(number, LOCK_EX | LOCK_NB)) } == 0 }
}

func retryingOnInterrupt(_ call: () -> Int) -> Int {
    while true {
        let result = call()
        if result >= 0 || errno != EINTR { return result }
    }
}

/// The last system error in words.
func systemText(_ code: CInt = errno) -> String {
    var buffer = [CChar](repeating: 0, count: 256)
    return strerror_r(code, &buffer, buffer.count) == 0
        ? String(decoding: buffer.prefix { $0 != 0 }.map { UInt8(bitPattern: $0) }, as: UTF8.self) : "error \(code)"
}
