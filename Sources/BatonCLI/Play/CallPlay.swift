internal import CallModel

/// What came of one sample call.
package struct CallResult: Sendable {
    package let call: SampleCall
    package var label: String?
    package var source: String?
    package var callKey: String?
    package var claimed = false
    /// A context that the file says is claimed could not be.
    package var lost = false
    /// What was other than the file's.
    package var faults: [String] = []
    package var routeMicroseconds: UInt64?
    package var claimMicroseconds: UInt64?

    package init(call: SampleCall) { self.call = call }
}

/// Plays one sample call: asks, is the network that carries the call to where its label leads, and the ACD that
/// claims there. Everything that is other than the file says is written down, nothing is thrown.
struct CallPlay {
    private let call: SampleCall
    private let callID: String
    private let clients: [String: any SideClient]
    private var answers: [JSONValue] = []
    private var lastClaim: JSONValue?
    private(set) var result: CallResult

    init(_ call: SampleCall, run: String, clients: [String: any SideClient]) {
        self.call = call
        callID = "\(call.name)-\(run)"
        self.clients = clients
        result = CallResult(call: call)
    }

    mutating func play() async {
        do {
            try await ask()
            for step in call.steps { try await take(step) }
        } catch let failure as CommandFailure {
            result.faults.append(failure.sentence)
        } catch {
            result.faults.append("\(error)")
        }
        if call.expectsClaim, !result.claimed, result.label != nil { result.lost = true }
    }

    // MARK: asking

    private func client(of side: String) throws(CommandFailure) -> any SideClient {
        guard let client = clients[side] else { throw CommandFailure(.usage, "there is no side \"\(side)\"") }
        return client
    }

    private func request(context: CallContext, requestID: String? = nil) -> (path: String, body: JSONValue) {
        let context = ContextJSON.value(of: context)
        let requestID = requestID.map { JSONValue.string($0) }
        switch call.ask {
        case .route:
            return (
                "/v1/routes",
                .object(
                    ("routingClient", .string(call.client)), ("dialedNumber", .string(call.number)),
                    ("callID", .string(callID)), ("requestID", requestID),
                    ("customer", call.customer.map { .string($0) }),
                    ("nicCallID", call.nicCallID.map { .string($0) }), ("context", context))
            )
        case .transferLocal, .transferNetwork, .transferWithoutFlag:
            return (
                "/v1/transfers",
                .object(
                    ("peripheral", .string(call.client)), ("agent", "agent-12"), ("dialedNumber", .string(call.number)),
                    ("callID", .string(callID)), ("kind", call.ask == .transferNetwork ? "network" : "local"),
                    ("postRoute", .bool(call.ask != .transferWithoutFlag)), ("context", context))
            )
        case .reserve:
            return (
                "/v1/reservations",
                .object(
                    ("translationRoute", .string(call.number)), ("callID", .string(callID)), ("requestID", requestID),
                    ("routingClient", call.client.isEmpty ? nil : .string(call.client)),
                    ("target", call.target.map { .string($0) }), ("context", context))
            )
        }
    }

    private mutating func ask(requestID: String? = nil) async throws(CommandFailure) {
        let (path, body) = request(context: call.context, requestID: requestID)
        let clock = ContinuousClock()
        let start = clock.now
        let answer = try await client(of: call.side).ask("POST", path, body: body)
        if result.routeMicroseconds == nil {
            result.routeMicroseconds = start.duration(to: clock.now).wholeMicroseconds
        }
        switch call.expectation {
        case .refusal(let code):
            expect(answer.succeeded ? "an answer" : Problem(answer).code, code, "the refusal's code")
            if !answer.succeeded { result.source = "refused: \(Problem(answer).code)" }
        case .label(let pattern, let type, let source):
            guard answer.succeeded else {
                result.faults.append("no label but " + Problem(answer).sentence)
                return
            }
            let body = try parsed(answer)
            answers.append(body)
            check(body, pattern: pattern, type: type, source: source)
        }
    }

    private mutating func check(_ answer: JSONValue, pattern: String, type: String, source: String) {
        let label = answer["label"]?.text ?? ""
        result.label = label
        result.callKey = answer["callKey"]?.text
        if !SampleCall.matches(pattern, label) { result.faults.append("the label is \"\(label)\", not \(pattern)") }
        guard call.ask != .reserve else { return }
        result.source = answer["source"]?.text
        expect(answer["labelType"]?.text, type, "the label's type")
        expect(answer["source"]?.text, source, "the label's source")
        check(context: answer["context"], "the answer's context")
    }

    // MARK: steps

    private mutating func take(_ step: SampleCall.Step) async throws {
        switch step {
        case .wait(let milliseconds): try await ContinuousClock().sleep(for: .milliseconds(milliseconds))
        case .claim: try await claim(outcome: "claimed")
        case .claimByGET: try await claim(outcome: "claimed", get: true)
        case .claimFirst: try await claim(outcome: "claimed", answer: 0, suffix: "in-first")
        case .late: try await claim(outcome: "late")
        case .again:
            let first = lastClaim
            try await claim(outcome: lastClaim?["outcome"]?.text ?? "claimed", repeated: true)
            expect(lastClaim?["callKey"]?.text, first?["callKey"]?.text, "the repeated claim's call key")
        case .stray: try await stray(suffix: "in")
        case .other: try await stray(suffix: "other")
        case .foreign: try await stray(suffix: "foreign", ani: "+15550000000")
        case .hangup: try await leave("/v1/dialogs/", answers.last?["dialog"]?.text)
        case .release: try await leave("/v1/reservations/", answers.last?["id"]?.text)
        case .repeatRequest: try await repeatRequest()
        case .conflict: try await conflict()
        case .reroute:
            let first = result.label
            try await ask(requestID: callID + "-2")
            if result.label == first { result.faults.append("routed again it got the same label") }
        }
    }

