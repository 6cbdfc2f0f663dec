package import CallModel
internal import ContextStore
internal import Ledger
package import WriteAheadLog

/// A log as its segments' headers tell it.
package struct LogList: Sendable {
    package struct Segment: Hashable, Sendable {
        package let file: String
        package let bytes: Int
        /// Of its first record, also when it has none yet.
        package let first: LogSequence
        /// Nil for the newest, whose end only reading it tells.
        package let last: LogSequence?
        /// Of the last batch before it.
        package let since: WallTime
        package let incarnation: UInt64
        package let epoch: UInt64
    }

    package let identity: LogIdentity?
    package let superblock: Superblock?
    package let segments: [Segment]
    package let spares: Int
    /// What is wrong with a superblock, and files that do not belong to the log.
    package let notes: [String]
}

/// Which records to show. What is nil does not filter.
package struct RecordFilter: Hashable, Sendable {
    /// A call key, the call id of any leg, a dialog or a reservation.
    package var call: String?
    package var key: TranslationRouteKey?
    package var from: LogSequence?
    package var through: LogSequence?
    package var since: WallTime?
    package var until: WallTime?

    package init() {}

    /// Only applying the records tells what belongs to a call or stands under a key.
    var needsLedger: Bool { call != nil || key != nil }

    func wants(_ sequence: LogSequence, at time: WallTime) -> Bool {
        if let from, sequence < from { return false }
        if let through, through < sequence { return false }
        if let since, time < since { return false }
        if let until, until < time { return false }
        return true
    }
}

/// One record of the log.
package struct ShownRecord: Hashable, Sendable {
    package let sequence: LogSequence
    package let at: WallTime
    package let epoch: UInt64
    package let kind: String
    package let fields: ShownGroup
    package let file: String
    package let offset: Int

    /// All of it, in the order in which a person reads it.
    package var shown: ShownGroup {
        var group = ShownGroup()
        group.add("sequence", number: sequence.number)
        group.add("at", at)
        group.add("epoch", number: epoch)
        group.add("record", kind)
        group.add("fields", .group(fields))
        group.add("file", file)
        group.add("offset", number: offset)
        return group
    }
}

/// What verifying a whole log found.
package struct LogVerdict: Sendable {
    package let report: RecoveryReport
    /// What the superblock says; nil on a formatted side.
    package let superblock: Superblock?
    package let notes: [String]
}

/// Looks into a log, of a stopped, damaged or running side, and changes nothing.
package enum LogListing {
    package static func list(_ files: SideFiles) throws(InspectionFault) -> LogList {
        let disk = try files.openLog()
        let layout = try inLog { () throws(LogError) in try LogLayout.read(disk, identity: nil) }
        let (superblock, troubles) = try inLog { () throws(LogError) in try Superblock.inspecting(disk) }
        var segments: [LogList.Segment] = []
        for segment in layout.segments {
            let size: Int
            do throws(DiskError) { size = try disk.size(segment.file) } catch { throw .log(.disk(error)) }
            segments.append(
                LogList.Segment(
                    file: segment.file, bytes: size, first: segment.header.firstSequence,
                    last: segment.namedEnd?.sequence, since: segment.header.previousTime.wall,
                    incarnation: segment.header.identity.incarnation, epoch: segment.header.previousEpoch))
        }
        let strangers = (layout.tornHeaders + layout.orphans).map {
            "\(LogFormat.segmentFile($0)) does not belong to the log; the next start removes it"
        }
        return LogList(
            identity: layout.segments.first?.header.identity, superblock: superblock, segments: segments,
            spares: layout.spares.count, notes: troubles + strangers)
    }

    /// Hands the wanted records over, oldest first, and says what it found besides. Contexts are shown by the
    /// declarations that were in force when they were logged.
    package static func show(
        _ files: SideFiles, _ filter: RecordFilter, personal: PersonalValues,
        _ body: (ShownRecord) throws(InspectionFault) -> Void
    ) throws(InspectionFault) -> [String] {
        if filter.needsLedger { return try showApplied(files, filter, personal: personal, body) }
        let disk = try files.openLog()
        var shower = RecordShower(contexts: ContextShower(personal: personal))
        var reader = try inLog { () throws(LogError) in try LogReader(disk) }
        while let batch = try inLog({ () throws(LogError) in try reader.next() }) {
            if let through = filter.through, through < batch.firstSequence { return [] }
            var sequence = batch.firstSequence
            for bytes in batch.records {
                let record = try decoded(bytes, at: sequence)
                if filter.wants(sequence, at: batch.time.wall) {
                    try body(shower.shown(record, at: sequence, in: batch))
                }
                shower.pass(record)
                sequence = sequence.next
            }
        }
        return reader.ending.map { ["\($0)"] } ?? []
    }

    private static func showApplied(
        _ files: SideFiles, _ filter: RecordFilter, personal: PersonalValues,
        _ body: (ShownRecord) throws(InspectionFault) -> Void
    ) throws(InspectionFault) -> [String] {
        let journey: JourneyFromLog?
        if let call = filter.call { journey = try JourneyFromLog.find(call, in: files) } else { journey = nil }
        let match = RecordMatch(journey: journey, key: filter.key)
        let disk = try files.openLog()
        let start = try ReplayStart.choose(files, log: disk, preferringLog: true)
        var shower = RecordShower(contexts: ContextShower(personal: personal))
        var batch: LoggedBatch?
        var replay = Replay()
        try replay.run(from: start, log: disk) { (event) throws(InspectionFault) in
            switch event {
            case .row(let change): shower.pass(change)
            case .begun(let begun, _): batch = begun
            case .applied(let record, let sequence, let time, _, let changes):
                if filter.wants(sequence, at: time.wall), match.wants(record, sequence, changes), let batch {
                    try body(shower.shown(record, at: sequence, in: batch))
                }
                shower.pass(record)
            case .ended: break
            }
        }
        return start.notes + (replay.ending.map { ["\($0)"] } ?? [])
    }

    /// Reads every segment, header, batch and chain, and decides by the recovery table as a start would. The store is
    /// not asked: see ``StoreInspection/verify(_:with:)``.
    package static func verify(_ files: SideFiles) throws(InspectionFault) -> LogVerdict {
        let disk = try files.openLog()
        let (superblock, notes) = try inLog { () throws(LogError) in try Superblock.inspecting(disk) }
        var evidence = DurableEvidence(cleanEnd: superblock?.cleanEnd)
        evidence.epochWasPaired = superblock?.promise?.mode == .paired
        let report = try inLog { () throws(LogError) in try RecoveryReport.inspecting(disk, evidence: evidence) }
        return LogVerdict(report: report, superblock: superblock, notes: notes)
    }
}

