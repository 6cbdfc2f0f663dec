internal import Glibc
internal import LMDB
internal import Ledger

/// Rows as they stand: what waits in memory over what LMDB holds.
struct MergedRows {
    private struct Bound {
        let key: [UInt8]
        let order: KeyOrder

        init(_ key: [UInt8]) {
            self.key = key
            order = KeyOrder(key)
        }
    }

    private let table: Table
    private let from: [UInt8]
    private let limit: Int
    /// Waiting changes in key order, newest of each key, as far as they can be among the result; nil removes.
    private let waiting: [(key: [UInt8], value: [UInt8]?)]

    /// Takes from the generations, oldest first, what can be among the first `limit` rows from `from` on.
    init(_ generations: [Generation], table: Table, from: [UInt8], limit: Int) {
        self.table = table
        self.from = from
        self.limit = limit
        guard limit > 0, generations.contains(where: { !$0[table].keys.isEmpty }) else {
            waiting = []
            return
        }
        let from = Bound(from)
        let last = Self.last(generations, table: table, from: from, limit: limit)
        var newest: [[UInt8]: [UInt8]?] = [:]
        for generation in generations {
            let changes = generation[table]
            for index in changes.orders.indices where Self.isWithin(changes, index, from, last) {
                let key = changes.keys[index]
                if let value = changes.values[key] { newest.updateValue(value, forKey: key) }
            }
        }
        waiting = newest.map { (key: $0.key, value: $0.value) }.sorted { Bytes.precedes($0.key, $1.key) }
    }

    /// The `limit`-th key from `from` on that a change puts, or one after it: no later one can be among the result.
    /// Nil: all can.
    private static func last(_ generations: [Generation], table: Table, from: Bound, limit: Int) -> Bound? {
        var last: Bound?
        var smallest: [[UInt8]] = []
        for (age, generation) in generations.enumerated() {
            let newer = generations[(age + 1)...]
            let changes = generation[table]
            for index in changes.orders.indices where isWithin(changes, index, from, last) {
                let key = changes.keys[index]
                guard case .some(.some) = changes.values[key],
                    !newer.contains(where: { $0.lookUp(table, key: key) != nil })
                else { continue }
                smallest.append(key)
                if smallest.count - limit >= limit {
                    smallest.sort(by: Bytes.precedes)
                    smallest.removeLast(smallest.count - limit)
                    last = smallest.last.map(Bound.init)
                }
            }
        }
        return last
    }

    private static func isWithin(_ changes: Generation.Changes, _ index: Int, _ from: Bound, _ last: Bound?) -> Bool {
        let order = changes.orders[index]
        if order < from.order || order == from.order && Bytes.precedes(changes.keys[index], from.key) { return false }
        guard let last else { return true }
        return order < last.order || order == last.order && !Bytes.precedes(last.key, changes.keys[index])
    }

    /// The first `limit` rows from `from` on, in key order.
    func rows(tables: StoreTables, transaction: borrowing ReadTransaction) throws(StoreError) -> [StoreRow] {
        guard limit > 0 else { return [] }
        var next = 0
        var result: [StoreRow] = []
        try tables.scan(table, from: from, in: transaction) { key, value throws(StoreError) in
            while next < waiting.count, Bytes.precedes(waiting[next].key, key) {
                if let value = waiting[next].value { result.append(StoreRow(key: waiting[next].key, value: value)) }
                next += 1
            }
            if next < waiting.count, waiting[next].key == key {
                if let value = waiting[next].value { result.append(StoreRow(key: key, value: value)) }
                next += 1
            } else {
                result.append(StoreRow(key: key, value: value))
            }
            return result.count < limit ? .next : .stop
        }
        while result.count < limit, next < waiting.count {
            if let value = waiting[next].value { result.append(StoreRow(key: waiting[next].key, value: value)) }
            next += 1
        }
        return result.count > limit ? Array(result.prefix(limit)) : result
    }
}

enum Bytes {
    /// LMDB's order of keys: byte by byte, and the shorter first.
    static func precedes(_ left: [UInt8], _ right: [UInt8]) -> Bool {
        let order = left.withUnsafeBytes { leftBytes in
            right.withUnsafeBytes { rightBytes -> Int32 in
                let count = min(leftBytes.count, rightBytes.count)
                // An empty array may have no address.
                return count == 0 ? 0 : memcmp(leftBytes.baseAddress!, rightBytes.baseAddress!, count)
            }
        }
        return order == 0 ? left.count < right.count : order < 0
    }
}
