internal import Foundation
internal import Glibc

/// Takes back, from the files of a killed side, what a power cut could have taken: of the sectors written since a
/// file's last sync a random subset, torn and reordered, and names whose directory was not synced.
struct PowerCut {
    struct Tally: Sendable {
        var sectorsUnsynced = 0
        var sectorsTakenBack = 0
        var namesUnsynced = 0
        var namesTakenBack = 0
    }

    struct Fault: Error, CustomStringConvertible {
        let description: String
    }

    static let sectorBytes = 512

    private let directory: String
    private let journal: PowerCutJournal
    private var generator: SeededGenerator
    private(set) var tally = Tally()

    init(directory: String, journal: PowerCutJournal, generator: SeededGenerator) {
        self.directory = directory
        self.journal = journal
        self.generator = generator
    }

    mutating func strike() throws {
        try takeBackNames()
        let changes = UnsyncedChanges(journal)
        for (path, inode) in try files() {
            if let file = changes.files[inode] { try takeBack(file, path) }
        }
    }

    // MARK: Names

    /// A directory's changes reach the disk in their order, so what is lost is the end of them.
    private mutating func takeBackNames() throws {
        var unsynced: [String: [Int]] = [:]
        var begins: [UInt64: (directory: String, index: Int)] = [:]
        for (index, record) in journal.records.enumerated() {
            switch record.kind {
            case .create, .rename, .unlink:
                let folder = (journal.paths(of: record)[0] as NSString).deletingLastPathComponent
                unsynced[folder, default: []].append(index)
            case .namesBegin: begins[record.token] = (journal.paths(of: record)[0], index)
            case .namesEnd:
                if let begin = begins[record.token] { unsynced[begin.directory]?.removeAll { $0 < begin.index } }
            default: break
            }
        }
        var lost: [Int] = []
        for folder in unsynced.keys.sorted() {
            let indexes = unsynced[folder] ?? []
            lost += indexes.suffix(Int.random(in: 0...indexes.count, using: &generator))
            tally.namesUnsynced += indexes.count
        }
        tally.namesTakenBack = lost.count
        for index in lost.sorted(by: >) { try undo(journal.records[index]) }
    }

    private func undo(_ record: PowerCutJournal.Record) throws {
        let paths = journal.paths(of: record)
        let failed: Bool
        switch record.kind {
        case .create: failed = Glibc.unlink(paths[0]) != 0 && errno != ENOENT
        case .rename:
            failed = Glibc.rename(paths[1], paths[0]) != 0 || (!paths[2].isEmpty && link(paths[2], paths[1]) != 0)
        case .unlink: failed = link(paths[1], paths[0]) != 0
        default: return
        }
        if failed { throw Fault(description: "the power cut cannot take back a name: \(paths): errno \(errno)") }
    }

    // MARK: Content

    private func files() throws -> [(path: String, inode: UInt64)] {
        guard let enumerator = FileManager.default.enumerator(atPath: directory) else { return [] }
        var files: [(path: String, inode: UInt64)] = []
        for case let name as String in enumerator {
            var status = stat()
            let path = directory + "/" + name
            guard lstat(path, &status) == 0 else { throw Fault(description: "\(path) cannot be looked at") }
            if status.st_mode & S_IFMT == S_IFREG { files.append((path, UInt64(status.st_ino))) }
        }
        return files.sorted { $0.path < $1.path }
    }

    /// How much of a file's unsynced writes the disk had taken.
    private enum Extent: CaseIterable {
        case nothing
        case everything
        case half
        case most
        /// In the order of writing, with the last write torn.
        case beginning
    }

    private mutating func takeBack(_ file: UnsyncedChanges.File, _ path: String) throws {
        let descriptor = Glibc.open(path, O_RDWR | O_CLOEXEC)
        guard descriptor >= 0 else { throw Fault(description: "\(path) cannot be written") }
        defer { Glibc.close(descriptor) }
        var status = stat()
        guard fstat(descriptor, &status) == 0 else { throw Fault(description: "\(path) cannot be looked at") }
        let extent = Extent.allCases.randomElement(using: &generator) ?? .nothing
        let last = Int.random(in: file.firstChange...file.lastChange, using: &generator)
        tally.sectorsUnsynced += file.sectors.count
        for (sector, versions) in file.sectors.sorted(by: { $0.key < $1.key }) {
            let chosen: Int
            if let doomed = versions.firstIndex(where: \.isDoomed) {
                tally.sectorsTakenBack += 1
                try put(versions[doomed], sector: sector, into: descriptor, path)
                continue
            }
            switch extent {
            case .nothing: chosen = 0
            case .everything: chosen = versions.count
            case .half: chosen = Int.random(in: 0...versions.count, using: &generator)
            case .most: chosen = Int.random(in: 0..<8, using: &generator) == 0 ? 0 : versions.count
            case .beginning:
                chosen =
                    versions.firstIndex { version in
                        version.change > last || (version.change == last && Bool.random(using: &generator))
                    } ?? versions.count
            }
            guard chosen < versions.count else { continue }
            tally.sectorsTakenBack += 1
            try put(versions[chosen], sector: sector, into: descriptor, path)
        }
        // Beyond the size that was synced there may be nothing at all.
        let loses = extent == .nothing || (extent != .everything && Int.random(in: 0..<4, using: &generator) == 0)
        let size = loses ? file.durableSize : Int(status.st_size)
        if ftruncate(descriptor, size) != 0 { throw Fault(description: "\(path) cannot be cut") }
    }

