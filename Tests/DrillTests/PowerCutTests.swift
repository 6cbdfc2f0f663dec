import Foundation
import Testing

@testable import Drills

/// What powercut.c would write.
private struct JournalBytes {
    var bytes: [UInt8] = []

    mutating func add(
        _ kind: PowerCutJournal.Kind, inode: UInt64 = 0, token: UInt64 = 0, offset: Int = 0, sizeBefore: Int = 0,
        length: Int = 0, stored: [UInt8] = []
    ) {
        func put<Value: FixedWidthInteger>(_ value: Value) {
            withUnsafeBytes(of: value.littleEndian) { bytes += $0 }
        }
        put(UInt32(0x4357_5250))
        put(kind.rawValue)
        put(inode)
        put(token)
        put(UInt64(offset))
        put(UInt64(sizeBefore))
        put(UInt32(length))
        put(UInt32(stored.count))
        bytes += stored
    }

    mutating func add(_ kind: PowerCutJournal.Kind, token: UInt64 = 0, paths: [String]) {
        add(kind, token: token, stored: paths.flatMap { Array($0.utf8) + [0] })
    }
}

@Suite("A power cut takes back what was not synced")
struct PowerCutTests {
    private static let sector = PowerCut.sectorBytes

    @Test("what was written before the begin of a sync that ended is durable, what came later is not")
    func syncs() throws {
        var journal = JournalBytes()
        journal.add(.change, inode: 7, offset: 0, sizeBefore: 0, length: 512)
        journal.add(.syncBegin, inode: 7, token: 1)
        journal.add(.change, inode: 7, offset: 512, sizeBefore: 512, length: 1024)
        journal.add(.syncEnd, inode: 7, token: 1)
        journal.add(.syncBegin, inode: 7, token: 2)
        let file = try #require(UnsyncedChanges(try PowerCutJournal(bytes: journal.bytes)).files[7])
        #expect(file.durableSize == 512)
        #expect(file.sectors.keys.sorted() == [1, 2])
    }

    @Test("a written-through range is durable at once, and only that")
    func writtenThrough() throws {
        var journal = JournalBytes()
        journal.add(.change, inode: 7, offset: 0, sizeBefore: 4096, length: 512)
        journal.add(.change, inode: 7, offset: 1024, sizeBefore: 4096, length: 512)
        journal.add(.writtenThrough, inode: 7, offset: 1024, sizeBefore: 4096, length: 512)
        let file = try #require(UnsyncedChanges(try PowerCutJournal(bytes: journal.bytes)).files[7])
        #expect(file.sectors.keys.sorted() == [0])
    }

    @Test("a record that is cut off is none; bytes that are no record are refused")
    func malformed() throws {
        var journal = JournalBytes()
        journal.add(.change, inode: 7, length: 512, stored: [UInt8](repeating: 1, count: 512))
        for count in 0..<journal.bytes.count {
            #expect(try PowerCutJournal(bytes: Array(journal.bytes.prefix(count))).records.isEmpty)
        }
        journal.bytes[0] ^= 1
        #expect(throws: PowerCutJournal.Malformed.self) { try PowerCutJournal(bytes: journal.bytes) }
    }

    @Test("over many cuts each unsynced sector is old or new, both are seen, and synced ones never change")
    func sectors() throws {
        let folder = FileManager.default.temporaryDirectory.path + "/baton-cut-\(UUID().uuidString)"
        try FileManager.default.createDirectory(atPath: folder, withIntermediateDirectories: true)
        defer { try? FileManager.default.removeItem(atPath: folder) }  // left over at worst
        let path = folder + "/file"
        var seen: Set<[UInt8]> = []
        for seed in 0..<64 {
            let now = [UInt8](repeating: 0xEE, count: 4 * Self.sector)
            try Data(now).write(to: URL(filePath: path))
            let inode = try #require(
                FileManager.default.attributesOfItem(atPath: path)[.systemFileNumber] as? UInt64)
            var journal = JournalBytes()
            // Sectors 1 and 2 held 0x11 and zeros; they were written after the last sync.
            journal.add(
                .change, inode: inode, offset: Self.sector, sizeBefore: now.count, length: 2 * Self.sector,
                stored: [UInt8](repeating: 0x11, count: Self.sector))
            var cut = PowerCut(
                directory: folder, journal: try PowerCutJournal(bytes: journal.bytes),
                generator: SeededGenerator(seed: UInt64(seed)))
            try cut.strike()
            let after = Array(try Data(contentsOf: URL(filePath: path)))
            try #require(after.count == now.count)
            let sectors = (0..<4).map { Array(after[$0 * Self.sector..<($0 + 1) * Self.sector]) }
            for content in sectors { #expect(Set(content).count == 1, "a sector is torn within itself") }
            #expect(sectors[0][0] == 0xEE && sectors[3][0] == 0xEE)
            #expect([0x11, 0xEE].contains(sectors[1][0]) && [0, 0xEE].contains(sectors[2][0]))
            seen.insert([sectors[1][0], sectors[2][0]])
        }
        #expect(seen.count == 4)
    }

    @Test("names whose directory was not synced are lost from the last one on; a replaced file comes back")
    func names() throws {
        let folder = FileManager.default.temporaryDirectory.path + "/baton-cut-\(UUID().uuidString)"
        let kept = folder + "-kept"
        try FileManager.default.createDirectory(atPath: folder, withIntermediateDirectories: true)
        defer {  // left over at worst
            try? FileManager.default.removeItem(atPath: folder)
            try? FileManager.default.removeItem(atPath: kept)
        }
        var outcomes: Set<String> = []
        for seed in 0..<32 {
            for name in try FileManager.default.contentsOfDirectory(atPath: folder) {
                try FileManager.default.removeItem(atPath: folder + "/" + name)
            }
            try Data("new".utf8).write(to: URL(filePath: folder + "/file"))
            try Data("old".utf8).write(to: URL(filePath: kept))
            var journal = JournalBytes()
            journal.add(.create, paths: [folder + "/synced"])
            journal.add(.namesBegin, token: 3, paths: [folder])
            journal.add(.namesEnd, token: 3)
            journal.add(.create, paths: [folder + "/file.writing"])
            journal.add(.rename, paths: [folder + "/file.writing", folder + "/file", kept])
            var cut = PowerCut(
                directory: folder, journal: try PowerCutJournal(bytes: journal.bytes),
                generator: SeededGenerator(seed: UInt64(seed)))
            try cut.strike()
            let names = try FileManager.default.contentsOfDirectory(atPath: folder).sorted().joined(separator: " ")
            let file = String(decoding: try Data(contentsOf: URL(filePath: folder + "/file")), as: UTF8.self)
            outcomes.insert("\(names): \(file)")
        }
        #expect(outcomes == ["file: new", "file file.writing: old", "file: old"])
    }
}
