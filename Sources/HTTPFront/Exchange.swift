internal import CallModel
internal import Console
internal import PeripheralGateway
internal import StrictJSON

/// A request as the endpoints see it, free of any server's types.
struct Exchange: Sendable {
    /// Of the path, percent-decoded.
    var parameters: [String: String] = [:]
    /// As it came, not decoded.
    var query: String?
    /// Empty unless the endpoint takes one.
    var body: [UInt8] = []
    /// A bearer token is configured, and the caller has it.
    var hasToken = false

    /// No body that is known has more than four.
    private static let mostLevels = 16

    func document() throws(Problem) -> JSONValue {
        do {
            return try JSONValue(parsing: body, called: "the body", mostLevels: Self.mostLevels)
        } catch {
            throw Problem(error)
        }
    }

    func parameter<Value>(_ name: String, _ parse: (String) throws(FieldFault) -> Value) throws(Problem) -> Value {
        let text = parameters[name] ?? ""
        return try Problem.catching { () throws(FieldFault) in try parse(text) }
    }
}

struct Reply: Sendable {
    var status = 200
    var contentType = "application/json"
    var headers: [(name: String, value: String)] = []
    var body: [UInt8]

    init(_ problem: Problem) {
        status = problem.status
        contentType = Problem.contentType
        body = problem.body.bytes
        if let seconds = problem.retryAfterSeconds { headers.append(("Retry-After", String(seconds))) }
        if let allowed = problem.allowed { headers.append(("Allow", allowed.joined(separator: ", "))) }
        if problem.status == 401 { headers.append(("WWW-Authenticate", "Bearer realm=\"baton\"")) }
    }

    init(text: String, contentType: String, status: Int = 200) {
        self.status = status
        self.contentType = contentType
        body = Array(text.utf8)
    }

    private init(status: Int, body: [UInt8]) {
        self.status = status
        self.body = body
    }

    static func json(_ value: some Encodable, status: Int = 200) throws(Problem) -> Reply {
        do {
            return Reply(status: status, body: try OrderedEncoder.encode(value).bytes)
        } catch {
            throw Problem(.unavailable, "the answer could not be written: \(error)", status: 500)
        }
    }
}

/// One method of one path of the contract.
struct Endpoint: Sendable {
    enum Method: String, Sendable, CaseIterable {
        case get = "GET"
        case post = "POST"
        case delete = "DELETE"
    }

    let method: Method
    /// As in the OpenAPI description: `/v1/dialogs/{id}`.
    let path: String
    let takesBody: Bool
    let respond: @Sendable (Exchange) async throws(Problem) -> Reply

    init(_ method: Method, _ path: String, respond: @escaping @Sendable (Exchange) async throws(Problem) -> Reply) {
        self.method = method
        self.path = path
        takesBody = method == .post
        self.respond = respond
    }

    /// `{id}` written as the server's router wants it.
    var routerPath: String {
        path.split(separator: "/", omittingEmptySubsequences: false)
            .map { $0.hasPrefix("{") ? ":" + $0.dropFirst().dropLast() : String($0) }
            .joined(separator: "/")
    }

    var parameterNames: [String] {
        path.split(separator: "/").filter { $0.hasPrefix("{") }.map { String($0.dropFirst().dropLast()) }
    }

    /// True when a request for `path` is meant for this endpoint, whatever its method.
    func matches(_ path: String) -> Bool {
        let wanted = self.path.split(separator: "/")
        let given = path.split(separator: "/")
        return wanted.count == given.count && zip(wanted, given).allSatisfy { $0.hasPrefix("{") || $0 == $1 }
    }
}
