internal import ByteCoding
internal import CallModel
internal import ConfigurationFiles
internal import ContextStore
internal import Glibc
internal import INCRP
internal import Ledger
internal import Routing
internal import Transport

/// A decoder of bytes from outside or from a disk. Whatever the bytes are, it ends with a value or a typed error; and
/// what it took, written again, is read as the same.
package enum FuzzTarget: String, CaseIterable, Sendable {
    /// A call context as log and store hold it.
    case context
    /// A record of the log.
    case record
    /// A reservation's row of the store.
    case reservationRow = "reservation-row"
    /// A dialog's row of the store.
    case dialogRow = "dialog-row"
    /// A remembered request's row of the store.
    case requestRow = "request-row"
    /// A stray's row of the store.
    case strayRow = "stray-row"
    /// A frame of an INCRP link.
    case incrpFrame = "incrp-frame"
    /// A snapshot of the store.
    case snapshot
    /// A routing script.
    case script

    /// The same file is written again for each input of this process.
    private static let snapshotPath = "/tmp/baton-fuzz-snapshot-\(getpid())"

    package func run(_ bytes: [UInt8]) {
        switch self {
        case .context: Self.context(bytes)
        case .record: Self.record(bytes)
        case .reservationRow: Self.reservationRow(bytes)
        case .dialogRow: Self.dialogRow(bytes)
        case .requestRow: Self.requestRow(bytes)
        case .strayRow: Self.strayRow(bytes)
        case .incrpFrame: Self.incrpFrame(bytes)
        case .snapshot: Self.snapshot(bytes)
        case .script: Self.script(bytes)
        }
    }

    /// A typed error is an outcome like any other here: nil.
    private static func value<Value, Failure: Error>(_ read: () throws(Failure) -> Value) -> Value? {
        do throws(Failure) { return try read() } catch { return nil }
    }

    private static func context(_ bytes: [UInt8]) {
        let encoded = EncodedContext(bytes: bytes)
        guard let context = value({ () throws(ByteFault) in try encoded.decoded() }) else { return }
        let again = value({ () throws(ByteFault) in try context.encoded().decoded() })
        precondition(again == context, "a context is not what was read")
    }

    private static func record(_ bytes: [UInt8]) {
        guard let record = value({ () throws(ByteFault) in try Record(decoding: bytes) }) else { return }
        let again = value({ () throws(ByteFault) in try Record(decoding: record.encoded()) })
        precondition(again == record, "a record is not what was read")
    }

    /// The first byte says how many of the following are the key.
    private static func split(_ bytes: [UInt8]) -> (key: [UInt8], value: [UInt8]) {
        guard let first = bytes.first else { return ([], []) }
        let end = min(bytes.count, 1 + Int(first))
        return (Array(bytes[1..<end]), Array(bytes[end...]))
    }

    private static func reservationRow(_ bytes: [UInt8]) {
        let (key, stored) = split(bytes)
        guard let row = value({ () throws(ByteFault) in try ReservationRow(key: key, value: stored) }) else { return }
        let again = value({ () throws(ByteFault) in try ReservationRow(key: row.storeKey, value: row.encodedValue()) })
        precondition(again == row, "a reservation's row is not what was read")
    }

    private static func dialogRow(_ bytes: [UInt8]) {
        let (key, stored) = split(bytes)
        guard let row = value({ () throws(ByteFault) in try DialogRow(key: key, value: stored) }) else { return }
        let again = value({ () throws(ByteFault) in try DialogRow(key: row.storeKey, value: row.encodedValue()) })
        precondition(again == row, "a dialog's row is not what was read")
    }

    private static func requestRow(_ bytes: [UInt8]) {
        guard let row = value({ () throws(ByteFault) in try RequestRow(value: bytes) }) else { return }
        let again = value({ () throws(ByteFault) in try RequestRow(value: row.encodedValue()) })
        precondition(again == row, "a request's row is not what was read")
    }

    private static func strayRow(_ bytes: [UInt8]) {
        let (key, stored) = split(bytes)
        guard let row = value({ () throws(ByteFault) in try StrayRow(key: key, value: stored) }) else { return }
        let again = value({ () throws(ByteFault) in try StrayRow(key: row.storeKey, value: row.encodedValue()) })
        precondition(again == row, "a stray's row is not what was read")
    }

    private static func incrpFrame(_ bytes: [UInt8]) {
        guard let frame = value({ () throws(WireFault) in try INCRPWire.decode(bytes) }) else { return }
        let again = value({ () throws(WireFault) in try INCRPWire.decode(try INCRPWire.encode(frame)) })
        precondition(again == frame, "a frame is not what was read")
    }

    private static func snapshot(_ bytes: [UInt8]) {
        let descriptor = open(snapshotPath, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0o600)
        precondition(descriptor >= 0 && write(descriptor, bytes, bytes.count) == bytes.count, "no room for a snapshot")
        close(descriptor)
        _ = value { () throws(StoreError) in try SnapshotReader.verify(path: snapshotPath) }
        unlink(snapshotPath)
    }

    private static func script(_ bytes: [UInt8]) {
        let text = String(decoding: bytes, as: UTF8.self)
        _ = value { () throws(ConfigurationErrors) in try Script.parse(text, file: "script.yaml") }
    }
}
