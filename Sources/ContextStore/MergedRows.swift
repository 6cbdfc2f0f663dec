internal import Glibc
internal import LMDB
internal import Ledger

/// Rows as they stand: what waits in memory over what LMDB holds.
struct MergedRows {
    /// Waiting changes of keys not before the first wanted, newest of each key; nil removes.
    private(set) var changes: [[UInt8]: [UInt8]?] = [:]

    /// Takes a generation's changes; newer generations come later.
    mutating func overlay(_ rows: [[UInt8]: [UInt8]?], from: [UInt8]) {
        if changes.isEmpty && from.isEmpty {
            changes = rows
            return
        }
        for (key, value) in rows where !Bytes.precedes(key, from) { changes.updateValue(value, forKey: key) }
    }

    /// The first `limit` rows from `from` on, in key order.
    func rows(
        _ table: Table, from: [UInt8], limit: Int, tables: StoreTables, transaction: borrowing ReadTransaction
    ) throws(StoreError) -> [StoreRow] {
        guard limit > 0 else { return [] }
        let waiting = ordered(limit: limit)
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

    /// The changes in key order, up to the `limit`-th that puts a row: no later key can be among the result.
    private func ordered(limit: Int) -> [(key: [UInt8], value: [UInt8]?)] {
        var last: [UInt8]?
        if changes.count > 4 * limit {
            var smallest: [[UInt8]] = []
            smallest.reserveCapacity(2 * limit)
            for (key, value) in changes where value != nil {
                if let last, Bytes.precedes(last, key) { continue }
                smallest.append(key)
                if smallest.count >= 2 * limit {
                    smallest.sort(by: Bytes.precedes)
                    smallest.removeLast(smallest.count - limit)
                    last = smallest.last
                }
            }
        }
        var wanted: [(key: [UInt8], value: [UInt8]?)] = []
        for (key, value) in changes {
            if let last, Bytes.precedes(last, key) { continue }
            wanted.append((key, value))
        }
        return wanted.sorted { Bytes.precedes($0.key, $1.key) }
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
