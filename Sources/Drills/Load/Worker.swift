/// One connection's share of a drill: it puts load on the side until the side dies, and checks afterwards what it was
/// told.
struct Worker: Sendable {
    let run: String
    let seed: UInt64
    let port: Int
    var generator: SeededGenerator
    /// Goes on when it gets no answer, or one that says "busy": a drill that ends the load itself.
    var isPatient = false
    /// Claims at a measured pace and reserves nothing: a reservation that waits for its refusal is not in the way.
    var onlyClaims = false
    /// Checks ask for every call also under another call's name.
    var asksForeign = true
    /// Part of the waiting tickets whose reservation a check asks for again, in percent; and that it claims.
    var repeatPercent = 25
    var claimPercent = 50
    var tickets: [Ticket] = []
    var findings = Findings()

    func context(of ticket: Ticket) -> DrillContext { DrillContext(ticket: ticket.number, seed: seed) }

    func leg(of ticket: Ticket) -> String { "\(run)-\(ticket.number)-leg" }

    func foreign(to ticket: Ticket) -> String { "\(run)-\(ticket.number)-foreign" }

    // MARK: Load

    /// Reserves, claims, repeats and releases until the side answers no more. `progress` is told of each
    /// acknowledgement and draws the numbers of new tickets.
    mutating func load(_ progress: LoadProgress) async {
        let client = DrillClient(port: port)
        var waiting = tickets.indices.filter { tickets[$0].isWaiting }
        while !progress.isOver {
            if onlyClaims {
                guard await goesOnWaiting(progress) else { break }
            } else if await !reserve(client, progress, &waiting) {
                guard await goesOnWaiting(progress) else { break }
            }
            guard !waiting.isEmpty, Int.random(in: 0..<100, using: &generator) < 75 else { continue }
            let index = waiting.remove(at: Int.random(in: 0..<waiting.count, using: &generator))
            let goesOn: Bool
            if Int.random(in: 0..<4, using: &generator) == 0 {
                goesOn = await release(index, client, progress)
            } else {
                goesOn = await claim(index, client, progress)
            }
            if !goesOn { guard await goesOnWaiting(progress) else { break } }
        }
        await client.close()
    }

    /// A moment without an answer must not become a storm of tickets.
    private func goesOnWaiting(_ progress: LoadProgress) async -> Bool {
        guard isPatient, !progress.isOver else { return false }
        // Cancelled with the drill at worst; the loop looks at `isOver` again.
        try? await Task.sleep(for: .milliseconds(20))
        return true
    }

    /// Reserves until `progress` has drawn the last ticket.
    mutating func fill(_ progress: LoadProgress, lastTicket: Int) async {
        let client = DrillClient(port: port)
        var waiting: [Int] = []
        while progress.ticketsDrawn < lastTicket {
            guard await reserve(client, progress, &waiting) else { break }
        }
        await client.close()
    }

    private mutating func acknowledged(_ progress: LoadProgress) {
        findings.acknowledge()
        progress.acknowledge()
    }

    private mutating func reserve(
        _ client: DrillClient, _ progress: LoadProgress, _ waiting: inout [Int]
    ) async -> Bool {
        var ticket = Ticket(number: progress.nextTicket())
        let answer = await client.reserve(ticket.number, run: run, context(of: ticket))
        switch answer {
        case .value(let reservation):
            acknowledged(progress)
            ticket.reservation = reservation
            waiting.append(tickets.count)
        case .refused(let code):
            findings.wrong("reservation \(ticket.number) was refused under load: \(code)")
            return false
        case .unknown("busy"): progress.refuse()
        case .unknown: break
        }
        tickets.append(ticket)
        return ticket.reservation != nil
    }

    private mutating func claim(_ index: Int, _ client: DrillClient, _ progress: LoadProgress) async -> Bool {
        guard let reservation = tickets[index].reservation else { return true }
        let (leg, expected) = (leg(of: tickets[index]), context(of: tickets[index]))
        let number = tickets[index].number
        tickets[index].claimCall = leg
        for attempt in 0...Int.random(in: 0...1, using: &generator) {
            switch await client.claim(reservation, callID: leg) {
            case .value(let claim):
                acknowledged(progress)
                progress.claim()
                tickets[index].claim = .acknowledged
                if claim.context != expected { findings.wrong("claim of \(number) got another context") }
                if claim.repeat != (attempt > 0) { findings.wrong("claim of \(number): repeat is \(claim.repeat)") }
            case .refused(let code):
                findings.lost("claim of \(number), acknowledged and waiting, under load: \(code)")
                return true
            case .unknown:
                if tickets[index].claim == .notAsked { tickets[index].claim = .unknown }
                return false
            }
        }
        if Int.random(in: 0..<8, using: &generator) > 0 { return true }
        switch await client.claim(reservation, callID: foreign(to: tickets[index])) {
        case .value: findings.doubled("\(number) was claimed by two calls under load")
        case .refused(let code) where code != "stray": findings.wrong("a foreign claim of \(number): \(code)")
        case .refused: break
        case .unknown: return false
        }
        return true
    }

