import CallModel
import ContextStore
import Foundation
import Inspection
import Ledger
import Testing
import WriteAheadLog

@Suite("Looking into a store, and rebuilding it")
struct StoreTests {
    static let settings = WrittenSide.storeConfiguration

    private func written(_ calls: Range<Int> = 0..<30, snapshotAfter: Int? = nil) throws -> (
        DataDirectory, Digest, Position
    ) {
        let data = try DataDirectory()
        let side = try WrittenSide(data.files)
        if let snapshotAfter {
            try side.serve(calls.lowerBound..<snapshotAfter)
            _ = try side.snapshot()
            try side.serve(snapshotAfter..<calls.upperBound)
        } else {
            try side.serve(calls)
        }
        let (digest, position) = (side.ledger.digest, side.log.end)
        try side.stop()
        return (data, digest, position)
    }

    @Test("a sound store is verified, with its digest and rows")
    func sound() throws {
        let (data, digest, position) = try written()
        guard case .sound = StoreInspection.verify(data.files, with: { StoreVerdict.reading($0) }) else {
            Issue.record("it is not sound")
            return
        }
        let found = try StoreInspection.state(data.files)
        #expect(found.state.position == position && found.state.digest == digest)
        var rows: [ShownGroup] = []
        try StoreInspection.dump(data.files, tables: [.contexts], personal: .masked) { rows.append($0) }
        #expect(rows.count == 30)
        for row in rows {
            guard case .group(let context)? = row["context"] else {
                Issue.record("a row without context: \(row)")
                continue
            }
            #expect(context["ani"] == .text("***") && context["user.card"] == .text("***"))
            #expect(context["user.tier"] == .text("platinum"))
        }
    }

    @Test("a flipped byte of a stored value is damage, and names the table")
    func flipped() throws {
        let (data, _, _) = try written()
        let file = data.files.store + "/data.mdb"
        var bytes = try Data(contentsOf: URL(filePath: file))
        // Wherever it stands: a page may be a freed one.
        while let range = bytes.range(of: Data("platinum".utf8)) {
            bytes[range.lowerBound] ^= 0xff
            try data.flip(byte: range.lowerBound, of: file)
        }
        let verdict = StoreInspection.verify(data.files, with: { StoreVerdict.reading($0) })
        guard case .damaged(let sentence) = verdict else {
            Issue.record("not damaged: \(verdict)")
            return
        }
        #expect(sentence.contains("contexts"), "\(sentence)")
    }

    @Test("a rebuild from the whole log leads to the same digest, and the old store is kept aside")
    func rebuildFromLog() throws {
        let (data, digest, position) = try written()
        try data.truncate(data.files.store + "/data.mdb", to: 8192)
        let made = try StoreRestoring.rebuild(data.files, configuration: Self.settings)
        #expect(made.state.digest == digest && made.state.position == position && made.snapshot == nil)
        #expect(made.aside == data.files.store + ".aside-1")
        #expect(FileManager.default.fileExists(atPath: data.files.store + ".aside-1/data.mdb"))
        #expect(try StoreInspection.verification(data.files).digest == digest)
    }

    @Test("a rebuild from snapshot and log leads to the same digest; a damaged snapshot is passed over and named")
    func rebuildFromSnapshot() throws {
        let (data, digest, _) = try written(snapshotAfter: 15)
        let made = try StoreRestoring.rebuild(data.files, configuration: Self.settings)
        #expect(made.snapshot != nil && made.state.digest == digest)
        let snapshot = try #require(try data.files.snapshotPaths().first)
        try data.flip(byte: 900, of: snapshot)
        let again = try StoreRestoring.rebuild(data.files, configuration: Self.settings)
        #expect(again.snapshot == nil && again.state.digest == digest)
        #expect(again.notes.contains { $0.contains(snapshot) && $0.contains("damaged") }, "\(again.notes)")
        #expect(again.aside == data.files.store + ".aside-2")
    }

