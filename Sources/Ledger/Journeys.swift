internal import ByteCoding
internal import CallModel

// Call keys, journeys and legs. Journeys and legs are only ever added here; the store bounds them.

extension Ledger {
    /// A call key of this instance: day = max(last day, wall day of the record), counter + 1 (DOMAIN.md).
    mutating func giveCallKey(_ changes: inout [Change]) -> CallKey {
        let day = max(lastCallKeyDay, lastTime.wall.day)
        if day != lastCallKeyDay {
            lastCallKeyDay = day
            lastCallKeyNumber = 0
        }
        // Four thousand million calls on one day: the day after begins early rather than that a key comes twice.
        if lastCallKeyNumber == .max {
            lastCallKeyDay &+= 1
            lastCallKeyNumber = 0
        }
        lastCallKeyNumber += 1
        putMeta(&changes)
        let origin = configuration?.instance ?? InstanceName(unchecked: "none")
        return CallKey(origin: origin, day: lastCallKeyDay, number: lastCallKeyNumber)
    }

    mutating func startJourneys(at sequence: LogSequence) {
        journeySequence = sequence
        journeyOrdinal = 0
    }

    mutating func journey(
        _ kind: JourneyKind, _ callKey: CallKey, at: WallTime? = nil, dialog: DialogID? = nil,
        reservation: ReservationID? = nil, _ details: [(String, String?)], _ changes: inout [Change]
    ) {
        let row = JourneyRow(
            callKey: callKey, sequence: journeySequence, ordinal: journeyOrdinal, kind: kind, at: at ?? lastTime.wall,
            dialog: dialog, reservation: reservation,
            details: details.compactMap { name, text in text.map { JourneyRow.Detail(name: name, text: $0) } })
        journeyOrdinal &+= 1
        changes.append(Change(table: .journeys, key: row.storeKey, value: row.encodedValue()))
    }

    /// The same for what befell an entry: its call key, reservation, dialog and key.
    mutating func journey(
        _ kind: JourneyKind, of entry: Entry, at: WallTime? = nil, _ details: [(String, String?)],
        _ changes: inout [Change]
    ) {
        journey(
            kind, entry.callKey, at: at, dialog: entry.dialog == 0 ? nil : DialogID(LogSequence(entry.dialog)),
            reservation: ReservationID(LogSequence(entry.reservation)),
            [("route", names.routes[Int(entry.route)].text), ("key", families.key(entry.key).description)] + details,
            &changes)
    }

    func leg(_ callID: CallID, of callKey: CallKey, _ changes: inout [Change]) {
        changes.append(Change(table: .legs, key: callID.legKey, value: callKey.legValue))
    }
}

/// Hashes of what identifies a request. The first byte keeps the kinds apart.
enum Identity {
    static func of(_ identity: ReserveIdentity, route: TranslationRouteName) -> Hash128 {
        var writer = ByteWriter(capacity: 96)
        switch identity {
        case .request(let requestID):
            writer.u8(1)
            writer.name(route)
            writer.name(requestID)
        case .dialog(let dialog, let node):
            writer.u8(2)
            writer.sequence(dialog.sequence)
            writer.name(node)
        }
        return SipHash128.hash(writer.bytes)
    }

    static func of(_ open: OpenDialog) -> Hash128 {
        var writer = ByteWriter(capacity: 96)
        writer.u8(3)
        writer.name(open.routingClient)
        writer.name(open.requestID)
        return SipHash128.hash(writer.bytes)
    }

    static func of(_ callID: CallID) -> Hash128 { of(text: callID.text, kind: 4) }

    static func of(ani: some Collection<UInt8>) -> Hash128 {
        var writer = ByteWriter(capacity: 48)
        writer.u8(5)
        writer.raw(ani)
        return SipHash128.hash(writer.bytes)
    }

    private static func of(text: String, kind: UInt8) -> Hash128 {
        var writer = ByteWriter(capacity: 64)
        writer.u8(kind)
        writer.raw(text.utf8)
        return SipHash128.hash(writer.bytes)
    }

    /// What an identity must not change: another content under the same identity is a conflict.
    static func content(of reserve: Reserve) -> Hash128 {
        var writer = ByteWriter(capacity: 256)
        writer.u8(6)
        writer.name(reserve.route)
        writer.name(reserve.callID)
        writer.optionalName(reserve.routingClient)
        writer.optionalName(reserve.target)
        writer.optional(reserve.leaseSeconds) { $0.u32($1) }
        writer.hash(reserve.context.hash)
        return SipHash128.hash(writer.bytes)
    }

    static func content(of open: OpenDialog) -> Hash128 {
        var writer = ByteWriter(capacity: 256)
        writer.u8(7)
        writer.string(open.dialedNumber)
        writer.name(open.callID)
        writer.optionalName(open.customer)
        writer.hash(open.context.hash)
        return SipHash128.hash(writer.bytes)
    }
}
