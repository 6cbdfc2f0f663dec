internal import HTTPTypes
internal import Hummingbird
internal import HummingbirdCore
internal import Logging
internal import NIOCore
internal import PeripheralGateway

/// Puts the endpoints on a Hummingbird router: reads bodies, checks the token, turns problems into answers, and
/// writes one debug line a request.
struct FrontRouter: Sendable {
    let endpoints: [Endpoint]
    let token: BearerToken?
    let refusals: RefusalCounters

    /// The largest body that is taken.
    static let mostBodyBytes = 64 * 1024

    func router() -> Router<BasicRequestContext> {
        let router = Router(context: BasicRequestContext.self)
        router.add(middleware: FrontGate(endpoints: endpoints, token: token, refusals: refusals))
        for endpoint in endpoints {
            router.on(RouterPath(endpoint.routerPath), method: endpoint.method.http) { request, context in
                // By the endpoint, not by how its path was written (`//v1/claims` is the same).
                if endpoint.path.hasPrefix("/v1/") { try BearerToken.check(request, against: token) }
                return try await Self.answer(endpoint, request, context, hasToken: token != nil)
            }
        }
        return router
    }

    private static func answer(
        _ endpoint: Endpoint, _ request: Request, _ context: BasicRequestContext, hasToken: Bool
    ) async throws -> Response {
        var exchange = Exchange(query: request.uri.query, hasToken: hasToken)
        for name in endpoint.parameterNames {
            guard let text = QueryReader.percentDecoded(context.parameters.get(name) ?? "") else {
                throw Problem(.syntax, "\(name) in the path is not percent-encoded UTF-8", field: name)
            }
            exchange.parameters[name] = text
        }
        if endpoint.takesBody { exchange.body = try await body(of: request) }
        return Response(try await endpoint.respond(exchange))
    }

    private static func body(of request: Request) async throws -> [UInt8] {
        let type = request.headers[.contentType] ?? ""
        let mediaType = type.split(separator: ";").first.map { $0.filter { $0 != " " }.lowercased() }
        guard mediaType == "application/json" else {
            throw Problem(
                .refused,
                type.isEmpty ? "Content-Type is missing; send application/json" : "the body must be application/json",
                status: 415, field: "Content-Type")
        }
        let tooLarge = Problem(
            .limit, "the body is over the limit of \(mostBodyBytes) bytes", status: 413, field: "body",
            limit: mostBodyBytes)
        if let length = request.headers[.contentLength].flatMap({ Int($0) }), length > mostBodyBytes { throw tooLarge }
        do {
            return Array(try await request.body.collect(upTo: mostBodyBytes).readableBytesView)
        } catch is NIOTooManyBytesError {
            throw tooLarge
        }
    }
}

/// The shared secret of `/v1/*`, from a file that the configuration names.
struct BearerToken: Sendable {
    private let bytes: [UInt8]

    init(_ text: String) { bytes = Array(text.utf8) }

    /// Nothing is needed when no token is configured.
    fileprivate static func check(_ request: Request, against token: BearerToken?) throws(Problem) {
        guard let token, !token.matches(header: request.headers[.authorization]) else { return }
        throw Problem(.refused, "a valid bearer token is needed", status: 401)
    }

    /// Takes the same time whatever part of the token is right.
    func matches(header: String?) -> Bool {
        let scheme = "bearer "
        guard let header, header.count > scheme.count, header.prefix(scheme.count).lowercased() == scheme else {
            return false
        }
        let given = Array(header.utf8.dropFirst(scheme.utf8.count))
        var difference = UInt8(given.count == bytes.count ? 0 : 1)
        for (index, byte) in bytes.enumerated() { difference |= byte ^ (index < given.count ? given[index] : ~byte) }
        return difference == 0
    }
}

/// Around every request, known path or not.
private struct FrontGate: RouterMiddleware {
    typealias Context = BasicRequestContext

    let endpoints: [Endpoint]
    let token: BearerToken?
    let refusals: RefusalCounters

    func handle(
        _ request: Request, context: Context, next: (Request, Context) async throws -> Response
    ) async throws -> Response {
        let start = ContinuousClock.now
        var response: Response
        do {
            response = try await next(request, context)
        } catch let problem as Problem {
            response = refuse(problem)
        } catch let error as HTTPError where error.status == .notFound {
            response = refuse(unknownPath(request))
        }
        // Contexts are personal, and every answer is of its moment.
        response.headers[.cacheControl] = "no-store"
        let microseconds = (ContinuousClock.now - start) / .microseconds(1)
        context.logger.debug(
            "request",
            metadata: [
                "method": "\(request.method.rawValue)", "path": "\(request.uri.path.prefix(200))",
                "status": "\(response.status.code)", "microseconds": "\(Int(microseconds))",
            ])
        return response
    }

    private func refuse(_ problem: Problem) -> Response {
        refusals.count(problem.code)
        return Response(Reply(problem))
    }

    private func unknownPath(_ request: Request) -> Problem {
        // What there is under /v1 is not told to everybody.
        if request.uri.path.split(separator: "/").first == "v1" {
            do {
                try BearerToken.check(request, against: token)
            } catch {
                return error
            }
        }
        let allowed = endpoints.filter { $0.matches(request.uri.path) }.map(\.method.rawValue)
        guard !allowed.isEmpty else {
            return Problem(.unknown, "there is no such path", field: "path")
        }
        var problem = Problem(
            .refused, "\(request.method.rawValue) is not allowed here; \(allowed.joined(separator: ", ")) is",
            status: 405)
        problem.allowed = allowed
        return problem
    }
}

extension Endpoint.Method {
    fileprivate var http: HTTPRequest.Method {
        switch self {
        case .get: .get
        case .post: .post
        case .delete: .delete
        }
    }
}

extension Response {
    fileprivate init(_ reply: Reply) {
        var headers = HTTPFields()
        headers[.contentType] = reply.contentType
        for (name, value) in reply.headers {
            if let name = HTTPField.Name(name) { headers[name] = value }
        }
        self.init(
            status: HTTPResponse.Status(code: reply.status), headers: headers,
            body: ResponseBody(byteBuffer: ByteBuffer(bytes: reply.body)))
    }
}
