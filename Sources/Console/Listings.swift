internal import ByteCoding
package import CallModel
internal import ContextStore
package import Ledger
internal import ReplicatedLedger

/// Which parked contexts to list.
package struct ContextQuery: Hashable, Sendable {
    /// Nil lists every state that keeps a context.
    package var state: EntryState? = .waiting
    package var translationRoute: TranslationRouteName?
    /// 1...``Console/mostPerPage``.
    package var limit = 100
    /// `next` of the page before.
    package var after: String?
    /// Shows personal and payment values as they are. The caller's right to see them is checked above.
    package var isPersonal = false

    package init() {}
}

/// Which dialogs to list.
package struct DialogQuery: Hashable, Sendable {
    package var state: DialogState?
    package var limit = 100
    package var after: String?

    package init() {}
}

extension Console {
    /// Parked contexts in the order of their keys.
    package func contexts(_ query: ContextQuery) async throws(ConsoleFault) -> ParkedContextList {
        let page = try await page(of: .reservations, after: query.after, limit: query.limit) {
            (row) throws(ConsoleFault) -> ReservationRow? in
            let reservation: ReservationRow
            do throws(ByteFault) {
                reservation = try ReservationRow(key: row.key, value: row.value)
            } catch {
                throw .unreadable("a row of reservations", error)
            }
            // The row of an entry that is free again keeps its history; its context is gone.
            guard reservation.state != .free, query.state == nil || query.state == reservation.state else { return nil }
            guard query.translationRoute == nil || query.translationRoute == reservation.route else { return nil }
            return reservation
        }
        let keys = page.found.map { $0.reservation.contextKey }
        let (parked, limits, time) = try await read { view in
            (keys.map { view.value(.contexts, key: $0) }, view.ledger.configuration?.limits, view.time)
        }
        var contexts: [ParkedContextValues] = []
        for ((row, key), value) in zip(zip(page.found, keys), parked) {
            // Gone between the two reads: its entry has become free.
            guard let value else { continue }
            do throws(ByteFault) {
                let reservation = try ParkedReservation(key: key, value: value)
                let values = ContextValues(try reservation.context.decoded())
                let shown = query.isPersonal ? values : values.masked(by: limits ?? ContextLimits())
                contexts.append(ParkedContextValues(row, reservation, shown, at: time))
            } catch {
                throw .unreadable("the context of reservation \(row.reservation)", error)
            }
        }
        return ParkedContextList(sequence: page.sequence.number, contexts: contexts, next: page.next)
    }

    /// Dialogs in the order in which they were opened.
    package func dialogs(_ query: DialogQuery) async throws(ConsoleFault) -> DialogList {
        let page = try await page(of: .dialogs, after: query.after, limit: query.limit) {
            (row) throws(ConsoleFault) -> DialogRow? in
            let dialog: DialogRow
            do throws(ByteFault) {
                dialog = try DialogRow(key: row.key, value: row.value)
            } catch {
                throw .unreadable("a row of dialogs", error)
            }
            return query.state == nil || query.state == dialog.state ? dialog : nil
        }
        let rows = page.found
        let (parked, time) = try await read { view in
            (
                rows.map { row in
                    (
                        request: view.value(.contexts, key: row.storeKey),
                        answer: (row.final ?? row.handoff).flatMap {
                            view.value(.contexts, key: ParkedAnswer.storeKey($0))
                        }
                    )
                }, view.time
            )
        }
        var dialogs: [DialogValues] = []
        for (row, parked) in zip(rows, parked) {
            do throws(ByteFault) {
                let request = try parked.request.map { (value) throws(ByteFault) in
                    try ParkedRequest(key: row.storeKey, value: value)
                }
                let answer = try parked.answer.map { (value) throws(ByteFault) in
                    try ParkedAnswer(key: ParkedAnswer.storeKey(row.final ?? row.handoff ?? .zero), value: value)
                }
                dialogs.append(DialogValues(row, request, answer, at: time))
            } catch {
                throw .unreadable("dialog \(row.dialog)", error)
            }
        }
        return DialogList(sequence: page.sequence.number, dialogs: dialogs, next: page.next)
    }

