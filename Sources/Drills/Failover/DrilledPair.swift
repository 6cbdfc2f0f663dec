internal import Foundation
internal import Glibc

/// The two sides of an instance and their witness as processes of their own, in a directory of their own.
final class DrilledPair: Sendable {
    enum Member: String, CaseIterable, Sendable {
        case a = "A"
        case b = "B"
        case witness

        var other: Member { self == .a ? .b : .a }
    }

    let home: String
    private let program: String
    private let ports: [Member: Int]
    private let linkPort: Int
    private let processes = ProcessTable()

    /// Running processes by member.
    private actor ProcessTable {
        private var running: [Member: Process] = [:]

        func put(_ process: Process, for member: Member) { running[member] = process }
        func take(_ member: Member) -> Process? { running.removeValue(forKey: member) }
        func identifier(of member: Member) -> pid_t? { running[member]?.processIdentifier }
        func isRunning(_ member: Member) -> Bool { running[member]?.isRunning == true }
    }

    init(program: String, directory: String, number: Int) throws {
        self.program = program
        let name = "baton-failover-\(ProcessInfo.processInfo.processIdentifier)-\(number)"
        home = URL(filePath: directory).resolvingSymlinksInPath().path + "/" + name
        ports = [.a: try SideProcess.freePort(), .b: try SideProcess.freePort(), .witness: try SideProcess.freePort()]
        linkPort = try SideProcess.freePort()
        try FileManager.default.createDirectory(atPath: home, withIntermediateDirectories: true)
        for side in [Member.a, .b] {
            try Data(configuration(of: side).utf8).write(to: URL(filePath: configurationFile(side)))
        }
    }

    func port(_ side: Member) -> Int { ports[side] ?? 0 }

    private func configurationFile(_ side: Member) -> String { "\(home)/\(side.rawValue).yaml" }
    private func dataDirectory(_ side: Member) -> String { "\(home)/data-\(side.rawValue)" }

    /// No entry falls free within a drill: a number that is given out twice was given out wrongly.
    private func configuration(of side: Member) -> String {
        """
        instance: { name: drill, number: 1 }
        side: \(side.rawValue)
        dataDirectory: \(dataDirectory(side))
        http: { host: 127.0.0.1, port: \(port(side)) }
        ecc:
          variables:
            - { name: user.drill, maximumLength: 210 }
        peripherals:
          - { name: drill-acd, defaultRoute: "5000", trunkGroups: [inbound] }
        routingClients:
          - { name: voice-bot, type: NIC, defaultLabel: "5001", labels: ["3055XXXXXX"] }
        translationRoutes:
          - name: drill
            peripheral: drill-acd
            entries:
              - { trunkGroup: inbound, dnis: 600000-689999 }
            labels: { voice-bot: "3055{dnis}" }
            leaseSeconds: 3600
            repeatSeconds: 3600
            quarantineSeconds: 3600
        pair:
          listen: { host: 127.0.0.1, port: \(linkPort) }
          otherSide: { host: 127.0.0.1, port: \(linkPort) }
          witness: { process: { host: 127.0.0.1, port: \(port(.witness)) } }

        """
    }

    // MARK: Life and harm

    func start(_ member: Member) async throws {
        let process = Process()
        process.executableURL = URL(filePath: program)
        switch member {
        case .witness:
            process.arguments = ["witness", "--listen", "127.0.0.1:\(port(.witness))", "--data", "\(home)/witness"]
        case .a, .b: process.arguments = ["run", "--config", configurationFile(member), "--log-level", "notice"]
        }
        process.environment = ProcessInfo.processInfo.environment.filter { !$0.key.hasPrefix("BATON_") }
        let log = "\(home)/\(member.rawValue).log"
        if !FileManager.default.fileExists(atPath: log) { try Data().write(to: URL(filePath: log)) }
        let output = try FileHandle(forWritingTo: URL(filePath: log))
        try output.seekToEnd()
        process.standardOutput = output
        process.standardError = output
        process.standardInput = FileHandle.nullDevice
        try process.run()
        await processes.put(process, for: member)
    }

    /// kill -9, and waits until the process is gone.
    func kill(_ member: Member) async {
        guard let process = await processes.take(member) else { return }
        Glibc.kill(process.processIdentifier, SIGKILL)
        process.waitUntilExit()
    }

    func pause(_ member: Member) async { await signal(member, SIGSTOP) }

    func resume(_ member: Member) async { await signal(member, SIGCONT) }

    private func signal(_ member: Member, _ number: Int32) async {
        if let identifier = await processes.identifier(of: member) { Glibc.kill(identifier, number) }
    }

    /// As a new, empty disk would be.
    func format(_ side: Member) throws { try FileManager.default.removeItem(atPath: dataDirectory(side)) }

    func stopAll() async {
        for member in Member.allCases { await kill(member) }
    }

    func remove() {
        // Left over at worst, in a directory for such things.
        try? FileManager.default.removeItem(atPath: home)
    }

    func lastWords(_ member: Member) -> String {
        guard let data = FileManager.default.contents(atPath: "\(home)/\(member.rawValue).log") else { return "" }
        return String(decoding: data.suffix(1500), as: UTF8.self)
    }

    // MARK: State

    func orderingSide() async -> Member {
        let client = DrillClient(port: port(.b))
        let state = await client.pairState()
        await client.close()
        return state == "paired-enabled" ? .b : .a
    }

    /// Waits until both sides are paired. Throws when that takes too long, with what they said last.
    func waitUntilPaired(within limit: Duration) async throws {
        let clients = [Member.a: DrillClient(port: port(.a)), .b: DrillClient(port: port(.b))]
        let end = ContinuousClock.now + limit
        var states: [Member: String] = [:]
        while ContinuousClock.now < end {
            for (side, client) in clients { states[side] = await client.pairState() ?? "silent" }
            if Set(states.values) == ["paired-enabled", "paired-disabled"] {
                for client in clients.values { await client.close() }
                return
            }
            try await Task.sleep(for: .milliseconds(20))
        }
        throw DrillFault(
            "the sides did not pair within \(limit): A is \(states[.a] ?? ""), B is \(states[.b] ?? "")\n"
                + "A: \(lastWords(.a))\nB: \(lastWords(.b))")
    }
}
