internal import CallModel
package import ContextStore
internal import Ledger
package import WriteAheadLog

/// What a restore made, and from what.
package struct RestoredStore: Sendable {
    package let path: String
    package let state: StoreState
    /// The snapshot it began from; nil: the whole log.
    package let snapshot: SnapshotSummary?
    /// Records replayed after it.
    package let records: Int
    /// Where the store that was there is now.
    package let aside: String?
    package let notes: [String]
}

/// Makes stores of snapshots and the log. Nothing that is there is overwritten or removed: it is moved aside.
package enum StoreRestoring {
    /// Rebuilds `DATA/store` to the log's end from the newest good snapshot and the log. No side may run here.
    package static func rebuild(
        _ files: SideFiles, configuration: StoreConfiguration = StoreConfiguration()
    ) throws(InspectionFault) -> RestoredStore {
        let disk = try files.lock()
        defer { disk.close() }
        let identity = try identity(of: disk, in: files)
        let building = files.store + ".rebuilding"
        let made = try build(files, disk, identity, until: .end, into: building, configuration)
        let aside = try files.moveStoreAside(as: "aside")
        try put(building, at: files.store, in: files)
        return RestoredStore(
            path: files.store, state: made.state, snapshot: made.snapshot, records: made.records, aside: aside,
            notes: made.notes)
    }

    /// Makes a data directory that stands where this one's log stood at the limit, with a log that begins there: to
    /// look into, or to serve from when everything after it is to be given up. `incarnation` is a new one, since its
    /// log is not this one's. The source may be in use.
    package static func restore(
        _ files: SideFiles, until limit: ReplayLimit, to target: SideFiles, incarnation: UInt64,
        configuration: StoreConfiguration = StoreConfiguration(), log: LogConfiguration = LogConfiguration()
    ) throws(InspectionFault) -> RestoredStore {
        guard !target.exists(target.directory) else {
            throw .system(
                path: target.directory, operation: "restore into it",
                reason: "it is there already; name a new directory")
        }
        let disk = try files.openLog()
        let identity = try identity(of: disk, in: files)
        try target.prepare()
        let made: RestoredStore
        do throws(InspectionFault) {
            made = try build(files, disk, identity, until: limit, into: target.store, configuration)
        } catch {
            target.removeEmpty()
            throw error
        }
        let (old, _) = try inLog { () throws(LogError) in try Superblock.inspecting(disk) }
        let own = LogIdentity(pairID: identity.pairID, side: identity.side, incarnation: incarnation)
        let begun: PosixDisk
        do throws(PosixDisk.OpenError) { begun = try PosixDisk(directory: target.log) } catch {
            throw .directory(error)
        }
        defer { begun.close() }
        try inLog { () throws(LogError) in
            var superblocks = try SuperblockStore.open(begun)
            var superblock = old ?? Superblock(identity: own)
            superblock.identity = own
            // What was under way with the other side was not under way with this log.
            superblock.jointIntent = nil
            superblock.cleanEnd = made.state.position
            try superblocks.write(superblock)
            try WriteAheadLog.format(
                begun, identity: own, configuration: log, at: made.state.position, time: made.state.time)
        }
        return made
    }

    // MARK: Steps

    private static func identity(of disk: some Disk, in files: SideFiles) throws(InspectionFault) -> StoreIdentity {
        let superblock = try inLog { () throws(LogError) in try Superblock.inspecting(disk).superblock }
        let layout = try inLog { () throws(LogError) in try LogLayout.read(disk, identity: nil) }
        guard let identity = superblock?.identity ?? layout.segments.first?.header.identity else {
            throw .noLog(directory: files.directory)
        }
        return StoreIdentity(pairID: identity.pairID, side: identity.side)
    }

    private static func build(
        _ files: SideFiles, _ disk: some Disk, _ identity: StoreIdentity, until limit: ReplayLimit, into path: String,
        _ configuration: StoreConfiguration
    ) throws(InspectionFault) -> RestoredStore {
        let start = try ReplayStart.choose(files, log: disk, until: limit)
        try SideFiles.removeStore(at: path)
        let store = try inStore { () throws(StoreError) in
            if let snapshot = start.snapshot {
                try ContextStore.restore(
                    snapshot: snapshot.path, to: path, identity: identity, configuration: configuration)
            }
            return try ContextStore.open(path: path, identity: identity, configuration: configuration)
        }
        store.start(onDurable: { _ in }, onFailure: { _ in })
        var replay = Replay()
        do throws(InspectionFault) {
            try fill(store, &replay, from: start, disk, until: limit, mostBytes: configuration.windowBytes)
            if let rot = replay.rot { throw InspectionFault.rot(rot) }
            store.close()
        } catch {
            store.close()
            try SideFiles.removeStore(at: path)
            throw error
        }
        try check(path, replay, until: limit)
        var notes = start.notes
        if let ending = replay.ending { notes.append("\(ending)") }
        if let within = replay.stoppedWithin {
            notes.append(
                "sequence \(within) lies within a batch; the end of the batch before it, "
                    + "\(replay.state.position.sequence), was taken")
        }
        return RestoredStore(
            path: path, state: replay.state, snapshot: start.snapshot, records: replay.records, aside: nil, notes: notes
        )
    }

    private static func fill(
        _ store: ContextStore, _ replay: inout Replay, from start: ReplayStart, _ disk: some Disk,
        until limit: ReplayLimit, mostBytes: Int
    ) throws(InspectionFault) {
        var changes: [Change] = []
        let superblock = try inLog { () throws(LogError) in try Superblock.inspecting(disk).superblock }
        try replay.run(from: start, log: disk, until: limit, durable: superblock?.cleanEnd ?? .zero) {
            (event) throws(InspectionFault) in
            switch event {
            case .row: break
            case .begun(_, let moved): changes = moved
            case .applied(_, _, _, _, let made): changes += made
            case .ended(_, let state):
                store.take(AppliedBatch(changes: changes, state: state))
                // The log is read quicker than LMDB is written: memory stays bounded.
                if store.lag.bytes > mostBytes { try inStore { () throws(StoreError) in try store.flush() } }
            }
        }
        try inStore { () throws(StoreError) in try store.flush() }
    }

    /// What stands on the disk now, row by row, must be what the ledger came to.
    private static func check(_ path: String, _ replay: Replay, until limit: ReplayLimit) throws(InspectionFault) {
        guard replay.state.position != .zero || limit == .end else { throw .beforeAll(until: "\(limit)") }
        let found = try inStore { () throws(StoreError) in try ContextStore.verify(path: path) }
        guard found.isSound, found.state.position == replay.state.position, found.digest == replay.state.digest else {
            throw .rebuiltWrong(path: path, reason: found.description)
        }
    }

    private static func put(_ building: String, at path: String, in files: SideFiles) throws(InspectionFault) {
        try SideFiles.rename(building, to: path)
        try files.syncDirectory()
    }
}

