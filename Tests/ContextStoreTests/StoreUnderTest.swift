import ByteCoding
import CallModel
import ContextStore
import Glibc
import Ledger

/// What the contract tests ask of a store. The simulation's double passes the same tests as `ContextStore`.
protocol StoreUnderTest {
    static func open(at path: String, identity: StoreIdentity, configuration: StoreConfiguration) throws -> Self
    var restored: StoreState { get }
    var durable: StoreState { get }
    var lag: StoreLag { get }
    var pressure: StorePressure { get }
    var transactions: UInt64 { get }
    func start(
        onDurable: @escaping @Sendable (Position) -> Void, onFailure: @escaping @Sendable (StoreError) -> Void)
    func take(_ batch: AppliedBatch)
    func value(_ table: Table, key: [UInt8]) throws(StoreError) -> [UInt8]?
    func rows(_ table: Table, from: [UInt8], limit: Int) throws(StoreError) -> [StoreRow]
    func forEachRow<Failure: Error>(
        _ table: Table, _ body: ([UInt8], [UInt8]) throws(Failure) -> Void
    ) throws(StoreError)
    func flush() throws(StoreError)
    func close()
}

extension ContextStore: StoreUnderTest {
    static func open(at path: String, identity: StoreIdentity, configuration: StoreConfiguration) throws -> ContextStore
    {
        try open(path: path, identity: identity, configuration: configuration)
    }
}

/// A directory of its own for one test, removed with what is in it when the last reference is gone.
final class TemporaryDirectory: Sendable {
    let path: String
    var store: String { path + "/store" }

    init() {
        var template = Array("/tmp/baton-store-XXXXXX".utf8CString)
        path = template.withUnsafeMutableBufferPointer { buffer in
            guard let made = mkdtemp(buffer.baseAddress!) else { preconditionFailure("mkdtemp: errno \(errno)") }
            return String(cString: made)
        }
    }

    deinit { Self.remove(path) }

    private static func remove(_ path: String) {
        guard let directory = opendir(path) else {
            unlink(path)
            return
        }
        while let entry = readdir(directory) {
            let name = withUnsafeBytes(of: entry.pointee.d_name) { bytes in
                String(decoding: bytes.prefix { $0 != 0 }, as: UTF8.self)
            }
            if name != "." && name != ".." { remove(path + "/" + name) }
        }
        closedir(directory)
        rmdir(path)
    }
}

/// What the ledger would hold: rows by table and key, with the digest kept up to date.
struct Model {
    var rows: [Table: [[UInt8]: [UInt8]]] = [:]
    var state = StoreState.empty

    /// Applies changes as one batch of one record, and says what the store is to take.
    mutating func batch(_ changes: [Change], wallMilliseconds: Int64 = 1_763_800_000_000) -> AppliedBatch {
        var digest = state.digest
        for change in changes {
            if let old = rows[change.table]?[change.key] { digest.subtract(change.table, key: change.key, value: old) }
            if let new = change.value { digest.add(change.table, key: change.key, value: new) }
            rows[change.table, default: [:]][change.key] = change.value
        }
        let sequence = state.position.sequence.next
        let chain = SipHash128.hash(Array("\(state.position.chain) \(sequence)".utf8))
        state = StoreState(
            position: Position(epoch: 3, sequence: sequence, chain: chain),
            time: BatchTime(
                log: LogTime(milliseconds: sequence.number * 10),
                wall: WallTime(milliseconds: wallMilliseconds + Int64(sequence.number))),
            digest: digest)
        return AppliedBatch(changes: changes, state: state)
    }

    func sorted(_ table: Table, from: [UInt8] = [], limit: Int = .max) -> [StoreRow] {
        let wanted = (rows[table] ?? [:]).filter { !$0.key.lexicographicallyPrecedes(from) }
        let ordered = wanted.sorted { $0.key.lexicographicallyPrecedes($1.key) }
        return ordered.prefix(limit).map { StoreRow(key: $0.key, value: $0.value) }
    }
}

let identity = StoreIdentity(pairID: Hash128(high: 1, low: 2), side: .a)

func key(_ number: Int) -> [UInt8] {
    var writer = ByteWriter()
    writer.bigEndian(UInt64(number))
    return writer.bytes
}

func put(_ table: Table, _ number: Int, _ value: String) -> Change {
    Change(table: table, key: key(number), value: Array(value.utf8))
}

func remove(_ table: Table, _ number: Int) -> Change { Change(table: table, key: key(number), value: nil) }

/// A window so long that only `flush` writes.
var patient: StoreConfiguration {
    var configuration = StoreConfiguration()
    configuration.mapBytes = 64 << 20
    configuration.windowMilliseconds = 3_600_000
    return configuration
}
