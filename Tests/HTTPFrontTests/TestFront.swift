import CallModel
import CallRouter
import Console
import Foundation
import INCRP
import Ledger
import LedgerDouble
import Logging
import PeripheralGateway
import ReplicatedLedger
import ServiceLifecycle
import Synchronization
import Testing

@testable import HTTPFront

/// The whole contract on a real socket, over a ledger in memory and a CallRouter that answers as it is told.
struct TestFront: Sendable {
    let ledger: InMemoryLedger
    let routes: ScriptedRoutes
    let port: Int

    static let token = "s3cret-token"

    /// Runs `body` against a server on a free port, and ends the server.
    static func run(
        entries: Int = 3, token: String? = nil, view: (@Sendable (InMemoryLedger) -> any LedgerService)? = nil,
        services: ServiceCounters = ServiceCounters(),
        logger: Logger = Logger(label: "test") { _ in SwiftLogNoOpLogHandler() },
        _ body: @Sendable (TestFront) async throws -> Void
    ) async throws {
        let configuration = try configuration(entries: entries)
        let ledger = InMemoryLedger(configuration)
        let routes = ScriptedRoutes()
        let rules = DeskRules(limits: configuration.limits, routingClients: [RoutingClientName(unchecked: "carrier")])
        var link = ServerLinkStatus()
        link.up = true
        link.address = "127.0.0.1:40073"
        let status = GatewayStatus(gateway: GatewayName(unchecked: "to-insurance"), link: link)
        let settings = HTTPSettings(port: 0, bearerToken: token)
        let front = HTTPFront(
            routes: routes, desk: ClaimDesk(ledger: ledger) { rules },
            console: Console(ledger: view?(ledger) ?? ledger, services: { services }),
            gateways: { [status] }, settings: settings)
        let (ports, bound) = AsyncStream.makeStream(of: Int.self)
        let server = HTTPServer(router: front.router(), settings: settings, logger: logger) { bound.yield($0) }
        let group = ServiceGroup(configuration: .init(services: [server], logger: logger))
        try await withThrowingTaskGroup(of: Void.self) { tasks in
            tasks.addTask { try await group.run() }
            var iterator = ports.makeAsyncIterator()
            let port = try #require(await iterator.next())
            try await body(TestFront(ledger: ledger, routes: routes, port: port))
            await group.triggerGracefulShutdown()
            try await tasks.waitForAll()
        }
    }

    static func configuration(entries: Int) throws -> LedgerConfiguration {
        let route = TranslationRoute(
            name: TranslationRouteName(unchecked: "advice"), peripheral: PeripheralName(unchecked: "insurance-acd"),
            ranges: [
                try EntryRange(
                    trunkGroup: TrunkGroupName(unchecked: "tg-1"), from: DNIS(unchecked: "8001"),
                    through: DNIS(unchecked: "800\(entries)"))
            ], labels: [RoutingClientName(unchecked: "carrier"): LabelTemplate(prefix: "9555")])
        var limits = ContextLimits()
        limits.declare(
            try ECCDeclaration(name: ECCName(unchecked: "user.account"), maximumLength: 12, sensitivity: .personal))
        limits.declare(
            try ECCDeclaration(name: ECCName(unchecked: "user.card"), maximumLength: 20, sensitivity: .payment))
        limits.declare(try ECCDeclaration(name: ECCName(unchecked: "user.items"), maximumLength: 10, elements: 3))
        return LedgerConfiguration(
            instance: InstanceName(unchecked: "insurance"), routes: [route],
            peripherals: [Peripheral(name: PeripheralName(unchecked: "insurance-acd"), defaultRoute: "7000")],
            limits: limits)
    }

    static let context = """
        {"ani":"+4989123456","ced":"4711","uui":"u-77","variables":{"variable1":"gold","variable10":"ten"},\
        "ecc":{"user.account":"DE44-1","user.card":"4111-1","user.items":["a","b"]}}
        """

