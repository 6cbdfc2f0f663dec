package import ByteCoding

/// The tables of the store. `Schemas/store.md` gives the layout of keys and values.
package enum Table: UInt8, Sendable, CaseIterable, CustomStringConvertible {
    /// The configuration in force, in one row.
    case pools = 1
    /// Translation-route key -> newest generation, state, deadlines, identities.
    case reservations = 2
    /// Identity -> reservation or dialog.
    case requests = 3
    /// Dialog id -> state, identities, hashes.
    case dialogs = 4
    /// (key, call id) that was told stray -> until when.
    case strays = 5
    /// LogSequence of the record -> the parked request or answer, with its call context.
    case contexts = 6
    /// (call key, position) -> one event of the call's way.
    case journeys = 7
    /// Call id of any leg -> call key.
    case legs = 8
    /// Counters of the ledger, and (the store's own) position, digest, format.
    case meta = 9

    package var description: String {
        switch self {
        case .pools: "pools"
        case .reservations: "reservations"
        case .requests: "requests"
        case .dialogs: "dialogs"
        case .strays: "strays"
        case .contexts: "contexts"
        case .journeys: "journeys"
        case .legs: "legs"
        case .meta: "meta"
        }
    }

    /// Tables that the digest covers. Contexts count by their hash, which stands in the rows that point to them.
    package static let digested: [Table] = [.pools, .reservations, .requests, .dialogs, .strays]
}

/// What applying a record changes in the store: one row put or removed. The last change of a key wins.
package struct Change: Hashable, Sendable {
    package let table: Table
    package let key: [UInt8]
    /// Nil removes the row.
    package let value: [UInt8]?

    package init(table: Table, key: [UInt8], value: [UInt8]?) {
        self.table = table
        self.key = key
        self.value = value
    }
}

/// For each digested table the sum modulo 2^128 of H(table, key, value) over its rows. Equal positions must have
/// equal digests; a difference names the first differing table.
package struct Digest: Hashable, Sendable, CustomStringConvertible {
    package private(set) var sums: [Hash128]

    package static let empty = Digest(sums: Array(repeating: .zero, count: Table.digested.count))

    package init(sums: [Hash128]) {
        precondition(sums.count == Table.digested.count)
        self.sums = sums
    }

    package static func element(_ table: Table, key: [UInt8], value: [UInt8]) -> Hash128 {
        var writer = ByteWriter(capacity: key.count + value.count + 8)
        writer.u8(table.rawValue)
        writer.u32(UInt32(key.count))
        writer.raw(key)
        writer.raw(value)
        return SipHash128.hash(writer.bytes)
    }

    package mutating func add(_ table: Table, key: [UInt8], value: [UInt8]) {
        guard let index = Table.digested.firstIndex(of: table) else { return }
        sums[index] = sums[index] + Self.element(table, key: key, value: value)
    }

    package mutating func subtract(_ table: Table, key: [UInt8], value: [UInt8]) {
        guard let index = Table.digested.firstIndex(of: table) else { return }
        sums[index] = sums[index] - Self.element(table, key: key, value: value)
    }

    package func firstDifference(from other: Digest) -> Table? {
        zip(Table.digested, zip(sums, other.sums)).first { $0.1.0 != $0.1.1 }?.0
    }

    package var description: String {
        zip(Table.digested, sums).map { "\($0.0) \($0.1)" }.joined(separator: ", ")
    }
}
