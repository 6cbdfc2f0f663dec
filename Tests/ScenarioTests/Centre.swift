import CallModel
import ConfigurationFiles
import Foundation
import Glibc
import Logging
import NIOPosix
import Node
import Testing
import Transport

/// One instance under test: a real side with its own directory, configuration and sockets, in this process.
final class Centre {
    let name: String
    let directory: String
    let number: Int
    let incrpPort: Int
    private(set) var side: RunningSide
    private var client: HTTPClient

    /// Writes `configuration` (to which instance, listeners and data directory are added) and `scripts`, and starts.
    init(
        _ name: String, number: Int, incrpPort: Int? = nil, customerMapping: String = "[]", configuration: String,
        scripts: [String: String]
    ) async throws {
        self.name = name
        self.number = number
        self.incrpPort = try incrpPort ?? Ports.free()
        directory = try Self.temporaryDirectory()
        try Self.write(
            name, number: number, incrpPort: self.incrpPort, customerMapping: customerMapping, in: directory,
            configuration: configuration, scripts: scripts)
        side = try await Self.start(directory)
        client = HTTPClient(host: "127.0.0.1", port: side.httpPort, group: MultiThreadedEventLoopGroup.singleton)
    }

    static func temporaryDirectory() throws -> String {
        let directory = NSTemporaryDirectory() + "baton-scenario-\(UUID().uuidString)"
        try FileManager.default.createDirectory(atPath: directory + "/scripts", withIntermediateDirectories: true)
        return directory
    }

    static func write(
        _ name: String, number: Int, incrpPort: Int, customerMapping: String = "[]", in directory: String,
        configuration: String, scripts: [String: String]
    ) throws {
        let head = """
            instance: { name: \(name), number: \(number) }
            dataDirectory: data
            http: { host: 127.0.0.1, port: 0 }
            incrpNIC: { host: 127.0.0.1, port: \(incrpPort), customerMapping: \(customerMapping) }
            store: { mapBytes: 1GiB }

            """
        try (head + configuration).write(toFile: directory + "/baton.yaml", atomically: true, encoding: .utf8)
        for (script, text) in scripts {
            try ("script: \(script)\n" + text).write(
                toFile: directory + "/scripts/\(script).yaml", atomically: true, encoding: .utf8)
        }
    }

    private static func start(_ directory: String) async throws -> RunningSide {
        var logger = Logger(label: "test") { _ in SwiftLogNoOpLogHandler() }
        logger.logLevel = .critical
        return try await RunningSide.start(
            try Configuration.load(path: directory + "/baton.yaml", environment: [:]), logger: logger)
    }

    func restart(wasStopped: Bool = false) async throws {
        if !wasStopped { try await stop() }
        side = try await Self.start(directory)
        client = HTTPClient(host: "127.0.0.1", port: side.httpPort, group: MultiThreadedEventLoopGroup.singleton)
    }

    func reload(replacing old: String, with new: String) async throws {
        let path = directory + "/baton.yaml"
        let text = try String(contentsOfFile: path, encoding: .utf8)
        precondition(text.contains(old), "the configuration holds \(old)")
        try text.replacingOccurrences(of: old, with: new).write(toFile: path, atomically: true, encoding: .utf8)
        try await side.reload(try Configuration.load(path: path, environment: [:]))
    }

    func stop() async throws {
        await client.close()
        try await side.stop()
    }

    /// Stops, and takes the directory away with its log of hundreds of mebibytes.
    func end() async throws {
        try await stop()
        try FileManager.default.removeItem(atPath: directory)
    }

    // MARK: Requests

    func post(_ path: String, _ body: [String: Any], headers: [(String, String)] = []) async throws -> Answer {
        try await post(path, text: String(decoding: try JSONSerialization.data(withJSONObject: body), as: UTF8.self))
    }

    func post(_ path: String, text: String, contentType: String = "application/json") async throws -> Answer {
        try await post(path, bytes: Array(text.utf8), contentType: contentType)
    }

    func post(_ path: String, bytes: [UInt8], contentType: String = "application/json") async throws -> Answer {
        Answer(try await client.request("POST", path, headers: [("content-type", contentType)], body: bytes))
    }

    func get(_ path: String) async throws -> Answer { Answer(try await client.request("GET", path)) }

    func delete(_ path: String) async throws -> Answer { Answer(try await client.request("DELETE", path)) }

    func route(
        _ client: String, _ dialedNumber: String, call: String, request: String? = nil, customer: String? = nil,
        nicCallID: String? = nil, deadlineMilliseconds: Int? = nil,
        context: [String: Any] = ["ani": "+4969712300", "variables": ["variable1": "gold"]]
    ) async throws -> Answer {
        var body: [String: Any] = [
            "routingClient": client, "dialedNumber": dialedNumber, "callID": call, "context": context,
        ]
        body["requestID"] = request
        body["customer"] = customer
        body["nicCallID"] = nicCallID
        body["deadlineMilliseconds"] = deadlineMilliseconds
        return try await post("/v1/routes", body)
    }

    func transfer(
        _ dialedNumber: String, call: String, kind: String = "local", postRoute: Bool = true
    ) async throws -> Answer {
        try await post(
            "/v1/transfers",
            [
                "peripheral": "\(name)-acd", "agent": "4711", "dialedNumber": dialedNumber, "callID": call,
                "kind": kind,
                "postRoute": postRoute, "context": ["variables": ["variable1": "gold"]],
            ])
    }

