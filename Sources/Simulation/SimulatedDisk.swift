package import WriteAheadLog

/// What goes wrong at one call.
package enum DiskFault: Sendable, CaseIterable {
    case inputOutput
    case noSpace
    /// A write stops half way and says so.
    case shortWrite
    case syncFails
    /// A write that says it succeeded and never reaches the medium.
    case lostWrite
    /// A write that says it succeeded and lands a few blocks away.
    case misdirectedWrite
}

/// A disk in memory, deterministic by its seed: it crashes, tears, loses and misplaces as told, and carries submitted
/// work out step by step when its owner says so.
///
/// `@unchecked Sendable`: a simulation runs on one thread.
package final class SimulatedDisk: Disk, @unchecked Sendable {
    private var files: SimulatedFiles
    private var generator: SeededGenerator
    private var queues: [DiskLane: [Queued]] = [:]
    private var logLaneFailed = false
    private let onCompletion: ((DiskCompletion) -> Void)?
    /// Completions nobody was called for.
    private var completions: [DiskCompletion] = []

    /// Calls so far, reading ones included; the next has this number.
    package private(set) var calls = 0
    /// By the number of the call.
    package var faults: [Int: DiskFault] = [:]
    /// Bytes that all files together may have.
    package var capacity = Int.max
    /// Of all files together.
    package var usedBytes: Int { files.bytes }
    /// Called after every call that changes something, with its number: where a crash image may be taken.
    package var afterChange: ((Int) -> Void)?
    /// The bug of a program that goes on before its fdatasync has returned.
    package var answersBeforeSync = false
    /// Works whose completion was given before they were done.
    private var answered: Set<DiskToken> = []
    /// Called when work is handed over, so that its owner may carry it out in time.
    package var onSubmit: ((DiskLane) -> Void)?
    /// Numbers of the calls that were writes, and that were syncs of a file.
    package private(set) var writes: [Int] = []
    package private(set) var syncs: [Int] = []

    package init(seed: UInt64, onCompletion: ((DiskCompletion) -> Void)? = nil) {
        files = SimulatedFiles()
        generator = SeededGenerator(seed: seed)
        self.onCompletion = onCompletion
    }

    private struct Queued {
        let work: DiskWork
        var done = 0

        /// What is left to do makes durable only what is written already.
        var onlySyncs: Bool {
            work.steps[done...].allSatisfy { step in
                switch step {
                case .sync, .syncDirectory: true
                case .write, .zeroFill, .rename, .remove: false
                }
            }
        }
    }

    private init(files: SimulatedFiles, generator: SeededGenerator) {
        self.files = files
        self.generator = generator
        onCompletion = nil
    }

    /// A disk as a power cut at this moment may leave it; this one goes on untouched.
    package func crashImage(seed: UInt64) -> SimulatedDisk {
        var generator = SeededGenerator(seed: seed)
        let image = files.crashed(&generator)
        return SimulatedDisk(files: image, generator: generator)
    }

    /// A disk as a killed process leaves it: everything written is there.
    package func killImage() -> SimulatedDisk { SimulatedDisk(files: files, generator: generator) }

    // MARK: Submitted work

    package func submit(_ work: DiskWork) {
        queues[work.lane, default: []].append(Queued(work: work))
        onSubmit?(work.lane)
    }

    package func isWaiting(_ lane: DiskLane) -> Bool { queues[lane]?.isEmpty == false }

    package var waiting: Int { queues.values.reduce(0) { $0 + $1.count } }

    /// Carries one step of the lane's first work out. False when there was none.
    @discardableResult
    package func runStep(_ lane: DiskLane) -> Bool {
        guard var queue = queues[lane], var first = queue.first else { return false }
        var result: Result<Void, DiskError>?
        do throws(DiskError) {
            if lane == .log && logLaneFailed { throw Self.canceled }
            if first.done < first.work.steps.count { try perform(first.work.steps[first.done]) }
            first.done += 1
            queue[0] = first
            if first.done >= first.work.steps.count { result = .success(()) }
        } catch {
            result = .failure(error)
            if lane == .log { logLaneFailed = true }
        }
        if result != nil { queue.removeFirst() }
        queues[lane] = queue
        if let result, answered.remove(first.work.token) == nil { complete(first.work, result) }
        if result == nil, answersBeforeSync, first.onlySyncs, answered.insert(first.work.token).inserted {
            complete(first.work, .success(()))
        }
        return true
    }

    private func complete(_ work: DiskWork, _ result: Result<Void, DiskError>) {
        let completion = DiskCompletion(token: work.token, result: result, elapsedMicroseconds: 100)
        if let onCompletion { onCompletion(completion) } else { completions.append(completion) }
    }

    /// Carries everything out, the log's lane first.
    package func runAll() {
        while runStep(.log) || runStep(.background) {}
    }

    package func takeCompletions() -> [DiskCompletion] {
        defer { completions = [] }
        return completions
    }

    private static var canceled: DiskError {
        DiskError(operation: .write, file: "", errno: 125, text: "an earlier write failed")
    }

    // MARK: Calls

    package func list() throws(DiskError) -> [String] {
        try enter(.list, "")
        return files.names.keys.sorted()
    }

    package func size(_ file: String) throws(DiskError) -> Int {
        try enter(.size, file)
        return files.files[try number(file, .size)]?.live.count ?? 0
    }

    package func read(_ file: String, offset: Int, count: Int) throws(DiskError) -> [UInt8] {
        try enter(.read, file)
        let bytes = files.files[try number(file, .read)]?.live ?? []
        let from = min(offset, bytes.count)
        return Array(bytes[from..<min(from + count, bytes.count)])
    }

    package func write(_ file: String, offset: Int, bytes: [UInt8]) throws(DiskError) {
        writes.append(calls)
        let fault = next()
        defer { changed() }
        if fault == .noSpace || grows(file, to: offset + bytes.count) { throw Self.error(.write, file, .noSpace) }
        let number = files.create(file)
        switch fault {
        case nil, .syncFails: files.write(number, offset: offset, bytes: bytes[...])
        case .inputOutput:
            // What of it reached the medium is chance.
            files.write(number, offset: offset, bytes: bytes.prefix(Int.random(in: 0...bytes.count, using: &generator)))
            throw Self.error(.write, file, .inputOutput)
        case .shortWrite:
            files.write(number, offset: offset, bytes: bytes.prefix(bytes.count / 2))
            throw Self.error(.write, file, .shortWrite)
        case .lostWrite: break
        case .misdirectedWrite:
            let away = LogFormat.blockBytes * Int.random(in: 1...3, using: &generator)
            let room = (files.files[number]?.live.count ?? 0) - bytes.count
            let place = offset + away <= room ? offset + away : max(0, offset - away)
            files.write(number, offset: place, bytes: bytes[...])
        case .noSpace: break
        }
    }

    package func sync(_ file: String) throws(DiskError) {
        syncs.append(calls)
        let fault = next()
        defer { changed() }
        let number = try number(file, .sync)
        if let fault, fault != .lostWrite, fault != .misdirectedWrite {
            files.failSync(number, &generator)
            throw Self.error(.sync, file, .inputOutput)
        }
        files.sync(number)
    }

    package func zeroFill(_ file: String, count: Int) throws(DiskError) {
        let fault = next()
        defer { changed() }
        files.remove(file)
        let number = files.create(file)
        if fault == .noSpace || files.bytes + count > capacity { throw Self.error(.zeroFill, file, .noSpace) }
        let filled = fault == .inputOutput || fault == .shortWrite ? count / 2 : count
        files.write(number, offset: 0, bytes: [UInt8](repeating: 0, count: filled)[...])
        if filled < count { throw Self.error(.zeroFill, file, fault ?? .inputOutput) }
    }

    package func truncate(_ file: String, size: Int) throws(DiskError) {
        try change(.truncate, file)
        defer { changed() }
        files.truncate(try number(file, .truncate), size: size)
    }

    package func rename(_ from: String, to: String) throws(DiskError) {
        try change(.rename, from)
        defer { changed() }
        if !files.rename(from, to: to) { throw Self.absent(.rename, from) }
    }

    package func remove(_ file: String) throws(DiskError) {
        try change(.remove, file)
        defer { changed() }
        files.remove(file)
    }

    package func syncDirectory() throws(DiskError) {
        try change(.syncDirectory, "")
        defer { changed() }
        files.syncNames()
    }

    package func freeSpace() throws(DiskError) -> Int {
        try enter(.freeSpace, "")
        return capacity - files.bytes
    }

    // MARK: Harm

    /// Changes bytes of a file on the medium behind everybody's back.
    package func harm(_ file: String, _ body: (inout [UInt8]) -> Void) {
        guard let number = files.names[file], var image = files.files[number] else { return }
        body(&image.live)
        image.durable = image.live
        files.files[number] = image
    }

    /// The contents of a file, for assertions.
    package func contents(_ file: String) -> [UInt8]? { files.names[file].flatMap { files.files[$0]?.live } }

    /// The contents of all files, as they are.
    package var allContents: [String: [UInt8]] { files.names.compactMapValues { files.files[$0]?.live } }

    // MARK: Faults

    private func next() -> DiskFault? {
        defer { calls += 1 }
        return faults[calls]
    }

    private func changed() { afterChange?(calls - 1) }

    private func enter(_ operation: DiskOperation, _ file: String) throws(DiskError) {
        switch next() {
        case nil, .lostWrite, .misdirectedWrite: return
        case .inputOutput, .noSpace, .shortWrite, .syncFails: throw Self.error(operation, file, .inputOutput)
        }
    }

    private func change(_ operation: DiskOperation, _ file: String) throws(DiskError) {
        switch next() {
        case nil, .lostWrite, .misdirectedWrite, .shortWrite: return
        case .noSpace: throw Self.error(operation, file, .noSpace)
        case .inputOutput, .syncFails: throw Self.error(operation, file, .inputOutput)
        }
    }

    private func grows(_ file: String, to size: Int) -> Bool {
        let now = files.names[file].flatMap { files.files[$0]?.live.count } ?? 0
        return size > now && files.bytes + size - now > capacity
    }

    private func number(_ file: String, _ operation: DiskOperation) throws(DiskError) -> Int {
        guard let number = files.names[file] else { throw Self.absent(operation, file) }
        return number
    }

    private static func absent(_ operation: DiskOperation, _ file: String) -> DiskError {
        DiskError(operation: operation, file: file, errno: 2, text: "no such file")
    }

    private static func error(_ operation: DiskOperation, _ file: String, _ fault: DiskFault) -> DiskError {
        switch fault {
        case .noSpace: DiskError(operation: operation, file: file, errno: 28, text: "no space left on device")
        case .shortWrite: DiskError(operation: operation, file: file, errno: 0, text: "only half of it was written")
        default: DiskError(operation: operation, file: file, errno: 5, text: "input/output error")
        }
    }
}
