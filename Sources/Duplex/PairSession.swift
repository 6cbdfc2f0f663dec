internal import CallModel

// MARK: - The other side

extension PairMachine {
    mutating func sessionOpened(
        _ session: UInt64, _ hello: PairHello, _ log: some PairLog, _ actions: inout [PairAction]
    ) {
        if other != nil { sessionLost(log, &actions) }
        let standing = hello.standing
        other = Other(
            session: session, incarnation: hello.incarnation, promise: standing.promise, end: standing.end,
            tailUndecided: standing.tailUndecided)
        weighOther(log, &actions)
    }

    mutating func sessionLost(_ log: some PairLog, _ actions: inout [PairAction]) {
        guard other != nil else { return }
        other = nil
        fetching = nil
        for read in reads { actions.append(.readVoid(token: read.token)) }
        reads = []
        lost(.linkLost, log, &actions)
    }

    /// The other side cannot be counted on. With a tail that only it can speak of, this side must not go alone.
    mutating func lost(_ event: PairEvent, _ log: some PairLog, _ actions: inout [PairAction]) {
        // R4: the register is known to name the other side alone, though neither may be bound to that yet.
        if knowsOtherAlone { return follow(.aloneThere, log, &actions) }
        follow(bond.tailUndecided ? .otherLostTailUndecided : event, log, &actions)
    }

    /// What the other side's promise means beside ours.
    mutating func weighOther(_ log: some PairLog, _ actions: inout [PairAction]) {
        guard let other else { return }
        if let theirs = other.promise, bond.promise.map({ isNewer(theirs, than: $0) }) ?? true {
            return see(theirs, log, &actions)
        }
        guard let ours = bond.promise else { return }
        switch ours.mode {
        case .alone:
            if ours.active != side && other.promise == ours && state == .isolatedDisabled {
                follow(.aloneThere, log, &actions)
            }
        case .paired:
            let counts = Rules.counts(other.incarnation, registered: ours.incarnation(of: side.other))
            if !counts {
                lost(.otherUnregistered, log, &actions)
            } else if let known, known != ours, known.epoch > ours.epoch {
                // It has not seen yet what the witness told this side: their common promise has passed.
                say(.seen(known), &actions)
            } else if other.promise == ours {
                let isUndecided = bond.tailUndecided && other.tailUndecided
                follow(isUndecided ? .bothTailsUndecided : .otherAgrees, log, &actions)
            } else {
                follow(.otherLags, log, &actions)
            }
        }
    }

    private var knowsOtherAlone: Bool {
        guard let known, known != bond.promise else { return false }
        return known.mode == .alone && known.active != side
    }

    private func isNewer(_ theirs: PairRegister, than ours: PairRegister) -> Bool {
        theirs.epoch > ours.epoch || (theirs.epoch == ours.epoch && theirs != ours && theirs.active != side)
    }

    // MARK: Messages

    mutating func take(_ message: PairMessage, _ log: some PairLog, _ actions: inout [PairAction]) {
        switch message {
        case .register(let standing):
            let isNews = other?.promise != standing.promise
            other?.promise = standing.promise
            other?.tailUndecided = standing.tailUndecided
            if isNews || !state.follows && !state.orders && state != .handingOver {
                other?.end = standing.end
                weighOther(log, &actions)
            }
        case .seen(let register): see(register, log, &actions)
        case .compared(let agrees): compared(agrees, log, &actions)
        case .resume: if other?.promise == bond.promise { follow(.resumed, log, &actions) }
        case .join(let ends): answerJoin(ends, log, &actions)
        case .alignTo(let position): align(to: position, log, &actions)
        case .snapshotNeeded: follow(.snapshotNeeded, log, &actions)
        case .aligned(let end):
            guard other?.promise == bond.promise || bond.promise?.active == side else { return }
            other?.end = end
            other?.promise = bond.promise
            other?.isAligned = true
            follow(.otherAligned, log, &actions)
        case .durable(let position):
            // R1: by sequence and chain.
            guard let other, position.sequence > other.durable, log.holds(position) else { return }
            self.other?.durable = position.sequence
            self.other?.end = position
        case .committed(let sequence): if let other { self.other?.committed = max(other.committed, sequence) }
        case .confirm(let token): confirm(token, &actions)
        case .confirmed(let token, let committed):
            if let index = reads.firstIndex(where: { $0.token == token }) { reads[index].confirmed = committed }
        }
    }

