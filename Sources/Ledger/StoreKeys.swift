package import ByteCoding
package import CallModel

// Keys of the store's tables. Integers are big-endian and strings end with a NUL (which none of them holds), so that
// the order of bytes is the order of what they mean. The longest (strays) has 115 bytes; LMDB's limit is 511.
//
//   pools         "configuration"
//   reservations  peripheral NUL trunk group NUL DNIS NUL                              (at most 99)
//   requests      hash of the identity, 16 (high half first)
//   dialogs       u64 dialog
//   strays        as reservations, then hash of the call id, 16 (all zero: the key's list was full)
//   contexts      u64 sequence
//   journeys      u32 day, u32 number, origin NUL, u64 sequence, u16 ordinal           (at most 51)
//   legs          call id, as it is                                                    (at most 128)
//   meta          "ledger"; the store keeps rows of its own under other names

extension ByteWriter {
    mutating func terminated(_ text: String) {
        raw(text.utf8)
        u8(0)
    }

    mutating func orderedHash(_ hash: Hash128) {
        bigEndian(hash.high)
        bigEndian(hash.low)
    }
}

extension ByteReader {
    mutating func terminated<Text: CheckedText>(_ type: Text.Type = Text.self) throws(ByteFault) -> Text {
        let at = position
        var bytes: [UInt8] = []
        while true {
            let byte = try u8()
            if byte == 0 { break }
            bytes.append(byte)
        }
        guard let text = String(validating: bytes, as: UTF8.self) else { throw .notUTF8(at: at) }
        do throws(FieldFault) {
            try FieldFault.check(text, field: Text.fieldName, limit: Text.limit)
        } catch {
            throw .value("\(error)", at: at)
        }
        return Text(unchecked: text)
    }

    mutating func orderedHash() throws(ByteFault) -> Hash128 {
        let high: UInt64 = try bigEndian()
        return Hash128(high: high, low: try bigEndian())
    }
}

extension TranslationRouteKey {
    /// The key of its row in `reservations`, and the beginning of its rows in `strays`.
    package var storeKey: [UInt8] {
        var writer = ByteWriter(capacity: 64)
        writer.terminated(peripheral.text)
        writer.terminated(trunkGroup.text)
        writer.terminated(dnis.text)
        return writer.bytes
    }

    package init(storeKey: [UInt8]) throws(ByteFault) {
        var reader = ByteReader(storeKey)
        try self.init(ordered: &reader)
        try reader.finish()
    }

    init(ordered reader: inout ByteReader) throws(ByteFault) {
        let peripheral: PeripheralName = try reader.terminated()
        let trunkGroup: TrunkGroupName = try reader.terminated()
        self.init(peripheral: peripheral, trunkGroup: trunkGroup, dnis: try reader.terminated())
    }
}

extension LogSequence {
    /// The key of a row in `contexts`, and (for the sequence that opened it) of a dialog in `dialogs`.
    package var storeKey: [UInt8] {
        var writer = ByteWriter(capacity: 8)
        writer.bigEndian(number)
        return writer.bytes
    }

    package init(storeKey: [UInt8]) throws(ByteFault) {
        var reader = ByteReader(storeKey)
        self.init(try reader.bigEndian())
        try reader.finish()
    }
}

extension DialogID {
    package var storeKey: [UInt8] { sequence.storeKey }
}

extension ReservationID {
    /// The key of its context in `contexts`.
    package var contextKey: [UInt8] { sequence.storeKey }
}

extension CallID {
    /// The key of its row in `legs`.
    package var legKey: [UInt8] { Array(text.utf8) }
}

extension CallKey {
    /// What the keys of all its rows in `journeys` begin with.
    package var journeyPrefix: [UInt8] {
        var writer = ByteWriter(capacity: 56)
        writer.bigEndian(day)
        writer.bigEndian(number)
        writer.terminated(origin.text)
        return writer.bytes
    }

    /// The value of a row in `legs`: version 1, then the call key.
    package var legValue: [UInt8] {
        var writer = ByteWriter(capacity: 48)
        writer.u8(1)
        encode(into: &writer)
        return writer.bytes
    }

    package init(legValue: [UInt8]) throws(ByteFault) {
        var reader = ByteReader(legValue)
        try reader.version(1)
        try self.init(from: &reader)
        try reader.finish()
    }
}

/// Keys of the tables that have one row of the ledger's, or none with a type of its own.
package enum StoreKey {
    package static let configuration = Array("configuration".utf8)
    package static let ledger = Array("ledger".utf8)

    package static func request(_ identity: Hash128) -> [UInt8] {
        var writer = ByteWriter(capacity: 16)
        writer.orderedHash(identity)
        return writer.bytes
    }

    package static func stray(_ routeKey: [UInt8], call: Hash128) -> [UInt8] {
        var writer = ByteWriter(capacity: routeKey.count + 16)
        writer.raw(routeKey)
        writer.orderedHash(call)
        return writer.bytes
    }

    /// Journeys of all calls of a day.
    package static func journeys(ofDay day: UInt32) -> [UInt8] {
        var writer = ByteWriter(capacity: 4)
        writer.bigEndian(day)
        return writer.bytes
    }
}

extension ByteReader {
    mutating func version(_ known: UInt8) throws(ByteFault) {
        let at = position
        let version = try u8()
        if version != known { throw .value("version \(version) where \(known) is known", at: at) }
    }

    mutating func one<Case: RawRepresentable>(_ type: Case.Type = Case.self) throws(ByteFault) -> Case
    where Case.RawValue == UInt8 {
        let at = position
        let raw = try u8()
        guard let value = Case(rawValue: raw) else { throw .value("\(Case.self) \(raw)", at: at) }
        return value
    }

    mutating func sequence() throws(ByteFault) -> LogSequence { LogSequence(try u64()) }

    mutating func time() throws(ByteFault) -> LogTime { LogTime(milliseconds: try u64()) }

    mutating func wallTime() throws(ByteFault) -> WallTime { WallTime(milliseconds: try i64()) }

    mutating func name<Text: CheckedText>(_ type: Text.Type = Text.self) throws(ByteFault) -> Text {
        try Text(from: &self)
    }

    mutating func optionalName<Text: CheckedText>(_ type: Text.Type = Text.self) throws(ByteFault) -> Text? {
        try flag() ? try Text(from: &self) : nil
    }

    mutating func side() throws(ByteFault) -> Side {
        let at = position
        switch try u8() {
        case 1: return .a
        case 2: return .b
        case let other: throw .value("side \(other)", at: at)
        }
    }

    mutating func context() throws(ByteFault) -> EncodedContext { EncodedContext(bytes: try long()) }
}

extension ByteWriter {
    mutating func sequence(_ value: LogSequence) { u64(value.number) }

    mutating func time(_ value: LogTime) { u64(value.milliseconds) }

    mutating func wallTime(_ value: WallTime) { i64(value.milliseconds) }

    mutating func name(_ value: some CheckedText) { string(value.text) }

    mutating func optionalName(_ value: (some CheckedText)?) {
        optional(value) { $0.name($1) }
    }

    mutating func side(_ value: Side) { u8(value == .a ? 1 : 2) }

    mutating func context(_ value: EncodedContext) { long(value.bytes) }
}