    private func put(
        _ version: UnsyncedChanges.Version, sector: Int, into descriptor: CInt, _ path: String
    ) throws {
        var content = Array(journal.bytes[version.stored])
        content += [UInt8](repeating: 0, count: Self.sectorBytes - content.count)
        let written = pwrite(descriptor, content, content.count, sector * Self.sectorBytes)
        if written != content.count { throw Fault(description: "\(path) cannot be written") }
    }
}

/// For each file, by inode, what its sectors held at the last sync and after each write since.
struct UnsyncedChanges {
    struct Version {
        let change: Int
        /// What the sector held before that change, without the zeros at its end.
        let stored: Range<Int>
        /// The change was lost with a sync that failed; no later sync brings it back.
        let isDoomed: Bool
    }

    struct File {
        var durableSize: Int
        let firstChange: Int
        var lastChange: Int
        var sectors: [Int: [Version]] = [:]
    }

    private(set) var files: [UInt64: File] = [:]

    init(_ journal: PowerCutJournal) {
        let durable = Self.durableChanges(journal)
        let doomed = Self.doomedChanges(journal)
        for (index, record) in journal.records.enumerated() {
            let isDoomed = doomed.contains(index)
            guard isDoomed || index > durable[record.inode] ?? -1 else { continue }
            switch record.kind {
            case .change: add(record, index, isDoomed: isDoomed)
            case .writtenThrough:
                guard files[record.inode] != nil else { continue }
                for sector in Self.sectors(of: record) { files[record.inode]?.sectors[sector] = nil }
                files[record.inode]?.durableSize = record.sizeBefore
            default: break
            }
        }
    }

    /// For each file the begin of its last sync that ended, or its creation.
    private static func durableChanges(_ journal: PowerCutJournal) -> [UInt64: Int] {
        var durable: [UInt64: Int] = [:]
        var begins: [UInt64: Int] = [:]
        for (index, record) in journal.records.enumerated() {
            switch record.kind {
            case .syncBegin: begins[record.token] = index
            case .syncEnd:
                if let begin = begins[record.token] {
                    durable[record.inode] = max(begin, durable[record.inode] ?? begin)
                }
            case .create: durable[record.inode] = index
            default: break
            }
        }
        return durable
    }

    /// The changes that were not durable when a sync of their file failed.
    private static func doomedChanges(_ journal: PowerCutJournal) -> Set<Int> {
        var unsynced: [UInt64: [Int]] = [:]
        var begins: [UInt64: Int] = [:]
        var doomed: Set<Int> = []
        for (index, record) in journal.records.enumerated() {
            switch record.kind {
            case .change: unsynced[record.inode, default: []].append(index)
            case .create: unsynced[record.inode] = nil
            case .syncBegin: begins[record.token] = index
            case .syncEnd:
                if let begin = begins[record.token] { unsynced[record.inode]?.removeAll { $0 < begin } }
            case .syncFailed: doomed.formUnion(unsynced.removeValue(forKey: record.inode) ?? [])
            default: break
            }
        }
        return doomed
    }

    private mutating func add(_ record: PowerCutJournal.Record, _ index: Int, isDoomed: Bool) {
        var file =
            files.removeValue(forKey: record.inode)
            ?? File(durableSize: record.sizeBefore, firstChange: index, lastChange: index)
        file.lastChange = index
        for (position, sector) in Self.sectors(of: record).enumerated() {
            let begin = min(record.stored.lowerBound + position * PowerCut.sectorBytes, record.stored.upperBound)
            let end = min(begin + PowerCut.sectorBytes, record.stored.upperBound)
            file.sectors[sector, default: []].append(Version(change: index, stored: begin..<end, isDoomed: isDoomed))
        }
        files[record.inode] = file
    }

    private static func sectors(of record: PowerCutJournal.Record) -> Range<Int> {
        let begin = record.offset / PowerCut.sectorBytes
        let end = (record.offset + record.length + PowerCut.sectorBytes - 1) / PowerCut.sectorBytes
        return begin..<max(begin, end)
    }
}
