internal import Glibc

/// Writes a new file from its beginning to its end; durable under its name after `finish`.
struct SequentialFileWriter: ~Copyable {
    private let path: String
    private let temporaryPath: String
    private let descriptor: Int32
    private var buffer: [UInt8] = []
    private var isFinished = false
    private static let bufferBytes = 1 << 20

    init(path: String) throws(StoreError) {
        self.path = path
        temporaryPath = path + ".writing"
        descriptor = Glibc.open(temporaryPath, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0o600)
        guard descriptor >= 0 else { throw .notWritable(path: temporaryPath, reason: FileSystem.lastError) }
        buffer.reserveCapacity(2 * Self.bufferBytes)
    }

    deinit {
        Glibc.close(descriptor)
        if !isFinished { unlink(temporaryPath) }
    }

    mutating func append(_ bytes: [UInt8]) throws(StoreError) {
        buffer.append(contentsOf: bytes)
        if buffer.count >= Self.bufferBytes { try writeBuffer() }
    }

    /// Makes the content durable, then gives it its name, and makes that durable.
    consuming func finish() throws(StoreError) {
        try writeBuffer()
        guard fdatasync(descriptor) == 0 else {
            throw .system(path: temporaryPath, operation: "make the file durable", reason: FileSystem.lastError)
        }
        guard rename(temporaryPath, path) == 0 else {
            throw .system(path: path, operation: "rename \(temporaryPath)", reason: FileSystem.lastError)
        }
        isFinished = true
        try FileSystem.synchronizeDirectory(FileSystem.directory(of: path))
    }

    private mutating func writeBuffer() throws(StoreError) {
        var offset = 0
        while offset < buffer.count {
            let count = buffer.withUnsafeBytes { write(descriptor, $0.baseAddress! + offset, $0.count - offset) }
            if count < 0 && errno == EINTR { continue }
            guard count > 0 else {
                throw .system(path: temporaryPath, operation: "write the file", reason: FileSystem.lastError)
            }
            offset += count
        }
        buffer.removeAll(keepingCapacity: true)
    }
}

/// Reads a file from its beginning to its end.
struct SequentialFileReader: ~Copyable {
    let path: String
    private let descriptor: Int32
    private var buffer: [UInt8]
    private var start = 0
    private var end = 0
    /// Where the next byte to be read stands in the file.
    private(set) var offset = 0

    init(path: String) throws(StoreError) {
        self.path = path
        descriptor = Glibc.open(path, O_RDONLY | O_CLOEXEC)
        guard descriptor >= 0 else {
            throw .system(path: path, operation: "open the file", reason: FileSystem.lastError)
        }
        buffer = [UInt8](repeating: 0, count: 64 << 10)
    }

    deinit { Glibc.close(descriptor) }

    /// Exactly `count` bytes, or nil when the file ends before.
    mutating func read(_ count: Int) throws(StoreError) -> [UInt8]? {
        var result: [UInt8] = []
        result.reserveCapacity(count)
        while result.count < count {
            if start == end { try fill() }
            if start == end { return nil }
            let part = min(count - result.count, end - start)
            result.append(contentsOf: buffer[start..<start + part])
            start += part
        }
        offset += count
        return result
    }

    private mutating func fill() throws(StoreError) {
        while true {
            let count = buffer.withUnsafeMutableBytes { Glibc.read(descriptor, $0.baseAddress!, $0.count) }
            if count < 0 && errno == EINTR { continue }
            guard count >= 0 else {
                throw .system(path: path, operation: "read the file", reason: FileSystem.lastError)
            }
            start = 0
            end = count
            return
        }
    }
}
