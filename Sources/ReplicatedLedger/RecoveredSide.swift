package import ByteCoding
package import CallModel
package import ContextStore
package import Ledger
package import WriteAheadLog

/// Why a side cannot start from what its data directory holds. Every sentence names what was found and the next step.
package enum RecoveryFault: Error, CustomStringConvertible {
    case log(LogError)
    case store(StoreError)
    /// Both copies of the superblock are gone or unreadable, but there is a log: whose it is cannot be known.
    case superblockLost(notes: [String])
    case rows(RestoreFault)
    /// The store's rows are not those of the digest beside them.
    case storeDiffers(table: Table, position: Position)
    /// The side is part of a pair, and its configuration names no other side.
    case partOfPair(PairRegister)
    /// The log goes on under a later epoch than the superblock promises: the superblock is an old copy.
    case promiseForgotten(PairRegister, end: Position)
    /// A record of the log is not one this program could have written.
    case record(sequence: LogSequence, fault: ByteFault)

    package var description: String {
        switch self {
        case .log(let error): "\(error)"
        case .store(let error): "\(error)"
        case .superblockLost(let notes):
            "the superblock cannot be read (\(notes.isEmpty ? "both copies are missing" : notes.joined(separator: "; "))), "
                + "but there is a log. Put the superblock files back, or move the data directory aside to begin anew"
        case .rows(let fault): "the store cannot be restored: \(fault). Move it aside; it is rebuilt from the log"
        case .storeDiffers(let table, let position):
            "the store's table \(table) differs from its digest at \(position). Move the store aside; it is rebuilt from the log"
        case .partOfPair(let promise):
            "this side is part of a pair (\(promise)): put the section `pair` back into its configuration"
        case .promiseForgotten(let promise, let end):
            "the superblock promises \(promise), but the log goes on to \(end): the superblock files are older than the log. "
                + "Put the newest ones back, or move the data directory aside and let this side join anew"
        case .record(let sequence, let fault):
            "record \(sequence) of the log cannot be read (\(fault)). Run the program version that wrote it"
        }
    }
}

/// A batch of a log that the pair has not settled yet.
package struct UncommittedBatch: Hashable, Sendable {
    package let records: [Record]
    package let time: BatchTime
    package let end: Position
}