/// What a start did about the store before opening it.
package struct StoreRepair: Sendable {
    /// For the operator's log; empty when all was well.
    package let notes: [String]

    /// Verifies the store before it is opened. A damaged one is moved aside (`store.damaged-N`); the newest good
    /// snapshot that the log still reaches back to takes its place, or nothing when the log goes back to its
    /// beginning: recovery then replays the log from there. When neither is there it throws, and nothing is served.
    /// `disk` is the side's own, which holds the lock of the data directory.
    package static func beforeOpening(
        _ files: SideFiles, log disk: some Disk, configuration: StoreConfiguration, verify: StoreVerifier
    ) throws(InspectionFault) -> StoreRepair {
        let layout = try inLog { () throws(LogError) in try LogLayout.read(disk, identity: nil) }
        let identity = try inLog { () throws(LogError) in try Superblock.inspecting(disk).superblock?.identity }
        // A new data directory: there is nothing to verify, and nothing to rebuild from.
        guard let identity, let oldest = layout.segments.first else { return StoreRepair(notes: []) }
        var notes: [String] = []
        let verdict: StoreVerdict =
            files.hasStore ? verify(files.store) : .absent("\(files.store): there is no store here")
        switch verdict {
        case .sound: return StoreRepair(notes: [])
        case .refused(let sentence):
            throw .system(path: files.store, operation: "verify the store", reason: sentence)
        case .absent(let sentence):
            if oldest.header.start == .zero { return StoreRepair(notes: []) }
            notes.append(sentence)
        case .damaged(let sentence): notes.append("\(files.store): \(sentence)")
        }
        // Chosen before anything moves: when there is nothing to rebuild from, everything stays as it was found.
        let start = try ReplayStart.choose(files, log: disk)
        if let aside = try files.moveStoreAside(as: "damaged") { notes.append("the store was moved aside to \(aside)") }
        notes += start.notes
        if let snapshot = start.snapshot {
            _ = try inStore { () throws(StoreError) in
                try ContextStore.restore(
                    snapshot: snapshot.path, to: files.store,
                    identity: StoreIdentity(pairID: identity.pairID, side: identity.side), configuration: configuration)
            }
            notes.append("the store was rebuilt from \(snapshot.path), and the log is replayed from there")
        } else {
            notes.append("the store is rebuilt from the whole log")
        }
        return StoreRepair(notes: notes)
    }
}