    private mutating func release(_ index: Int, _ client: DrillClient, _ progress: LoadProgress) async -> Bool {
        guard let reservation = tickets[index].reservation else { return true }
        switch await client.release(reservation) {
        case .value(let release):
            acknowledged(progress)
            tickets[index].release = .acknowledged
            if !release.released { findings.wrong("\(tickets[index].number) was waiting and is not released") }
        case .refused(let code):
            tickets[index].release = .unknown
            findings.lost("release of \(tickets[index].number): \(code)")
        case .unknown:
            tickets[index].release = .unknown
            return false
        }
        return true
    }

    // MARK: Checks

    /// Asks for every ticket what it must be now. Of those that only wait some are left for the next round, unless
    /// `claimsAll`.
    mutating func check(claimsAll: Bool) async {
        let client = DrillClient(port: port)
        for index in tickets.indices {
            if tickets[index].reservation == nil {
                await settleReservation(index, client)
            } else if tickets[index].isWaiting && Int.random(in: 0..<100, using: &generator) < repeatPercent {
                await repeatReservation(index, client)
            }
            guard tickets[index].reservation != nil else { continue }
            if tickets[index].isWaiting, !claimsAll, Int.random(in: 0..<100, using: &generator) >= claimPercent {
                continue
            }
            await checkClaim(index, client)
        }
        await client.close()
    }

    /// Whether it happened or not, asked again it has to be answered.
    private mutating func settleReservation(_ index: Int, _ client: DrillClient) async {
        let (number, expected) = (tickets[index].number, context(of: tickets[index]))
        let run = run
        switch await settled({ await client.reserve(number, run: run, expected) }) {
        case .value(let reservation): tickets[index].reservation = reservation
        case .refused(let code), .unknown(let code):
            findings.wrong("reservation \(number), asked before the crash and again after it: \(code)")
        }
    }

    private mutating func repeatReservation(_ index: Int, _ client: DrillClient) async {
        let (number, expected, before) = (
            tickets[index].number, context(of: tickets[index]), tickets[index].reservation
        )
        let run = run
        switch await settled({ await client.reserve(number, run: run, expected) }) {
        case .value(let again):
            if let before, again != before {
                findings.lost(
                    "reservation \(number) was \(before.id), \(before.dnis); asked again it is \(again.id), \(again.dnis)"
                )
            }
        case .refused(let code), .unknown(let code): findings.wrong("reservation \(number) asked again: \(code)")
        }
    }

    private mutating func checkClaim(_ index: Int, _ client: DrillClient) async {
        let ticket = tickets[index]
        guard let reservation = ticket.reservation else { return }
        let (number, expected, leg) = (ticket.number, context(of: ticket), leg(of: ticket))
        let mustBeThere = ticket.release == .notAsked
        let answer = await settled({ await client.claim(reservation, callID: leg) })
        switch answer {
        case .value(let claim):
            if ticket.release == .acknowledged { findings.lost("release of \(number): it was claimed afterwards") }
            if claim.context != expected { findings.wrong("claim of \(number) got another context after the crash") }
            if ticket.claim == .acknowledged && !claim.repeat { findings.lost("claim of \(number) was forgotten") }
            tickets[index].claim = .acknowledged
            tickets[index].claimCall = leg
            // It never was released, or this claim would be a stray.
            tickets[index].release = .notAsked
        case .refused("stray") where !mustBeThere:
            tickets[index].release = .acknowledged
        case .refused("stray"):
            let what = ticket.claim == .acknowledged ? "claim" : "reservation"
            findings.lost("\(what) of \(number) (\(reservation.id), \(reservation.dnis)): its claim is a stray")
        case .refused(let code), .unknown(let code): findings.wrong("claim of \(number) after the crash: \(code)")
        }
        guard asksForeign else { return }
        switch await settled({ await client.claim(reservation, callID: "\(leg)-other") }) {
        case .value: findings.doubled("\(number) was given to a second call after the crash")
        case .refused("stray"): break
        case .refused(let code), .unknown(let code): findings.wrong("a foreign claim of \(number): \(code)")
        }
    }

    /// A slow disk may let a deadline pass; the same request may be sent again.
    private func settled<Value>(
        _ ask: () async -> DrillClient.Answer<Value>
    ) async -> DrillClient.Answer<Value> {
        var answer = await ask()
        for _ in 0..<5 {
            guard case .unknown = answer else { break }
            answer = await ask()
        }
        return answer
    }
}
