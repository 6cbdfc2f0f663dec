package import ByteCoding
internal import CallModel

/// Why a ledger cannot be made of the rows of a store.
package enum RestoreFault: Error, Equatable, Sendable, CustomStringConvertible {
    case row(Table, ByteFault)
    /// Two rows of the ledger's say the same thing: a key came twice, or two entries have one identity.
    case twice(Table)
    /// Rows of this table are missing, too many, or contradict those of another.
    case disagrees(Table)

    package var description: String {
        switch self {
        case .row(let table, let fault): "a row of \(table) cannot be read: \(fault)"
        case .twice(let table): "\(table) says the same thing twice"
        case .disagrees(let table): "\(table) disagrees with the other tables"
        }
    }
}

extension Ledger {
    /// Takes one row of a store into an empty ledger, in any order: all rows of pools, reservations, requests, dialogs
    /// and strays, and the rows of meta (those that are not the ledger's are passed over). Rows of other tables are not
    /// state. ``finishRestoring()`` must follow before anything is applied.
    package mutating func restore(_ table: Table, key: [UInt8], value: [UInt8]) throws(RestoreFault) {
        do throws(ByteFault) {
            switch table {
            case .pools: configuration = try LedgerConfiguration(key: key, value: value)
            case .reservations:
                let row = try ReservationRow(key: key, value: value)
                let entry = entry(row)
                if slots[entry.key] != nil { throw .value("entry twice", at: 0) }
                _ = append(entry)
            case .requests: _ = try RequestRow(value: value)
            case .dialogs:
                let row = try DialogRow(key: key, value: value)
                dialogs[row.dialog] = row
            case .strays:
                let row = try StrayRow(key: key, value: value)
                strays.set(StrayBook.Row(routeKey: row.key.storeKey, call: row.call), until: row.until)
            case .meta: if key == StoreKey.ledger { try restoreMeta(value) }
            case .contexts, .journeys, .legs: return
            }
        } catch {
            throw .row(table, error)
        }
        restoredDigest.add(table, key: key, value: value)
    }

    private mutating func restoreMeta(_ value: [UInt8]) throws(ByteFault) {
        var reader = ByteReader(value)
        try reader.version(1)
        lastTime = BatchTime(log: try reader.time(), wall: try reader.wallTime())
        lastCallKeyDay = try reader.u32()
        lastCallKeyNumber = try reader.u32()
        try reader.finish()
    }

    /// Derives queues and indexes, and checks the rows against each other: what this ledger would have written must be
    /// what was there.
    package mutating func finishRestoring() throws(RestoreFault) {
        if let configuration {
            buildPools(configuration)
        } else if entries.count > 0 || !dialogs.isEmpty || strays.count > 0 {
            throw .disagrees(.pools)
        }
        for slot in entries.slots where entries[slot].state != .free {
            guard slotOfReservation.updateValue(slot, forKey: entries[slot].reservation) == nil,
                slotOfIdentity.updateValue(slot, forKey: entries[slot].identity) == nil
            else { throw .twice(.reservations) }
        }
        for (id, row) in dialogs {
            guard dialogOfIdentity.updateValue(id, forKey: row.identity) == nil else { throw .twice(.dialogs) }
            dialogDeadlines.insert(id, at: row.deadline)
        }
        digest = computedDigest()
        if let table = digest.firstDifference(from: restoredDigest) { throw .disagrees(table) }
        restoredDigest = .empty
    }
}

// MARK: - Equality

extension Ledger: Equatable {
    /// Equal ledgers answer and change alike from here on. Counters are no state.
    package static func == (left: Ledger, right: Ledger) -> Bool {
        left.configuration == right.configuration && left.lastTime == right.lastTime && left.digest == right.digest
            && left.metaValue == right.metaValue && left.dialogs == right.dialogs
            && left.nextDeadline == right.nextDeadline && left.strays.isEqual(to: right.strays)
            && left.hasEqualEntries(to: right) && left.routeStatus() == right.routeStatus()
    }

    private func hasEqualEntries(to other: Ledger) -> Bool {
        guard entries.count == other.entries.count else { return false }
        return entries.slots.allSatisfy { slot in
            let row = row(entries[slot])
            return other.entry(for: row.key) == row
        }
    }
}

extension StrayBook {
    func visit(_ body: (Row, LogTime) -> Void) {
        for (routeKey, list) in told {
            for one in list { body(Row(routeKey: routeKey.bytes, call: one.call), one.until) }
        }
    }

    func isEqual(to other: StrayBook) -> Bool {
        told.count == other.told.count && told.allSatisfy { Set($0.value) == Set(other.told[$0.key, default: []]) }
    }
}