    private struct Page<Row: Sendable>: Sendable {
        var found: [Row] = []
        var next: String?
        var sequence = LogSequence.zero
    }

    /// Walks a table in reads of bounded length until the page is full and one more row is found, or the table ends.
    /// The cursor is the hexadecimal key of the page's last row; that row may have gone when the next page is asked for.
    private func page<Row: Sendable>(
        of table: Table, after cursor: String?, limit: Int, _ take: (StoredRow) throws(ConsoleFault) -> Row?
    ) async throws(ConsoleFault) -> Page<Row> {
        let limit = min(max(1, limit), Self.mostPerPage)
        var page = Page<Row>()
        var from: [UInt8] = []
        var lastTaken: [UInt8] = []
        if let cursor {
            guard let key = [UInt8](hexadecimal: cursor) else {
                throw .field(FieldFault(field: "after", fault: .wrongShape("is what a page before gave as next")))
            }
            from = key + [0]
        }
        while true {
            let start = from
            let (rows, sequence) = try await read { view in
                (view.rows(table, from: start, limit: Self.rowsPerRead), view.position.sequence)
            }
            page.sequence = sequence
            for row in rows {
                guard let taken = try take(row) else { continue }
                if page.found.count == limit {
                    page.next = lastTaken.hexadecimal
                    return page
                }
                page.found.append(taken)
                lastTaken = row.key
            }
            guard rows.count == Self.rowsPerRead, let last = rows.last else { return page }
            from = last.key + [0]
        }
    }
}

extension [UInt8] {
    var hexadecimal: String {
        reduce(into: "") { text, byte in
            let digits = String(byte, radix: 16)
            text += digits.count == 1 ? "0" + digits : digits
        }
    }

    init?(hexadecimal text: String) {
        let digits = text.map(\.hexDigitValue)
        guard digits.count.isMultiple(of: 2), !digits.isEmpty, digits.count <= 1024 else { return nil }
        var bytes: [UInt8] = []
        for index in stride(from: 0, to: digits.count, by: 2) {
            guard let high = digits[index], let low = digits[index + 1] else { return nil }
            bytes.append(UInt8(high << 4 | low))
        }
        self = bytes
    }
}

extension ParkedContextValues {
    fileprivate init(_ row: ReservationRow, _ parked: ParkedReservation, _ context: ContextValues, at time: BatchTime) {
        reservation = row.reservation.description
        state = row.state.description
        callKey = row.callKey.description
        translationRoute = row.route.text
        peripheral = row.key.peripheral.text
        trunkGroup = row.key.trunkGroup.text
        dnis = row.key.dnis.text
        label = parked.label.text
        target = parked.target?.text
        callID = parked.callID.text
        routingClient = parked.routingClient?.text
        dialog = row.dialog?.description
        if case .request(let id) = parked.identity { requestID = id.text }
        reservedAt = parked.reservedAt.description
        expiresAt = parked.expiresAt.description
        freeAt = row.freeAt.map { time.wall(at: $0).description }
        late = row.late ? true : nil
        self.context = context
    }
}

extension DialogValues {
    fileprivate init(_ row: DialogRow, _ request: ParkedRequest?, _ answer: ParkedAnswer?, at time: BatchTime) {
        dialog = row.dialog.description
        state = row.state.description
        callKey = row.callKey.description
        callKeySequence = row.callKeySequence
        side = row.side.rawValue
        routingClient = request?.request.routingClient.text
        dialedNumber = request?.request.dialedNumber
        callID = request?.request.callID.text
        requestID = request?.request.requestID.text
        customer = request?.request.customer?.text
        nicCallID = request?.request.nicCallID
        label = answer?.answer.label.text
        labelType = answer?.answer.label.type.description
        source = answer?.answer.source.description
        reason = answer?.answer.reason
        reservation = row.reservation?.description
        closeReason = row.closeReason?.description
        openedAt = request?.openedAt.description ?? time.wall(at: row.openedAt).description
        until = time.wall(at: row.deadline).description
    }
}
