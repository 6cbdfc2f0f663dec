internal import ByteCoding
internal import CallModel

// MARK: - Steps

extension PairMachine {
    /// Why a step is taken.
    enum Cause {
        case row(PairEvent, sentence: String)
        case moved
    }

    mutating func perform(_ step: PairStep, _ cause: Cause, _ log: some PairLog, _ actions: inout [PairAction]) {
        switch step {
        case .swapToAlone, .swapToSettle, .swapToRealign, .swapToHandOver: beginSwap(step, cause, &actions)
        case .swapToPair:
            // R5: not before the intent is durable; when it becomes so, the row of `intentDurable` asks.
            if bond.intent != nil {
                beginSwap(step, cause, &actions)
            } else if latestIntent == nil {
                perform(.writeIntent, cause, log, &actions)
            }
        case .lookAtRegister: if swap == nil { beginSwap(step, cause, &actions) }
        case .swapAgain: swapAgain(&actions)
        case .writePromise: writePromise(&actions)
        case .writeIntent:
            guard let other, let promise = bond.promise else { return }
            var next = bond
            next.intent = JointIntent(epoch: promise.epoch, incarnation: other.incarnation)
            write(next, &actions)
        case .clearTailUndecided:
            guard bond.tailUndecided else { return }
            var next = latestBond
            next.tailUndecided = false
            write(next, &actions)
        case .sendRegister: say(.register(standing), &actions)
        case .sendSeen: if let known { say(.seen(known), &actions) }
        case .compareLogs: compareLogs(log, &actions)
        case .sendResume: say(.resume, &actions)
        case .stream: if let other { actions.append(.stream(after: other.end)) }
        case .openEpoch: openEpoch(&actions)
        case .takeUpDialogs: actions.append(.takeUpDialogs)
        case .askToJoin: say(.join(ends: log.ends(from: committed)), &actions)
        case .answerJoin: break  // Needs what was asked: ``answerJoin(_:_:_:)`` does it.
        case .alignLog: break  // Needs the place: ``align(to:_:_:)`` does it.
        case .sendAligned: say(.aligned(end: end), &actions)
        case .resync: actions.append(.resync)
        case .endSession: actions.append(.endSession(reason: "this side stalled"))
        case .alarm:
            if case .row(_, let sentence) = cause { actions.append(.alarm(sentence)) }
        }
    }

    /// Says it in the present session; where there is none, nobody is to be told.
    func say(_ message: PairMessage, _ actions: inout [PairAction]) {
        if other != nil { actions.append(.send(message)) }
    }

    /// What a bad tail was is settled by being alone (an operator has decided), and by a log that is aligned with the
    /// serving side's, which has all that was acknowledged.
    private mutating func writePromise(_ actions: inout [PairAction]) {
        let isAlone = known.map { $0.mode == .alone && $0.active == side } ?? false
        let isSettled = isAlone || state == .joining || state == .aligning
        write(PairBond(promise: known, tailUndecided: bond.tailUndecided && !isSettled), &actions)
    }

    /// What this side is bound to, or will be when the disk has written what it was given.
    private var latestBond: PairBond { bonds.last ?? bond }
    var latestIntent: JointIntent? { latestBond.intent }

    private mutating func write(_ next: PairBond, _ actions: inout [PairAction]) {
        bonds.append(next)
        actions.append(.writeBond(next))
    }

    /// The epoch's record, unless the log has one of this epoch already.
    private mutating func openEpoch(_ actions: inout [PairAction]) {
        guard let promise = bond.promise, end.epoch < promise.epoch else { return }
        inheritedEnd = end.sequence.next
        actions.append(.openEpoch(promise))
    }

    // MARK: Swaps

    private mutating func beginSwap(_ step: PairStep, _ cause: Cause, _ actions: inout [PairAction]) {
        guard let (expected, value) = swapValues(step, cause) else { return }
        swapToken += 1
        let swap = Swap(expected: expected, value: value, token: swapToken)
        self.swap = swap
        actions.append(.swap(expected: expected, value: value, token: swap.token))
    }

