package import ByteCoding
internal import Glibc
internal import NIOCore
internal import NIOPosix

/// A register in a file, for a pair whose sides run on one host: demonstrations and tests. The sides exclude each other by
/// a lock on a file beside it (the register itself is replaced at every change, and a lock would stay with the old one).
package struct FileWitness: SeedableWitness {
    private let file: RegisterFile
    private let lockPath: String
    private let timeoutMilliseconds: Int64

    package init(path: String, pair: Hash128, timeoutMilliseconds: Int64 = WitnessLimits.timeoutMilliseconds) {
        file = RegisterFile(path: path, pair: pair)
        lockPath = path + ".lock"
        self.timeoutMilliseconds = timeoutMilliseconds
    }

    package func swap(expected: [UInt8]?, value: [UInt8]) async throws(WitnessFault) -> SwapOutcome {
        try await locked { file throws(RegisterFileFault) in try file.swap(expected: expected, value: value) }
    }

    package func read() async throws(WitnessFault) -> [UInt8]? {
        try await locked { file throws(RegisterFileFault) in try file.value() }
    }

    package func seed(_ value: [UInt8]) async throws(WitnessFault) {
        try await locked { file throws(RegisterFileFault) in try file.seed(value) }
    }

    /// Runs `body` under the lock, on a thread that may wait for a disk. A disk that keeps it waiting leaves the outcome
    /// unknown.
    private func locked<Value: Sendable>(
        _ body: @escaping @Sendable (RegisterFile) throws(RegisterFileFault) -> Value
    ) async throws(WitnessFault) -> Value {
        let (file, lockPath, timeout) = (file, lockPath, TimeAmount.milliseconds(timeoutMilliseconds))
        let deadline = NIODeadline.now() + timeout
        let loop = MultiThreadedEventLoopGroup.singleton.next()
        return try await firstOutcome(on: loop, within: timeout) { outcome in
            NIOThreadPool.singleton.submit { state in
                guard case .active = state else { return outcome(.failure(.notApplied("the process ends"))) }
                do throws(WitnessFault) {
                    let lock = try Self.lock(lockPath, until: deadline)
                    defer { withExtendedLifetime(lock) {} }
                    do throws(RegisterFileFault) {
                        try file.settle()
                        outcome(.success(try body(file)))
                    } catch {
                        throw error.witnessFault
                    }
                } catch {
                    outcome(.failure(error))
                }
            }
        }
    }

    private static func lock(_ path: String, until deadline: NIODeadline) throws(WitnessFault) -> Descriptor {
        let file = Descriptor(open(path, O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0o640))
        guard file.isOpen else { throw .notApplied("\(path) cannot be opened: \(systemText())") }
        while !file.lock() {
            guard NIODeadline.now() < deadline else { throw .notApplied("another process holds \(path)") }
            usleep(2_000)
        }
        return file
    }
}
