// For tools: what a start would find, without carrying anything out.

extension RecoveryReport {
    /// Verifies a whole log as a start does, by the same table, and writes nothing. Beside a running side the batch
    /// being written counts as a torn tail.
    package static func inspecting<D: Disk>(_ disk: D, evidence: DurableEvidence) throws(LogError) -> RecoveryReport {
        let layout = try LogLayout.read(disk, identity: nil)
        var recovery = Recovery(disk: disk, layout: layout, evidence: evidence)
        try recovery.run()
        return recovery.report
    }
}

extension Superblock {
    /// The newest copy that can be read, and what is wrong with the others. Syncs nothing: for a directory opened for
    /// reading.
    package static func inspecting<D: Disk>(_ disk: D) throws(LogError) -> (superblock: Superblock?, notes: [String]) {
        var newest: SuperblockCopy?
        var notes: [String] = []
        let names = try onDisk { () throws(DiskError) in try disk.list() }
        for file in SuperblockStore<D>.files where names.contains(file) {
            let block = try onDisk { () throws(DiskError) in try disk.read(file, offset: 0, count: LogFormat.blockBytes)
            }
            switch SuperblockCopy.read(block) {
            case .copy(let copy): if copy.counter > newest?.counter ?? 0 { newest = copy }
            case .bad(let what): notes.append("\(file): \(what); the other copy counts")
            case .newerVersion(let version): throw .newerVersion(file: file, offset: 0, version: version)
            }
        }
        return (newest?.value, notes)
    }
}
