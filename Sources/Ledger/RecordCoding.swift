package import ByteCoding
internal import CallModel

// A record as bytes: u8 version (1), u8 kind, then the kind's fields in the order of its struct. Names and texts are
// strings after their u16 length; an optional has a presence byte; a context is its encoded form after a u32 length.
// The same bytes go to the disk, to the other side and to the store. Strict: equal records have equal bytes, and
// bytes that no encoder writes are refused.

private enum RecordKind: UInt8 {
    case configure = 1
    case reserve = 2
    case claim = 3
    case release = 4
    case openDialog = 5
    case askDialog = 6
    case recordAnswer = 7
    case closeDialog = 8
    case clock = 9
    case epochOpened = 10
}

extension Record {
    package static let version: UInt8 = 1

    package func encoded() -> [UInt8] {
        var writer = ByteWriter(capacity: encodedSizeHint)
        writer.u8(Self.version)
        func kind(_ kind: RecordKind) { writer.u8(kind.rawValue) }
        switch self {
        case .configure(let configuration):
            kind(.configure)
            configuration.encode(into: &writer)
        case .reserve(let reserve):
            kind(.reserve)
            reserve.encode(into: &writer)
        case .claim(let claim):
            kind(.claim)
            claim.key.encode(into: &writer)
            writer.name(claim.callID)
            writer.optional(claim.ani) { $0.string($1) }
        case .release(let release):
            kind(.release)
            writer.sequence(release.reservation.sequence)
        case .openDialog(let open):
            kind(.openDialog)
            open.encode(into: &writer)
        case .askDialog(let ask):
            kind(.askDialog)
            writer.sequence(ask.dialog.sequence)
            writer.name(ask.node)
            writer.name(ask.gateway)
        case .recordAnswer(let answer):
            kind(.recordAnswer)
            answer.encode(into: &writer)
        case .closeDialog(let close):
            kind(.closeDialog)
            writer.sequence(close.dialog.sequence)
            writer.u8(close.reason.rawValue)
        case .clock:
            kind(.clock)
        case .epochOpened(let opened):
            kind(.epochOpened)
            writer.u64(opened.epoch)
            writer.u8(opened.mode.rawValue)
            writer.side(opened.active)
        }
        return writer.bytes
    }

    private var encodedSizeHint: Int {
        switch self {
        case .configure: 1024
        case .reserve(let reserve): reserve.context.bytes.count + 256
        case .openDialog(let open): open.context.bytes.count + 256
        case .recordAnswer(let answer): answer.context.bytes.count + 256
        case .claim: 160
        case .release, .askDialog, .closeDialog, .clock, .epochOpened: 80
        }
    }

    package init(decoding bytes: [UInt8]) throws(ByteFault) {
        var reader = ByteReader(bytes)
        try reader.version(Self.version)
        switch try reader.one(RecordKind.self) {
        case .configure: self = .configure(try LedgerConfiguration(from: &reader))
        case .reserve: self = .reserve(try Reserve(from: &reader))
        case .claim:
            self = .claim(
                Claim(
                    key: try TranslationRouteKey(from: &reader), callID: try reader.name(),
                    ani: try reader.optional { (reader: inout ByteReader) throws(ByteFault) in try reader.string() }))
        case .release: self = .release(Release(reservation: ReservationID(try reader.sequence())))
        case .openDialog: self = .openDialog(try OpenDialog(from: &reader))
        case .askDialog:
            self = .askDialog(
                AskDialog(dialog: DialogID(try reader.sequence()), node: try reader.name(), gateway: try reader.name()))
        case .recordAnswer: self = .recordAnswer(try RecordAnswer(from: &reader))
        case .closeDialog:
            self = .closeDialog(CloseDialog(dialog: DialogID(try reader.sequence()), reason: try reader.one()))
        case .clock: self = .clock
        case .epochOpened:
            self = .epochOpened(
                EpochOpened(epoch: try reader.u64(), mode: try reader.one(), active: try reader.side()))
        }
        try reader.finish()
    }
}

