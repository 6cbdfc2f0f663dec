internal import ByteCoding
internal import CallModel

// openDialog, askDialog, recordAnswer, closeDialog: open -> asked -> answered -> closed (DOMAIN.md).

extension Ledger {
    /// The only way to change a dialog: row, digest and deadlines follow.
    mutating func change(_ id: DialogID, _ changes: inout [Change], _ body: (inout DialogRow) -> Void) {
        guard var row = dialogs[id] else { preconditionFailure("dialog \(id) is not there to be changed") }
        let old = row
        body(&row)
        if row == old { return }
        dialogs[id] = row
        if row.deadline != old.deadline { dialogDeadlines.insert(id, at: row.deadline) }
        replace(.dialogs, id.storeKey, old.encodedValue(), with: row.encodedValue(), &changes)
    }

    mutating func openDialog(
        _ open: OpenDialog, _ configuration: LedgerConfiguration, _ sequence: LogSequence, _ changes: inout [Change]
    ) -> Outcome {
        let identity = Identity.of(open)
        let content = Identity.content(of: open)
        if let id = dialogOfIdentity[identity], let row = dialogs[id] {
            guard row.content == content else {
                counters.conflicts += 1
                return .conflict(Conflict(first: id.sequence))
            }
            return .dialogOpened(opened(row, repeated: true))
        }
        let callKey = open.callKey ?? giveCallKey(&changes)
        let hash = open.context.hash
        let row = DialogRow(
            dialog: DialogID(sequence), state: .open, callKey: callKey, callKeySequence: open.callKeySequence,
            side: open.side, openedAt: lastTime.log,
            deadline: lastTime.log.adding(seconds: configuration.dialogAgeSeconds), identity: identity,
            content: content, context: hash, latestContext: hash, marks: FieldMark.marks(of: open.context))
        dialogs[row.dialog] = row
        dialogOfIdentity[identity] = row.dialog
        dialogDeadlines.insert(row.dialog, at: row.deadline)
        put(.dialogs, row.storeKey, row.encodedValue(), &changes)
        put(.requests, StoreKey.request(identity), RequestRow.dialog(row.dialog).encodedValue(), &changes)
        let parked = ParkedRequest(dialog: row.dialog, callKey: callKey, openedAt: lastTime.wall, request: open)
        changes.append(Change(table: .contexts, key: parked.storeKey, value: parked.encodedValue()))
        leg(open.callID, of: callKey, &changes)
        counters.dialogsOpened += 1
        journey(
            .requested, callKey, dialog: row.dialog,
            [
                ("routingClient", open.routingClient.text), ("dialedNumber", open.dialedNumber),
                ("callID", open.callID.text), ("customer", open.customer?.text),
            ], &changes)
        return .dialogOpened(opened(row, repeated: false))
    }

    private func opened(_ row: DialogRow, repeated: Bool) -> DialogOpened {
        DialogOpened(
            dialog: row.dialog, callKey: row.callKey, callKeySequence: row.callKeySequence, state: row.state,
            repeated: repeated)
    }

    mutating func askDialog(_ ask: AskDialog, _ changes: inout [Change]) -> Outcome {
        guard let row = dialogs[ask.dialog], row.state != .closed else { return unknownDialog(ask.dialog) }
        change(ask.dialog, &changes) { if $0.state == .open { $0.state = .asked } }
        journey(
            .forwarded, row.callKey, dialog: ask.dialog, [("gateway", ask.gateway.text), ("node", ask.node.text)],
            &changes)
        return .dialogAsked
    }

    mutating func recordAnswer(_ answer: RecordAnswer, _ sequence: LogSequence, _ changes: inout [Change]) -> Outcome {
        guard let row = dialogs[answer.dialog] else { return unknownDialog(answer.dialog) }
        let stands = row.final != nil || (answer.kind == .handoff && row.handoff != nil)
        if row.state == .closed || stands { return .answerRecorded(first: false) }
        let hash = answer.context.hash
        let isModified = hash != row.latestContext
        let marks = isModified ? FieldMark.marks(of: answer.context) : row.marks
        change(answer.dialog, &changes) {
            $0.state = .answered
            switch answer.kind {
            case .handoff: $0.handoff = sequence
            case .final: $0.final = sequence
            }
            $0.context = Self.combined($0.context, hash)
            $0.latestContext = hash
            $0.marks = marks
        }
        let parked = ParkedAnswer(recordedAt: lastTime.wall, answer: answer)
        changes.append(
            Change(table: .contexts, key: ParkedAnswer.storeKey(sequence), value: parked.encodedValue()))
        noteAnswer(answer, of: row, isModified ? FieldMark.changed(from: row.marks, to: marks) : nil, &changes)
        return .answerRecorded(first: true)
    }

    private static func combined(_ left: Hash128, _ right: Hash128) -> Hash128 {
        var writer = ByteWriter(capacity: 32)
        writer.hash(left)
        writer.hash(right)
        return SipHash128.hash(writer.bytes)
    }

    private mutating func noteAnswer(
        _ answer: RecordAnswer, of row: DialogRow, _ modified: [String]?, _ changes: inout [Change]
    ) {
        if answer.source == .default {
            journey(
                .defaulted, row.callKey, dialog: row.dialog,
                [("label", answer.label.text), ("node", answer.node.text), ("reason", answer.reason)], &changes)
        } else if answer.kind == .handoff || row.handoff == nil {
            journey(
                .labelReturned, row.callKey, dialog: row.dialog, reservation: nil,
                [
                    ("label", answer.label.text), ("source", answer.source.description), ("node", answer.node.text),
                    ("key", answer.arrival?.key.description),
                ], &changes)
        }
        if let modified {
            journey(
                .contextModified, row.callKey, dialog: row.dialog, [("fields", modified.joined(separator: " "))],
                &changes)
        }
    }

