import CallModel
import Glibc
import Testing
import WriteAheadLog

/// A directory that goes away with its user.
private final class TemporaryDirectory {
    let path: String

    init() {
        var template = Array("/tmp/baton-log-XXXXXX".utf8CString)
        precondition(mkdtemp(&template) != nil)
        path = String(decoding: template.dropLast().map { UInt8(bitPattern: $0) }, as: UTF8.self)
    }

    deinit {
        if let disk = try? PosixDisk(directory: path, access: .reading), let files = try? disk.list() {
            // What cannot be removed stays in /tmp: no reason to fail a test.
            for file in files { unlink(path + "/" + file) }
        }
        unlink(path + "/LOCK")
        rmdir(path)
    }
}

@Suite("The log on a real directory")
struct PosixDiskTests {
    private typealias PosixLog = WriteAheadLog<PosixDisk>

    private func opened(_ path: String) throws -> (PosixDisk, AsyncStream<DiskCompletion>) {
        let (stream, continuation) = AsyncStream<DiskCompletion>.makeStream()
        return (try PosixDisk(directory: path) { continuation.yield($0) }, stream)
    }

    @Test("records come back after a restart, through both lanes' threads")
    func roundTrip() async throws {
        let directory = TemporaryDirectory()
        for life in 0..<3 {
            let (disk, stream) = try opened(directory.path)
            var completions = stream.makeAsyncIterator()
            var (log, report) = try PosixLog.open(disk, identity: thisSide, configuration: smallSegments)
            #expect(report.records == UInt64(life * 30))
            var found: [[UInt8]] = []
            try log.replay(after: .zero) { (batch: LoggedBatch) in found += batch.records }
            #expect(found == sampleRecords(0..<life * 30))
            var next = life * 30
            while log.durable.sequence.number < (life + 1) * 30 || log.spareCount < 2 {
                if log.end == log.durable && next < (life + 1) * 30 {
                    let time = BatchTime(log: log.lastTime.log, wall: .zero)
                    // Without a spare the next completion brings one.
                    do throws(AppendRefusal) {
                        _ = try log.append(records: [sampleRecord(next)], time: time, epoch: 1, committed: .zero)
                        next += 1
                    } catch { #expect(error == .spareMissing) }
                }
                let completion = try #require(await completions.next())
                if case .failed(let reason) = log.completed(completion) { Issue.record("\(reason)") }
            }
            disk.close()
        }
    }

    @Test("a second instance is told that the directory is in use; a reader is let in and cannot write")
    func lock() throws {
        let directory = TemporaryDirectory()
        var first: PosixDisk? = try PosixDisk(directory: directory.path)
        #expect(throws: PosixDisk.OpenError.inUse(directory: directory.path)) {
            try PosixDisk(directory: directory.path)
        }
        try first?.write("file", offset: 0, bytes: [1, 2, 3])
        let reader = try PosixDisk(directory: directory.path, access: .reading)
        #expect(try reader.read("file", offset: 1, count: 10) == [2, 3])
        #expect(throws: DiskError.self) { try reader.write("file", offset: 0, bytes: [9]) }
        #expect(throws: DiskError.self) { try reader.remove("file") }
        first = nil
        _ = try PosixDisk(directory: directory.path)
    }

    @Test("a directory that is absent or not a directory is refused by name")
    func absent() throws {
        #expect(throws: PosixDisk.OpenError.self) { try PosixDisk(directory: "/tmp/baton-absent/below") }
        #expect(throws: PosixDisk.OpenError.self) { try PosixDisk(directory: "/dev/null") }
        #expect(
            "\(PosixDisk.OpenError.inUse(directory: "/d"))"
                != "\(PosixDisk.OpenError.notWritable(directory: "/d", text: ""))")
    }

    @Test("a name that leads out of the directory is refused")
    func names() throws {
        let directory = TemporaryDirectory()
        let disk = try PosixDisk(directory: directory.path)
        for name in ["../x", "/etc/passwd", "..", "", "a/b", "LOCK"] {
            #expect(throws: DiskError.self) { try disk.write(name, offset: 0, bytes: [1]) }
        }
        symlink("/etc/passwd", directory.path + "/link")
        #expect(throws: DiskError.self) { try disk.read("link", offset: 0, count: 1) }
    }

    @Test("after a failed write of the log's lane every later one fails untouched")
    func failStop() async throws {
        let directory = TemporaryDirectory()
        let (disk, stream) = try opened(directory.path)
        var completions = stream.makeAsyncIterator()
        for (number, name) in ["good", "not/a/name", "good"].enumerated() {
            disk.submit(
                DiskWork(
                    token: DiskToken(owner: .log, number: UInt64(number)), lane: .log,
                    steps: [.write(file: name, offset: number, bytes: [7]), .sync(file: name)]))
        }
        var outcomes: [Bool] = []
        while outcomes.count < 3, let completion = await completions.next() {
            if case .success = completion.result { outcomes.append(true) } else { outcomes.append(false) }
        }
        #expect(outcomes == [true, false, false])
        #expect(try disk.size("good") == 1)
        disk.close()
    }

    @Test("zero-filled files have their size, names are listed, files are renamed, cut and removed")
    func files() throws {
        let directory = TemporaryDirectory()
        let disk = try PosixDisk(directory: directory.path)
        try disk.zeroFill("a", count: 5 << 20)
        #expect(try disk.size("a") == 5 << 20)
        #expect(try disk.read("a", offset: (5 << 20) - 2, count: 5) == [0, 0])
        try disk.rename("a", to: "b")
        #expect(try disk.list() == ["b"])
        try disk.truncate("b", size: 10)
        #expect(try disk.size("b") == 10)
        try disk.sync("b")
        try disk.remove("b")
        try disk.remove("b")
        try disk.syncDirectory()
        #expect(try disk.list().isEmpty)
        #expect(try disk.freeSpace() > 0)
        #expect(throws: DiskError.self) { try disk.size("b") }
    }

    @Test("a file is made empty too, as cut tails begin: the disk has no other way to make one")
    func emptyFile() throws {
        let directory = TemporaryDirectory()
        let disk = try PosixDisk(directory: directory.path)
        try disk.zeroFill("aside", count: 0)
        #expect(try disk.size("aside") == 0)
    }
}