/// A side brought to where its log ends: the store's image, and every record behind it applied.
package struct RecoveredSide<World: Surroundings> {
    package let ledger: Ledger
    package let log: WriteAheadLog<World.DiskSeam>
    package let superblocks: SuperblockStore<World.DiskSeam>
    package let store: World.StoreSeam
    package let superblock: Superblock
    package let report: RecoveryReport
    /// Records that the store did not hold yet.
    package let replayed: Int
    /// No other side is configured.
    package let isSingle: Bool
    /// How far the log is known to be committed: there the ledger stands.
    package let committed: Position
    package let committedTime: BatchTime
    /// Batches of the log behind it: what became of them the pair will say.
    package let uncommitted: [UncommittedBatch]
    /// For the operator's log.
    package let notes: [String]

    package var position: Position { report.end }
    package var time: BatchTime { report.time }

    /// Reads superblock, store and log, in this order, and replays. Waits for the disk.
    /// - Parameters:
    ///   - draw: a new pair id and incarnation, for a data directory that holds nothing yet.
    ///   - isSingle: no other side is configured.
    ///   - openStore: opens the store of that identity.
    package static func recover(
        disk: World.DiskSeam, side: Side, isSingle: Bool = true, log configuration: LogConfiguration,
        draw: () -> (pairID: Hash128, incarnation: UInt64),
        openStore: (LogIdentity) throws(StoreError) -> World.StoreSeam
    ) throws(RecoveryFault) -> RecoveredSide {
        var superblocks = try logged { () throws(LogError) in try SuperblockStore.open(disk) }
        var superblock: Superblock
        if let current = superblocks.current {
            superblock = current
            try logged { () throws(LogError) in try superblocks.check(pairID: current.identity.pairID, side: side) }
        } else {
            superblock = try begin(&superblocks, on: disk, side: side, isSingle: isSingle, draw: draw)
        }
        if isSingle, let promise = superblock.promise, promise.mode == .paired || promise.active != side {
            throw .partOfPair(promise)
        }
        let store = try stored { () throws(StoreError) in try openStore(superblock.identity) }
        let restored = store.restored.position
        var evidence = DurableEvidence(stored: restored == .zero ? nil : restored, cleanEnd: superblock.cleanEnd)
        evidence.epochWasPaired = !isAlone(superblock, side)
        let (log, report) = try logged { () throws(LogError) in
            try WriteAheadLog.open(
                disk, identity: superblock.identity, configuration: configuration, evidence: evidence
            ) { () throws(LogError) in
                superblock.tailUndecided = true
                try superblocks.write(superblock)
            }
        }
        if let promise = superblock.promise, promise.epoch < report.end.epoch {
            throw .promiseForgotten(promise, end: report.end)
        }
        let ledger = try restore(from: store)
        let known = isAlone(superblock, side) && report.end.epoch == (superblock.promise?.epoch ?? 0)
        let replay = try replay(
            log, into: ledger, store: store,
            committed: isSingle || known ? report.end.sequence : max(report.committed, restored.sequence))
        return RecoveredSide(
            ledger: replay.ledger, log: log, superblocks: superblocks, store: store, superblock: superblock,
            report: report, replayed: replay.count, isSingle: isSingle, committed: replay.position,
            committedTime: replay.time, uncommitted: replay.uncommitted,
            notes: superblocks.notes + report.notes.filter { $0.finding != .zerosToTheEnd }.map(\.description))
    }

    /// What is durable here is committed: nobody else's word is needed.
    private static func isAlone(_ superblock: Superblock, _ side: Side) -> Bool {
        guard let promise = superblock.promise else { return false }
        return promise.mode == .alone && promise.active == side && superblock.jointIntent == nil
    }

    // MARK: Steps

    /// The first start of a data directory: who it belongs to is durable before anything else is written.
    private static func begin(
        _ superblocks: inout SuperblockStore<World.DiskSeam>, on disk: World.DiskSeam, side: Side, isSingle: Bool,
        draw: () -> (pairID: Hash128, incarnation: UInt64)
    ) throws(RecoveryFault) -> Superblock {
        let files: [String]
        do throws(DiskError) { files = try disk.list() } catch { throw .log(.disk(error)) }
        if files.contains(where: { LogFormat.segmentNumber($0) != nil }) {
            throw .superblockLost(notes: superblocks.notes)
        }
        let drawn = draw()
        let superblock = Superblock(
            identity: LogIdentity(pairID: drawn.pairID, side: side, incarnation: drawn.incarnation),
            promise: isSingle ? PairRegister(epoch: 1, mode: .alone, active: side) : nil)
        do throws(LogError) { try superblocks.write(superblock) } catch { throw .log(error) }
        return superblock
    }

    private static func restore(from store: World.StoreSeam) throws(RecoveryFault) -> Ledger {
        var ledger = Ledger()
        for table in Table.digested + [.meta] {
            try stored { () throws(StoreError) in
                try store.forEachRow(table) { (key, value) throws(RestoreFault) in
                    try ledger.restore(table, key: key, value: value)
                }
            }
        }
        do throws(RestoreFault) { try ledger.finishRestoring() } catch { throw .rows(error) }
        if let table = ledger.digest.firstDifference(from: store.restored.digest) {
            throw .storeDiffers(table: table, position: store.restored.position)
        }
        return ledger
    }

    private struct Replay {
        var ledger: Ledger
        var position: Position
        var time: BatchTime
        var count = 0
        var uncommitted: [UncommittedBatch] = []
    }

    private static func replay(
        _ log: WriteAheadLog<World.DiskSeam>, into ledger: Ledger, store: World.StoreSeam, committed: LogSequence
    ) throws(RecoveryFault) -> Replay {
        let restored = store.restored
        var replay = Replay(ledger: ledger, position: restored.position, time: restored.time)
        do throws(ReplayFailure<RecoveryFault>) {
            try log.replay(after: restored.position.sequence) { (batch: LoggedBatch) throws(RecoveryFault) in
                let records = try records(of: batch)
                if batch.lastSequence > committed {
                    replay.uncommitted.append(
                        UncommittedBatch(records: records, time: batch.time, end: batch.position))
                    return
                }
                var changes: [Change] = []
                replay.ledger.begin(batch.time, first: batch.firstSequence, changes: &changes)
                var sequence = batch.firstSequence
                for record in records {
                    _ = replay.ledger.apply(record, sequence: sequence, changes: &changes)
                    sequence = sequence.next
                }
                replay.count += records.count
                replay.position = batch.position
                replay.time = batch.time
                store.take(
                    AppliedBatch(
                        changes: changes, position: batch.position, time: batch.time, digest: replay.ledger.digest))
            }
        } catch {
            switch error {
            case .log(let error): throw .log(error)
            case .body(let error): throw error
            }
        }
        return replay
    }

    private static func records(of batch: LoggedBatch) throws(RecoveryFault) -> [Record] {
        var records: [Record] = []
        records.reserveCapacity(batch.records.count)
        for bytes in batch.records {
            do throws(ByteFault) { records.append(try Record(decoding: bytes)) } catch {
                throw .record(sequence: batch.firstSequence.advanced(by: records.count), fault: error)
            }
        }
        return records
    }

    private static func stored<Value>(_ body: () throws(StoreError) -> Value) throws(RecoveryFault) -> Value {
        do throws(StoreError) { return try body() } catch { throw .store(error) }
    }

    private static func logged<Value>(_ body: () throws(LogError) -> Value) throws(RecoveryFault) -> Value {
        do throws(LogError) { return try body() } catch { throw .log(error) }
    }
}
