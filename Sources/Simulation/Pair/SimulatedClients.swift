internal import ByteCoding
package import CallModel
package import Duplex
package import Ledger
package import ReplicatedLedger

/// What was answered to whom.
package struct AcknowledgedAnswer: Sendable {
    package let record: Record
    package let answer: LedgerAnswer
    /// The newest record that anybody had been told of when this was asked: its own place must lie behind it.
    package let floor: LogSequence
    package let side: Side
}

/// Clients of both sides on virtual time: each asks for something, asks again under the same identity when it was told
/// nothing, at this side or the other, and never gives up. What they see is held against the order of the log.
///
/// `@unchecked Sendable`: a simulation runs on one thread.
package final class SimulatedClients<Rules: PairRules>: @unchecked Sendable {
    private let pair: SimulatedPair<Rules>
    private var generator: SeededGenerator
    private var requests = 0
    private var reserved: [(key: TranslationRouteKey, reservation: ReservationID)] = []
    private var identities: [Record] = []

    package private(set) var answers: [AcknowledgedAnswer] = []
    package private(set) var reads = 0
    package private(set) var refused = 0
    package private(set) var silent = 0
    /// The newest place of a record whose outcome somebody was told.
    package private(set) var newest = LogSequence.zero
    package private(set) var waiting = 0
    package var isStopping = false
    /// Reports what must never be.
    package var violation: (String) -> Void = { _ in }
    package var thinkMilliseconds: ClosedRange<UInt64> = 0...60
    /// A moment at which nobody waits for anything.
    package var isIdle: Bool { isStopping && waiting == 0 }

    package init(_ pair: SimulatedPair<Rules>, seed: UInt64, count: Int) {
        self.pair = pair
        generator = SeededGenerator(seed: seed)
        for _ in 0..<count { thinkThenAsk() }
    }

    private func number(_ upTo: Int) -> Int { Int.random(in: 0..<upTo, using: &generator) }

    private func thinkThenAsk() {
        let delay = number(25) == 0 ? UInt64(number(1500)) : UInt64.random(in: thinkMilliseconds, using: &generator)
        pair.time.after(milliseconds: delay) { [weak self] in
            guard let self, !isStopping else { return }
            waiting += 1
            if number(7) == 0 { read() } else { attempt(next()) }
        }
    }

    private func done() {
        waiting -= 1
        thinkThenAsk()
    }

    // MARK: What is asked

    private func next() -> Record {
        switch number(20) {
        case 0..<8:
            if number(8) == 0, let old = recent(identities) { return old }
            requests += 1
            let record = Record.simulatedReserve("r\(requests)", contextBytes: number(4) * 120)
            identities.append(record)
            return record
        case 8..<17:
            guard let chosen = recent(reserved) else { return .clock }
            return .claim(Claim(key: chosen.key, callID: CallID(unchecked: "c\(number(5))")))
        case 17..<19:
            guard let chosen = recent(reserved) else { return .clock }
            return .release(Release(reservation: chosen.reservation))
        default: return .clock
        }
    }

    private func recent<Element>(_ elements: [Element]) -> Element? {
        elements.isEmpty ? nil : elements[elements.count - 1 - number(min(10, elements.count))]
    }

    // MARK: Asking

    /// `@unchecked Sendable`: a simulation runs on one thread.
    private final class Attempt: @unchecked Sendable {
        var isOver = false
    }

    private func attempt(_ record: Record) {
        let side: Side = number(2) == 0 ? .a : .b
        let (floor, attempt) = (newest, Attempt())
        let within: UInt64 = [300, 1000, 3000][number(3)]
        let taken = pair.machine(side).ask(record, within: within) { [weak self] reply in
            self?.replied(reply, to: record, at: side, floor: floor, attempt)
        }
        if !taken { return again(record) }
        // The process may have ended, or hang: nobody is told that.
        pair.time.after(milliseconds: within + 200) { [weak self] in
            guard let self, !attempt.isOver else { return }
            attempt.isOver = true
            silent += 1
            again(record)
        }
    }

    private func again(_ record: Record) {
        pair.time.after(milliseconds: 5 + UInt64(number(60))) { [weak self] in self?.attempt(record) }
    }

    private func replied(
        _ reply: Result<LedgerAnswer, LedgerRefusal>, to record: Record, at side: Side, floor: LogSequence,
        _ attempt: Attempt
    ) {
        switch reply {
        case .success(let answer):
            // An answer too late for its asker was given all the same.
            acknowledge(AcknowledgedAnswer(record: record, answer: answer, floor: floor, side: side))
            if attempt.isOver { return }
            attempt.isOver = true
            done()
        case .failure:
            refused += 1
            if attempt.isOver { return }
            attempt.isOver = true
            again(record)
        }
    }

    private func acknowledge(_ given: AcknowledgedAnswer) {
        answers.append(given)
        newest = max(newest, given.answer.sequence)
        if given.answer.sequence <= given.floor {
            violation(
                "\(given.record) was asked after \(given.floor) was acknowledged, and was answered with "
                    + "\(given.answer.sequence), before it")
        }
        if let reserved = given.answer.outcome.reservedNow {
            self.reserved.append((reserved.key, reserved.reservation))
        }
    }

    // MARK: Reading

    private func read() {
        let side: Side = number(2) == 0 ? .a : .b
        let (floor, attempt) = (newest, Attempt())
        let taken = pair.machine(side).read(within: 700) { [weak self] result in
            guard let self, case .success(let view) = result else {
                self?.endRead(attempt)
                return
            }
            reads += 1
            if view.position.sequence < floor {
                violation(
                    "a current read at \(side) stands at \(view.position.sequence), though \(floor) was acknowledged "
                        + "before it was asked")
            }
            newest = max(newest, view.position.sequence)
            endRead(attempt)
        }
        if !taken { return endRead(attempt) }
        pair.time.after(milliseconds: 900) { [weak self] in self?.endRead(attempt) }
    }

    private func endRead(_ attempt: Attempt) {
        if attempt.isOver { return }
        attempt.isOver = true
        done()
    }
}

extension Outcome {
    var reservedNow: Reserved? { if case .reserved(let reserved) = self { reserved } else { nil } }
    var claimedNow: Claimed? { if case .claimed(let claimed) = self { claimed } else { nil } }
}

extension Record {
    /// A reservation whose context bears the request's name.
    static func simulatedReserve(_ request: String, contextBytes: Int) -> Record {
        var context = CallContext()
        context.ani = "0201"
        context.variables[2] = request
        context.uui = contextBytes > 0 ? String(repeating: "u", count: contextBytes) : nil
        return .reserve(
            Reserve(
                route: TranslationRouteName(unchecked: "sales"), identity: .request(RequestID(unchecked: request)),
                callID: CallID(unchecked: "leg-\(request)"), target: UltimateTarget(unchecked: "agent-\(request)"),
                context: context.encoded()))
    }
}

extension LedgerConfiguration {
    /// One translation route of so few entries that they are used again.
    package static func simulated(entries: UInt64) -> LedgerConfiguration {
        let acd = PeripheralName(unchecked: "acd")
        let sales = TranslationRoute(
            name: TranslationRouteName(unchecked: "sales"), peripheral: acd,
            ranges: [
                EntryRange(
                    trunkGroup: TrunkGroupName(unchecked: "T1"), prefix: "", first: 8001, last: 8000 + entries,
                    digits: 4)
            ])
        return LedgerConfiguration(
            instance: InstanceName(unchecked: "bank"), routes: [sales],
            peripherals: [Peripheral(name: acd, defaultRoute: "queue")])
    }
}
