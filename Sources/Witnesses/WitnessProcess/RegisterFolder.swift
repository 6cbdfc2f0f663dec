internal import ByteCoding
internal import Glibc
internal import NIOPosix
internal import Synchronization

/// The registers of a witness process: a folder with a file for each pair, used by this process alone. All work goes
/// through one thread of its own, in order, so that two swaps never meet.
final class RegisterFolder: Sendable {
    let directory: String
    private let lock: Mutex<Descriptor?>
    private let thread = NIOThreadPool(numberOfThreads: 1)

    /// Makes the folder when only its last part is missing, takes its lock, and makes durable what an earlier process
    /// may have left half done.
    init(_ directory: String) throws(WitnessServerFault) {
        self.directory = directory
        if mkdir(directory, 0o750) != 0, errno != EEXIST {
            throw .folder(directory, "cannot be made: \(systemText()). Create it, or correct --data")
        }
        let lock = Descriptor(open(directory + "/LOCK", O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0o640))
        self.lock = Mutex(lock)
        guard lock.isOpen else {
            throw .folder(
                directory, "is not writable: \(systemText()). Correct its owner, mode or mount, then start again")
        }
        guard lock.lock() else {
            throw .folder(directory, "is in use by another process: give each witness a folder of its own")
        }
        do {
            for pair in try pairs() { try file(pair).settle() }
        } catch {
            throw .folder(directory, "does not settle: \(error)")
        }
        thread.start()
    }

    /// What is wrong with the registers that are there, one sentence each.
    func faults() throws(RegisterFileFault) -> [String] {
        var faults: [String] = []
        for pair in try pairs() {
            do throws(RegisterFileFault) {
                _ = try file(pair).value()
            } catch {
                faults.append(error.description)
            }
        }
        return faults
    }

    /// Pairs that have a register file here.
    func pairs() throws(RegisterFileFault) -> [Hash128] {
        guard let stream = opendir(directory) else { throw .unreadable(path: directory, reason: systemText()) }
        defer { closedir(stream) }
        var pairs: [Hash128] = []
        while let entry = readdir(stream) {
            let name = withUnsafePointer(to: &entry.pointee.d_name) {
                $0.withMemoryRebound(to: CChar.self, capacity: 256) { String(cString: $0) }
            }
            if name.hasSuffix(Self.ending), let pair = Hash128(hexadecimal: String(name.dropLast(Self.ending.count))) {
                pairs.append(pair)
            }
        }
        return pairs.sorted { "\($0)" < "\($1)" }
    }

    private static let ending = ".register"

    private func file(_ pair: Hash128) -> RegisterFile {
        RegisterFile(path: "\(directory)/\(pair)\(Self.ending)", pair: pair)
    }

    /// Carries the request out on the folder's thread, which also calls `answer`.
    func perform(
        _ request: WitnessRequest, _ answer: @escaping @Sendable (Result<WitnessAnswer, RegisterFileFault>) -> Void
    ) {
        thread.submit { [self] state in
            guard case .active = state else {
                return answer(.success(.failed(.notApplied("the witness stops"))))
            }
            answer(Result { () throws(RegisterFileFault) in try carryOut(request) })
        }
    }

    private func carryOut(_ request: WitnessRequest) throws(RegisterFileFault) -> WitnessAnswer {
        switch request {
        case .swap(let pair, let expected, let value):
            switch try file(pair).swap(expected: expected, value: value) {
            case .swapped: return .swapped
            case .differs(let current): return .current(current)
            }
        case .read(let pair): return .current(try file(pair).value())
        case .seed(let pair, let value):
            try file(pair).seed(value)
            return .swapped
        }
    }

    /// Ends the thread after the work under way, and gives the folder back. What waits is answered as not done.
    func close() async {
        // Stopped twice is as good.
        try? await thread.shutdownGracefully()
        lock.withLock { $0 = nil }
    }
}

extension Hash128 {
    /// Of 32 hexadecimal digits in lower case, as its description writes them.
    package init?(hexadecimal text: String) {
        guard text.utf8.count == 32, text.utf8.allSatisfy({ (48...57).contains($0) || (97...102).contains($0) }),
            let high = UInt64(text.prefix(16), radix: 16), let low = UInt64(text.suffix(16), radix: 16)
        else { return nil }
        self.init(high: high, low: low)
    }
}