    private mutating func claim(
        outcome: String, answer chosen: Int? = nil, suffix: String = "in", get: Bool = false, repeated: Bool = false
    ) async throws(CommandFailure) {
        let index = chosen ?? answers.count - 1
        let clock = ContinuousClock()
        let start = clock.now
        let answer = try await claimAnswer(
            of: index, suffix: suffix, ani: call.context.ani, get: get)
        if result.claimMicroseconds == nil {
            result.claimMicroseconds = start.duration(to: clock.now).wholeMicroseconds
        }
        guard answer.succeeded else {
            result.lost = true
            result.faults.append("not claimed but " + Problem(answer).sentence)
            return
        }
        let body = try parsed(answer)
        lastClaim = body
        result.claimed = true
        expect(body["outcome"]?.text, outcome, "the claim's outcome")
        expect(body["repeat"]?.isTrue == true ? "true" : "false", repeated ? "true" : "false", "the claim's repeat")
        expect(body["callKey"]?.text, answers[index]["callKey"]?.text, "the claim's call key")
        expect(body["target"]?.text, call.target, "the claim's target")
        check(context: body["context"], "the claimed context")
    }

    private mutating func stray(suffix: String, ani: String? = nil) async throws(CommandFailure) {
        let answer = try await claimAnswer(of: answers.count - 1, suffix: suffix, ani: ani ?? call.context.ani)
        if answer.succeeded {
            result.faults.append("a claim that must be a stray was served")
        } else {
            expect(Problem(answer).code, "stray", "the claim's refusal")
        }
    }

    private func claimAnswer(
        of index: Int, suffix: String, ani: String?, get: Bool = false
    ) async throws(CommandFailure) -> SideAnswer {
        guard let destination = call.destination, answers.indices.contains(index) else {
            throw CommandFailure(.failed, "there is no label to arrive by")
        }
        let answer = answers[index]
        let dnis = String((answer["label"]?.text ?? "").suffix(destination.digits))
        // The answer names the key too; the network's way there must be the same.
        let key = [destination.peripheral, destination.trunkGroup, dnis]
        let told = call.ask == .reserve ? answer : answer["reservation"]
        if let told, ["peripheral", "trunkGroup", "dnis"].map({ told[$0]?.text ?? "" }) != key {
            throw CommandFailure(.failed, "the answer's reservation is not at \(key.joined(separator: "/"))")
        }
        var members = Array(zip(["peripheral", "trunkGroup", "dnis", "callID"], key + ["\(callID)-\(suffix)"]))
        if let ani { members.append(("ani", ani)) }
        let client = try client(of: destination.side)
        if get {
            let query = members.map { "\($0)=\(percentEncoded($1))" }.joined(separator: "&")
            return try await client.ask("GET", "/v1/claims?" + query)
        }
        return try await client.ask("POST", "/v1/claims", body: .object(members.map { JSONMember($0, .string($1)) }))
    }

    private mutating func leave(_ path: String, _ id: String?) async throws(CommandFailure) {
        guard let id else { throw CommandFailure(.failed, "the answer names nothing to give up") }
        let answer = try await client(of: call.side).ask("DELETE", path + percentEncoded(id))
        if !answer.succeeded { result.faults.append("giving up \(id): " + Problem(answer).sentence) }
    }

    private mutating func repeatRequest() async throws(CommandFailure) {
        let (path, body) = request(context: call.context)
        let answer = try await client(of: call.side).fetch("POST", path, body: body)
        expect(answer["repeat"]?.text, "true", "the repeated answer's repeat")
        expect(answer["label"]?.text, result.label, "the repeated answer's label")
        expect(answer["callKey"]?.text, result.callKey, "the repeated answer's call key")
    }

    private mutating func conflict() async throws(CommandFailure) {
        var other = call.context
        other.ced = "0000"
        let (path, body) = request(context: other)
        let answer = try await client(of: call.side).ask("POST", path, body: body)
        expect(answer.succeeded ? "an answer" : Problem(answer).code, "conflict", "the refusal of other content")
    }

    // MARK: comparing

    private func parsed(_ answer: SideAnswer) throws(CommandFailure) -> JSONValue {
        do { return try JSONValue(parsing: answer.body) } catch {
            throw CommandFailure(.failed, "the answer is \(error)")
        }
    }

    private mutating func expect(_ found: String?, _ wanted: String?, _ what: String) {
        if found != wanted { result.faults.append("\(what) is \(found ?? "absent"), not \(wanted ?? "absent")") }
    }

    private mutating func check(context found: JSONValue?, _ what: String) {
        do {
            let context = try ContextJSON.context(from: found ?? .object([]))
            if context == call.expectedContext { return }
            let wanted = ContextJSON.value(of: call.expectedContext).compact
            result.faults.append("\(what) is \(ContextJSON.value(of: context).compact), not \(wanted)")
        } catch {
            result.faults.append("\(what) cannot be read: \(error)")
        }
    }
}
