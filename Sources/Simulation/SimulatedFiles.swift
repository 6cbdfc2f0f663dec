internal import WriteAheadLog

/// A directory in memory that knows, of every sector and every name, what a sync has made durable.
struct SimulatedFiles: Sendable {
    struct File: Sendable {
        /// What a reader sees.
        var live: [UInt8] = []
        /// What the medium holds for certain.
        var durable: [UInt8] = []
        /// Sectors that differ, or may: written since the last sync.
        var unsynced: Set<Int> = []
    }

    /// A change of the directory; a crash keeps the first few of those since the last sync, as a journal does.
    enum Change: Sendable {
        case link(String, Int)
        case unlink(String)
    }

    var files: [Int: File] = [:]
    var names: [String: Int] = [:]
    private var durableNames: [String: Int] = [:]
    private var changes: [Change] = []
    private var nextFile = 1

    static let sectorBytes = LogFormat.sectorBytes

    var bytes: Int { names.values.reduce(0) { $0 + (files[$1]?.live.count ?? 0) } }

    // MARK: Names

    mutating func create(_ name: String) -> Int {
        if let file = names[name] { return file }
        let file = nextFile
        nextFile += 1
        files[file] = File()
        change(.link(name, file))
        return file
    }

    mutating func remove(_ name: String) {
        if names[name] != nil { change(.unlink(name)) }
    }

    /// False when `from` is not there. One change, as a rename is.
    mutating func rename(_ from: String, to: String) -> Bool {
        guard let file = names.removeValue(forKey: from) else { return false }
        names[to] = file
        changes.append(.unlink(from))
        changes.append(.link(to, file))
        return true
    }

    private mutating func change(_ change: Change) {
        changes.append(change)
        Self.apply(change, to: &names)
    }

    private static func apply(_ change: Change, to names: inout [String: Int]) {
        switch change {
        case .link(let name, let file): names[name] = file
        case .unlink(let name): names[name] = nil
        }
    }

    mutating func syncNames() {
        durableNames = names
        changes = []
        let named = Set(names.values)
        files = files.filter { named.contains($0.key) }
    }

    // MARK: Contents

    mutating func write(_ file: Int, offset: Int, bytes: ArraySlice<UInt8>) {
        guard !bytes.isEmpty, var image = files.removeValue(forKey: file) else { return }
        let end = offset + bytes.count
        if image.live.count < end { image.live.append(contentsOf: repeatElement(0, count: end - image.live.count)) }
        image.live.replaceSubrange(offset..<end, with: bytes)
        for sector in offset / Self.sectorBytes...(end - 1) / Self.sectorBytes { image.unsynced.insert(sector) }
        files[file] = image
    }

    mutating func truncate(_ file: Int, size: Int) {
        guard var image = files.removeValue(forKey: file) else { return }
        if image.live.count > size {
            image.live.removeLast(image.live.count - size)
        } else {
            image.live.append(contentsOf: repeatElement(0, count: size - image.live.count))
        }
        files[file] = image
    }

    mutating func sync(_ file: Int) {
        guard var image = files.removeValue(forKey: file) else { return }
        image.durable = image.live
        image.unsynced = []
        files[file] = image
    }

    /// What Linux does after a failed fdatasync: the pages count as clean, and whether they are on the disk is chance.
    mutating func failSync(_ file: Int, _ generator: inout SeededGenerator) {
        guard var image = files[file] else { return }
        image.durable = Self.survivors(image, &generator)
        image.unsynced = []
        files[file] = image
    }

    // MARK: Crash

    /// What a power cut now may leave.
    func crashed(_ generator: inout SeededGenerator) -> SimulatedFiles {
        var image = SimulatedFiles()
        image.nextFile = nextFile
        var kept = durableNames
        // A link right behind its unlink is one rename: kept or lost together.
        var count = Int.random(in: 0...changes.count, using: &generator)
        if count > 0, count < changes.count, case .unlink = changes[count - 1], case .link = changes[count] {
            count += 1
        }
        for change in changes.prefix(count) { Self.apply(change, to: &kept) }
        for file in Set(kept.values) {
            guard let before = files[file] else { continue }
            let bytes = Self.survivors(before, &generator)
            image.files[file] = File(live: bytes, durable: bytes)
        }
        image.names = kept
        image.durableNames = kept
        return image
    }

    private static func survivors(_ file: File, _ generator: inout SeededGenerator) -> [UInt8] {
        if file.unsynced.isEmpty {
            return file.durable.count == file.live.count ? file.durable : resized(file, &generator)
        }
        let chance = Int.random(in: 0...3, using: &generator)
        var bytes = file.durable
        for sector in file.unsynced.sorted() {
            let keeps = chance == 0 ? false : chance == 1 ? true : Bool.random(using: &generator)
            guard keeps else { continue }
            let from = sector * sectorBytes
            var to = min(from + sectorBytes, file.live.count)
            guard from < to else { continue }
            // Now and then a sector is torn as well.
            if chance == 3, Int.random(in: 0..<8, using: &generator) == 0 {
                to = Int.random(in: from + 1...to, using: &generator)
            }
            if bytes.count < to { bytes.append(contentsOf: repeatElement(0, count: to - bytes.count)) }
            bytes.replaceSubrange(from..<to, with: file.live[from..<to])
        }
        return bytes
    }

    /// A truncation that was not synced is kept or lost.
    private static func resized(_ file: File, _ generator: inout SeededGenerator) -> [UInt8] {
        Bool.random(using: &generator) ? file.live : file.durable
    }
}
