internal import ByteCoding
internal import CallModel

extension Ledger {
    /// Stops the process with what is wrong if the ledger contradicts itself. Costs a look at everything: tests call it
    /// after each step, a running side never.
    package func checkInvariants() {
        checkEntries()
        checkPools()
        checkDialogs()
        checkStrays()
        let computed = computedDigest()
        if let table = digest.firstDifference(from: computed) {
            preconditionFailure("the digest of \(table) is not that of its rows")
        }
    }

    private func checkEntries() {
        var held = 0
        for slot in entries.slots {
            let entry = entries[slot]
            precondition(slots[entry.key] == slot, "\(families.key(entry.key)) is not found in its slot")
            precondition(
                (entry.deadline != nil) == (deadlinePositions[Int(slot)] != SlotHeap.absent),
                "\(families.key(entry.key)) is \(entry.state) and its deadline is not queued so")
            if let deadline = entry.deadline {
                held += 1
                let item = deadlines.items[Int(deadlinePositions[Int(slot)])]
                precondition(item.slot == slot && item.time == deadline, "a queued deadline is not the entry's")
                precondition(slotOfReservation[entry.reservation] == slot, "a held reservation is not found")
                precondition(slotOfIdentity[entry.identity] == slot, "a held reservation's identity is not found")
            }
            precondition((entry.pool >= 0) == (poolMap.pool(of: entry.key) != nil), "an entry is in another pool")
            precondition((entry.state == .claimed) <= (entry.claimant != .zero), "a claimed entry has no claimant")
        }
        precondition(slots.count == entries.count && slotOfReservation.count == held && slotOfIdentity.count == held)
        precondition(deadlines.items.count == held, "deadlines of \(deadlines.items.count) for \(held) held entries")
    }

    private func checkPools() {
        for (number, pool) in pools.enumerated() {
            let members = entries.slots.filter { entries[$0].pool == Int32(number) }
            precondition(
                pool.counts.reduce(0, +) == members.count, "\(pool.route.name) counts another number of entries")
            precondition(pool.free.items.count + pool.held.items.count == members.count)
            for state in EntryState.allCases {
                precondition(
                    pool.counts[Int(state.rawValue)] == members.count { entries[$0].state == state },
                    "\(pool.route.name) counts its \(state) entries wrongly")
            }
            precondition(pool.heldCount <= pool.total)
            for item in pool.free.items { precondition(entries[item.slot].state == .free) }
            for item in pool.held.items { precondition(item.time == entries[item.slot].latestFreeAt) }
        }
    }

    private func checkDialogs() {
        precondition(dialogs.count == dialogOfIdentity.count, "dialogs and their identities differ in number")
        for (id, row) in dialogs {
            precondition(row.dialog == id && dialogOfIdentity[row.identity] == id)
            precondition((row.state == .closed) == (row.closeReason != nil))
            precondition((row.state == .answered) <= (row.handoff != nil || row.final != nil))
        }
        let waiting = entries.slots.filter { entries[$0].state == .waiting && entries[$0].dialog != 0 }
        precondition(
            Set(waiting.map { entries[$0].dialog }).count == waiting.count, "a dialog has two waiting reservations")
    }

    private func checkStrays() {
        var count = 0
        for list in strays.told.values {
            precondition(!list.isEmpty && list.count { $0.call != StrayBook.full } <= StrayBook.mostPerKey)
            count += list.count
        }
        precondition(count == strays.count)
    }

    /// The digest from the rows as they stand, not from their changes.
    func computedDigest() -> Digest {
        var digest = Digest.empty
        if let configuration {
            digest.add(.pools, key: StoreKey.configuration, value: configuration.encodedValue())
        }
        for slot in entries.slots {
            let entry = entries[slot]
            digest.add(.reservations, key: families.storeKey(entry.key), value: row(entry).encodedValue())
            if entry.state == .free { continue }
            digest.add(.requests, key: StoreKey.request(entry.identity), value: requestValue(entry))
        }
        for (id, row) in dialogs {
            digest.add(.dialogs, key: row.storeKey, value: row.encodedValue())
            digest.add(.requests, key: StoreKey.request(row.identity), value: RequestRow.dialog(id).encodedValue())
        }
        strays.visit { row, until in
            digest.add(.strays, key: row.storeKey, value: StrayRow.encodedValue(until: until))
        }
        return digest
    }
}

/// Implication, as `false <= true`.
private func <= (left: Bool, right: Bool) -> Bool { !left || right }