    func reserve(
        _ route: String, call: String, request: String? = nil, client: String? = nil, target: String? = nil,
        context: [String: Any] = ["ced": "1234"]
    ) async throws -> Answer {
        var body: [String: Any] = ["translationRoute": route, "callID": call, "context": context]
        body["requestID"] = request
        body["routingClient"] = client
        body["target"] = target
        return try await post("/v1/reservations", body)
    }

    /// The ACD's lookup when a call has arrived on what `answer` promised.
    func claim(_ answer: Answer, call: String, ani: String? = nil) async throws -> Answer {
        try await claim(dnis: answer.dnis, call: call, ani: ani)
    }

    func claim(dnis: String, call: String, ani: String? = nil) async throws -> Answer {
        var body: [String: Any] = [
            "peripheral": "\(name)-acd", "trunkGroup": "inbound", "dnis": dnis, "callID": call,
        ]
        body["ani"] = ani
        return try await post("/v1/claims", body)
    }

    /// The statuses of claims that are sent at the same time, each on a connection of its own.
    func claimAtOnce(dnis: String, calls: [String]) async throws -> [Int] {
        let port = side.httpPort
        let acd = "\(name)-acd"
        return try await withThrowingTaskGroup(of: Int.self) { group in
            for call in calls {
                group.addTask {
                    let client = HTTPClient(host: "127.0.0.1", port: port, group: MultiThreadedEventLoopGroup.singleton)
                    let path = "/v1/claims?peripheral=\(acd)&trunkGroup=inbound&dnis=\(dnis)&callID=\(call)"
                    let status = try await client.request("GET", path).status
                    await client.close()
                    return status
                }
            }
            return try await group.reduce(into: []) { $0.append($1) }
        }
    }

    /// What happened to a call so far, in order.
    func journey(_ call: String) async throws -> [String] {
        let answer = try await get("/v1/journeys/\(call)")
        return answer.list("events").compactMap { $0["kind"] as? String }
    }

    /// Waits until the journey shows `kind`: lease and quarantine end by the clock of the log.
    func journey(_ call: String, shows kind: String, withinSeconds seconds: Double = 10) async throws -> [String] {
        let end = ContinuousClock.now + .seconds(seconds)
        while true {
            let kinds = try await journey(call)
            if kinds.contains(kind) { return kinds }
            if ContinuousClock.now > end { throw Missing(what: "\(kind) in the journey of \(call): \(kinds)") }
            try await Task.sleep(for: .milliseconds(50))
        }
    }

    func gatewayUp(_ gateway: String) async throws {
        let end = ContinuousClock.now + .seconds(10)
        while ContinuousClock.now < end {
            let up = try await get("/v1/gateways").list("gateways").contains {
                $0["gateway"] as? String == gateway && $0["up"] as? Bool == true
            }
            if up { return }
            try await Task.sleep(for: .milliseconds(20))
        }
        throw Missing(what: "the link of gateway \(gateway)")
    }
}

struct Missing: Error {
    let what: String
}

/// An HTTP answer, read as a person would.
struct Answer {
    let status: Int
    let headers: [(name: String, value: String)]
    let body: [String: Any]
    let text: String

    init(_ reply: HTTPReply) {
        status = reply.status
        headers = reply.headers
        text = String(decoding: reply.body, as: UTF8.self)
        body = (try? JSONSerialization.jsonObject(with: Data(reply.body)) as? [String: Any]) ?? [:]  // not all is JSON
    }

    subscript(_ name: String) -> String { body[name] as? String ?? "" }

    func flag(_ name: String) -> Bool { body[name] as? Bool ?? false }

    func list(_ name: String) -> [[String: Any]] { body[name] as? [[String: Any]] ?? [] }

    func header(_ name: String) -> String? { headers.first { $0.name.lowercased() == name.lowercased() }?.value }

    var label: String { self["label"] }
    var code: String { self["code"] }
    var dialog: String { self["dialog"] }
    var context: [String: Any] { body["context"] as? [String: Any] ?? [:] }
    var variables: [String: String] { context["variables"] as? [String: String] ?? [:] }
    var ecc: [String: Any] { context["ecc"] as? [String: Any] ?? [:] }

    /// Of the reservation behind a route's answer, or of a reservation itself.
    var dnis: String { (body["reservation"] as? [String: Any])?["dnis"] as? String ?? self["dnis"] }
}

/// A port that was free a moment ago.
enum Ports {
    static func free() throws -> Int {
        let listener = socket(AF_INET, Int32(SOCK_STREAM.rawValue), 0)
        defer { close(listener) }
        var address = sockaddr_in()
        address.sin_family = sa_family_t(AF_INET)
        address.sin_addr.s_addr = UInt32(0x7f00_0001).bigEndian
        var length = socklen_t(MemoryLayout<sockaddr_in>.size)
        let bound = withUnsafeMutablePointer(to: &address) {
            $0.withMemoryRebound(to: sockaddr.self, capacity: 1) {
                bind(listener, $0, length) == 0 && getsockname(listener, $0, &length) == 0
            }
        }
        if !bound { throw Missing(what: "a free port") }
        return Int(UInt16(bigEndian: address.sin_port))
    }
}
