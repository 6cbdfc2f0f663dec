internal import Foundation
internal import NIOPosix
internal import Transport

/// Looks at both sides, again and again: how often one said that it orders while the other did. They are asked in turn
/// twice, since no two answers are given at one moment, and a side that was stopped may have one of before in its hands.
struct ServingWatch: Sendable {
    let ports: [Int]

    func run(until progress: LoadProgress) async -> Int {
        let clients = ports.map { DrillClient(port: $0, timeoutMilliseconds: 200) }
        var both = 0
        while !progress.isOver && !Task.isCancelled {
            if await bothOrder(clients), await bothOrder(clients) { both += 1 }
            try? await Task.sleep(for: .milliseconds(15))  // cancelled: looks at once
        }
        for client in clients { await client.close() }
        return both
    }

    private func bothOrder(_ clients: [DrillClient]) async -> Bool {
        for client in clients where await !orders(client) { return false }
        return true
    }

    private func orders(_ client: DrillClient) async -> Bool {
        let state = await client.pairState()
        return state == "isolated-enabled" || state == "paired-enabled"
    }
}

/// Asks both sides for a new reservation every few milliseconds, each question on a connection of its own.
struct OutageProbe: Sendable {
    let ports: [Int]

    static let limitMilliseconds = 10_000
    private static let limit = Duration.milliseconds(limitMilliseconds)

    /// Milliseconds until either acknowledged one, from now on; the limit when neither did.
    func firstAnswer() async -> Int {
        let began = ContinuousClock.now
        let answered = await withTaskGroup(of: ContinuousClock.Instant?.self) { group in
            for port in ports {
                group.addTask {
                    while ContinuousClock.now < began + Self.limit && !Task.isCancelled {
                        if await Self.acknowledges(port, "probe-\(port)-\(UInt64.random(in: 0 ... .max))") {
                            return ContinuousClock.now
                        }
                        try? await Task.sleep(for: .milliseconds(5))  // cancelled: the loop ends
                    }
                    return nil
                }
            }
            for await instant in group {
                if let instant {
                    group.cancelAll()
                    return instant
                }
            }
            return began + Self.limit
        }
        return Int((answered - began) / .milliseconds(1))
    }

    private static func acknowledges(_ port: Int, _ callID: String) async -> Bool {
        let client = HTTPClient(
            host: "127.0.0.1", port: port, group: MultiThreadedEventLoopGroup.singleton, timeoutMilliseconds: 1200)
        let body = #"{"translationRoute":"drill","callID":"\#(callID)","routingClient":"voice-bot","context":{}}"#
        // Whatever keeps it from answering, it did not acknowledge.
        let reply = try? await client.request(
            "POST", "/v1/reservations", headers: [("Content-Type", "application/json")], body: Array(body.utf8))
        await client.close()
        return reply?.status == 201
    }
}
