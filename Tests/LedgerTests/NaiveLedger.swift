import CallModel
import Ledger

/// What the ledger must do, written as plainly as can be: dictionaries of whole values, linear scans, no digest, no
/// rows. Slow and obviously right; the property test compares the ledger with it.
struct NaiveLedger {
    struct Life {
        var reserve: Reserve
        var reserved: Reserved
        var route: TranslationRoute
        var dialog: DialogID?
        var state = EntryState.waiting
        var freeAt: LogTime?
        var claimant: CallID?
        var late = false
        var aniMatched = true

        var latestFreeAt: LogTime { freeAt ?? reserved.expiresAt.adding(seconds: route.quarantineSeconds) }
    }

    struct Dialog {
        var open: OpenDialog
        var callKey: CallKey
        var state = DialogState.open
        var deadline: LogTime
        var hasHandoff = false
        var hasFinal = false
        var reservation: ReservationID?
        var reason: CloseReason?
    }

    struct Told {
        /// Nil: the mark of a full list.
        var call: CallID?
        var until: LogTime
    }

    var configuration: LedgerConfiguration?
    var now = LogTime.zero
    var wall = WallTime.zero
    var lives: [TranslationRouteKey: Life] = [:]
    var dialogs: [DialogID: Dialog] = [:]
    var strays: [TranslationRouteKey: [Told]] = [:]
    var day: UInt32 = 0
    var number: UInt32 = 0

    var pools: [(TranslationRoute, [TranslationRouteKey])] {
        (configuration?.routes ?? []).map { route in
            (
                route,
                route.ranges.flatMap { range in
                    (0..<range.count).map {
                        TranslationRouteKey(
                            peripheral: route.peripheral, trunkGroup: range.trunkGroup, dnis: range.dnis(at: $0))
                    }
                }
            )
        }
    }

    func route(of key: TranslationRouteKey) -> TranslationRoute? { pools.first { $0.1.contains(key) }?.0 }

    // MARK: Time

    mutating func begin(_ log: LogTime, _ wall: WallTime) {
        now = max(now, log)
        self.wall = wall
        while let (time, move) = nextDue(), time <= now { move(&self) }
    }

    private func nextDue() -> (LogTime, (inout NaiveLedger) -> Void)? {
        var due: [(LogTime, Int, String, (inout NaiveLedger) -> Void)] = []
        for (key, life) in lives where life.state != .free {
            let name = "\(key.peripheral)\0\(key.trunkGroup)\0\(key.dnis)"
            if life.state == .waiting {
                due.append((life.reserved.expiresAt, 0, name, { $0.lives[key]!.expire() }))
            } else {
                due.append((life.freeAt!, 0, name, { $0.lives[key]!.state = .free }))
            }
        }
        for (id, dialog) in dialogs {
            due.append((dialog.deadline, 1, String(id.sequence.number + 1_000_000_000), { $0.moveDialog(id) }))
        }
        for (key, told) in strays {
            for (index, one) in told.enumerated() {
                due.append((one.until, 2, "\(key) \(index)", { $0.strays[key]!.remove(at: index) }))
            }
        }
        return due.min { ($0.0, $0.1, $0.2) < ($1.0, $1.1, $1.2) }.map { ($0.0, $0.3) }
    }

    private mutating func moveDialog(_ id: DialogID) {
        let dialog = dialogs[id]!
        if dialog.state == .closed {
            dialogs[id] = nil
            return
        }
        if dialog.state != .answered { _ = release(dialog.reservation, at: dialog.deadline) }
        finish(id, .aged, at: dialog.deadline)
    }

    // MARK: Records

    mutating func apply(_ record: Record, _ sequence: LogSequence) -> Outcome {
        switch record {
        case .clock, .epochOpened: return .noted
        case .configure(let new):
            defer { configuration = new }
            return .configured(changed: configuration != new)
        case .reserve(let reserve): return self.reserve(reserve, sequence)
        case .claim(let claim): return self.claim(claim)
        case .release(let release):
            guard let key = lives.first(where: { $0.value.is(release.reservation) })?.key else {
                return .unknown(field: "reservation", name: "\(release.reservation)", nearest: nil)
            }
            let done = self.release(release.reservation, at: now) != nil
            return .released(Released(released: done, state: lives[key]!.state))
        case .openDialog(let open): return self.open(open, sequence)
        case .askDialog(let ask):
            guard let dialog = dialogs[ask.dialog], dialog.state != .closed else { return unknown(ask.dialog) }
            if dialog.state == .open { dialogs[ask.dialog]!.state = .asked }
            return .dialogAsked
        case .recordAnswer(let answer): return self.answer(answer)
        case .closeDialog(let close): return self.close(close)
        }
    }

    private func unknown(_ dialog: DialogID) -> Outcome { .unknown(field: "dialog", name: "\(dialog)", nearest: nil) }