    func acknowledge(_ actions: inout [PairAction]) {
        guard state.follows else { return }
        say(.durable(Rules.acknowledged(end: end, durable: durable)), &actions)
    }

    // MARK: Comparing

    /// Whoever has the longer log says whether the other's end lies on it (R10).
    mutating func compareLogs(_ log: some PairLog, _ actions: inout [PairAction]) {
        guard let other else { return }
        fetching = nil
        let isLonger = end.sequence > other.end.sequence
        if bond.promise?.active == side {
            if isLonger || end.sequence == other.end.sequence {
                follow(log.holds(other.end) ? .logsAgree : .logsContradict, log, &actions)
            } else {
                fetching = Fetching(target: other.end.sequence)
            }
        } else if isLonger {
            let agrees = log.holds(other.end)
            say(.compared(agrees: agrees), &actions)
            if agrees { actions.append(.stream(after: other.end)) }
        }
    }

    private mutating func compared(_ agrees: Bool, _ log: some PairLog, _ actions: inout [PairAction]) {
        guard fetching != nil else { return }
        if agrees {
            fetching?.comes = true
        } else {
            fetching = nil
            follow(.logsContradict, log, &actions)
        }
    }

    // MARK: Joining

    /// Where the other's log is to go on: the newest of its batch ends that ours holds.
    mutating func answerJoin(_ ends: [Position], _ log: some PairLog, _ actions: inout [PairAction]) {
        guard let other, mayAnswerJoin(other.incarnation), !Rules.row(state, .joinAsked).isIgnored else { return }
        follow(.joinAsked, log, &actions)
        self.other?.isAligned = false
        let common = ends.last { $0.sequence >= log.base && log.holds($0) }
        say(common.map { .alignTo($0) } ?? .snapshotNeeded, &actions)
    }

    private func mayAnswerJoin(_ incarnation: UInt64) -> Bool {
        guard let promise = bond.promise, promise.active == side else { return false }
        switch promise.mode {
        case .alone: return Rules.mayJoin(incarnation, intent: latestIntent)
        case .paired: return Rules.counts(incarnation, registered: promise.incarnation(of: side.other))
        }
    }

    mutating func align(to position: Position, _ log: some PairLog, _ actions: inout [PairAction]) {
        if Rules.row(state, .alignmentAnswered).isIgnored { return }
        // What was committed here is on every later log, unless an operator gave it up (R13).
        guard position.sequence >= committed else { return follow(.snapshotNeeded, log, &actions) }
        follow(.alignmentAnswered, log, &actions)
        if position == end { return follow(.logAligned, log, &actions) }
        awaitsCut = true
        actions.append(.cutLog(to: position))
    }

    // MARK: Reads

    mutating func read(_ token: UInt64, _ actions: inout [PairAction]) {
        let commit = state.commits
        switch commit {
        case .nothing: actions.append(.readVoid(token: token))
        case .asTold where state == .following: actions.append(.readVoid(token: token))
        case .asTold:
            reads.append(PendingRead(token: token))
            say(.confirm(token: token), &actions)
        case .here, .both:
            if Rules.readNeedsConfirmation(commit) {
                reads.append(PendingRead(token: token))
                say(.confirm(token: token), &actions)
            } else {
                reads.append(PendingRead(token: token, confirmed: committed))
            }
        }
    }

    /// The other side reads, or asks whether this one still stands by it.
    private func confirm(_ token: UInt64, _ actions: inout [PairAction]) {
        guard other?.promise == bond.promise else { return }
        if state.follows {
            say(.confirmed(token: token, committed: .zero), &actions)
        } else if state == .pairedEnabled || state == .handingOver, committed >= inheritedEnd {
            say(.confirmed(token: token, committed: committed), &actions)
        }
    }

    mutating func serveReads(_ actions: inout [PairAction]) {
        guard !reads.isEmpty else { return }
        let gate = state.orders || state == .handingOver ? inheritedEnd : .zero
        guard committed >= gate else { return }
        let ready = reads.filter { read in read.confirmed.map { committed >= $0 } ?? false }
        for read in ready { actions.append(.readConfirmed(token: read.token)) }
        reads.removeAll { read in ready.contains(read) }
    }
}