    @Test("a restore to a sequence gives the digest that the ledger had there, and a side goes on from it")
    func restoreToSequence() throws {
        let data = try DataDirectory()
        let side = try WrittenSide(data.files)
        try side.serve(0..<10)
        _ = try side.snapshot()
        try side.serve(10..<20)
        let digests = side.digests
        try side.stop()
        for sequence in [LogSequence(1), LogSequence(7), LogSequence(25)] {
            let target = SideFiles(directory: data.files.directory + "/restored-\(sequence)")
            let made = try StoreRestoring.restore(
                data.files, until: .sequence(sequence), to: target, incarnation: 9, configuration: Self.settings)
            #expect(made.state.position.sequence == sequence)
            #expect(made.state.digest == digests[sequence])
            #expect((made.snapshot != nil) == (sequence == LogSequence(25)))
            let other = try WrittenSide(target)
            #expect(other.log.end.sequence == sequence && other.ledger.digest == digests[sequence])
            try other.serve(100..<103)
            try other.stop()
        }
    }

    @Test(
        "a restore to a wall time stands at the last batch of that time; into a directory that is there it is refused")
    func restoreToTime() throws {
        let data = try DataDirectory()
        let side = try WrittenSide(data.files)
        try side.serve(0..<10)
        let digests = side.digests
        try side.stop()
        let target = SideFiles(directory: data.files.directory + "/then")
        let time = WallTime(milliseconds: WrittenSide.noon.milliseconds + 5_500)
        let made = try StoreRestoring.restore(
            data.files, until: .wall(time), to: target, incarnation: 9, configuration: Self.settings)
        #expect(made.state.position.sequence == LogSequence(5) && made.state.digest == digests[LogSequence(5)])
        #expect(throws: InspectionFault.self) {
            try StoreRestoring.restore(data.files, until: .wall(time), to: target, incarnation: 9)
        }
        #expect(throws: InspectionFault.self) {
            try StoreRestoring.restore(
                data.files, until: .wall(WrittenSide.noon), to: SideFiles(directory: data.files.directory + "/before"),
                incarnation: 9, configuration: Self.settings)
        }
    }

    @Test("a sequence within a batch is answered with the batch before it")
    func withinBatch() throws {
        let data = try DataDirectory()
        let side = try WrittenSide(data.files)
        try side.commit(.configure(.sample))
        try side.commit(.reserve("1"), .reserve("2"), .reserve("3"))
        let digests = side.digests
        try side.stop()
        let target = SideFiles(directory: data.files.directory + "/within")
        let made = try StoreRestoring.restore(
            data.files, until: .sequence(LogSequence(3)), to: target, incarnation: 9, configuration: Self.settings)
        #expect(made.state.position.sequence == LogSequence(1) && made.state.digest == digests[LogSequence(1)])
        #expect(made.notes.contains { $0.contains("sequence 3 lies within a batch") })
    }
}

@Suite("A restore over a log with rot")
struct RotRestoreTests {
    /// A side that served and was killed. A byte of the batch that holds sequence 10 is flipped.
    private func rotten(_ data: DataDirectory) throws -> (batches: [LoggedBatch], damaged: LoggedBatch, Digest) {
        let side = try WrittenSide(data.files)
        try side.serve(0..<30)
        try side.store.flush()
        try side.stop(cleanly: false)
        let batches = try batches(data)
        let damaged = try #require(batches.first { $0.lastSequence >= LogSequence(10) })
        let file = data.files.log + "/" + LogFormat.segmentFile(damaged.header.segment)
        try data.flip(byte: damaged.header.offset + 200, of: file)
        return (batches, damaged, side.ledger.digest)
    }

    private func batches(_ data: DataDirectory) throws -> [LoggedBatch] {
        var reader = try LogReader(try PosixDisk(directory: data.files.log, access: .reading))
        var batches: [LoggedBatch] = []
        while let batch = try reader.next() { batches.append(batch) }
        return batches
    }

