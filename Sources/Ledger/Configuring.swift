internal import CallModel

// configure: pools and rules, and where the used entries stand by them.

extension Ledger {
    mutating func configure(_ new: LedgerConfiguration, _ changes: inout [Change]) -> Outcome {
        if configuration == new { return .configured(changed: false) }
        if let old = configuration {
            replace(.pools, StoreKey.configuration, old.encodedValue(), with: new.encodedValue(), &changes)
        } else {
            put(.pools, StoreKey.configuration, new.encodedValue(), &changes)
        }
        configuration = new
        buildPools(new)
        return .configured(changed: true)
    }

    /// Makes the pools anew and queues every used entry where its key now belongs. Entries in use that no pool has any
    /// more live to their end; a free one that comes back into a pool is chosen by its history.
    mutating func buildPools(_ configuration: LedgerConfiguration) {
        for slot in entries.slots where entries[slot].pool >= 0 { poolPositions[Int(slot)] = SlotHeap.absent }
        deadlines = SlotHeap()
        for slot in entries.slots { deadlinePositions[Int(slot)] = SlotHeap.absent }
        pools = []
        poolOfRoute = [:]
        poolMap = PoolMap()
        for route in configuration.routes where poolOfRoute[route.name] == nil {
            let number = Int32(pools.count)
            var pieces: [Pool.Piece] = []
            for range in route.ranges where range.isSound {
                let first = families.intern(range, peripheral: route.peripheral)
                let numbers = first.number...(first.number + (range.last - range.first))
                pieces += poolMap.own(numbers, family: first.family, pool: number)
            }
            poolOfRoute[route.name] = pools.count
            pools.append(Pool(route: route, pieces: pieces))
        }
        for slot in entries.slots {
            entries[slot].pool = poolMap.pool(of: entries[slot].key) ?? -1
            enqueue(slot)
        }
    }
}