    mutating func closeDialog(
        _ close: CloseDialog, _ configuration: LedgerConfiguration, _ changes: inout [Change]
    ) -> Outcome {
        guard let row = dialogs[close.dialog] else { return unknownDialog(close.dialog) }
        let released = releaseReservation(of: row, closedAs: close.reason, at: lastTime.log, &changes)
        if row.state == .closed, let earlier = row.closeReason {
            if released != nil { noteClose(row, close.reason, at: nil, &changes) }
            // Its caller hung up after all: the answer must not be given again to a repeat, since what waited for the
            // call is gone. How it was first closed is told, and counted, once.
            if earlier == .handedOver && close.reason == .abandoned {
                change(row.dialog, &changes) { $0.closeReason = .abandoned }
            }
            return .dialogClosed(DialogClosed(closed: false, reason: earlier, released: released))
        }
        self.close(row, as: close.reason, at: lastTime.log, configuration, &changes)
        return .dialogClosed(DialogClosed(closed: true, reason: close.reason, released: released))
    }

    /// Abandoned, failed and default mean that nobody will come for it, also when the dialog was closed as handed over
    /// before; aged does if there was no answer.
    func releases(_ row: DialogRow, _ reason: CloseReason) -> Bool {
        switch reason {
        case .handedOver: false
        case .abandoned, .failed, .default: true
        case .aged: row.final == nil && row.handoff == nil
        }
    }

    mutating func releaseReservation(
        of row: DialogRow, closedAs reason: CloseReason, at time: LogTime, _ changes: inout [Change]
    ) -> ReservationID? {
        guard releases(row, reason), let reservation = row.reservation,
            let slot = slotOfReservation[reservation.sequence.number], entries[slot].state == .waiting
        else { return nil }
        releaseWaiting(slot, reason: "dialog \(reason)", at: time, &changes)
        return reservation
    }

    mutating func close(
        _ row: DialogRow, as reason: CloseReason, at time: LogTime, _ configuration: LedgerConfiguration,
        _ changes: inout [Change]
    ) {
        change(row.dialog, &changes) {
            $0.state = .closed
            $0.closeReason = reason
            $0.deadline = time.adding(seconds: configuration.answersKeptSeconds)
            $0.marks = []
        }
        counters.dialogsClosed[reason, default: 0] += 1
        noteClose(row, reason, at: lastTime.wall(at: time), &changes)
    }

    private mutating func noteClose(
        _ row: DialogRow, _ reason: CloseReason, at time: WallTime?, _ changes: inout [Change]
    ) {
        let kind: JourneyKind =
            switch reason {
            case .handedOver: .handedOver
            // The line with the default label stands already when it was recorded as the final answer.
            case .default: row.final == nil ? .defaulted : .handedOver
            case .abandoned: .abandoned
            case .failed: .failed
            case .aged: .aged
            }
        let note = reason == .default ? "default label" : nil
        journey(kind, row.callKey, at: time, dialog: row.dialog, [("reason", note)], &changes)
    }

    /// Its answers' time is over: the identity is new again.
    mutating func forget(_ row: DialogRow, _ changes: inout [Change]) {
        dialogs[row.dialog] = nil
        dialogOfIdentity[row.identity] = nil
        remove(.dialogs, row.storeKey, row.encodedValue(), &changes)
        remove(.requests, StoreKey.request(row.identity), RequestRow.dialog(row.dialog).encodedValue(), &changes)
        for sequence in [row.dialog.sequence, row.handoff, row.final] {
            guard let sequence else { continue }
            changes.append(Change(table: .contexts, key: sequence.storeKey, value: nil))
        }
    }
}

extension FieldMark {
    /// The set fields of a context in its own order; none for bytes that are no context (they are refused before they
    /// come into a log).
    static func marks(of context: EncodedContext) -> [FieldMark] {
        guard let callContext = try? context.decoded() else { return [] }
        var marks: [FieldMark] = []
        func mark(_ name: String, _ bytes: [UInt8]) {
            marks.append(FieldMark(name: name, hash: SipHash128.hash(bytes).low))
        }
        func mark(_ field: ContextField) {
            if let text = callContext[field] { mark(field.description, Array(text.utf8)) }
        }
        mark(.ani)
        if callContext.aniRestricted { mark("aniRestricted", [1]) }
        for field in [ContextField.ced, .uui, .dnis, .dialedNumber] { mark(field) }
        for number in 1...CallContext.variableCount { mark(.variable(number)) }
        for (name, value) in callContext.ecc.sorted(by: { $0.key < $1.key }) {
            var writer = ByteWriter()
            switch value {
            case .scalar(let text): writer.raw(text.utf8)
            case .array(let elements): writer.list(elements) { $0.string($1) }
            }
            mark(name.text, writer.bytes)
        }
        return marks
    }

    /// Names of the fields that were set, cleared or changed, in the order of the later context, the cleared last.
    static func changed(from old: [FieldMark], to new: [FieldMark]) -> [String] {
        let before = Dictionary(old.map { ($0.name, $0.hash) }) { first, _ in first }
        let after = Set(new.map(\.name))
        return new.filter { before[$0.name] != $0.hash }.map(\.name)
            + old.filter { !after.contains($0.name) }.map(\.name)
    }
}
