/// Deadlines of requests, the nearest first: a binary heap. An entry whose request was answered stays until its time
/// comes or half of the heap is such, so the heap is at most twice the window.
struct DeadlineQueue: Sendable {
    private var heap: [(deadline: LinkTime, id: AskID)] = []

    var nearest: LinkTime? { heap.first?.deadline }
    var count: Int { heap.count }

    mutating func insert(_ id: AskID, deadline: LinkTime) {
        heap.append((deadline, id))
        var child = heap.count - 1
        while child > 0 {
            let parent = (child - 1) / 2
            if heap[parent].deadline <= heap[child].deadline { break }
            heap.swapAt(parent, child)
            child = parent
        }
    }

    /// Takes the nearest entry if its time has come.
    mutating func popDue(at now: LinkTime) -> AskID? {
        guard let first = heap.first, first.deadline <= now else { return nil }
        removeFirst()
        return first.id
    }

    /// Drops entries at the front, and all when they are many, of requests that are not in flight with that deadline.
    mutating func prune(inFlight: Int, isCurrent: (AskID, LinkTime) -> Bool) {
        while let first = heap.first, !isCurrent(first.id, first.deadline) { removeFirst() }
        guard heap.count > 2 * inFlight + 64 else { return }
        let current = heap.filter { isCurrent($0.id, $0.deadline) }
        heap.removeAll(keepingCapacity: true)
        for entry in current { insert(entry.id, deadline: entry.deadline) }
    }

    private mutating func removeFirst() {
        let last = heap.removeLast()
        guard !heap.isEmpty else { return }
        heap[0] = last
        var parent = 0
        while true {
            var smallest = parent
            for child in [2 * parent + 1, 2 * parent + 2] where child < heap.count {
                if heap[child].deadline < heap[smallest].deadline { smallest = child }
            }
            if smallest == parent { return }
            heap.swapAt(parent, smallest)
            parent = smallest
        }
    }
}

/// The last so many keys with a value each; the oldest leaves when a new one comes.
struct RecentTable<Key: Hashable & Sendable, Value: Sendable>: Sendable {
    private var values: [Key: Value] = [:]
    private var order: [Key?] = []
    private var next = 0
    private let capacity: Int

    init(capacity: Int) { self.capacity = max(1, capacity) }

    subscript(key: Key) -> Value? { values[key] }

    mutating func set(_ key: Key, to value: Value) {
        if values.updateValue(value, forKey: key) != nil { return }
        if order.count < capacity {
            order.append(key)
        } else {
            if let oldest = order[next] { values[oldest] = nil }
            order[next] = key
            next = (next + 1) % capacity
        }
    }
}
