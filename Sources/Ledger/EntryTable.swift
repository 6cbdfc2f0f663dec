internal import ByteCoding
internal import CallModel

/// One pool entry that was ever used, in about 180 bytes: what its row in `reservations` says, with names as numbers.
struct Entry: Sendable {
    var key: EntryKey
    /// Index into the ledger's interned names and label templates.
    var route: UInt32
    var template: UInt32
    var reservation: UInt64
    /// Zero for none.
    var dialog: UInt64
    var expiresAt: LogTime
    /// Meaningless while it waits.
    var freeAt: LogTime
    var callKey: CallKey
    var identity: Hash128
    var content: Hash128
    /// Zero for none, as is `ani`: no text is known that hashes to it.
    var claimant: Hash128
    var ani: Hash128
    var context: Hash128
    var repeatSeconds: UInt32
    var quarantineSeconds: UInt32
    /// The pool that the key belongs to by the configuration in force; -1 for none.
    var pool: Int32
    var state: EntryState
    var aniMatched: Bool
    var late: Bool
    var aniCheck: ANICheck

    /// When its next move is due; nil when it is free.
    var deadline: LogTime? {
        switch state {
        case .waiting: expiresAt
        case .claimed, .expired, .released: freeAt
        case .free: nil
        }
    }

    var latestFreeAt: LogTime { state == .waiting ? expiresAt.adding(seconds: quarantineSeconds) : freeAt }
}

/// Entries by slot. Slots are given once and never taken back: a used entry's history (its last freedom) stays.
/// Chunks, so that growing by one never copies a million.
struct EntryTable: Sendable {
    private static let chunkSize = 1024
    private var chunks: [[Entry]] = []
    private(set) var count = 0

    mutating func append(_ entry: Entry) -> UInt32 {
        if count % Self.chunkSize == 0 {
            chunks.append([])
            chunks[chunks.count - 1].reserveCapacity(Self.chunkSize)
        }
        chunks[chunks.count - 1].append(entry)
        count += 1
        return UInt32(count - 1)
    }

    subscript(slot: UInt32) -> Entry {
        _read { yield chunks[Int(slot) / Self.chunkSize][Int(slot) % Self.chunkSize] }
        _modify { yield &chunks[Int(slot) / Self.chunkSize][Int(slot) % Self.chunkSize] }
    }

    var slots: Range<UInt32> { 0..<UInt32(count) }
}

/// A binary heap of slots by (time, key). A slot is in it at most once; `positions` (one number a slot, shared by heaps
/// that never hold the same slot at once) says where, so that it can be taken out in the middle.
struct SlotHeap: Sendable {
    struct Item: Sendable {
        var time: LogTime
        var key: EntryKey
        var slot: UInt32
    }

    static let absent = UInt32.max
    private(set) var items: [Item] = []

    var top: Item? { items.first }

    mutating func insert(_ item: Item, positions: inout [UInt32], families: KeyFamilies) {
        precondition(positions[Int(item.slot)] == Self.absent, "slot \(item.slot) is queued twice")
        items.append(item)
        positions[Int(item.slot)] = UInt32(items.count - 1)
        rise(items.count - 1, &positions, families)
    }

    mutating func remove(_ slot: UInt32, positions: inout [UInt32], families: KeyFamilies) {
        let index = Int(positions[Int(slot)])
        precondition(index < items.count && items[index].slot == slot, "slot \(slot) is not queued where it should be")
        positions[Int(slot)] = Self.absent
        let last = items.removeLast()
        if index == items.count { return }
        items[index] = last
        positions[Int(last.slot)] = UInt32(index)
        rise(index, &positions, families)
        sink(Int(positions[Int(last.slot)]), &positions, families)
    }

    private func precedes(_ left: Item, _ right: Item, _ families: KeyFamilies) -> Bool {
        left.time != right.time ? left.time < right.time : families.precedes(left.key, right.key)
    }

    private mutating func rise(_ start: Int, _ positions: inout [UInt32], _ families: KeyFamilies) {
        var index = start
        while index > 0 {
            let parent = (index - 1) / 2
            guard precedes(items[index], items[parent], families) else { return }
            exchange(index, parent, &positions)
            index = parent
        }
    }

    private mutating func sink(_ start: Int, _ positions: inout [UInt32], _ families: KeyFamilies) {
        var index = start
        while true {
            var least = index
            for child in [2 * index + 1, 2 * index + 2]
            where child < items.count && precedes(items[child], items[least], families) {
                least = child
            }
            if least == index { return }
            exchange(index, least, &positions)
            index = least
        }
    }

    private mutating func exchange(_ left: Int, _ right: Int, _ positions: inout [UInt32]) {
        items.swapAt(left, right)
        positions[Int(items[left].slot)] = UInt32(left)
        positions[Int(items[right].slot)] = UInt32(right)
    }
}

/// A binary heap of things by (time, thing). What is no longer true of a thing stays until it comes up; its user
/// passes over it.
struct TimedHeap<Thing: Sendable>: Sendable {
    struct Item: Sendable {
        var time: LogTime
        var thing: Thing
    }

    private let thingPrecedes: @Sendable (Thing, Thing) -> Bool
    private var items: [Item] = []

    init(by thingPrecedes: @escaping @Sendable (Thing, Thing) -> Bool) { self.thingPrecedes = thingPrecedes }

    var top: Item? { items.first }

    mutating func insert(_ thing: Thing, at time: LogTime) {
        items.append(Item(time: time, thing: thing))
        var index = items.count - 1
        while index > 0, precedes(items[index], items[(index - 1) / 2]) {
            items.swapAt(index, (index - 1) / 2)
            index = (index - 1) / 2
        }
    }

    mutating func removeTop() {
        items.swapAt(0, items.count - 1)
        items.removeLast()
        var index = 0
        while true {
            var least = index
            if 2 * index + 1 < items.count, precedes(items[2 * index + 1], items[least]) { least = 2 * index + 1 }
            if 2 * index + 2 < items.count, precedes(items[2 * index + 2], items[least]) { least = 2 * index + 2 }
            if least == index { return }
            items.swapAt(index, least)
            index = least
        }
    }

    private func precedes(_ left: Item, _ right: Item) -> Bool {
        left.time != right.time ? left.time < right.time : thingPrecedes(left.thing, right.thing)
    }
}