    static func reservation(callID: String = "leg-1", extra: String = "") -> String {
        """
        {"translationRoute":"advice","callID":"\(callID)","routingClient":"carrier","target":"skill-car",\
        "context":\(context)\(extra)}
        """
    }

    static func claim(callID: String = "acd-1", dnis: String = "8001") -> String {
        """
        {"peripheral":"insurance-acd","trunkGroup":"tg-1","dnis":"\(dnis)","callID":"\(callID)"}
        """
    }

    func post(_ path: String, _ body: String, headers: [String: String] = [:]) async throws -> RawAnswer {
        try await send("POST", path, headers: headers, body: Array(body.utf8))
    }

    func get(_ path: String, headers: [String: String] = [:]) async throws -> RawAnswer {
        try await send("GET", path, headers: headers, body: nil)
    }

    func delete(_ path: String) async throws -> RawAnswer { try await send("DELETE", path, headers: [:], body: nil) }

    func send(_ method: String, _ path: String, headers: [String: String], body: [UInt8]?) async throws -> RawAnswer {
        var all = ["Host": "127.0.0.1", "Connection": "close"]
        if let body {
            all["Content-Type"] = "application/json"
            all["Content-Length"] = String(body.count)
        }
        all.merge(headers) { _, given in given }
        let head = "\(method) \(path) HTTP/1.1\r\n" + all.map { "\($0.key): \($0.value)\r\n" }.joined() + "\r\n"
        return try RawAnswer(try await exchange(Array(head.utf8) + (body ?? [])))
    }

    /// Sends bytes as they are, and reads until the server closes.
    func exchange(_ bytes: [UInt8]) async throws -> [UInt8] {
        let port = port
        return try await withCheckedThrowingContinuation { continuation in
            // A thread of its own: blocked ones of a pool would be missing to the tasks that answer.
            Thread.detachNewThread {
                continuation.resume(with: Result { try RawSocket.exchange(bytes, port: port) })
            }
        }
    }
}

/// A CallRouter that answers as a test says, and keeps what it was asked.
final class ScriptedRoutes: RouteService {
    struct State {
        var answer: Result<RouteAnswer, RouteRefusal> = .failure(.unavailable(reason: "nothing scripted"))
        var abandoned: Result<AbandonAnswer, RouteRefusal> = .failure(.unavailable(reason: "nothing scripted"))
        var routes: [RouteRequest] = []
        var transfers: [TransferRequest] = []
    }

    private let state = Mutex(State())

    var routed: [RouteRequest] { state.withLock { $0.routes } }
    var transferred: [TransferRequest] { state.withLock { $0.transfers } }

    func answer(with answer: Result<RouteAnswer, RouteRefusal>) { state.withLock { $0.answer = answer } }
    func abandon(with answer: Result<AbandonAnswer, RouteRefusal>) { state.withLock { $0.abandoned = answer } }

    func route(_ request: RouteRequest) async throws(RouteRefusal) -> RouteAnswer {
        try state.withLock { state in
            state.routes.append(request)
            return state.answer
        }.get()
    }

    func transfer(_ request: TransferRequest) async throws(RouteRefusal) -> RouteAnswer {
        try state.withLock { state in
            state.transfers.append(request)
            return state.answer
        }.get()
    }

    func abandon(_ dialog: DialogID) async throws(RouteRefusal) -> AbandonAnswer {
        try state.withLock { $0.abandoned }.get()
    }
}

/// A ledger whose side does not serve.
struct NotServing: LedgerService {
    let base: InMemoryLedger
    let why: String

    func submit(
        _ record: Record, deadlineMilliseconds: UInt32,
        reply: @escaping @Sendable (Result<LedgerAnswer, LedgerRefusal>) -> Void
    ) { reply(.failure(.unavailable(reason: why))) }

    func order(_ order: PairOrder) async throws(LedgerRefusal) { throw .unavailable(reason: why) }

    func read<Value: Sendable>(
        _ body: @escaping @Sendable (any LedgerView) -> Value
    ) async throws(LedgerRefusal) -> Value {
        throw .unavailable(reason: why)
    }
}