    private mutating func giveCallKey() -> CallKey {
        if wall.day > day { (day, number) = (wall.day, 0) }
        number += 1
        return CallKey(origin: configuration!.instance, day: day, number: number)
    }

    private mutating func reserve(_ reserve: Reserve, _ sequence: LogSequence) -> Outcome {
        for life in lives.values where life.state != .free && life.reserve.isSameIdentity(as: reserve) {
            if !life.reserve.isSameContent(as: reserve) {
                return .conflict(Conflict(first: life.reserved.reservation.sequence))
            }
            let first = life.reserved
            return .reserved(
                Reserved(
                    reservation: first.reservation, callKey: first.callKey, key: first.key, label: first.label,
                    expiresAt: first.expiresAt, expiresAtWall: wallTime(first.expiresAt), repeated: true))
        }
        guard let (route, keys) = pools.first(where: { $0.0.name == reserve.route }) else {
            let nearest = NearestName.of(reserve.route.text, among: pools.map(\.0.name.text))
            return .unknown(field: "translationRoute", name: reserve.route.text, nearest: nearest)
        }
        var dialog: DialogID?
        if case .dialog(let id, _) = reserve.identity {
            if dialogs[id] == nil || dialogs[id]!.state == .closed { return unknown(id) }
            dialog = id
        }
        guard let key = choose(keys) else {
            let next = keys.map { lives[$0]!.latestFreeAt }.min()
            return .exhausted(
                Exhausted(
                    route: route.name, held: keys.count, nextFreeAt: next, nextFreeAtWall: next.map { wallTime($0) }))
        }
        let callKey = dialog.map { dialogs[$0]!.callKey } ?? reserve.callKey ?? giveCallKey()
        if let dialog {
            _ = release(dialogs[dialog]!.reservation, at: now)
            dialogs[dialog]!.reservation = ReservationID(sequence)
        }
        let template = reserve.routingClient.flatMap { route.labels[$0] } ?? route.defaultLabel
        let expiresAt = now.adding(seconds: min(3600, max(1, reserve.leaseSeconds ?? route.leaseSeconds)))
        let reserved = Reserved(
            reservation: ReservationID(sequence), callKey: callKey, key: key, label: template.label(for: key.dnis),
            expiresAt: expiresAt, expiresAtWall: wallTime(expiresAt), repeated: false)
        lives[key] = Life(reserve: reserve, reserved: reserved, route: route, dialog: dialog)
        return .reserved(reserved)
    }

    private func wallTime(_ log: LogTime) -> WallTime {
        WallTime(milliseconds: wall.milliseconds + Int64(log.milliseconds) - Int64(now.milliseconds))
    }

    private func choose(_ keys: [TranslationRouteKey]) -> TranslationRouteKey? {
        if let never = keys.first(where: { lives[$0] == nil }) { return never }
        return keys.filter { lives[$0]!.state == .free }.min { (lives[$0]!.freeAt!, $0) < (lives[$1]!.freeAt!, $1) }
    }

    private mutating func release(_ reservation: ReservationID?, at time: LogTime) -> ReservationID? {
        guard let reservation, let key = lives.first(where: { $0.value.is(reservation) })?.key,
            lives[key]!.state == .waiting
        else { return nil }
        lives[key]!.state = .released
        lives[key]!.freeAt = time.adding(seconds: lives[key]!.route.repeatSeconds)
        return reservation
    }

    private mutating func claim(_ claim: Claim) -> Outcome {
        let life = lives[claim.key].flatMap { $0.state == .free ? nil : $0 }
        let peripheral = configuration!.peripherals.first { $0.name == claim.key.peripheral }
        if life == nil && peripheral == nil {
            let nearest = NearestName.of(claim.key.peripheral.text, among: configuration!.peripherals.map(\.name.text))
            return .unknown(field: "peripheral", name: claim.key.peripheral.text, nearest: nearest)
        }
        let told = strays[claim.key, default: []]
        func stray(_ why: Stray.Why) -> Outcome {
            .stray(Stray(why: why, defaultRoute: peripheral?.defaultRoute ?? "", standing: life?.reserved.reservation))
        }
        if let life, life.state == .claimed, life.claimant == claim.callID { return life.claimed(repeated: true) }
        if told.contains(where: { $0.call == claim.callID }) { return stray(.toldBefore) }
        let seconds = life?.route.quarantineSeconds ?? route(of: claim.key)?.quarantineSeconds
        func remembered(_ why: Stray.Why, _ model: inout NaiveLedger) -> Outcome {
            if let seconds { model.remember(claim, seconds) }
            return stray(why)
        }
        if told.contains(where: { $0.call == nil }) { return remembered(.toldBefore, &self) }
        guard let life else {
            return route(of: claim.key) == nil ? stray(.notInPool) : remembered(.nothingWaits, &self)
        }
        if life.state == .claimed { return remembered(.claimedByAnother, &self) }
        if life.state == .released { return remembered(.nothingWaits, &self) }
        let expected = (try? life.reserve.context.decoded())?.ani
        if life.route.aniCheck == .require, claim.ani == nil || claim.ani != expected {
            return remembered(.otherANI, &self)
        }
        let differs = claim.ani != nil && expected != nil && claim.ani != expected
        lives[claim.key]!.aniMatched = life.route.aniCheck == .off || !differs
        lives[claim.key]!.late = life.state == .expired
        lives[claim.key]!.state = .claimed
        lives[claim.key]!.claimant = claim.callID
        lives[claim.key]!.freeAt = now.adding(seconds: life.route.repeatSeconds)
        return lives[claim.key]!.claimed(repeated: false)
    }

