internal import ByteCoding
package import CallModel
package import ContextStore
package import Ledger
package import WriteAheadLog

/// How far to go.
package enum ReplayLimit: Hashable, Sendable, CustomStringConvertible {
    case end
    case sequence(LogSequence)
    case wall(WallTime)

    package var description: String {
        switch self {
        case .end: "the log's end"
        case .sequence(let sequence): "sequence \(sequence)"
        case .wall(let time): "\(time)"
        }
    }

    func reaches(_ state: StoreState) -> Bool { reaches(state.position, state.time) }

    func reaches(_ position: Position, _ time: BatchTime) -> Bool {
        switch self {
        case .end: true
        case .sequence(let last): position.sequence <= last
        case .wall(let last): time.wall <= last
        }
    }
}

/// From where a log is replayed.
package struct ReplayStart: Hashable, Sendable {
    /// Nil: from the log's first record.
    package let snapshot: SnapshotSummary?
    /// Snapshots that were passed over, and why.
    package let notes: [String]

    package var position: Position { snapshot?.state.position ?? .zero }

    /// The newest good snapshot from which the log goes on and that lies within the limit; else the log's beginning,
    /// if the log still has it. `preferring` the log's own beginning saves reading a snapshot.
    package static func choose<D: Disk>(
        _ files: SideFiles, log disk: D, until limit: ReplayLimit = .end, preferringLog: Bool = false
    ) throws(InspectionFault) -> ReplayStart {
        let layout = try inLog { () throws(LogError) in try LogLayout.read(disk, identity: nil) }
        let base = layout.segments.first?.header.start.sequence ?? .zero
        if preferringLog && base == .zero { return ReplayStart(snapshot: nil, notes: []) }
        var notes: [String] = []
        for path in try files.snapshotPaths() {
            do throws(StoreError) {
                let state = try SnapshotReader.header(path: path).state
                guard limit.reaches(state) else { continue }
                if state.position.sequence < base {
                    notes.append("\(path) ends with sequence \(state.position.sequence)")
                    continue
                }
                return ReplayStart(snapshot: try SnapshotReader.verify(path: path), notes: notes)
            } catch { notes.append("\(error)") }
        }
        guard base == .zero else { throw .unreachable(base: base, until: "\(limit)", notes: notes) }
        return ReplayStart(snapshot: nil, notes: notes)
    }
}

/// What a replay tells, in order.
package enum ReplayEvent {
    /// A row of the snapshot it began from.
    case row(Change)
    /// A batch begins: what was due has moved.
    case begun(LoggedBatch, changes: [Change])
    /// A record was applied.
    case applied(Record, at: LogSequence, time: BatchTime, outcome: Outcome, changes: [Change])
    /// The batch is complete.
    case ended(LoggedBatch, StoreState)
}

/// A ledger of its own, brought from a start through the log; the store is not touched.
package struct Replay {
    package private(set) var ledger = Ledger()
    package private(set) var state = StoreState.empty
    package private(set) var batches = 0
    package private(set) var records = 0
    /// Why reading ended before the end of the newest segment, if it did: see ``LogReader/ending``.
    package private(set) var ending: LogDamage?
    /// What was durable and is damaged, where reading ended before the limit was reached.
    package private(set) var rot: LogDamage?
    /// A record that lies within the limit although its batch does not: whole batches only have a position.
    package private(set) var stoppedWithin: LogSequence?

    package init() {}

    /// Runs once. `durable`: what somebody besides the log says was durable; with it ``rot`` is looked for.
    package mutating func run<D: Disk>(
        from start: ReplayStart, log disk: D, until limit: ReplayLimit = .end, durable: Position? = nil,
        _ body: (ReplayEvent) throws(InspectionFault) -> Void
    ) throws(InspectionFault) {
        if let snapshot = start.snapshot { try take(snapshot, body) }
        var reader = try inLog { () throws(LogError) in try LogReader(disk, behind: state.position) }
        while let batch = try next(&reader, until: limit) {
            guard batch.header.previousChain == state.position.chain,
                batch.firstSequence == state.position.sequence.next
            else {
                throw .notOfThisLog(snapshot: start.snapshot?.path ?? "the beginning", position: state.position)
            }
            guard limit.reaches(batch.position, batch.time) else {
                if case .sequence(let last) = limit, batch.firstSequence <= last { stoppedWithin = last }
                return
            }
            try apply(batch, body)
        }
        ending = reader.ending
        if let durable, !isReached(limit) {
            rot = try inLog { () throws(LogError) in try reader.rot(durable: durable) }
        }
        guard reader.position.sequence >= state.position.sequence else {
            throw .notOfThisLog(snapshot: start.snapshot?.path ?? "the beginning", position: state.position)
        }
    }

    private func isReached(_ limit: ReplayLimit) -> Bool {
        if case .sequence(let last) = limit { state.position.sequence >= last } else { false }
    }

    /// Nil at the end and at the limit: what lies behind is not read, since it may be damaged.
    private func next<D: Disk>(
        _ reader: inout LogReader<D>, until limit: ReplayLimit
    ) throws(InspectionFault) -> LoggedBatch? {
        if isReached(limit) { return nil }
        do throws(LogError) { return try reader.next() } catch {
            if case .damaged(let damage) = error, damage.finding == .badKnownDurable { throw .rot(damage) }
            throw .log(error)
        }
    }

    private mutating func take(
        _ snapshot: SnapshotSummary, _ body: (ReplayEvent) throws(InspectionFault) -> Void
    ) throws(InspectionFault) {
        var fault: InspectionFault?
        var ledger = Ledger()
        do throws(StoreError) {
            _ = try SnapshotReader.readAll(path: snapshot.path) { table, key, value throws(StoreError) in
                do throws(RestoreFault) { try ledger.restore(table, key: key, value: value) } catch {
                    throw .damagedSnapshot(path: snapshot.path, offset: 0, reason: "\(error)")
                }
                if fault != nil { return }
                do throws(InspectionFault) {
                    try body(.row(Change(table: table, key: key, value: value)))
                } catch { fault = error }
            }
        } catch { throw .store(error) }
        if let fault { throw fault }
        do throws(RestoreFault) { try ledger.finishRestoring() } catch {
            throw .store(.damagedSnapshot(path: snapshot.path, offset: 0, reason: "\(error)"))
        }
        self.ledger = ledger
        state = snapshot.state
    }

    private mutating func apply(
        _ batch: LoggedBatch, _ body: (ReplayEvent) throws(InspectionFault) -> Void
    ) throws(InspectionFault) {
        var changes: [Change] = []
        ledger.begin(batch.time, first: batch.firstSequence, changes: &changes)
        try body(.begun(batch, changes: changes))
        var sequence = batch.firstSequence
        for bytes in batch.records {
            let record = try decoded(bytes, at: sequence)
            changes.removeAll(keepingCapacity: true)
            let outcome = ledger.apply(record, sequence: sequence, changes: &changes)
            try body(.applied(record, at: sequence, time: batch.time, outcome: outcome, changes: changes))
            sequence = sequence.next
        }
        batches += 1
        records += batch.records.count
        state = StoreState(position: batch.position, time: batch.time, digest: ledger.digest)
        try body(.ended(batch, state))
    }
}

func decoded(_ bytes: [UInt8], at sequence: LogSequence) throws(InspectionFault) -> Record {
    do throws(ByteFault) { return try Record(decoding: bytes) } catch {
        throw .record(sequence: sequence, reason: "\(error)")
    }
}
