internal import ByteCoding
internal import CallModel

// reserve and release.

extension Ledger {
    static let leaseSecondsRange: ClosedRange<UInt32> = 1...3600

    mutating func reserve(_ reserve: Reserve, _ sequence: LogSequence, _ changes: inout [Change]) -> Outcome {
        let identity = Identity.of(reserve.identity, route: reserve.route)
        let content = Identity.content(of: reserve)
        if let slot = slotOfIdentity[identity] {
            guard entries[slot].content == content else {
                counters.conflicts += 1
                return .conflict(Conflict(first: LogSequence(entries[slot].reservation)))
            }
            counters.reserveRepeats += 1
            return .reserved(reserved(entries[slot], repeated: true))
        }
        guard let number = poolOfRoute[reserve.route] else {
            let nearest = NearestName.of(reserve.route.text, among: pools.map(\.route.name.text))
            return .unknown(field: "translationRoute", name: reserve.route.text, nearest: nearest)
        }
        var dialog: DialogRow?
        if case .dialog(let id, _) = reserve.identity {
            guard let known = dialogs[id], known.state != .closed else { return unknownDialog(id) }
            dialog = known
        }
        guard let (key, slot) = chooseEntry(pool: number) else {
            return exhausted(reserve, pool: number, dialog, &changes)
        }
        let callKey = dialog?.callKey ?? reserve.callKey ?? giveCallKey(&changes)
        if let earlier = dialog?.reservation, let slot = slotOfReservation[earlier.sequence.number],
            entries[slot].state == .waiting
        {
            releaseWaiting(slot, reason: "another reservation of the same dialog", at: lastTime.log, &changes)
        }
        let entry = newEntry(
            reserve, key: key, pool: number, sequence, callKey: callKey, dialog: dialog?.dialog, identity: identity,
            content: content)
        beginLife(entry, in: slot, &changes)
        if let dialog { change(dialog.dialog, &changes) { $0.reservation = ReservationID(sequence) } }
        let reserved = reserved(entry, repeated: false)
        park(reserve, reserved, &changes)
        counters.reserved += 1
        return .reserved(reserved)
    }

    /// Never used first, in the order of the configuration; then the one free for longest. The same number's two users
    /// lie as far apart as can be (DOMAIN.md, Choice).
    private mutating func chooseEntry(pool: Int) -> (EntryKey, UInt32?)? {
        let slots = slots
        if let key = pools[pool].neverUsed({ slots[$0] != nil }) { return (key, nil) }
        return pools[pool].free.top.map { ($0.key, $0.slot) }
    }

    private mutating func newEntry(
        _ reserve: Reserve, key: EntryKey, pool: Int, _ sequence: LogSequence, callKey: CallKey, dialog: DialogID?,
        identity: Hash128, content: Hash128
    ) -> Entry {
        let route = pools[pool].route
        let template = reserve.routingClient.flatMap { route.labels[$0] } ?? route.defaultLabel
        let range = Self.leaseSecondsRange
        let lease = min(max(reserve.leaseSeconds ?? route.leaseSeconds, range.lowerBound), range.upperBound)
        let ani = reserve.context.aniBytes.flatMap { $0.isEmpty ? nil : Identity.of(ani: $0) }
        return Entry(
            key: key, route: names.route(route.name), template: names.template(template), reservation: sequence.number,
            dialog: dialog?.sequence.number ?? 0, expiresAt: lastTime.log.adding(seconds: lease), freeAt: .zero,
            callKey: callKey, identity: identity, content: content, claimant: .zero, ani: ani ?? .zero,
            context: reserve.context.hash, repeatSeconds: route.repeatSeconds,
            quarantineSeconds: route.quarantineSeconds, pool: Int32(pool), state: .waiting, aniMatched: true,
            late: false,
            aniCheck: route.aniCheck)
    }

    private func reserved(_ entry: Entry, repeated: Bool) -> Reserved {
        let key = families.key(entry.key)
        return Reserved(
            reservation: ReservationID(LogSequence(entry.reservation)), callKey: entry.callKey, key: key,
            label: names.templates[Int(entry.template)].label(for: key.dnis), expiresAt: entry.expiresAt,
            expiresAtWall: lastTime.wall(at: entry.expiresAt), repeated: repeated)
    }

    private mutating func park(_ reserve: Reserve, _ reserved: Reserved, _ changes: inout [Change]) {
        let parked = ParkedReservation(
            reservation: reserved.reservation, route: reserve.route, key: reserved.key, label: reserved.label,
            target: reserve.target, callKey: reserved.callKey, callID: reserve.callID,
            routingClient: reserve.routingClient, identity: reserve.identity, reservedAt: lastTime.wall,
            expiresAt: reserved.expiresAtWall, context: reserve.context)
        changes.append(Change(table: .contexts, key: parked.storeKey, value: parked.encodedValue()))
        leg(reserve.callID, of: reserved.callKey, &changes)
        var dialog: DialogID?
        if case .dialog(let id, _) = reserve.identity { dialog = id }
        journey(
            .reserved, reserved.callKey, dialog: dialog, reservation: reserved.reservation,
            [
                ("route", reserve.route.text), ("key", reserved.key.description), ("label", reserved.label.text),
                ("callID", reserve.callID.text), ("routingClient", reserve.routingClient?.text),
            ], &changes)
    }

    /// Not remembered: the same identity may ask again. On the call's way only if the call has a key already.
    private mutating func exhausted(
        _ reserve: Reserve, pool: Int, _ dialog: DialogRow?, _ changes: inout [Change]
    ) -> Outcome {
        counters.exhausted[reserve.route, default: 0] += 1
        let nextFreeAt = pools[pool].held.top?.time
        if let callKey = dialog?.callKey ?? reserve.callKey {
            journey(
                .exhausted, callKey, dialog: dialog?.dialog,
                [("route", reserve.route.text), ("reason", "\(pools[pool].heldCount) entries held")], &changes)
        }
        return .exhausted(
            Exhausted(
                route: reserve.route, held: pools[pool].heldCount, nextFreeAt: nextFreeAt,
                nextFreeAtWall: nextFreeAt.map { lastTime.wall(at: $0) }))
    }

    mutating func release(_ release: Release, _ changes: inout [Change]) -> Outcome {
        guard let slot = slotOfReservation[release.reservation.sequence.number] else {
            return .unknown(field: "reservation", name: release.reservation.description, nearest: nil)
        }
        guard entries[slot].state == .waiting else {
            return .released(Released(released: false, state: entries[slot].state))
        }
        releaseWaiting(slot, reason: nil, at: lastTime.log, &changes)
        return .released(Released(released: true, state: .released))
    }
}
