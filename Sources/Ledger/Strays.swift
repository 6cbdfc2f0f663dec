internal import ByteCoding
internal import CallModel

/// Calls that were told stray, by route key (as store key): each is told so again until its time has passed, whatever
/// waits there by then (DOMAIN.md, "A stray stays stray").
///
/// At most 64 calls a key are remembered. When one more is told while the list is full, the key is marked full for the
/// same time, as a row for the call zero: until the mark's end every call not remembered is told stray, so that the
/// bound never gives a context to a call that was told there is none. Calls told under the mark are remembered again as
/// soon as there is room, so that only a list that stays full keeps the mark alive.
struct StrayBook: Sendable {
    static let mostPerKey = 64
    static let full = Hash128.zero

    struct Told: Hashable, Sendable {
        var call: Hash128
        var until: LogTime
    }

    /// What the heap holds: the route key, then the call, in the order of the store's keys.
    struct Row: Hashable, Sendable {
        var routeKey: [UInt8]
        var call: Hash128

        var storeKey: [UInt8] { StoreKey.stray(routeKey, call: call) }
    }

    private(set) var told: [KeyBytes: [Told]] = [:]
    private(set) var count = 0
    private var deadlines = TimedHeap<Row> { $0.storeKey.lexicographicallyPrecedes($1.storeKey) }

    /// The next row whose time comes. The mark's time can be put off: what the heap says of it may be out of date.
    var next: (time: LogTime, row: Row)? { deadlines.top.map { ($0.time, $0.thing) } }

    func until(_ routeKey: [UInt8], _ call: Hash128) -> LogTime? {
        told[KeyBytes(bytes: routeKey)]?.first { $0.call == call }?.until
    }

    func isFull(_ routeKey: [UInt8]) -> Bool {
        told[KeyBytes(bytes: routeKey), default: []].count { $0.call != Self.full } >= Self.mostPerKey
    }

    mutating func set(_ row: Row, until: LogTime) {
        let key = KeyBytes(bytes: row.routeKey)
        if let index = told[key, default: []].firstIndex(where: { $0.call == row.call }) {
            told[key, default: []][index].until = until
        } else {
            told[key, default: []].append(Told(call: row.call, until: until))
            count += 1
        }
        deadlines.insert(row, at: until)
    }

    mutating func forget(_ row: Row) {
        let key = KeyBytes(bytes: row.routeKey)
        guard var list = told[key], let index = list.firstIndex(where: { $0.call == row.call }) else { return }
        list.remove(at: index)
        told[key] = list.isEmpty ? nil : list
        count -= 1
    }

    /// Keeps the top of the heap true.
    mutating func passOverOutdated() {
        while let top = deadlines.top, until(top.thing.routeKey, top.thing.call) != top.time { deadlines.removeTop() }
    }
}

extension Ledger {
    /// Remembers that a call was told stray.
    mutating func rememberStray(_ routeKey: [UInt8], _ call: Hash128, seconds: UInt32, _ changes: inout [Change]) {
        let until = lastTime.log.adding(seconds: seconds)
        let isFull = strays.isFull(routeKey)
        let row = StrayBook.Row(routeKey: routeKey, call: isFull ? StrayBook.full : call)
        let old = strays.until(routeKey, row.call)
        if let old, old >= until { return }
        if let old {
            replace(
                .strays, row.storeKey, StrayRow.encodedValue(until: old), with: StrayRow.encodedValue(until: until),
                &changes)
        } else {
            put(.strays, row.storeKey, StrayRow.encodedValue(until: until), &changes)
        }
        strays.set(row, until: until)
    }

    mutating func forgetStray(_ row: StrayBook.Row, until: LogTime, _ changes: inout [Change]) {
        strays.forget(row)
        remove(.strays, row.storeKey, StrayRow.encodedValue(until: until), &changes)
    }
}