    @Test("a restore past the rot is refused with file, byte, sequence and next step, and makes nothing")
    func refused() throws {
        let data = try DataDirectory()
        let rotten = try rotten(data)
        let target = SideFiles(directory: data.files.directory + "-new")
        for limit in [ReplayLimit.end, .sequence(LogSequence(40))] {
            let fault = try #require(throws: InspectionFault.self) {
                try StoreRestoring.restore(data.files, until: limit, to: target, incarnation: 9)
            }
            #expect(fault.isDamage && "\(fault)".contains("rot"), "\(fault)")
            #expect("\(fault)".contains("at byte \(rotten.damaged.header.offset)"), "\(fault)")
            #expect("\(fault)".contains("--sequence \(rotten.damaged.firstSequence.number - 1)"), "\(fault)")
            #expect(!FileManager.default.fileExists(atPath: target.directory))
        }
        let before = try StoreInspection.verification(data.files).digest
        let fault = try #require(throws: InspectionFault.self) { try StoreRestoring.rebuild(data.files) }
        #expect(fault.isDamage)
        #expect(try StoreInspection.verification(data.files).digest == before, "the store that was there is untouched")
    }

    @Test("a restore to a point before the rot is made")
    func before() throws {
        let data = try DataDirectory()
        let last = try rotten(data).damaged.firstSequence.number - 1
        let target = SideFiles(directory: data.files.directory + "-new")
        defer { try? FileManager.default.removeItem(atPath: target.directory) }
        let made = try StoreRestoring.restore(
            data.files, until: .sequence(LogSequence(last)), to: target, incarnation: 9)
        #expect(made.state.position.sequence == LogSequence(last))
    }

    @Test("a snapshot of the sound store lies behind the rot: a restore begins there, and loses nothing")
    func behind() throws {
        let data = try DataDirectory()
        let rotten = try rotten(data)
        _ = try StoreInspection.snapshot(data.files)
        let target = SideFiles(directory: data.files.directory + "-new")
        defer { try? FileManager.default.removeItem(atPath: target.directory) }
        let made = try StoreRestoring.restore(data.files, until: .end, to: target, incarnation: 9)
        #expect(made.state.position == rotten.batches.last?.position && made.state.digest == rotten.2)
    }
}

@Suite("A side's start over a harmed store")
struct StoreRepairTests {
    /// What a start does before it opens the store; the lock of the directory is free again afterwards.
    private func repair(_ files: SideFiles) throws -> StoreRepair {
        let disk = try PosixDisk(directory: files.log)
        defer { disk.close() }
        return try StoreRepair.beforeOpening(
            files, log: disk, configuration: WrittenSide.storeConfiguration, verify: { StoreVerdict.reading($0) })
    }

    /// Serves and stops; says what the digest was.
    private func serve(_ calls: Range<Int>, _ data: DataDirectory) throws -> Digest {
        let side = try WrittenSide(data.files)
        try side.serve(calls)
        try side.stop()
        return side.ledger.digest
    }

    private func harm(_ data: DataDirectory) throws {
        let file = data.files.store + "/data.mdb"
        var bytes = try Data(contentsOf: URL(filePath: file))
        // Wherever it stands: a page may be a freed one.
        while let range = bytes.range(of: Data("platinum".utf8)) {
            bytes[range.lowerBound] ^= 0xff
            try data.flip(byte: range.lowerBound, of: file)
        }
    }

    @Test("a sound store is opened as it is, without a word")
    func sound() throws {
        let data = try DataDirectory()
        _ = try serve(0..<10, data)
        #expect(try repair(data.files).notes.isEmpty)
    }

    @Test("a damaged store is moved aside and rebuilt from the whole log")
    func fromLog() throws {
        let data = try DataDirectory()
        let digest = try serve(0..<10, data)
        try harm(data)
        let notes = try repair(data.files).notes
        #expect(notes.contains { $0.contains("store.damaged-1") } && notes.contains { $0.contains("whole log") })
        let again = try WrittenSide(data.files)
        #expect(again.ledger.digest == digest && again.replayed == Int(again.log.end.sequence.number))
        try again.stop()
    }

    @Test("a damaged store of a trimmed log is rebuilt from the newest good snapshot")
    func fromSnapshot() throws {
        let data = try DataDirectory()
        let (digest, snapshot) = try trimmed(data)
        try harm(data)
        let notes = try repair(data.files).notes
        #expect(notes.contains { $0.contains(snapshot) }, "\(notes)")
        let again = try WrittenSide(data.files)
        #expect(again.ledger.digest == digest && again.replayed < Int(again.log.end.sequence.number))
        try again.stop()
    }

