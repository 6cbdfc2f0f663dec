internal import CallModel

/// A closed loop against a running side: each connection reserves, claims what it reserved, and begins again.
package struct Bench: Sendable {
    package var route: String
    package var connections: Int
    package var seconds: Int
    package var contextBytes: Int
    /// Declared ECC scalars of 210 bytes that take what the plain fields cannot hold.
    package var fillers: [String]
    /// Makes the call ids of this run its own.
    package var run: String

    package init(route: String, connections: Int, seconds: Int, contextBytes: Int, fillers: [String], run: String) {
        self.route = route
        self.connections = connections
        self.seconds = seconds
        self.contextBytes = contextBytes
        self.fillers = fillers
        self.run = run
    }

    /// What one connection, or all of them, did.
    package struct Tally: Sendable {
        package var reserve = LatencyHistogram()
        package var claim = LatencyHistogram()
        package var exhausted = 0
        package var busy = 0
        /// Claims that met another call's context, or none.
        package var wrong = 0

        package init() {}

        package mutating func add(_ other: Tally) {
            reserve.add(other.reserve)
            claim.add(other.claim)
            exhausted += other.exhausted
            busy += other.busy
            wrong += other.wrong
        }
    }

    /// A context of that many bytes of values. Throws when the fields and fillers together hold less.
    package func callContext() throws(CommandFailure) -> JSONValue {
        var context = CallContext()
        var left = contextBytes
        func take(_ limit: Int, _ name: String) throws(CommandFailure) {
            guard left > 0 else { return }
            let text = String(repeating: "7", count: min(left, limit))
            left -= text.count
            do { try ContextJSON.assign("\(name)=\(text)", in: &context) } catch {
                throw CommandFailure(.usage, "the filler \(name) cannot be used: \(error)")
            }
        }
        try take(12, "ani")
        try take(16, "ced")
        try take(131, "uui")
        for number in 1...CallContext.variableCount { try take(40, "variable\(number)") }
        for filler in fillers { try take(ECCDeclaration.longest, filler) }
        if left > 0 {
            let most = contextBytes - left
            throw CommandFailure(
                .usage,
                "--context-bytes \(contextBytes) is more than the fields and the \(fillers.count) --filler variables hold (\(most))"
            )
        }
        return ContextJSON.value(of: context)
    }

    /// Runs until the time is over. `progress` gets the seconds gone and the pairs done, about once a second.
    package func run(
        open: @escaping @Sendable () throws(CommandFailure) -> any SideClient,
        progress: @escaping @Sendable (Int, UInt64) -> Void
    ) async throws -> (tally: Tally, elapsed: Duration) {
        let context = try callContext()
        let clock = ContinuousClock()
        let start = clock.now
        let end = start.advanced(by: .seconds(seconds))
        let done = Counters(connections)
        let tally = try await withThrowingTaskGroup(of: Tally?.self) { group in
            for connection in 0..<connections {
                group.addTask { try await self.loop(connection, context, until: end, open: open, done: done) }
            }
            group.addTask {
                for second in 1..<max(2, self.seconds) {
                    try await clock.sleep(until: start.advanced(by: .seconds(second)), tolerance: nil)
                    progress(second, await done.sum)
                }
                return nil
            }
            var all = Tally()
            for try await part in group { if let part { all.add(part) } }
            return all
        }
        return (tally, start.duration(to: clock.now))
    }

    private func loop(
        _ connection: Int, _ context: JSONValue, until end: ContinuousClock.Instant,
        open: @Sendable () throws(CommandFailure) -> any SideClient, done: Counters
    ) async throws -> Tally {
        let client = try open()
        let clock = ContinuousClock()
        var tally = Tally()
        var number = 0
        do {
            while clock.now < end {
                number += 1
                try await pair(number, connection, context, client, &tally, clock)
                if number % 64 == 0 { await done.set(tally.claim.count, of: connection) }
            }
        } catch {
            await client.close()
            throw error
        }
        await client.close()
        return tally
    }

    private func pair(
        _ number: Int, _ connection: Int, _ context: JSONValue, _ client: any SideClient, _ tally: inout Tally,
        _ clock: ContinuousClock
    ) async throws {
        let callID = "\(run)-\(connection)-\(number)"
        let request = JSONValue.object(
            ("translationRoute", .string(route)), ("callID", .string(callID)), ("context", context))
        let asked = clock.now
        let reserved = try await client.ask("POST", "/v1/reservations", body: request)
        guard reserved.succeeded else {
            let problem = Problem(reserved)
            switch problem.code {
            case "exhausted": tally.exhausted += 1
            case "busy": tally.busy += 1
            default: throw problem.failure
            }
            // A refusal comes quicker than an entry falls free; without a pause the loop would measure refusals.
            try await clock.sleep(for: .milliseconds(20))
            return
        }
        tally.reserve.record(microseconds: asked.duration(to: clock.now).wholeMicroseconds)
        let reservation = try JSONValue(parsing: reserved.body)
        let claim = JSONValue.object(
            ("peripheral", reservation["peripheral"]), ("trunkGroup", reservation["trunkGroup"]),
            ("dnis", reservation["dnis"]), ("callID", .string(callID + "-in")))
        let arrived = clock.now
        let claimed = try await client.ask("POST", "/v1/claims", body: claim)
        tally.claim.record(microseconds: arrived.duration(to: clock.now).wholeMicroseconds)
        if !claimed.succeeded {
            let problem = Problem(claimed)
            if problem.code != "stray" { throw problem.failure }
            tally.wrong += 1
        } else if try JSONValue(parsing: claimed.body)["callKey"] != reservation["callKey"] {
            tally.wrong += 1
        }
    }
}

/// How far each connection is, for the progress line.
private actor Counters {
    private var counts: [UInt64]
    init(_ connections: Int) { counts = Array(repeating: 0, count: connections) }
    func set(_ count: UInt64, of connection: Int) { counts[connection] = count }
    var sum: UInt64 { counts.reduce(0, +) }
}
