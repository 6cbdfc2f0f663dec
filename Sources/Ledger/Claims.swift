internal import ByteCoding
internal import CallModel

// claim: the ACD's lookup on arrival.

extension Ledger {
    mutating func claim(
        _ claim: Claim, _ configuration: LedgerConfiguration, _ changes: inout [Change]
    ) -> Outcome {
        let entryKey = families.find(claim.key)
        let slot = entryKey.flatMap { slots[$0] }
        let standing = slot.flatMap { entries[$0].state == .free ? nil : $0 }
        let peripheral = configuration.peripherals.first { $0.name == claim.key.peripheral }
        if peripheral == nil && standing == nil {
            let nearest = NearestName.of(
                claim.key.peripheral.text, among: configuration.peripherals.map(\.name.text))
            return .unknown(field: "peripheral", name: claim.key.peripheral.text, nearest: nearest)
        }
        let call = Identity.of(claim.callID)
        let routeKey = claim.key.storeKey
        if let standing, entries[standing].state == .claimed, entries[standing].claimant == call {
            counters.repeats += 1
            return .claimed(claimed(entries[standing], repeated: true))
        }
        func stray(_ why: Stray.Why, remember: Bool, _ changes: inout [Change]) -> Outcome {
            if remember, let seconds = strayMemorySeconds(entryKey, slot) {
                rememberStray(routeKey, call, seconds: seconds, &changes)
            }
            return told(why, claim, slot: slot, defaultRoute: peripheral?.defaultRoute ?? "", &changes)
        }
        if strays.until(routeKey, call) != nil { return stray(.toldBefore, remember: false, &changes) }
        // The key's list was full when some call was told stray: it may be this one.
        if strays.until(routeKey, StrayBook.full) != nil { return stray(.toldBefore, remember: true, &changes) }
        guard let standing else {
            let isInPool = entryKey.map { poolMap.pool(of: $0) != nil } ?? false
            return isInPool
                ? stray(.nothingWaits, remember: true, &changes) : stray(.notInPool, remember: false, &changes)
        }
        switch entries[standing].state {
        case .claimed: return stray(.claimedByAnother, remember: true, &changes)
        case .released, .free: return stray(.nothingWaits, remember: true, &changes)
        case .waiting, .expired: break
        }
        guard let aniMatched = checkANI(claim.ani, entries[standing]) else {
            return stray(.otherANI, remember: true, &changes)
        }
        return take(standing, claim, call, aniMatched: aniMatched, &changes)
    }

    /// True if the ANI is the context's or needs not be, false if it is served though it is another one, nil if not.
    private func checkANI(_ ani: String?, _ entry: Entry) -> Bool? {
        let arrived = ani.flatMap { $0.isEmpty ? nil : Identity.of(ani: $0.utf8) }
        let expected = entry.ani == .zero ? nil : entry.ani
        switch entry.aniCheck {
        case .off: return true
        case .prefer:
            // An absent ANI counts as another one only where it is required.
            guard let arrived, let expected else { return true }
            return arrived == expected
        case .require: return arrived != nil && arrived == expected ? true : nil
        }
    }

    private mutating func take(
        _ slot: UInt32, _ claim: Claim, _ call: Hash128, aniMatched: Bool, _ changes: inout [Change]
    ) -> Outcome {
        let late = entries[slot].state == .expired
        let now = lastTime.log
        change(slot, &changes) {
            $0.state = .claimed
            $0.late = late
            $0.claimant = call
            $0.aniMatched = aniMatched
            $0.freeAt = now.adding(seconds: $0.repeatSeconds)
        }
        let entry = entries[slot]
        if late { counters.late += 1 } else { counters.claimed += 1 }
        if !aniMatched { counters.aniMismatched += 1 }
        leg(claim.callID, of: entry.callKey, &changes)
        journey(.arrived, of: entry, [("callID", claim.callID.text)], &changes)
        journey(
            late ? .late : .claimed, of: entry,
            [("callID", claim.callID.text), ("reason", aniMatched ? nil : "another ANI")], &changes)
        return .claimed(claimed(entry, repeated: false))
    }

    private func claimed(_ entry: Entry, repeated: Bool) -> Claimed {
        Claimed(
            reservation: ReservationID(LogSequence(entry.reservation)), callKey: entry.callKey, late: entry.late,
            repeated: repeated, aniMatched: entry.aniMatched)
    }

    /// Quarantine by the rules of what stands there, else of the pool; nil when the key is in none.
    private func strayMemorySeconds(_ key: EntryKey?, _ slot: UInt32?) -> UInt32? {
        if let slot, entries[slot].state != .free { return entries[slot].quarantineSeconds }
        guard let key, let pool = poolMap.pool(of: key) else { return nil }
        return pools[Int(pool)].route.quarantineSeconds
    }

    /// The answer, and a line on the way of the call that stands on the key or stood there last: that is where a
    /// person looks for what came instead of it, or too late.
    private mutating func told(
        _ why: Stray.Why, _ claim: Claim, slot: UInt32?, defaultRoute: String, _ changes: inout [Change]
    ) -> Outcome {
        counters.strays[why, default: 0] += 1
        if let slot {
            let entry = entries[slot]
            journey(
                .stray, of: entry,
                [("callID", claim.callID.text), ("reason", why.reason), ("standing", entry.state.description)], &changes
            )
        }
        let standing = slot.flatMap { entries[$0].state == .free ? nil : entries[$0].reservation }
        return .stray(
            Stray(why: why, defaultRoute: defaultRoute, standing: standing.map { ReservationID(LogSequence($0)) }))
    }
}

extension Stray.Why {
    /// For a person.
    package var reason: String {
        switch self {
        case .notInPool: "no pool has this key"
        case .nothingWaits: "nothing waits here"
        case .claimedByAnother: "another call claimed it"
        case .otherANI: "another ANI, or none"
        case .toldBefore: "was told stray here before"
        }
    }
}