    private mutating func remember(_ claim: Claim, _ seconds: UInt32) {
        let until = now.adding(seconds: seconds)
        if strays[claim.key, default: []].count(where: { $0.call != nil }) < 64 {
            strays[claim.key, default: []].append(Told(call: claim.callID, until: until))
        } else {
            let mark = strays[claim.key]!.first { $0.call == nil }
            strays[claim.key]!.removeAll { $0.call == nil }
            strays[claim.key]!.append(Told(call: nil, until: max(until, mark?.until ?? .zero)))
        }
    }

    private mutating func open(_ open: OpenDialog, _ sequence: LogSequence) -> Outcome {
        for (id, dialog) in dialogs
        where dialog.open.routingClient == open.routingClient && dialog.open.requestID == open.requestID {
            guard dialog.open.isSameContent(as: open) else { return .conflict(Conflict(first: id.sequence)) }
            return .dialogOpened(
                DialogOpened(
                    dialog: id, callKey: dialog.callKey, callKeySequence: dialog.open.callKeySequence,
                    state: dialog.state, repeated: true))
        }
        let callKey = open.callKey ?? giveCallKey()
        dialogs[DialogID(sequence)] = Dialog(
            open: open, callKey: callKey, deadline: now.adding(seconds: configuration!.dialogAgeSeconds))
        return .dialogOpened(
            DialogOpened(
                dialog: DialogID(sequence), callKey: callKey, callKeySequence: open.callKeySequence, state: .open,
                repeated: false))
    }

    private mutating func answer(_ answer: RecordAnswer) -> Outcome {
        guard let dialog = dialogs[answer.dialog] else { return unknown(answer.dialog) }
        if dialog.state == .closed || dialog.hasFinal || (dialog.hasHandoff && answer.kind == .handoff) {
            return .answerRecorded(first: false)
        }
        dialogs[answer.dialog]!.state = .answered
        if answer.kind == .handoff {
            dialogs[answer.dialog]!.hasHandoff = true
        } else {
            dialogs[answer.dialog]!.hasFinal = true
        }
        return .answerRecorded(first: true)
    }

    private mutating func close(_ close: CloseDialog) -> Outcome {
        guard let dialog = dialogs[close.dialog] else { return unknown(close.dialog) }
        var released: ReservationID?
        if close.reason != .handedOver { released = release(dialog.reservation, at: now) }
        if let reason = dialog.reason {
            if reason == .handedOver && close.reason == .abandoned { dialogs[close.dialog]!.reason = .abandoned }
            return .dialogClosed(DialogClosed(closed: false, reason: reason, released: released))
        }
        finish(close.dialog, close.reason, at: now)
        return .dialogClosed(DialogClosed(closed: true, reason: close.reason, released: released))
    }

    private mutating func finish(_ id: DialogID, _ reason: CloseReason, at time: LogTime) {
        dialogs[id]!.state = .closed
        dialogs[id]!.reason = reason
        dialogs[id]!.deadline = time.adding(seconds: configuration!.answersKeptSeconds)
    }
}

extension NaiveLedger.Life {
    func `is`(_ reservation: ReservationID) -> Bool { state != .free && reserved.reservation == reservation }

    mutating func expire() {
        state = .expired
        freeAt = reserved.expiresAt.adding(seconds: route.quarantineSeconds)
    }

    func claimed(repeated: Bool) -> Outcome {
        .claimed(
            Claimed(
                reservation: reserved.reservation, callKey: reserved.callKey, late: late, repeated: repeated,
                aniMatched: aniMatched))
    }
}

extension Reserve {
    func isSameIdentity(as other: Reserve) -> Bool {
        switch (identity, other.identity) {
        case (.request(let mine), .request(let its)): mine == its && route == other.route
        case (.dialog, .dialog): identity == other.identity
        default: false
        }
    }

    func isSameContent(as other: Reserve) -> Bool {
        route == other.route && callID == other.callID && routingClient == other.routingClient && target == other.target
            && leaseSeconds == other.leaseSeconds && context == other.context
    }
}

extension OpenDialog {
    func isSameContent(as other: OpenDialog) -> Bool {
        dialedNumber == other.dialedNumber && callID == other.callID && customer == other.customer
            && context == other.context
    }
}
