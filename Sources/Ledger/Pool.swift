package import CallModel

/// The entries of one translation route by the configuration in force.
struct Pool: Sendable {
    /// Entries that lie side by side in one family.
    struct Piece: Sendable {
        var family: UInt32
        var first: UInt64
        var last: UInt64
    }

    let route: TranslationRoute
    /// In the order of the configuration.
    let pieces: [Piece]
    let total: Int
    /// Where the search for an entry that was never used goes on: everything before it was used once.
    private var nextPiece = 0
    private var nextNumber: UInt64
    /// Used entries that are free, by when they became so; and those that are not, by when they will be at the latest.
    var free = SlotHeap()
    var held = SlotHeap()
    /// By state. Entries that were never used count nowhere.
    var counts = [Int](repeating: 0, count: EntryState.allCases.count)

    init(route: TranslationRoute, pieces: [Piece]) {
        self.route = route
        self.pieces = pieces
        total = pieces.reduce(0) { sum, piece in
            let (next, overflow) = sum.addingReportingOverflow(Int(clamping: piece.last - piece.first) + 1)
            return overflow ? .max : next
        }
        nextNumber = pieces.first?.first ?? 0
    }

    /// The first entry in the order of the configuration that `isUsed` does not know.
    mutating func neverUsed(_ isUsed: (EntryKey) -> Bool) -> EntryKey? {
        while nextPiece < pieces.count {
            let key = EntryKey(family: pieces[nextPiece].family, number: nextNumber)
            if !isUsed(key) { return key }
            if nextNumber < pieces[nextPiece].last {
                nextNumber += 1
            } else {
                nextPiece += 1
                nextNumber = nextPiece < pieces.count ? pieces[nextPiece].first : 0
            }
        }
        return nil
    }

    var heldCount: Int { counts.reduce(0, +) - counts[Int(EntryState.free.rawValue)] }

    var status: RouteStatus {
        RouteStatus(
            name: route.name, peripheral: route.peripheral, total: total, free: total - heldCount,
            waiting: counts[Int(EntryState.waiting.rawValue)], claimed: counts[Int(EntryState.claimed.rawValue)],
            expired: counts[Int(EntryState.expired.rawValue)], released: counts[Int(EntryState.released.rawValue)],
            nextFreeAt: held.top?.time)
    }
}

/// A translation route's entries by state.
package struct RouteStatus: Hashable, Sendable {
    package let name: TranslationRouteName
    package let peripheral: PeripheralName
    package let total: Int
    package let free: Int
    package let waiting: Int
    package let claimed: Int
    package let expired: Int
    package let released: Int
    /// When the next entry that is not free falls free at the latest; nil when all are free.
    package let nextFreeAt: LogTime?
}

/// Which pool a key belongs to: the pieces of all pools by family, in order, not overlapping.
struct PoolMap: Sendable {
    private struct Owned {
        var first: UInt64
        var last: UInt64
        var pool: Int32
    }

    private var families: [UInt32: [Owned]] = [:]

    /// Gives the numbers `first...last` to a pool, but for those that another range took before: they stay where they
    /// are (the configuration is checked before; apply must only be sure of itself).
    mutating func own(_ range: ClosedRange<UInt64>, family: UInt32, pool: Int32) -> [Pool.Piece] {
        var pieces: [Pool.Piece] = []
        var next = range.lowerBound
        var isDone = false
        let owned = families[family, default: []]
        for taken in owned[place(of: range.lowerBound, in: owned)...] {
            if taken.first > range.upperBound { break }
            if taken.first > next { pieces.append(Pool.Piece(family: family, first: next, last: taken.first - 1)) }
            if taken.last >= range.upperBound {
                isDone = true
                break
            }
            next = taken.last + 1
        }
        if !isDone { pieces.append(Pool.Piece(family: family, first: next, last: range.upperBound)) }
        for piece in pieces {
            let owned = Owned(first: piece.first, last: piece.last, pool: pool)
            families[family, default: []].insert(owned, at: place(of: piece.first, in: families[family, default: []]))
        }
        return pieces
    }

    /// The index of the first piece that ends at `number` or after it.
    private func place(of number: UInt64, in owned: [Owned]) -> Int {
        var low = 0
        var high = owned.count
        while low < high {
            let middle = (low + high) / 2
            if owned[middle].last < number { low = middle + 1 } else { high = middle }
        }
        return low
    }

    func pool(of key: EntryKey) -> Int32? {
        guard let owned = families[key.family] else { return nil }
        let place = place(of: key.number, in: owned)
        guard place < owned.count, owned[place].first <= key.number else { return nil }
        return owned[place].pool
    }
}
