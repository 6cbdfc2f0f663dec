/// Plays all sample calls, some at once, against running sides.
package struct Player: Sendable {
    /// Side's name in the file -> how to open a connection to it.
    package typealias Opener = @Sendable (_ side: String) throws(CommandFailure) -> any SideClient

    package let sides: [String]
    /// Makes the call ids of this run its own.
    package let run: String
    private let open: Opener
    private static let mostAtOnce = 8

    package init(sides: [String], run: String, open: @escaping Opener) {
        self.sides = sides
        self.run = run
        self.open = open
    }

    /// Results in the file's order. A call begins when the one it names in `after` is done.
    package func play(_ calls: [SampleCall], progress: (Int, Int) -> Void) async throws(CommandFailure) -> [CallResult]
    {
        var results: [String: CallResult] = [:]
        var waiting = calls
        await withTaskGroup(of: CallResult.self) { group in
            var playing = 0
            while results.count < calls.count {
                while playing < Self.mostAtOnce,
                    let index = waiting.firstIndex(where: { call in call.after.map { results[$0] != nil } ?? true })
                {
                    let call = waiting.remove(at: index)
                    playing += 1
                    group.addTask { await self.play(call) }
                }
                guard let result = await group.next() else { break }
                playing -= 1
                results[result.call.name] = result
                progress(results.count, calls.count)
            }
        }
        return calls.compactMap { results[$0.name] }
    }

    private func play(_ call: SampleCall) async -> CallResult {
        var clients: [String: any SideClient] = [:]
        var result = CallResult(call: call)
        do {
            for side in sides { clients[side] = try open(side) }
            var play = CallPlay(call, run: run, clients: clients)
            await play.play()
            result = play.result
        } catch {
            result.faults.append(error.sentence)
        }
        for client in clients.values { await client.close() }
        return result
    }

    /// Waits until every side is ready and every named gateway's link is up. Throws after `seconds`.
    package func awaitReady(gateways: [(side: String, name: String)], seconds: Int) async throws {
        let clock = ContinuousClock()
        let end = clock.now.advanced(by: .seconds(seconds))
        var reason = try await notReady(gateways)
        while let why = reason {
            if clock.now > end { throw CommandFailure(.unavailable, "after \(seconds) s \(why)") }
            try await clock.sleep(for: .milliseconds(100))
            reason = try await notReady(gateways)
        }
    }

    /// Why the calls cannot begin yet; nil when they can.
    private func notReady(_ gateways: [(side: String, name: String)]) async throws(CommandFailure) -> String? {
        for side in sides {
            let client = try open(side)
            let reason = await notReady(side, client, gateways.filter { $0.side == side }.map(\.name))
            await client.close()
            if let reason { return reason }
        }
        return nil
    }

    private func notReady(_ side: String, _ client: any SideClient, _ gateways: [String]) async -> String? {
        do throws(CommandFailure) {
            let ready = try await client.ask("GET", "/readyz")
            if !ready.succeeded { return "the side \(side) is not ready: \(ready.text)" }
            if gateways.isEmpty { return nil }
            let links = Rendering.rows(of: try await client.fetch("GET", "/v1/gateways"))
            for name in gateways {
                let isUp = links.contains { $0["gateway"]?.text == name && $0["up"]?.isTrue == true }
                if !isUp { return "the gateway \(name) of \(side) is not connected" }
            }
            return nil
        } catch {
            return "the side \(side) does not answer: \(error.sentence)"
        }
    }
}
