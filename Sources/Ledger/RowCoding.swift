package import ByteCoding
package import CallModel

// Values of the tables that carry state. Each begins with a version byte (1); the key is not repeated in the value.

extension ReservationRow {
    package var storeKey: [UInt8] { key.storeKey }

    /// Layout: version, route, u64 reservation, u8 state, call key, optional u64 dialog, u64 expiresAt, optional u64
    /// freeAt, hashes of identity and content, optional hashes of claimant and ANI, flags aniMatched and late, hash of
    /// the context, label template, u32 repeatSeconds, u32 quarantineSeconds, u8 ANI check.
    package func encodedValue() -> [UInt8] {
        var writer = ByteWriter(capacity: 256)
        writer.u8(1)
        writer.name(route)
        writer.sequence(reservation.sequence)
        writer.u8(state.rawValue)
        callKey.encode(into: &writer)
        writer.optional(dialog) { $0.sequence($1.sequence) }
        writer.time(expiresAt)
        writer.optional(freeAt) { $0.time($1) }
        writer.hash(identity)
        writer.hash(content)
        writer.optional(claimant) { $0.hash($1) }
        writer.optional(ani) { $0.hash($1) }
        writer.flag(aniMatched)
        writer.flag(late)
        writer.hash(context)
        label.encode(into: &writer)
        writer.u32(repeatSeconds)
        writer.u32(quarantineSeconds)
        writer.u8(aniCheck.rawValue)
        return writer.bytes
    }

    package init(key storeKey: [UInt8], value: [UInt8]) throws(ByteFault) {
        key = try TranslationRouteKey(storeKey: storeKey)
        var reader = ByteReader(value)
        try reader.version(1)
        route = try reader.name()
        reservation = ReservationID(try reader.sequence())
        state = try reader.one()
        callKey = try CallKey(from: &reader)
        dialog = try reader.optional { (reader: inout ByteReader) throws(ByteFault) in DialogID(try reader.sequence()) }
        expiresAt = try reader.time()
        let at = reader.position
        freeAt = try reader.optional { (reader: inout ByteReader) throws(ByteFault) in try reader.time() }
        guard (freeAt == nil) == (state == .waiting) else {
            throw .value("freeAt of an entry that is \(state)", at: at)
        }
        identity = try reader.hash()
        content = try reader.hash()
        claimant = try reader.optional { (reader: inout ByteReader) throws(ByteFault) in try reader.hash() }
        ani = try reader.optional { (reader: inout ByteReader) throws(ByteFault) in try reader.hash() }
        aniMatched = try reader.flag()
        late = try reader.flag()
        context = try reader.hash()
        label = try LabelTemplate(from: &reader)
        repeatSeconds = try reader.u32()
        quarantineSeconds = try reader.u32()
        aniCheck = try reader.one()
        try reader.finish()
    }
}

extension DialogRow {
    package var storeKey: [UInt8] { dialog.storeKey }

    /// Layout: version, u8 state, call key, u32 its sequence number, u8 side, u64 openedAt, u64 deadline, hashes of
    /// identity and content, optional u64 each: handoff, final, reservation; optional u8 close reason, hash over the
    /// contexts, hash of the latest, list of marks (name, u64).
    package func encodedValue() -> [UInt8] {
        var writer = ByteWriter(capacity: 256)
        writer.u8(1)
        writer.u8(state.rawValue)
        callKey.encode(into: &writer)
        writer.u32(callKeySequence)
        writer.side(side)
        writer.time(openedAt)
        writer.time(deadline)
        writer.hash(identity)
        writer.hash(content)
        writer.optional(handoff) { $0.sequence($1) }
        writer.optional(final) { $0.sequence($1) }
        writer.optional(reservation) { $0.sequence($1.sequence) }
        writer.optional(closeReason) { $0.u8($1.rawValue) }
        writer.hash(context)
        writer.hash(latestContext)
        writer.list(marks) {
            $0.string($1.name)
            $0.u64($1.hash)
        }
        return writer.bytes
    }

    package init(key: [UInt8], value: [UInt8]) throws(ByteFault) {
        dialog = DialogID(try LogSequence(storeKey: key))
        var reader = ByteReader(value)
        try reader.version(1)
        state = try reader.one()
        callKey = try CallKey(from: &reader)
        callKeySequence = try reader.u32()
        side = try reader.side()
        openedAt = try reader.time()
        deadline = try reader.time()
        identity = try reader.hash()
        content = try reader.hash()
        handoff = try reader.optional { (reader: inout ByteReader) throws(ByteFault) in try reader.sequence() }
        final = try reader.optional { (reader: inout ByteReader) throws(ByteFault) in try reader.sequence() }
        reservation = try reader.optional { (reader: inout ByteReader) throws(ByteFault) in
            ReservationID(try reader.sequence())
        }
        let at = reader.position
        closeReason = try reader.optional { (reader: inout ByteReader) throws(ByteFault) in try reader.one() }
        guard (closeReason != nil) == (state == .closed) else { throw .value("close reason", at: at) }
        context = try reader.hash()
        latestContext = try reader.hash()
        marks = try reader.list { (reader: inout ByteReader) throws(ByteFault) in
            FieldMark(name: try reader.string(), hash: try reader.u64())
        }
        try reader.finish()
    }
}

/// A row of `requests`: what an identity stands for.
package enum RequestRow: Hashable, Sendable {
    case reservation(TranslationRouteKey, ReservationID)
    case dialog(DialogID)

    /// Layout: version, u8 1 with u64 reservation and its route key, or u8 2 with u64 dialog.
    package func encodedValue() -> [UInt8] {
        var writer = ByteWriter(capacity: 80)
        writer.u8(1)
        switch self {
        case .reservation(let key, let reservation):
            writer.u8(1)
            writer.sequence(reservation.sequence)
            key.encode(into: &writer)
        case .dialog(let dialog):
            writer.u8(2)
            writer.sequence(dialog.sequence)
        }
        return writer.bytes
    }

    package init(value: [UInt8]) throws(ByteFault) {
        var reader = ByteReader(value)
        try reader.version(1)
        let at = reader.position
        switch try reader.u8() {
        case 1:
            let reservation = ReservationID(try reader.sequence())
            self = .reservation(try TranslationRouteKey(from: &reader), reservation)
        case 2: self = .dialog(DialogID(try reader.sequence()))
        case let other: throw .value("request of kind \(other)", at: at)
        }
        try reader.finish()
    }
}

/// A row of `strays`: a call id that was told stray on a key, and until when it is told so again. The row whose call
/// is zero says that the key's list was full when another one was told.
package struct StrayRow: Hashable, Sendable {
    package var key: TranslationRouteKey
    package var call: Hash128
    package var until: LogTime

    package init(key: TranslationRouteKey, call: Hash128, until: LogTime) {
        self.key = key
        self.call = call
        self.until = until
    }

    package var storeKey: [UInt8] { StoreKey.stray(key.storeKey, call: call) }

    /// Layout: version, u64 until.
    package func encodedValue() -> [UInt8] { Self.encodedValue(until: until) }

    static func encodedValue(until: LogTime) -> [UInt8] {
        var writer = ByteWriter(capacity: 16)
        writer.u8(1)
        writer.time(until)
        return writer.bytes
    }

    package init(key storeKey: [UInt8], value: [UInt8]) throws(ByteFault) {
        var keyReader = ByteReader(storeKey)
        key = try TranslationRouteKey(ordered: &keyReader)
        call = try keyReader.orderedHash()
        try keyReader.finish()
        var reader = ByteReader(value)
        try reader.version(1)
        until = try reader.time()
        try reader.finish()
    }
}
