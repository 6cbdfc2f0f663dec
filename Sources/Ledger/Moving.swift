package import CallModel

// Time: entries, dialogs and strays whose time has come move when a batch begins, never by a clock of their own.

extension Ledger {
    /// Begins a batch: takes its times, and moves what is due by (time; entries, dialogs, strays; key), at most
    /// ``mostMovesPerBatch``. `first` is the sequence of the batch's first record; journeys of what
    /// moves stand under it.
    package mutating func begin(_ time: BatchTime, first: LogSequence, changes: inout [Change]) {
        lastTime = BatchTime(log: max(lastTime.log, time.log), wall: time.wall)
        startJourneys(at: first)
        var moved = 0
        while moved < Self.mostMovesPerBatch, let due = nextDue(), due.time <= lastTime.log {
            move(due, &changes)
            moved += 1
        }
        passOverForgottenDeadlines()
        putMeta(&changes)
    }

    /// When something moves next; nil when nothing will. The orderer appends a `clock` record then if
    /// nothing else comes.
    package var nextDeadline: LogTime? { nextDue()?.time }

    private struct Due {
        enum What {
            case entry(UInt32)
            case dialog(DialogID)
            case stray(StrayBook.Row)
        }

        var time: LogTime
        var what: What
    }

    private func nextDue() -> Due? {
        var next: Due?
        func offer(_ due: Due) { if next == nil || due.time < next!.time { next = due } }
        if let top = deadlines.top { offer(Due(time: top.time, what: .entry(top.slot))) }
        if let top = dialogDeadlines.top { offer(Due(time: top.time, what: .dialog(top.thing))) }
        if let top = strays.next { offer(Due(time: top.time, what: .stray(top.row))) }
        return next
    }

    /// Invariant: the tops of the queues of dialogs and strays are true after each step.
    mutating func passOverForgottenDeadlines() {
        while let top = dialogDeadlines.top, dialogs[top.thing]?.deadline != top.time { dialogDeadlines.removeTop() }
        strays.passOverOutdated()
    }

    private mutating func move(_ due: Due, _ changes: inout [Change]) {
        switch due.what {
        case .entry(let slot): moveEntry(slot, &changes)
        case .dialog(let id):
            dialogDeadlines.removeTop()
            moveDialog(id, at: due.time, &changes)
        case .stray(let row): forgetStray(row, until: due.time, &changes)
        }
        passOverForgottenDeadlines()
    }

    private mutating func moveEntry(_ slot: UInt32, _ changes: inout [Change]) {
        let expiresAt = entries[slot].expiresAt
        guard entries[slot].state == .waiting else { return free(slot, &changes) }
        change(slot, &changes) {
            $0.state = .expired
            $0.freeAt = expiresAt.adding(seconds: $0.quarantineSeconds)
        }
        counters.expired += 1
        journey(.expired, of: entries[slot], at: lastTime.wall(at: expiresAt), [], &changes)
    }

    private mutating func moveDialog(_ id: DialogID, at time: LogTime, _ changes: inout [Change]) {
        guard let row = dialogs[id], let configuration else { return }
        if row.state == .closed { return forget(row, &changes) }
        _ = releaseReservation(of: row, closedAs: .aged, at: time, &changes)
        close(row, as: .aged, at: time, configuration, &changes)
    }
}
