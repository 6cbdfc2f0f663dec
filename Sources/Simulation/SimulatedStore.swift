package import CallModel
package import ContextStore
package import Ledger
internal import ReplicatedLedger

/// What the medium of a simulated store holds: the whole image as of its last committed transaction.
package struct SimulatedStoreImage: Sendable {
    package fileprivate(set) var identity: StoreIdentity?
    package fileprivate(set) var state = StoreState.empty
    fileprivate var rows: [Table: [[UInt8]: [UInt8]]] = [:]

    package init() {}

    package func value(_ table: Table, key: [UInt8]) -> [UInt8]? { rows[table]?[key] }

    /// Changes a row on the medium behind everybody's back; nil takes it away.
    package mutating func harm(_ table: Table, key: [UInt8], to value: [UInt8]?) {
        rows[table, default: [:]][key] = value
    }
}

/// A store in memory, for one thread: changes gather in windows, and a window becomes durable as one transaction when
/// its owner says so. It crashes by being opened again from ``image``, or from an earlier one.
///
/// It keeps the same contract as `ContextStore`, and the same tests show it.
package final class SimulatedStore: Store {
    /// Changes that one transaction will hold. The last change of a key wins.
    fileprivate struct Window {
        var changes: [Table: [[UInt8]: [UInt8]?]] = [:]
        var bytes = 0
        var state = StoreState.empty
        var since: UInt64
    }

    package let restored: StoreState
    /// What a crash now would leave.
    package private(set) var image: SimulatedStoreImage
    /// Oldest first.
    private var windows: [Window] = []
    private let configuration: StoreConfiguration
    package private(set) var transactions: UInt64 = 0
    /// Told each position that has become durable.
    package var onDurable: (Position) -> Void = { _ in }
    /// While set, new contexts are refused for this reason.
    package var refusal: String?
    /// While set, every reading of a row fails.
    package var readFault: StoreError?

    /// Opens what an earlier life left; an image without an identity becomes this one's.
    package init(
        image: SimulatedStoreImage = SimulatedStoreImage(), identity: StoreIdentity,
        configuration: StoreConfiguration = StoreConfiguration()
    ) throws(StoreError) {
        if let found = image.identity {
            if found.pairID != identity.pairID {
                throw .otherPair(path: Self.path, found: found.pairID, expected: identity.pairID)
            }
            if found.side != identity.side {
                throw .otherSide(path: Self.path, found: found.side, expected: identity.side)
            }
        }
        self.image = image
        self.image.identity = identity
        self.configuration = configuration
        restored = image.state
    }

    private static var path: String { "simulated store" }

    // MARK: Writing

    package func take(_ batch: AppliedBatch) {
        let isFull = windows.last.map { $0.bytes >= configuration.windowBytes } ?? true
        if isFull { windows.append(Window(since: configuration.clock())) }
        let last = windows.count - 1
        for change in batch.changes { windows[last].take(change) }
        windows[last].state = batch.state
    }

    /// Commits the oldest window as one transaction. False when nothing waits.
    @discardableResult
    package func commitOldest() -> Bool {
        if windows.isEmpty { return false }
        let window = windows.removeFirst()
        for (table, changes) in window.changes {
            for (key, value) in changes { image.rows[table, default: [:]][key] = value }
        }
        image.state = window.state
        transactions += 1
        onDurable(window.state.position)
        return true
    }

    package func flush() { while commitOldest() {} }

    // MARK: Reading

    package func forEachRow<Failure: Error>(
        _ table: Table, _ body: (_ key: [UInt8], _ value: [UInt8]) throws(Failure) -> Void
    ) throws(StoreError) {
        for (key, value) in (image.rows[table] ?? [:]).sorted(by: { $0.key.lexicographicallyPrecedes($1.key) }) {
            do throws(Failure) { try body(key, value) } catch {
                throw .damagedRow(path: Self.path, table: table, key: key, reason: "\(error)")
            }
        }
    }

    package func value(_ table: Table, key: [UInt8]) throws(StoreError) -> [UInt8]? {
        if let readFault { throw readFault }
        for window in windows.reversed() {
            if let changed = window.changes[table]?[key] { return changed }
        }
        return image.rows[table]?[key]
    }

    package func rows(_ table: Table, from: [UInt8], limit: Int) throws(StoreError) -> [StoreRow] {
        if let readFault { throw readFault }
        var rows = image.rows[table] ?? [:]
        for window in windows {
            for (key, value) in window.changes[table] ?? [:] { rows[key] = value }
        }
        return rows.filter { !$0.key.lexicographicallyPrecedes(from) }
            .sorted { $0.key.lexicographicallyPrecedes($1.key) }
            .prefix(limit)
            .map { StoreRow(key: $0.key, value: $0.value) }
    }

    // MARK: How it is doing

    package var durable: StoreState { image.state }

    package var durablePosition: Position { image.state.position }

    package var lag: StoreLag {
        guard let oldest = windows.first else { return .zero }
        let now = configuration.clock()
        return StoreLag(
            bytes: windows.reduce(0) { $0 + $1.bytes }, milliseconds: now >= oldest.since ? now - oldest.since : 0)
    }

    package var pressure: StorePressure {
        if let refusal { return .busy(reason: refusal) }
        let lag = lag
        if lag.bytes > configuration.lagBytesMost {
            return .busy(reason: "the store is \(lag.bytes) bytes behind the log")
        }
        if lag.milliseconds > configuration.lagMillisecondsMost {
            return .busy(reason: "the store is \(lag.milliseconds) ms behind the log")
        }
        return .none
    }
}

extension SimulatedStore.Window {
    /// Charged for a row's place, as `ContextStore` does.
    private static var rowBytes: Int { 112 }

    fileprivate mutating func take(_ change: Change) {
        bytes += change.value?.count ?? 0
        if let old = changes[change.table, default: [:]].updateValue(change.value, forKey: change.key) {
            bytes -= old?.count ?? 0
        } else {
            bytes += change.key.count + Self.rowBytes
        }
    }
}
