package import ByteCoding
internal import CallModel

// The configuration as bytes, in the record and in the one row of `pools`. Layout: instance, u32 answersKeptSeconds,
// u32 dialogAgeSeconds, limits, list of peripherals (name, default route), list of translation routes (name,
// peripheral, list of ranges, list of labels by routing client in ascending order, default label, u32 lease, u32
// repeat, u32 quarantine, u8 ANI check).

extension LedgerConfiguration {
    package func encode(into writer: inout ByteWriter) {
        writer.name(instance)
        writer.u32(answersKeptSeconds)
        writer.u32(dialogAgeSeconds)
        limits.encode(into: &writer)
        writer.list(peripherals) {
            $0.name($1.name)
            $0.string($1.defaultRoute)
        }
        writer.list(routes) { $1.encode(into: &$0) }
    }

    package init(from reader: inout ByteReader) throws(ByteFault) {
        let instance: InstanceName = try reader.name()
        let answersKeptSeconds = try reader.u32()
        let dialogAgeSeconds = try reader.u32()
        let limits = try ContextLimits(from: &reader)
        let peripherals = try reader.list { (reader: inout ByteReader) throws(ByteFault) in
            Peripheral(name: try reader.name(), defaultRoute: try reader.string())
        }
        let routes = try reader.list { (reader: inout ByteReader) throws(ByteFault) in
            try TranslationRoute(from: &reader)
        }
        self.init(instance: instance, routes: routes, peripherals: peripherals, limits: limits)
        self.answersKeptSeconds = answersKeptSeconds
        self.dialogAgeSeconds = dialogAgeSeconds
    }

    /// The row of `pools`: version 1, then the configuration.
    package func encodedValue() -> [UInt8] {
        var writer = ByteWriter(capacity: 1024)
        writer.u8(1)
        encode(into: &writer)
        return writer.bytes
    }

    package init(key: [UInt8], value: [UInt8]) throws(ByteFault) {
        guard key == StoreKey.configuration else { throw .value("key of pools", at: 0) }
        var reader = ByteReader(value)
        try reader.version(1)
        try self.init(from: &reader)
        try reader.finish()
    }
}

extension TranslationRoute {
    func encode(into writer: inout ByteWriter) {
        writer.name(name)
        writer.name(peripheral)
        writer.list(ranges) { $1.encode(into: &$0) }
        writer.list(labels.sorted { $0.key < $1.key }) {
            $0.name($1.key)
            $1.value.encode(into: &$0)
        }
        defaultLabel.encode(into: &writer)
        writer.u32(leaseSeconds)
        writer.u32(repeatSeconds)
        writer.u32(quarantineSeconds)
        writer.u8(aniCheck.rawValue)
    }

    init(from reader: inout ByteReader) throws(ByteFault) {
        let name: TranslationRouteName = try reader.name()
        let peripheral: PeripheralName = try reader.name()
        let ranges = try reader.list { (reader: inout ByteReader) throws(ByteFault) in try EntryRange(from: &reader) }
        let at = reader.position
        let pairs = try reader.list { (reader: inout ByteReader) throws(ByteFault) in
            (try reader.name(RoutingClientName.self), try LabelTemplate(from: &reader))
        }
        for (earlier, later) in zip(pairs, pairs.dropFirst()) where !(earlier.0 < later.0) {
            throw .value("labels out of order", at: at)
        }
        let labels = Dictionary(pairs) { first, _ in first }
        self.init(
            name: name, peripheral: peripheral, ranges: ranges, labels: labels,
            defaultLabel: try LabelTemplate(from: &reader))
        leaseSeconds = try reader.u32()
        repeatSeconds = try reader.u32()
        quarantineSeconds = try reader.u32()
        aniCheck = try reader.one()
    }
}

extension EntryRange {
    /// Ten to the number of digits, for up to 18 of them.
    static func numbers(ofDigits digits: UInt8) -> UInt64 { (0..<digits).reduce(1) { product, _ in product * 10 } }

    /// A range that has at least one DNIS, each of them a lawful one.
    var isSound: Bool {
        digits <= 18 && first <= last && last < Self.numbers(ofDigits: digits)
            && (1...DNIS.limit).contains(prefix.utf8.count + Int(digits))
            && !prefix.utf8.contains { $0 == 0 || $0 == 10 || $0 == 13 }
    }

    func encode(into writer: inout ByteWriter) {
        writer.name(trunkGroup)
        writer.string(prefix)
        writer.u64(first)
        writer.u64(last)
        writer.u8(digits)
    }

    init(from reader: inout ByteReader) throws(ByteFault) {
        let at = reader.position
        self.init(
            trunkGroup: try reader.name(), prefix: try reader.string(), first: try reader.u64(), last: try reader.u64(),
            digits: try reader.u8())
        guard isSound else { throw .value("range of DNIS", at: at) }
    }
}

extension LabelTemplate {
    func encode(into writer: inout ByteWriter) {
        writer.string(prefix)
        writer.flag(appendsDNIS)
    }

    init(from reader: inout ByteReader) throws(ByteFault) {
        self.init(prefix: try reader.string(), appendsDNIS: try reader.flag())
    }
}