extension RecordShower {
    func shown(_ record: Record, at sequence: LogSequence, in batch: LoggedBatch) -> ShownRecord {
        ShownRecord(
            sequence: sequence, at: batch.time.wall, epoch: batch.header.epoch, kind: Self.kind(of: record),
            fields: fields(of: record), file: LogFormat.segmentFile(batch.header.segment), offset: batch.header.offset)
    }

    /// The configuration in force also stands in a snapshot.
    mutating func pass(_ change: Change) {
        guard change.table == .pools, let value = change.value else { return }
        // One that cannot be read declares nothing, so that everything is masked.
        contexts.limits = (try? LedgerConfiguration(key: change.key, value: value))?.limits
    }
}

/// Whether a record belongs to a call, or concerns a key.
private struct RecordMatch {
    private let sequences: Set<LogSequence>
    private let dialogs: Set<DialogID>
    private let reservations: Set<ReservationID>
    private let callIDs: Set<CallID>
    private let isOfCall: Bool
    private let key: TranslationRouteKey?

    init(journey: JourneyFromLog?, key: TranslationRouteKey?) {
        self.key = key
        isOfCall = journey != nil
        let rows = journey?.rows ?? []
        // What moves by time stands under a record that came by chance.
        sequences = Set(rows.filter { ![.expired, .freed, .aged].contains($0.kind) }.map(\.sequence))
        dialogs = Set(rows.compactMap(\.dialog))
        reservations = Set(rows.compactMap(\.reservation))
        callIDs = Set(journey?.legs ?? [])
    }

    func wants(_ record: Record, _ sequence: LogSequence, _ changes: [Change]) -> Bool {
        (!isOfCall || isOfCall(record, sequence)) && (key.map { concerns($0, record, changes) } ?? true)
    }

    private func isOfCall(_ record: Record, _ sequence: LogSequence) -> Bool {
        if sequences.contains(sequence) { return true }
        switch record {
        case .reserve(let reserve): return callIDs.contains(reserve.callID)
        case .claim(let claim): return callIDs.contains(claim.callID)
        case .release(let release): return reservations.contains(release.reservation)
        case .openDialog(let open): return callIDs.contains(open.callID)
        case .askDialog(let ask): return dialogs.contains(ask.dialog)
        case .recordAnswer(let answer): return dialogs.contains(answer.dialog)
        case .closeDialog(let close): return dialogs.contains(close.dialog)
        case .configure, .clock, .epochOpened: return false
        }
    }

    private func concerns(_ key: TranslationRouteKey, _ record: Record, _ changes: [Change]) -> Bool {
        switch record {
        case .claim(let claim) where claim.key == key: return true
        case .recordAnswer(let answer) where answer.arrival?.key == key: return true
        default: return changes.contains { $0.table == .reservations && $0.key == key.storeKey }
        }
    }
}