    private mutating func swapValues(_ step: PairStep, _ cause: Cause) -> (PairRegister?, PairRegister)? {
        nonce = nonce + Hash128(high: 0, low: 1)
        switch step {
        case .swapToAlone:
            var value = known ?? PairRegister(epoch: 0, mode: .alone, active: side)
            if case .row(.forceAsked, _) = cause { value.lossy = true } else { value.lossy = false }
            if case .row(.initAsked, _) = cause { value.register(0, of: side.other) }
            value.epoch += 1
            value.mode = .alone
            value.active = side
            value.register(incarnation, of: side)
            value.nonce = nonce
            return (known, value)
        case .swapToPair:
            guard let other, var value = bond.promise else { return nil }
            value.epoch += 1
            value.mode = .paired
            value.register(other.incarnation, of: side.other)
            value.lossy = false
            value.nonce = nonce
            return (bond.promise, value)
        case .swapToSettle:
            guard var value = bond.promise else { return nil }
            // A side that was single until now has never been in a register.
            let expected = value.incarnation(of: side) == 0 ? nil : value
            value.register(incarnation, of: side)
            value.nonce = nonce
            return (expected, value)
        case .lookAtRegister:
            guard var value = bond.promise else { return nil }
            value.nonce = nonce
            return (value, value)
        case .swapToRealign, .swapToHandOver:
            guard var value = known else { return nil }
            value.epoch += 1
            value.nonce = nonce
            if step == .swapToHandOver { value.active = side.other }
            return (known, value)
        default: return nil
        }
    }

    /// The same swap: applied already or not, its answer settles both (R6).
    private mutating func swapAgain(_ actions: inout [PairAction]) {
        guard var swap else { return }
        swapToken += 1
        swap.token = swapToken
        self.swap = swap
        actions.append(.swap(expected: swap.expected, value: swap.value, token: swap.token))
    }

    mutating func swapAnswered(
        _ token: UInt64, _ answer: SwapAnswer, _ log: some PairLog, _ actions: inout [PairAction]
    ) {
        guard let swap, swap.token == token else { return }
        switch answer {
        case .swapped:
            self.swap = nil
            see(swap.value, log, &actions)
        case .differs(nil): follow(.rolledBack, log, &actions)
        // No register answers that: it is asked again.
        case .differs(let current?) where current == swap.expected: break
        case .differs(let current?):
            if let promise = bond.promise, current.epoch < promise.epoch {
                return follow(.rolledBack, log, &actions)
            }
            self.swap = nil
            see(current, log, &actions)
        }
    }

    // MARK: Register values

    /// A register value from the witness, or from the other side.
    mutating func see(_ register: PairRegister, _ log: some PairLog, _ actions: inout [PairAction]) {
        if let known, register.epoch < known.epoch { return }
        let isNews = register != known
        if register != bond.promise { known = register }
        guard let event = meaning(of: register) else { return }
        // The other side says its register with every heartbeat: what is being acted on is not begun again.
        if !isNews && (state == .joining || state == .following) { return }
        if let swap, let expected = swap.expected, register.epoch > expected.epoch { self.swap = nil }
        follow(event, log, &actions)
    }

    private func meaning(of register: PairRegister) -> PairEvent? {
        let isIncluded = Rules.counts(incarnation, registered: register.incarnation(of: side))
        switch (register.mode, register.active == side) {
        case (.alone, true):
            if register == bond.promise { return nil }
            // Of an earlier incarnation of this side: nobody holds what it acknowledged; an operator decides.
            return isIncluded ? .aloneHere : nil
        case (.alone, false): return .aloneThere
        case (.paired, let here):
            if !isIncluded { return .aloneThere }
            if register == bond.promise { return nil }
            if here { return .pairedHere }
            if other?.promise == register { return .pairedThere }
            return bond.tailUndecided ? .otherLostTailUndecided : .pairedThereUnreached
        }
    }

    // MARK: Bonds

    mutating func bondDurable(_ log: some PairLog, _ actions: inout [PairAction]) {
        precondition(!bonds.isEmpty, "a bond became durable that was never written")
        let before = bond
        bond = bonds.removeFirst()
        if let promise = bond.promise, known.map({ $0.epoch <= promise.epoch }) ?? true { known = promise }
        if bond.intent != nil && before.intent == nil { return follow(.intentDurable, log, &actions) }
        if bond.tailUndecided != before.tailUndecided && bond.promise == before.promise { return }
        guard let promise = bond.promise, !awaitsCut else { return }
        switch (promise.mode, promise.active == side) {
        case (.alone, true): follow(.promisedAlone, log, &actions)
        case (.alone, false): follow(.promisedJoining, log, &actions)
        case (.paired, true): follow(.promisedActive, log, &actions)
        case (.paired, false): follow(.promisedStandby, log, &actions)
        }
        weighOther(log, &actions)
    }
}
