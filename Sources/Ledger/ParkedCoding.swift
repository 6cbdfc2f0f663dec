package import ByteCoding
package import CallModel

// Values of `contexts`, under the sequence of the record that brought them: version byte 1, a kind byte (1 reservation,
// 2 request, 3 answer), then the fields. And the rows of `journeys`.

private enum ParkedKind {
    static let reservation: UInt8 = 1
    static let request: UInt8 = 2
    static let answer: UInt8 = 3
}

extension ByteReader {
    fileprivate mutating func parked(_ kind: UInt8) throws(ByteFault) {
        try version(1)
        let at = position
        let found = try u8()
        if found != kind { throw .value("parked value of kind \(found) where \(kind) belongs", at: at) }
    }
}

extension ParkedReservation {
    package var storeKey: [UInt8] { reservation.contextKey }

    /// Layout: version, kind 1, route, key, label, optional target, call key, call id, optional routing client,
    /// identity, i64 reservedAt, i64 expiresAt (wall times), context after its u32 length.
    package func encodedValue() -> [UInt8] {
        var writer = ByteWriter(capacity: context.bytes.count + 320)
        writer.u8(1)
        writer.u8(ParkedKind.reservation)
        writer.name(route)
        key.encode(into: &writer)
        label.encode(into: &writer)
        writer.optionalName(target)
        callKey.encode(into: &writer)
        writer.name(callID)
        writer.optionalName(routingClient)
        identity.encode(into: &writer)
        writer.wallTime(reservedAt)
        writer.wallTime(expiresAt)
        writer.context(context)
        return writer.bytes
    }

    package init(key storeKey: [UInt8], value: [UInt8]) throws(ByteFault) {
        reservation = ReservationID(try LogSequence(storeKey: storeKey))
        var reader = ByteReader(value)
        try reader.parked(ParkedKind.reservation)
        route = try reader.name()
        key = try TranslationRouteKey(from: &reader)
        label = try Label(from: &reader)
        target = try reader.optionalName()
        callKey = try CallKey(from: &reader)
        callID = try reader.name()
        routingClient = try reader.optionalName()
        identity = try ReserveIdentity(from: &reader)
        reservedAt = try reader.wallTime()
        expiresAt = try reader.wallTime()
        context = try reader.context()
        try reader.finish()
    }
}

extension ParkedRequest {
    package var storeKey: [UInt8] { dialog.storeKey }

    /// Layout: version, kind 2, call key, i64 openedAt (wall time), the fields of the record `openDialog`.
    package func encodedValue() -> [UInt8] {
        var writer = ByteWriter(capacity: request.context.bytes.count + 320)
        writer.u8(1)
        writer.u8(ParkedKind.request)
        callKey.encode(into: &writer)
        writer.wallTime(openedAt)
        request.encode(into: &writer)
        return writer.bytes
    }

    package init(key: [UInt8], value: [UInt8]) throws(ByteFault) {
        dialog = DialogID(try LogSequence(storeKey: key))
        var reader = ByteReader(value)
        try reader.parked(ParkedKind.request)
        callKey = try CallKey(from: &reader)
        openedAt = try reader.wallTime()
        request = try OpenDialog(from: &reader)
        try reader.finish()
    }
}

extension ParkedAnswer {
    /// Under the sequence of the record, which stands in the dialog's row (`handoff`, `final`).
    package static func storeKey(_ sequence: LogSequence) -> [UInt8] { sequence.storeKey }

    /// Layout: version, kind 3, i64 recordedAt (wall time), the fields of the record `recordAnswer`.
    package func encodedValue() -> [UInt8] {
        var writer = ByteWriter(capacity: answer.context.bytes.count + 320)
        writer.u8(1)
        writer.u8(ParkedKind.answer)
        writer.wallTime(recordedAt)
        answer.encode(into: &writer)
        return writer.bytes
    }

    package init(key: [UInt8], value: [UInt8]) throws(ByteFault) {
        _ = try LogSequence(storeKey: key)
        var reader = ByteReader(value)
        try reader.parked(ParkedKind.answer)
        recordedAt = try reader.wallTime()
        answer = try RecordAnswer(from: &reader)
        try reader.finish()
    }
}

extension JourneyRow {
    package var storeKey: [UInt8] {
        var writer = ByteWriter(capacity: 56)
        writer.raw(callKey.journeyPrefix)
        writer.bigEndian(sequence.number)
        writer.bigEndian(ordinal)
        return writer.bytes
    }

    /// Layout: version, u8 kind, i64 wall time, optional u64 dialog, optional u64 reservation, list of (name, text).
    package func encodedValue() -> [UInt8] {
        var writer = ByteWriter(capacity: 128)
        writer.u8(1)
        writer.u8(kind.rawValue)
        writer.wallTime(at)
        writer.optional(dialog) { $0.sequence($1.sequence) }
        writer.optional(reservation) { $0.sequence($1.sequence) }
        writer.list(details) {
            $0.string($1.name)
            $0.string($1.text)
        }
        return writer.bytes
    }

    package init(key: [UInt8], value: [UInt8]) throws(ByteFault) {
        var keyReader = ByteReader(key)
        let day: UInt32 = try keyReader.bigEndian()
        let number: UInt32 = try keyReader.bigEndian()
        callKey = CallKey(origin: try keyReader.terminated(), day: day, number: number)
        sequence = LogSequence(try keyReader.bigEndian())
        ordinal = try keyReader.bigEndian()
        try keyReader.finish()
        var reader = ByteReader(value)
        try reader.version(1)
        kind = try reader.one()
        at = try reader.wallTime()
        dialog = try reader.optional { (reader: inout ByteReader) throws(ByteFault) in DialogID(try reader.sequence()) }
        reservation = try reader.optional { (reader: inout ByteReader) throws(ByteFault) in
            ReservationID(try reader.sequence())
        }
        details = try reader.list { (reader: inout ByteReader) throws(ByteFault) in
            Detail(name: try reader.string(), text: try reader.string())
        }
        try reader.finish()
    }
}
