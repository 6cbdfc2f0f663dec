internal import Ledger

/// Changes gathered for one transaction: what LMDB does not hold durably yet. The last change of a key wins, so what
/// came and went within it leaves only a removal.
struct Generation: Sendable {
    /// Charged for a row's place in the dictionary and its two arrays.
    static let rowBytes = 112

    /// Changes of one table. A key stays once it is there, if only as removed.
    struct Changes: Sendable {
        fileprivate(set) var values: [[UInt8]: [UInt8]?] = [:]
        /// The keys as they came, and beside them what most comparisons need: a search for the few keys of a range
        /// then looks at one array, not at every key's own memory.
        fileprivate(set) var keys: [[UInt8]] = []
        fileprivate(set) var orders: [KeyOrder] = []
    }

    /// By the table's number.
    private var tables: [Changes]
    private(set) var bytes = 0
    /// Where the ledger stood after the last batch taken; nil while there is none.
    private(set) var state: StoreState?
    /// When the first batch was taken, monotonic milliseconds.
    private(set) var since: UInt64 = 0
    /// No batch joins any more.
    var isSealed = false

    static let tableSlots = Int(Table.allCases.map(\.rawValue).max()!) + 1

    init() { tables = Array(repeating: Changes(), count: Self.tableSlots) }

    var isEmpty: Bool { state == nil }

    mutating func take(_ batch: AppliedBatch, now: UInt64) {
        precondition(!isSealed)
        if state == nil { since = now }
        for change in batch.changes { take(change) }
        state = batch.state
    }

    private mutating func take(_ change: Change) {
        precondition((1...511).contains(change.key.count), "a key has 1 to 511 bytes, not \(change.key.count)")
        precondition(
            change.table != .meta || change.key[0] != MetaRows.ownPrefix, "keys of meta from 0xFF on are the store's")
        let slot = Int(change.table.rawValue)
        bytes += change.value?.count ?? 0
        if let old = tables[slot].values.updateValue(change.value, forKey: change.key) {
            bytes -= old?.count ?? 0
        } else {
            tables[slot].keys.append(change.key)
            tables[slot].orders.append(KeyOrder(change.key))
            bytes += change.key.count + Self.rowBytes
        }
    }

    /// Nil: nothing is known of the key here. `.some(nil)`: it was removed.
    func lookUp(_ table: Table, key: [UInt8]) -> [UInt8]?? { tables[Int(table.rawValue)].values[key] }

    subscript(table: Table) -> Changes { tables[Int(table.rawValue)] }
}

/// The first eight bytes of a key as a number: of two keys the lesser never has the greater number. Most comparisons
/// end here, without a look at the key's own memory.
struct KeyOrder: Comparable, Sendable {
    private let number: UInt64

    init(_ key: [UInt8]) {
        var number: UInt64 = 0
        for index in 0..<8 { number = number << 8 | (index < key.count ? UInt64(key[index]) : 0) }
        self.number = number
    }

    static func < (left: Self, right: Self) -> Bool { left.number < right.number }
}
