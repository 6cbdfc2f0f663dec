internal import Glibc

/// What a durable write costs on this machine at this minute: the median of pwrite + fdatasync into a file that was
/// zero-filled before, as the log's segments are. Figures of a benchmark mean nothing without it.
package struct FlushFloor: Hashable, Sendable {
    package let microseconds4KiB: UInt64
    package let microseconds32KiB: UInt64

    private static let rounds = 100
    private static let mostSeconds: UInt64 = 2

    /// Blocks for at most about four seconds. The file is removed before this returns.
    package static func measure(in directory: String) throws(CommandFailure) -> FlushFloor {
        let path = directory + "/.baton-flush-floor.\(getpid())"
        let descriptor = open(path, O_CREAT | O_EXCL | O_RDWR | O_CLOEXEC, 0o600)
        if descriptor < 0 { throw failure("create a file", directory) }
        defer {
            close(descriptor)
            unlink(path)
        }
        let zeros = [UInt8](repeating: 0, count: rounds * 32 * 1024)
        guard write(zeros, to: descriptor, at: 0), fdatasync(descriptor) == 0 else { throw failure("write", directory) }
        return FlushFloor(
            microseconds4KiB: try median(of: 4 * 1024, descriptor, directory),
            microseconds32KiB: try median(of: 32 * 1024, descriptor, directory))
    }

    private static func median(of bytes: Int, _ descriptor: Int32, _ directory: String) throws(CommandFailure) -> UInt64
    {
        let block = [UInt8](repeating: 0xA5, count: bytes)
        let clock = ContinuousClock()
        let start = clock.now
        var samples: [UInt64] = []
        for round in 0..<rounds where samples.count < 10 || start.duration(to: clock.now) < .seconds(mostSeconds) {
            let before = clock.now
            guard write(block, to: descriptor, at: round * bytes), fdatasync(descriptor) == 0 else {
                throw failure("write", directory)
            }
            samples.append(before.duration(to: clock.now).wholeMicroseconds)
        }
        return samples.sorted()[samples.count / 2]
    }

    private static func write(_ bytes: [UInt8], to descriptor: Int32, at offset: Int) -> Bool {
        bytes.withUnsafeBytes { pwrite(descriptor, $0.baseAddress, $0.count, offset) } == bytes.count
    }

    private static func failure(_ what: String, _ directory: String) -> CommandFailure {
        CommandFailure(
            .failed, "could not \(what) in \(directory) to measure the flush floor: \(String(cString: strerror(errno)))"
        )
    }

    var json: JSONValue {
        .object(("4KiBMicroseconds", .integer(microseconds4KiB)), ("32KiBMicroseconds", .integer(microseconds32KiB)))
    }
}

extension Duration {
    var wholeMicroseconds: UInt64 {
        let parts = components
        return UInt64(max(0, parts.seconds)) * 1_000_000 + UInt64(max(0, parts.attoseconds / 1_000_000_000_000))
    }
}
