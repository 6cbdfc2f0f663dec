internal import ByteCoding
internal import CallModel
internal import ContextStore
internal import Ledger
internal import ReplicatedLedger

extension Console {
    /// The way of one call. It may be named by its call key, by the call id of any leg, by a dialog (`D12`) or by a
    /// reservation (`R34`), tried in this order.
    package func journey(_ selector: String) async throws(ConsoleFault) -> Journey {
        guard !selector.isEmpty, selector.utf8.count <= CallID.limit else {
            throw .field(
                FieldFault(field: "call", fault: .tooLong(bytes: selector.utf8.count, limit: CallID.limit)))
        }
        if let callKey = Self.parsed({ () throws(FieldFault) in try CallKey(parsing: selector) }),
            let journey = try await journey(of: callKey)
        {
            return journey
        }
        guard let callKey = try await callKey(selector), let journey = try await journey(of: callKey) else {
            throw .unknown(field: "call", name: selector)
        }
        return journey
    }

    /// Nil when nothing is kept of the call (any more).
    private func journey(of callKey: CallKey) async throws(ConsoleFault) -> Journey? {
        let prefix = callKey.journeyPrefix
        let (rows, sequence) = try await read { view in
            (
                view.rows(.journeys, from: prefix, limit: Self.mostEvents + 1).prefix { $0.key.starts(with: prefix) },
                view.position.sequence
            )
        }
        if rows.isEmpty { return nil }
        var events: [Journey.Event] = []
        for row in rows.prefix(Self.mostEvents) {
            do throws(ByteFault) {
                events.append(Journey.Event(try JourneyRow(key: row.key, value: row.value)))
            } catch {
                throw .unreadable("an event of journey \(callKey)", error)
            }
        }
        return Journey(
            callKey: callKey.description, sequence: sequence.number, events: events,
            isCut: rows.count > Self.mostEvents ? true : nil)
    }

    private func callKey(_ selector: String) async throws(ConsoleFault) -> CallKey? {
        if let callID = Self.parsed({ () throws(FieldFault) in try CallID(selector) }) {
            let leg = try await read { $0.value(.legs, key: callID.legKey) }
            if let leg {
                return try Self.decoded("the leg of call \(selector)") { () throws(ByteFault) in
                    try CallKey(legValue: leg)
                }
            }
        }
        if let dialog = Self.parsed({ () throws(FieldFault) in try DialogID(parsing: selector) }) {
            return try await read { $0.ledger.dialog(dialog)?.callKey }
        }
        if let reservation = Self.parsed({ () throws(FieldFault) in try ReservationID(parsing: selector) }) {
            return try await read { $0.ledger.reservation(reservation)?.callKey }
        }
        return nil
    }

    /// Nil when the text is of another kind.
    private static func parsed<Value, Fault: Error>(_ parse: () throws(Fault) -> Value) -> Value? {
        do {
            return try parse()
        } catch {
            return nil
        }
    }

    private static func decoded<Value>(
        _ what: String, _ decode: () throws(ByteFault) -> Value
    ) throws(ConsoleFault) -> Value {
        do {
            return try decode()
        } catch {
            throw .unreadable(what, error)
        }
    }
}

extension Journey.Event {
    fileprivate init(_ row: JourneyRow) {
        at = row.at.description
        kind = row.kind.description
        dialog = row.dialog?.description
        reservation = row.reservation?.description
        details = row.details.map { Journey.Detail(name: $0.name, text: $0.text) }
    }
}
