package import ByteCoding
package import CallModel

/// The superblock in two files, written alternately: the one with the higher counter counts, and a crash while one is
/// written leaves the other (`Schemas/log.md`). Belongs to the ledger's thread, as the log does.
package struct SuperblockStore<D: Disk>: Sendable {
    /// What a submitted value became.
    package enum Event: Hashable, Sendable {
        case durable(DiskToken)
        case failed(reason: String)
    }

    private let disk: D
    /// The newest value that is durable; nil on a formatted side.
    package private(set) var current: Superblock?
    /// What is wrong with the copies, for the operator's log.
    package private(set) var notes: [String] = []
    private var counter: UInt64 = 0
    private var pending: [(token: DiskToken, value: Superblock)] = []
    private var failure: String?

    /// A submitted value is on its way to the disk.
    package var isWriting: Bool { failure == nil && !pending.isEmpty }

    package static var files: [String] { ["superblock-0", "superblock-1"] }

    /// Reads both copies. Both unreadable counts as formatted: `current` is nil, and `notes` says what was found.
    package static func open(_ disk: D) throws(LogError) -> SuperblockStore {
        var store = SuperblockStore(disk: disk)
        let present = try onDisk { () throws(DiskError) in
            let present = Set(try disk.list()).intersection(files)
            for file in present { try disk.sync(file) }
            try disk.syncDirectory()
            return present
        }
        for file in files where present.contains(file) {
            let block = try onDisk { () throws(DiskError) in try disk.read(file, offset: 0, count: LogFormat.blockBytes)
            }
            try store.take(file, SuperblockCopy.read(block))
        }
        return store
    }

    private init(disk: D) { self.disk = disk }

    private mutating func take(_ file: String, _ reading: SuperblockCopy.Reading) throws(LogError) {
        switch reading {
        case .copy(let copy):
            guard copy.counter > counter else { return }
            counter = copy.counter
            current = copy.value
        case .bad(let what): notes.append("\(file): \(what); the other copy counts")
        case .newerVersion(let version): throw .newerVersion(file: file, offset: 0, version: version)
        }
    }

    /// Refuses a superblock of another pair or side, before anything is written under this identity.
    package func check(pairID: Hash128, side: Side) throws(LogError) {
        guard let found = current?.identity else { return }
        let file = Self.files[Int(counter % 2)]
        if found.pairID != pairID { throw .otherPair(file: file, found: "\(found.pairID)", expected: "\(pairID)") }
        if found.side != side { throw .otherSide(file: file, found: found.side, expected: side) }
    }

    /// Durable on return. For start and clean stop; not while a submitted one is under way.
    package mutating func write(_ value: Superblock) throws(LogError) {
        precondition(pending.isEmpty, "a submitted superblock is still under way")
        do throws(DiskError) {
            for step in steps(value) { try disk.perform(step) }
        } catch {
            failure = "\(error)"
            throw .disk(error)
        }
        current = value
    }

    /// Hands the value to the `.log` lane: durable after everything handed over before it.
    package mutating func submit(_ value: Superblock) -> DiskToken {
        let steps = steps(value)
        let token = DiskToken(owner: .superblock, number: counter)
        pending.append((token, value))
        disk.submit(DiskWork(token: token, lane: .log, steps: steps))
        return token
    }

    private mutating func steps(_ value: Superblock) -> [DiskStep] {
        precondition(failure == nil, "a superblock after a failure: \(failure ?? "")")
        counter += 1
        let file = Self.files[Int(counter % 2)]
        let bytes = SuperblockCopy(counter: counter, value: value).encoded()
        // The name too must be durable, the first time.
        return [.write(file: file, offset: 0, bytes: bytes), .sync(file: file), .syncDirectory]
    }

    /// Takes a completion of the disk; nil when it is not a superblock's.
    package mutating func completed(_ completion: DiskCompletion) -> Event? {
        guard completion.token.owner == .superblock, failure == nil, let first = pending.first else { return nil }
        precondition(first.token == completion.token, "the disk completed \(completion.token) out of order")
        if case .failure(let error) = completion.result {
            failure = "\(error)"
            return .failed(reason: "\(error)")
        }
        pending.removeFirst()
        current = first.value
        return .durable(first.token)
    }
}
