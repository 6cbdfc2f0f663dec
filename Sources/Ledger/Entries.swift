internal import ByteCoding
internal import CallModel

// Pool entries: their rows, indexes and queues.
//
// Invariant: a slot is in `deadlines` exactly when its entry is not free, and, when its key is in a pool, in that
// pool's `free` or `held` queue. `slotOfReservation` and `slotOfIdentity` know exactly the entries that are not free.

extension Ledger {
    func row(_ entry: Entry) -> ReservationRow {
        ReservationRow(
            key: families.key(entry.key), route: names.routes[Int(entry.route)],
            reservation: ReservationID(LogSequence(entry.reservation)), state: entry.state, callKey: entry.callKey,
            dialog: entry.dialog == 0 ? nil : DialogID(LogSequence(entry.dialog)), expiresAt: entry.expiresAt,
            freeAt: entry.state == .waiting ? nil : entry.freeAt, identity: entry.identity, content: entry.content,
            claimant: entry.claimant == .zero ? nil : entry.claimant, ani: entry.ani == .zero ? nil : entry.ani,
            aniMatched: entry.aniMatched, late: entry.late, context: entry.context,
            label: names.templates[Int(entry.template)], repeatSeconds: entry.repeatSeconds,
            quarantineSeconds: entry.quarantineSeconds, aniCheck: entry.aniCheck)
    }

    mutating func entry(_ row: ReservationRow) -> Entry {
        Entry(
            key: families.intern(row.key), route: names.route(row.route), template: names.template(row.label),
            reservation: row.reservation.sequence.number, dialog: row.dialog?.sequence.number ?? 0,
            expiresAt: row.expiresAt, freeAt: row.freeAt ?? .zero, callKey: row.callKey, identity: row.identity,
            content: row.content, claimant: row.claimant ?? .zero, ani: row.ani ?? .zero, context: row.context,
            repeatSeconds: row.repeatSeconds, quarantineSeconds: row.quarantineSeconds, pool: -1, state: row.state,
            aniMatched: row.aniMatched, late: row.late, aniCheck: row.aniCheck)
    }

    /// A used entry gets a new life, or a new entry its first.
    mutating func beginLife(_ entry: Entry, in slot: UInt32?, _ changes: inout [Change]) {
        if let slot {
            change(slot, &changes) { $0 = entry }
        } else {
            let slot = append(entry)
            enqueue(slot)
            put(.reservations, families.storeKey(entry.key), row(entry).encodedValue(), &changes)
        }
        guard let slot = slots[entry.key] else { preconditionFailure("an entry that has just begun has a slot") }
        slotOfReservation[entry.reservation] = slot
        slotOfIdentity[entry.identity] = slot
        put(.requests, StoreKey.request(entry.identity), requestValue(entry), &changes)
    }

    /// A slot for a key that has none. It is in no queue yet.
    mutating func append(_ entry: Entry) -> UInt32 {
        let slot = entries.append(entry)
        slots[entry.key] = slot
        deadlinePositions.append(SlotHeap.absent)
        poolPositions.append(SlotHeap.absent)
        return slot
    }

    func requestValue(_ entry: Entry) -> [UInt8] {
        RequestRow.reservation(families.key(entry.key), ReservationID(LogSequence(entry.reservation))).encodedValue()
    }

    /// The only way to change an entry: queues, counts, row and digest follow.
    mutating func change(_ slot: UInt32, _ changes: inout [Change], _ body: (inout Entry) -> Void) {
        let old = row(entries[slot]).encodedValue()
        dequeue(slot)
        body(&entries[slot])
        enqueue(slot)
        replace(
            .reservations, families.storeKey(entries[slot].key), old, with: row(entries[slot]).encodedValue(), &changes)
    }

    mutating func enqueue(_ slot: UInt32) {
        let entry = entries[slot]
        if let deadline = entry.deadline {
            deadlines.insert(
                SlotHeap.Item(time: deadline, key: entry.key, slot: slot), positions: &deadlinePositions,
                families: families)
        }
        guard entry.pool >= 0 else { return }
        let pool = Int(entry.pool)
        pools[pool].counts[Int(entry.state.rawValue)] += 1
        let item = SlotHeap.Item(time: entry.latestFreeAt, key: entry.key, slot: slot)
        if entry.state == .free {
            pools[pool].free.insert(item, positions: &poolPositions, families: families)
        } else {
            pools[pool].held.insert(item, positions: &poolPositions, families: families)
        }
    }

    mutating func dequeue(_ slot: UInt32) {
        let state = entries[slot].state
        let pool = Int(entries[slot].pool)
        if state != .free { deadlines.remove(slot, positions: &deadlinePositions, families: families) }
        guard pool >= 0 else { return }
        pools[pool].counts[Int(state.rawValue)] -= 1
        if state == .free {
            pools[pool].free.remove(slot, positions: &poolPositions, families: families)
        } else {
            pools[pool].held.remove(slot, positions: &poolPositions, families: families)
        }
    }

    /// The entry's time is over: its identity and its context go, its history (when it became free) stays.
    mutating func free(_ slot: UInt32, _ changes: inout [Change]) {
        let entry = entries[slot]
        change(slot, &changes) { $0.state = .free }
        slotOfReservation[entry.reservation] = nil
        slotOfIdentity[entry.identity] = nil
        remove(.requests, StoreKey.request(entry.identity), requestValue(entry), &changes)
        changes.append(
            Change(table: .contexts, key: LogSequence(entry.reservation).storeKey, value: nil))
        counters.freed += 1
    }

    mutating func releaseWaiting(_ slot: UInt32, reason: String?, at time: LogTime, _ changes: inout [Change]) {
        change(slot, &changes) {
            $0.state = .released
            $0.freeAt = time.adding(seconds: $0.repeatSeconds)
        }
        counters.released += 1
        journey(.released, of: entries[slot], at: lastTime.wall(at: time), [("reason", reason)], &changes)
    }
}