    @Test("a store that kills its verifier is damaged; one of a newer format is refused, and stays")
    func verdicts() throws {
        let data = try DataDirectory()
        let digest = try serve(0..<10, data)
        let disk = try PosixDisk(directory: data.files.log)
        #expect(throws: InspectionFault.self) {
            try StoreRepair.beforeOpening(
                data.files, log: disk, configuration: WrittenSide.storeConfiguration,
                verify: { StoreVerdict(.newerFormat(path: $0, found: 2, known: 1)) })
        }
        #expect(FileManager.default.fileExists(atPath: data.files.store + "/data.mdb"))
        let repair = try StoreRepair.beforeOpening(
            data.files, log: disk, configuration: WrittenSide.storeConfiguration,
            verify: { VerifierProcess.run(executable: "/bin/sh", ["-c", "kill -SEGV $$", $0]) })
        #expect(repair.notes.contains { $0.contains("killed the verifier (signal 11)") }, "\(repair.notes)")
        #expect(FileManager.default.fileExists(atPath: data.files.store + ".damaged-1/data.mdb"))
        #expect(digest != .empty)
    }

    @Test("the verifier's end is its verdict")
    func ends() {
        #expect(VerifierProcess.run(executable: "/bin/sh", ["-c", "echo sound; exit 0"]) == .sound("sound"))
        #expect(VerifierProcess.run(executable: "/bin/sh", ["-c", "echo rotten; exit 1"]) == .damaged("rotten"))
        #expect(VerifierProcess.run(executable: "/bin/sh", ["-c", "echo none; exit 20"]) == .absent("none"))
        #expect(VerifierProcess.run(executable: "/bin/sh", ["-c", "echo newer; exit 21"]) == .refused("newer"))
        guard case .damaged = VerifierProcess.run(executable: "/bin/sh", ["-c", "exit 3"]) else {
            Issue.record("another end is damage")
            return
        }
        guard case .refused = VerifierProcess.run(executable: "/nowhere", []) else {
            Issue.record("a verifier that cannot start says nothing of the store")
            return
        }
    }

    @Test("without a snapshot a trimmed log cannot rebuild: refused, with the next step, and nothing is moved")
    func impossible() throws {
        let data = try DataDirectory()
        let (_, snapshot) = try trimmed(data)
        try FileManager.default.removeItem(atPath: snapshot)
        try harm(data)
        let fault = try #require(throws: InspectionFault.self) { try repair(data.files) }
        #expect("\(fault)".contains("no good snapshot reaches from there"), "\(fault)")
        #expect("\(fault)".contains("restore this side from the other side"), "\(fault)")
        #expect(FileManager.default.fileExists(atPath: data.files.store + "/data.mdb"))
    }

    /// Many calls, a snapshot half way, and the segments before it trimmed.
    private func trimmed(_ data: DataDirectory) throws -> (Digest, snapshot: String) {
        let side = try WrittenSide(data.files)
        try side.serve(0..<60)
        let snapshot = try side.snapshot().path
        try side.trim()
        try side.serve(60..<70)
        #expect(side.log.base.sequence > .zero)
        try side.stop()
        return (side.ledger.digest, snapshot)
    }

    @Test("a journey from a trimmed log begins with what the snapshot holds of the call")
    func journeyAfterTrimming() throws {
        let data = try DataDirectory()
        let (_, snapshot) = try trimmed(data)
        let journey = try JourneyFromLog.find("arrival-1", in: data.files)
        #expect(
            journey.rows.map(\.kind) == [.reserved, .arrived, .claimed]
                || journey.rows.map(\.kind) == [.reserved, .claimed])
        #expect(journey.notes.contains { $0.contains(snapshot) })
    }
}

@Suite("A journey from the log alone")
struct JourneyFromLogTests {
    @Test("it equals the journey in the store, by whatever name the call is asked for")
    func equal() throws {
        let data = try DataDirectory()
        let side = try WrittenSide(data.files)
        let reserved = try side.serve(1..<9)
        var expected: [CallKey: [JourneyRow]] = [:]
        for one in reserved {
            let prefix = one.callKey.journeyPrefix
            expected[one.callKey] = try side.store.rows(.journeys, from: prefix, limit: 100)
                .filter { $0.key.starts(with: prefix) }.map { try JourneyRow(key: $0.key, value: $0.value) }
        }
        // The log alone, beside the side that writes it.
        for (index, one) in reserved.enumerated() {
            var names = [one.callKey.description, "leg-\(index + 1)", one.reservation.description]
            if (index + 1) % 3 != 0 { names.append("arrival-\(index + 1)") }
            for name in names {
                let journey = try JourneyFromLog.find(name, in: data.files)
                #expect(journey.callKey == one.callKey && journey.rows == expected[one.callKey], "\(name)")
            }
        }
        try side.stop()
    }

    @Test("a call that is not in the log is unknown, with a sentence")
    func unknown() throws {
        let data = try DataDirectory()
        let side = try WrittenSide(data.files)
        try side.serve(1..<3)
        try side.stop()
        #expect(throws: InspectionFault.self) { try JourneyFromLog.find("nobody", in: data.files) }
    }
}