extension ReserveIdentity {
    func encode(into writer: inout ByteWriter) {
        switch self {
        case .request(let requestID):
            writer.u8(1)
            writer.name(requestID)
        case .dialog(let dialog, let node):
            writer.u8(2)
            writer.sequence(dialog.sequence)
            writer.name(node)
        }
    }

    init(from reader: inout ByteReader) throws(ByteFault) {
        let at = reader.position
        switch try reader.u8() {
        case 1: self = .request(try reader.name())
        case 2: self = .dialog(DialogID(try reader.sequence()), try reader.name())
        case let other: throw .value("identity \(other)", at: at)
        }
    }
}

extension Reserve {
    fileprivate func encode(into writer: inout ByteWriter) {
        writer.name(route)
        identity.encode(into: &writer)
        writer.name(callID)
        writer.optionalName(routingClient)
        writer.optionalName(target)
        writer.optional(leaseSeconds) { $0.u32($1) }
        writer.optional(callKey) { $1.encode(into: &$0) }
        writer.context(context)
    }

    fileprivate init(from reader: inout ByteReader) throws(ByteFault) {
        self.init(
            route: try reader.name(), identity: try ReserveIdentity(from: &reader), callID: try reader.name(),
            routingClient: try reader.optionalName(), target: try reader.optionalName(),
            leaseSeconds: try reader.optional { (reader: inout ByteReader) throws(ByteFault) in try reader.u32() },
            callKey: try reader.optionalCallKey(), context: try reader.context())
    }
}

extension OpenDialog {
    func encode(into writer: inout ByteWriter) {
        writer.name(routingClient)
        writer.name(requestID)
        writer.name(callID)
        writer.string(dialedNumber)
        writer.optionalName(customer)
        writer.optional(nicCallID) { $0.string($1) }
        writer.optional(callKey) { $1.encode(into: &$0) }
        writer.u32(callKeySequence)
        writer.side(side)
        writer.context(context)
    }

    init(from reader: inout ByteReader) throws(ByteFault) {
        self.init(
            routingClient: try reader.name(), requestID: try reader.name(), callID: try reader.name(),
            dialedNumber: try reader.string(), customer: try reader.optionalName(),
            nicCallID: try reader.optional { (reader: inout ByteReader) throws(ByteFault) in try reader.string() },
            callKey: try reader.optionalCallKey(), callKeySequence: try reader.u32(), side: try reader.side(),
            context: try reader.context())
    }
}

extension RecordAnswer {
    func encode(into writer: inout ByteWriter) {
        writer.sequence(dialog.sequence)
        writer.name(node)
        writer.u8(kind.rawValue)
        label.encode(into: &writer)
        writer.u8(source.rawValue)
        writer.optional(reason) { $0.string($1) }
        writer.optional(arrival) {
            $0.sequence($1.reservation.sequence)
            $1.key.encode(into: &$0)
            $0.wallTime($1.expiresAt)
        }
        writer.context(context)
    }

    init(from reader: inout ByteReader) throws(ByteFault) {
        self.init(
            dialog: DialogID(try reader.sequence()), node: try reader.name(), kind: try reader.one(),
            label: try Label(from: &reader), source: try reader.one(),
            reason: try reader.optional { (reader: inout ByteReader) throws(ByteFault) in try reader.string() },
            arrival: try reader.optional { (reader: inout ByteReader) throws(ByteFault) in
                Arrival(
                    reservation: ReservationID(try reader.sequence()), key: try TranslationRouteKey(from: &reader),
                    expiresAt: try reader.wallTime())
            },
            context: try reader.context())
    }
}

extension ByteReader {
    mutating func optionalCallKey() throws(ByteFault) -> CallKey? {
        try optional { (reader: inout ByteReader) throws(ByteFault) in try CallKey(from: &reader) }
    }
}
