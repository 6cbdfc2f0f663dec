internal import ByteCoding
package import CallModel

/// The state that a log of records leads to: pools and their entries' lives, claims, dialogs, strays, call keys, and
/// the digest over them. A pure value: no clock, no chance, no I/O. Both sides apply the same records and come to
/// equal ledgers with equal changes for the store; a ledger restored from the rows of the store goes on as the one that
/// wrote them (DESIGN.md, "One picture").
///
/// Use: `begin` with the times of a batch, then `apply` for each of its records in order. Both append to `changes`
/// what must be put into or removed from the store, in order; the last change of a key wins.
///
/// Invariant: what apply decides depends on the state, the record, its sequence and the batch's times only. No
/// dictionary's order and no number of an interned name ever shows outside.
package struct Ledger: Sendable {
    /// In force; nil before the first `configure`. Until then every record but `configure`, `clock` and `epochOpened`
    /// is answered `unknown`.
    package internal(set) var configuration: LedgerConfiguration?
    /// The times of the last batch. Log time never goes back here, whatever a batch says.
    package internal(set) var lastTime = BatchTime(log: .zero, wall: .zero)
    package internal(set) var digest = Digest.empty
    /// What happened since this value was made. No state: not in the digest, and not restored.
    package internal(set) var counters = LedgerCounters()

    // Entries and their queues (Entries.swift).
    var families = KeyFamilies()
    var names = InternedNames()
    var entries = EntryTable()
    var slots: [EntryKey: UInt32] = [:]
    var slotOfReservation: [UInt64: UInt32] = [:]
    var slotOfIdentity: [Hash128: UInt32] = [:]
    var deadlines = SlotHeap()
    var deadlinePositions: [UInt32] = []
    var poolPositions: [UInt32] = []
    var pools: [Pool] = []
    var poolOfRoute: [TranslationRouteName: Int] = [:]
    var poolMap = PoolMap()

    // Dialogs (Dialogs.swift).
    var dialogs: [DialogID: DialogRow] = [:]
    var dialogOfIdentity: [Hash128: DialogID] = [:]
    var dialogDeadlines = TimedHeap<DialogID> { $0 < $1 }

    // Calls that were told stray (Strays.swift).
    var strays = StrayBook()

    // Call keys and journeys (Journeys.swift).
    var lastCallKeyDay: UInt32 = 0
    var lastCallKeyNumber: UInt32 = 0
    var journeySequence = LogSequence.zero
    var journeyOrdinal: UInt16 = 0

    // Only between the first `restore` and `finishRestoring` (Restoring.swift).
    var restoredDigest = Digest.empty

    package init() {}

    /// Most entries, dialogs and strays that one batch moves; the rest moves with the next.
    package static let mostMovesPerBatch = 4096

    /// Applies a record. Total: any record, also one that no sane peer sends, gets an outcome.
    package mutating func apply(_ record: Record, sequence: LogSequence, changes: inout [Change]) -> Outcome {
        if journeySequence != sequence { startJourneys(at: sequence) }
        defer { passOverForgottenDeadlines() }
        switch record {
        case .configure(let configuration): return configure(configuration, &changes)
        case .clock, .epochOpened: return .noted
        case .reserve, .claim, .release, .openDialog, .askDialog, .recordAnswer, .closeDialog: break
        }
        guard let configuration else { return unknownBeforeConfiguration(record) }
        switch record {
        case .reserve(let reserve): return self.reserve(reserve, sequence, &changes)
        case .claim(let claim): return self.claim(claim, configuration, &changes)
        case .release(let release): return self.release(release, &changes)
        case .openDialog(let open): return openDialog(open, configuration, sequence, &changes)
        case .askDialog(let ask): return askDialog(ask, &changes)
        case .recordAnswer(let answer): return recordAnswer(answer, sequence, &changes)
        case .closeDialog(let close): return closeDialog(close, configuration, &changes)
        case .configure, .clock, .epochOpened: return .noted
        }
    }

    private func unknownBeforeConfiguration(_ record: Record) -> Outcome {
        switch record {
        case .reserve(let reserve): .unknown(field: "translationRoute", name: reserve.route.text, nearest: nil)
        case .claim(let claim): .unknown(field: "peripheral", name: claim.key.peripheral.text, nearest: nil)
        case .release(let release): .unknown(field: "reservation", name: release.reservation.description, nearest: nil)
        case .openDialog(let open): .unknown(field: "routingClient", name: open.routingClient.text, nearest: nil)
        case .askDialog(let ask): unknownDialog(ask.dialog)
        case .recordAnswer(let answer): unknownDialog(answer.dialog)
        case .closeDialog(let close): unknownDialog(close.dialog)
        case .configure, .clock, .epochOpened: .noted
        }
    }

    func unknownDialog(_ dialog: DialogID) -> Outcome {
        .unknown(field: "dialog", name: dialog.description, nearest: nil)
    }
}

// MARK: - Changes

extension Ledger {
    mutating func put(_ table: Table, _ key: [UInt8], _ value: [UInt8], _ changes: inout [Change]) {
        digest.add(table, key: key, value: value)
        changes.append(Change(table: table, key: key, value: value))
    }

    mutating func replace(
        _ table: Table, _ key: [UInt8], _ old: [UInt8], with new: [UInt8], _ changes: inout [Change]
    ) {
        digest.subtract(table, key: key, value: old)
        put(table, key, new, &changes)
    }

    mutating func remove(_ table: Table, _ key: [UInt8], _ old: [UInt8], _ changes: inout [Change]) {
        digest.subtract(table, key: key, value: old)
        changes.append(Change(table: table, key: key, value: nil))
    }

    /// The ledger's row of `meta`: version, u64 log time, i64 wall time, u32 day and u32 number of the last call key.
    var metaValue: [UInt8] {
        var writer = ByteWriter(capacity: 32)
        writer.u8(1)
        writer.time(lastTime.log)
        writer.wallTime(lastTime.wall)
        writer.u32(lastCallKeyDay)
        writer.u32(lastCallKeyNumber)
        return writer.bytes
    }

    func putMeta(_ changes: inout [Change]) {
        changes.append(Change(table: .meta, key: StoreKey.ledger, value: metaValue))
    }
}

/// Names and label templates of entries as numbers. They come from the configuration and restored rows only.
struct InternedNames: Sendable {
    private(set) var routes: [TranslationRouteName] = []
    private(set) var templates: [LabelTemplate] = []
    private var numberOfRoute: [TranslationRouteName: UInt32] = [:]
    private var numberOfTemplate: [LabelTemplate: UInt32] = [:]

    mutating func route(_ name: TranslationRouteName) -> UInt32 {
        if let number = numberOfRoute[name] { return number }
        routes.append(name)
        numberOfRoute[name] = UInt32(routes.count - 1)
        return UInt32(routes.count - 1)
    }

    mutating func template(_ template: LabelTemplate) -> UInt32 {
        if let number = numberOfTemplate[template] { return number }
        templates.append(template)
        numberOfTemplate[template] = UInt32(templates.count - 1)
        return UInt32(templates.count - 1)
    }
}
