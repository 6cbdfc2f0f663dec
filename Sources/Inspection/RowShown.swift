internal import ByteCoding
internal import CallModel
internal import Ledger

/// The rows of a store, for people. Keys that are no text are hexadecimal.
struct RowShower {
    var records: RecordShower

    func shown(_ table: Table, key: [UInt8], value: [UInt8]) -> ShownGroup {
        var group = ShownGroup()
        group.add("table", table)
        do throws(ByteFault) {
            switch table {
            case .pools: try addPools(key, value, to: &group)
            case .reservations: try addReservation(key, value, to: &group)
            case .requests: try addRequest(key, value, to: &group)
            case .dialogs: try addDialog(key, value, to: &group)
            case .strays:
                let row = try StrayRow(key: key, value: value)
                group.add("key", row.key)
                group.add("call", row.call)
                group.add("until", row.until)
            case .contexts: try addContext(key, value, to: &group)
            case .journeys: group.add(Self.event(try JourneyRow(key: key, value: value)))
            case .legs:
                group.add("callID", String(decoding: key, as: UTF8.self))
                group.add("callKey", try CallKey(legValue: value))
            case .meta:
                group.add("name", String(decoding: key, as: UTF8.self))
                group.add("bytes", Self.hexadecimal(value))
            }
        } catch {
            group.add("rowKey", Self.hexadecimal(key))
            group.add("unreadable", "\(error)")
        }
        return group
    }

    private func addPools(_ key: [UInt8], _ value: [UInt8], to group: inout ShownGroup) throws(ByteFault) {
        let configuration = try LedgerConfiguration(key: key, value: value)
        group.add(records.fields(of: .configure(configuration)))
    }

    private func addReservation(_ key: [UInt8], _ value: [UInt8], to group: inout ShownGroup) throws(ByteFault) {
        let row = try ReservationRow(key: key, value: value)
        group.add("key", row.key)
        group.add("translationRoute", row.route)
        group.add("reservation", row.reservation)
        group.add("state", row.state)
        group.add("callKey", row.callKey)
        group.add("dialog", row.dialog)
        group.add("expiresAt", row.expiresAt)
        group.add("freeAt", row.freeAt)
        group.add("late", flag: row.late)
        group.add("contextHash", row.context)
    }

    private func addRequest(_ key: [UInt8], _ value: [UInt8], to group: inout ShownGroup) throws(ByteFault) {
        group.add("identity", Self.hexadecimal(key))
        switch try RequestRow(value: value) {
        case .reservation(let routeKey, let reservation):
            group.add("reservation", reservation)
            group.add("key", routeKey)
        case .dialog(let dialog): group.add("dialog", dialog)
        }
    }

    private func addDialog(_ key: [UInt8], _ value: [UInt8], to group: inout ShownGroup) throws(ByteFault) {
        let row = try DialogRow(key: key, value: value)
        group.add("dialog", row.dialog)
        group.add("state", row.state)
        group.add("callKey", row.callKey)
        group.add("callKeySequence", number: row.callKeySequence)
        group.add("side", row.side.rawValue)
        group.add("reservation", row.reservation)
        group.add("closeReason", row.closeReason)
        group.add("openedAt", row.openedAt)
        group.add("deadline", row.deadline)
    }

    /// A parked reservation, request or answer: its own kind byte says which.
    private func addContext(_ key: [UInt8], _ value: [UInt8], to group: inout ShownGroup) throws(ByteFault) {
        group.add("sequence", number: try LogSequence(storeKey: key).number)
        if let parked = try? ParkedReservation(key: key, value: value) {  // else one of the two others
            group.add("parked", "reservation")
            add(parked, to: &group)
        } else if let parked = try? ParkedRequest(key: key, value: value) {  // else the last
            group.add("parked", "request")
            group.add("dialog", parked.dialog)
            group.add("callKey", parked.callKey)
            group.add("openedAt", parked.openedAt)
            group.add(records.fields(of: .openDialog(parked.request)))
        } else {
            let parked = try ParkedAnswer(key: key, value: value)
            group.add("parked", "answer")
            group.add("recordedAt", parked.recordedAt)
            group.add(records.fields(of: .recordAnswer(parked.answer)))
        }
    }

    private func add(_ parked: ParkedReservation, to group: inout ShownGroup) {
        group.add("reservation", parked.reservation)
        group.add("translationRoute", parked.route)
        group.add("key", parked.key)
        group.add("label", parked.label.text)
        group.add("target", parked.target)
        group.add("callKey", parked.callKey)
        group.add("callID", parked.callID)
        group.add("routingClient", parked.routingClient)
        records.add(parked.identity, to: &group)
        group.add("reservedAt", parked.reservedAt)
        group.add("expiresAt", parked.expiresAt)
        group.add("context", records.contexts.shown(parked.context))
    }

    static func event(_ row: JourneyRow) -> ShownGroup {
        var group = ShownGroup()
        group.add("callKey", row.callKey)
        group.add("sequence", number: row.sequence.number)
        group.add("ordinal", number: row.ordinal)
        group.add("at", row.at)
        group.add("kind", row.kind)
        group.add("dialog", row.dialog)
        group.add("reservation", row.reservation)
        for detail in row.details { group.add(detail.name, detail.text) }
        return group
    }

    static func hexadecimal(_ bytes: [UInt8]) -> String {
        bytes.map { ($0 < 16 ? "0" : "") + String($0, radix: 16) }.joined()
    }
}
