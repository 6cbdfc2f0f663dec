/// One caller of a drilled pair: it reserves, claims and releases at either side, asks again at the other one when it
/// gets no answer, and checks what it is told.
struct PairWorker: Sendable {
    let run: String
    let seed: UInt64
    let sides: [DrillClient]
    var generator: SeededGenerator
    var tickets: [Ticket] = []
    var findings = Findings()
    /// Questions under load that got no answer, or "unavailable", at first.
    var unanswered = 0

    /// The same request is sent again this long, to either side; after it the caller would give up.
    private static let patience = Duration.seconds(12)

    private func context(of ticket: Int) -> DrillContext { DrillContext(ticket: ticket, seed: seed) }

    mutating func load(_ progress: LoadProgress) async {
        unanswered = 0
        while !progress.isOver && !Task.isCancelled {
            await reserve(progress)
            try? await Task.sleep(for: .milliseconds(2))  // cancelled: goes on at once
            let waiting = tickets.indices.filter { tickets[$0].isWaiting }
            guard waiting.count > 3, let index = waiting.randomElement(using: &generator) else { continue }
            if Int.random(in: 0..<5, using: &generator) == 0 {
                await release(index, progress)
            } else {
                await claim(index, progress)
            }
        }
    }

    /// Asks until somebody knows the answer; nil when nobody did in time.
    private mutating func settled<Value: Sendable>(
        _ ask: @Sendable (DrillClient) async -> DrillClient.Answer<Value>
    ) async -> DrillClient.Answer<Value> {
        let end = ContinuousClock.now + Self.patience
        var side = Int.random(in: 0..<sides.count, using: &generator)
        var answer = await ask(sides[side])
        if case .unknown = answer { unanswered += 1 }
        while case .unknown = answer, ContinuousClock.now < end, !Task.isCancelled {
            side = (side + 1) % sides.count
            answer = await ask(sides[side])
            if case .unknown = answer { try? await Task.sleep(for: .milliseconds(10)) }  // cancelled: asks at once
        }
        return answer
    }

    private mutating func reserve(_ progress: LoadProgress) async {
        var ticket = Ticket(number: progress.nextTicket())
        let (number, run, expected) = (ticket.number, run, context(of: ticket.number))
        switch await settled({ await $0.reserve(number, run: run, expected) }) {
        case .value(let reservation):
            findings.acknowledge()
            progress.acknowledge()
            ticket.reservation = reservation
        case .refused(let code): findings.wrong("reservation \(number) was refused: \(code)")
        case .unknown(let why): findings.wrong("reservation \(number) was not answered: \(why)")
        }
        tickets.append(ticket)
    }

    private mutating func claim(_ index: Int, _ progress: LoadProgress) async {
        guard let reservation = tickets[index].reservation else { return }
        let number = tickets[index].number
        let leg = "\(run)-\(number)-leg"
        for attempt in 0...1 {
            switch await settled({ await $0.claim(reservation, callID: leg) }) {
            case .value(let claim):
                findings.acknowledge()
                progress.acknowledge()
                tickets[index].claim = .acknowledged
                if claim.context != context(of: number) { findings.wrong("claim of \(number) got another context") }
                if attempt > 0 && !claim.repeat { findings.lost("claim of \(number) was forgotten") }
            case .refused(let code): return findings.lost("\(number), acknowledged and waiting: its claim is \(code)")
            case .unknown(let why): return findings.wrong("claim of \(number) was not answered: \(why)")
            }
            if Int.random(in: 0..<3, using: &generator) > 0 { break }
        }
        await expectStray(number, reservation, as: "\(leg)-foreign")
    }

    private mutating func release(_ index: Int, _ progress: LoadProgress) async {
        guard let reservation = tickets[index].reservation else { return }
        switch await settled({ await $0.release(reservation) }) {
        case .value:
            findings.acknowledge()
            progress.acknowledge()
            tickets[index].release = .acknowledged
        case .refused(let code): findings.lost("release of \(tickets[index].number): \(code)")
        case .unknown(let why): findings.wrong("release of \(tickets[index].number) was not answered: \(why)")
        }
    }

    private mutating func expectStray(
        _ number: Int, _ reservation: DrillClient.Reservation, as callID: String
    ) async {
        switch await settled({ await $0.claim(reservation, callID: callID) }) {
        case .value: findings.doubled("\(number) was given to a second call")
        case .refused("stray"): break
        case .refused(let code), .unknown(let code): findings.wrong("a foreign claim of \(number): \(code)")
        }
    }

    // MARK: Checks

    /// Asks for every ticket, at either side, what it must be now.
    mutating func check() async {
        for index in tickets.indices {
            let ticket = tickets[index]
            guard let reservation = ticket.reservation else { continue }
            let (number, run, expected) = (ticket.number, run, context(of: ticket.number))
            switch await settled({ await $0.reserve(number, run: run, expected) }) {
            case .value(let again):
                if again != reservation {
                    findings.lost("reservation \(number) was \(reservation.id), \(reservation.dnis); now \(again.id)")
                }
            case .refused(let code), .unknown(let code): findings.wrong("reservation \(number) asked again: \(code)")
            }
            await checkClaim(ticket, reservation)
        }
        // What is settled is looked at again in some later round, but not in all: a round is to be short.
        tickets = tickets.filter { $0.isWaiting || Int.random(in: 0..<8, using: &generator) == 0 }
    }

    private mutating func checkClaim(_ ticket: Ticket, _ reservation: DrillClient.Reservation) async {
        let leg = "\(run)-\(ticket.number)-leg"
        if ticket.claim == .acknowledged {
            switch await settled({ await $0.claim(reservation, callID: leg) }) {
            case .value(let claim):
                if !claim.repeat { findings.lost("claim of \(ticket.number) was forgotten") }
                if claim.context != context(of: ticket.number) {
                    findings.wrong("claim of \(ticket.number) got another context when asked again")
                }
            case .refused(let code): findings.lost("claim of \(ticket.number), acknowledged: now \(code)")
            case .unknown(let why): findings.wrong("claim of \(ticket.number) was not answered: \(why)")
            }
        }
        if ticket.release == .acknowledged || ticket.claim == .acknowledged {
            await expectStray(ticket.number, reservation, as: "\(leg)-other")
        }
    }
}
