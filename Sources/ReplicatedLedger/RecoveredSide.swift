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
        case .record(let sequence, let fault):
            "record \(sequence) of the log cannot be read (\(fault)). Run the program version that wrote it"
        }
    }
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
    /// For the operator's log.
    package let notes: [String]

    package var position: Position { report.end }
    package var time: BatchTime { report.time }
    package var epoch: UInt64 { superblock.promise?.epoch ?? 1 }

    /// Reads superblock, store and log, in this order, and replays. Waits for the disk.
    /// - Parameters:
    ///   - draw: a new pair id and incarnation, for a data directory that holds nothing yet.
    ///   - openStore: opens the store of that identity.
    package static func recover(
        disk: World.DiskSeam, side: Side, log configuration: LogConfiguration,
        draw: () -> (pairID: Hash128, incarnation: UInt64),
        openStore: (LogIdentity) throws(StoreError) -> World.StoreSeam
    ) throws(RecoveryFault) -> RecoveredSide {
        var superblocks = try logged { () throws(LogError) in try SuperblockStore.open(disk) }
        let superblock: Superblock
        if let current = superblocks.current {
            superblock = current
            try logged { () throws(LogError) in try superblocks.check(pairID: current.identity.pairID, side: side) }
        } else {
            superblock = try begin(&superblocks, on: disk, side: side, draw: draw)
        }
        let store = try stored { () throws(StoreError) in try openStore(superblock.identity) }
        let restored = store.restored.position
        let evidence = DurableEvidence(stored: restored == .zero ? nil : restored, cleanEnd: superblock.cleanEnd)
        let (log, report) = try logged { () throws(LogError) in
            try WriteAheadLog.open(
                disk, identity: superblock.identity, configuration: configuration, evidence: evidence)
        }
        var ledger = try restore(from: store)
        let replayed = try replay(log, into: &ledger, store: store)
        return RecoveredSide(
            ledger: ledger, log: log, superblocks: superblocks, store: store, superblock: superblock, report: report,
            replayed: replayed,
            notes: superblocks.notes + report.notes.filter { $0.finding != .zerosToTheEnd }.map(\.description))
    }

    // MARK: Steps

    /// The first start of a data directory: who it belongs to is durable before anything else is written.
    private static func begin(
        _ superblocks: inout SuperblockStore<World.DiskSeam>, on disk: World.DiskSeam, side: Side,
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
            promise: PairRegister(epoch: 1, mode: .alone, active: side))
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

    private static func replay(
        _ log: WriteAheadLog<World.DiskSeam>, into ledger: inout Ledger, store: World.StoreSeam
    ) throws(RecoveryFault) -> Int {
        var replayed = 0
        do throws(ReplayFailure<RecoveryFault>) {
            try log.replay(after: store.restored.position.sequence) { (batch: LoggedBatch) throws(RecoveryFault) in
                var changes: [Change] = []
                ledger.begin(batch.time, first: batch.firstSequence, changes: &changes)
                var sequence = batch.firstSequence
                for bytes in batch.records {
                    let record: Record
                    do throws(ByteFault) { record = try Record(decoding: bytes) } catch {
                        throw .record(sequence: sequence, fault: error)
                    }
                    _ = ledger.apply(record, sequence: sequence, changes: &changes)
                    sequence = sequence.next
                }
                replayed += batch.records.count
                store.take(
                    AppliedBatch(changes: changes, position: batch.position, time: batch.time, digest: ledger.digest))
            }
        } catch {
            switch error {
            case .log(let error): throw .log(error)
            case .body(let error): throw error
            }
        }
        return replayed
    }

    private static func stored<Value>(_ body: () throws(StoreError) -> Value) throws(RecoveryFault) -> Value {
        do throws(StoreError) { return try body() } catch { throw .store(error) }
    }

    private static func logged<Value>(_ body: () throws(LogError) -> Value) throws(RecoveryFault) -> Value {
        do throws(LogError) { return try body() } catch { throw .log(error) }
    }
}
