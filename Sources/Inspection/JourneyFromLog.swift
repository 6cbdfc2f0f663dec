internal import ByteCoding
package import CallModel
internal import ContextStore
package import Ledger
internal import WriteAheadLog

/// A call's whole way, from the log alone: without LMDB, from the newest good snapshot when the log was trimmed.
package struct JourneyFromLog: Sendable {
    package let callKey: CallKey
    package let rows: [JourneyRow]
    /// Call ids of its legs, in the order in which they came.
    package let legs: [CallID]
    /// Where the log was read to.
    package let position: Position
    /// What was found besides.
    package let notes: [String]

    /// `call` is a call key, the call id of any leg, a dialog or a reservation, tried in this order.
    package static func find(_ call: String, in files: SideFiles) throws(InspectionFault) -> JourneyFromLog {
        let disk = try files.openLog()
        let start = try ReplayStart.choose(files, log: disk, preferringLog: true)
        var search = CallSearch(call)
        if let named = search.named {
            let found = try gather(named, start, disk)
            if !found.rows.isEmpty { return found }
        }
        var replay = Replay()
        try replay.run(from: start, log: disk) { (event) throws(InspectionFault) in
            try event.forEachChange { (change) throws(ByteFault) in try search.see(change) }
        }
        guard let callKey = search.found else { throw .unknownCall(call) }
        let found = try gather(callKey, start, disk)
        guard !found.rows.isEmpty else { throw .unknownCall(call) }
        return found
    }

    private static func gather(
        _ callKey: CallKey, _ start: ReplayStart, _ disk: some Disk
    ) throws(InspectionFault) -> JourneyFromLog {
        let prefix = callKey.journeyPrefix
        let leg = callKey.legValue
        var rows: [JourneyRow] = []
        var legs: [CallID] = []
        var replay = Replay()
        try replay.run(from: start, log: disk) { (event) throws(InspectionFault) in
            try event.forEachChange { (change) throws(ByteFault) in
                guard let value = change.value else { return }
                if change.table == .journeys, change.key.starts(with: prefix) {
                    rows.append(try JourneyRow(key: change.key, value: value))
                } else if change.table == .legs, value == leg {
                    let callID = CallID(unchecked: String(decoding: change.key, as: UTF8.self))
                    if !legs.contains(callID) { legs.append(callID) }
                }
            }
        }
        rows.sort { ($0.sequence, $0.ordinal) < ($1.sequence, $1.ordinal) }
        var notes = start.notes
        if let snapshot = start.snapshot {
            notes.append(
                "the log was trimmed: what came before sequence \(start.position.sequence.next) is from \(snapshot.path)"
            )
        }
        if let ending = replay.ending { notes.append("\(ending)") }
        return JourneyFromLog(callKey: callKey, rows: rows, legs: legs, position: replay.state.position, notes: notes)
    }
}

/// Finds the call that a text names.
private struct CallSearch {
    let named: CallKey?
    private let leg: [UInt8]?
    private let dialog: [UInt8]?
    private let reservation: ReservationID?
    private var byLeg: CallKey?
    private var byDialog: CallKey?
    private var byReservation: CallKey?

    var found: CallKey? { byLeg ?? byDialog ?? byReservation }

    init(_ text: String) {
        // A text that is not of a kind does not name one.
        named = try? CallKey(parsing: text)
        leg = (try? CallID(text))?.legKey
        dialog = (try? DialogID(parsing: text))?.storeKey
        reservation = try? ReservationID(parsing: text)
    }

    mutating func see(_ change: Change) throws(ByteFault) {
        guard let value = change.value else { return }
        switch change.table {
        case .legs where change.key == leg: byLeg = try CallKey(legValue: value)
        case .dialogs where change.key == dialog: byDialog = try DialogRow(key: change.key, value: value).callKey
        case .reservations where reservation != nil:
            let row = try ReservationRow(key: change.key, value: value)
            if row.reservation == reservation { byReservation = row.callKey }
        default: break
        }
    }
}

extension ReplayEvent {
    func forEachChange(_ body: (Change) throws(ByteFault) -> Void) throws(InspectionFault) {
        let sequence: LogSequence
        let changes: [Change]
        switch self {
        case .row(let change): (sequence, changes) = (.zero, [change])
        case .begun(let batch, let moved): (sequence, changes) = (batch.firstSequence, moved)
        case .applied(_, let at, _, _, let made): (sequence, changes) = (at, made)
        case .ended: return
        }
        do throws(ByteFault) {
            for change in changes { try body(change) }
        } catch { throw .record(sequence: sequence, reason: "\(error)") }
    }
}
