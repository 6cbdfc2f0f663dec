internal import Foundation
internal import NIOPosix
internal import Transport

/// One connection to the drilled side, in the words of the HTTP contract.
struct DrillClient: Sendable {
    enum Answer<Value: Sendable>: Sendable {
        case value(Value)
        /// The problem's code, for example `stray`.
        case refused(String)
        /// No answer, or one that says the outcome is not known: it may have happened or not.
        case unknown(String)
    }

    struct Reservation: Decodable, Hashable, Sendable {
        let id: String
        let trunkGroup: String
        let dnis: String
    }

    struct Claim: Decodable, Hashable, Sendable {
        let outcome: String
        let `repeat`: Bool
        let context: DrillContext
    }

    struct Release: Decodable, Hashable, Sendable {
        let released: Bool
    }

    private struct Problem: Decodable {
        let code: String
    }

    private let client: HTTPClient

    init(port: Int, timeoutMilliseconds: Int64 = 5000) {
        // The process's own group: it lives as long as the program.
        client = HTTPClient(
            host: "127.0.0.1", port: port, group: MultiThreadedEventLoopGroup.singleton,
            timeoutMilliseconds: timeoutMilliseconds)
    }

    private struct Pair: Decodable {
        struct Side: Decodable { let state: String }
        let sides: [Side]
    }

    /// What the side says of its part in the pair; nil while it does not answer.
    func pairState() async -> String? {
        // Whatever keeps it from answering, it says nothing.
        guard let reply = try? await client.request("GET", "/v1/pair"), reply.status == 200 else { return nil }
        return (try? JSONDecoder().decode(Pair.self, from: Data(reply.body)))?.sides.first?.state
    }

    /// Orders the planned switch; nil when it was done, else why not.
    func switchSides() async -> String? {
        do {
            let reply = try await client.request(
                "POST", "/v1/pair", headers: [("Content-Type", "application/json")],
                body: Array(#"{"order":"switch"}"#.utf8))
            return reply.status == 200 ? nil : String(decoding: reply.body, as: UTF8.self)
        } catch {
            return "\(error)"
        }
    }

    func close() async { await client.close() }

    func isReady() async -> Bool {
        // Whatever keeps it from answering, it is not ready.
        (try? await client.request("GET", "/readyz"))?.status == 200
    }

    func reserve(_ ticket: Int, run: String, _ context: DrillContext) async -> Answer<Reservation> {
        let body = """
            {"translationRoute":"drill","callID":"\(run)-\(ticket)","routingClient":"voice-bot","context":\(context.json)}
            """
        return await ask("POST", "/v1/reservations", body)
    }

    func claim(_ reservation: Reservation, callID: String) async -> Answer<Claim> {
        let query =
            "?peripheral=drill-acd&trunkGroup=\(reservation.trunkGroup)&dnis=\(reservation.dnis)&callID=\(callID)"
        return await ask("GET", "/v1/claims" + query)
    }

    func release(_ reservation: Reservation) async -> Answer<Release> {
        await ask("DELETE", "/v1/reservations/\(reservation.id)")
    }

    private func ask<Value: Decodable & Sendable>(
        _ method: String, _ path: String, _ body: String? = nil
    ) async -> Answer<Value> {
        let reply: HTTPReply
        do {
            reply = try await client.request(
                method, path, headers: [("Content-Type", "application/json")], body: body.map { Array($0.utf8) } ?? [])
        } catch {
            return .unknown("\(error)")
        }
        let content = Data(reply.body)
        do {
            if (200..<300).contains(reply.status) {
                return .value(try JSONDecoder().decode(Value.self, from: content))
            }
            let code = try JSONDecoder().decode(Problem.self, from: content).code
            return code == "unavailable" || code == "busy" ? .unknown(code) : .refused(code)
        } catch {
            return .refused("an answer of HTTP \(reply.status) that cannot be read: \(error)")
        }
    }
}

/// A context that is drawn anew, the same each time, from a drill's seed and a ticket's number.
struct DrillContext: Codable, Hashable, Sendable {
    let ani: String
    let ced: String
    let uui: String
    let variables: [String: String]
    let ecc: [String: String]

    init(ticket: Int, seed: UInt64) {
        var generator = SeededGenerator(seed: seed &+ UInt64(ticket) &* 0x1_0000_01B3)
        func text(_ most: Int) -> String {
            let letters = Array("abcdefghijklmnopqrstuvwxyz0123456789")
            let count = Int.random(in: 1...most, using: &generator)
            return String((0..<count).map { _ in letters[Int.random(in: 0..<letters.count, using: &generator)] })
        }
        ani = "+49\(1_000_000_000 + ticket)"
        ced = "\(ticket)"
        uui = text(100)
        var variables: [String: String] = [:]
        for number in 1...10 { variables["variable\(number)"] = text(40) }
        self.variables = variables
        ecc = ["user.drill": text(200)]
    }

    /// Letters and digits only: nothing is to be escaped.
    var json: String {
        func object(_ fields: [String: String]) -> String {
            "{" + fields.sorted { $0.key < $1.key }.map { "\"\($0.key)\":\"\($0.value)\"" }.joined(separator: ",") + "}"
        }
        return """
            {"ani":"\(ani)","ced":"\(ced)","uui":"\(uui)","variables":\(object(variables)),"ecc":\(object(ecc))}
            """
    }
}
