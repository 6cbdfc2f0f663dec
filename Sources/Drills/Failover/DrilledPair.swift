internal import Foundation
internal import Glibc
internal import WriteAheadLog

/// The two sides of an instance and their witness as processes of their own, in a directory of their own. The private
/// link and each side's way to the witness are cables that can be cut; clients reach both sides all the time, so that a
/// side that is cut off must know by itself that it may not serve.
final class DrilledPair: Sendable {
    enum Member: String, CaseIterable, Sendable {
        case a = "A"
        case b = "B"
        case witness

        static let sides = [Member.a, .b]

        var other: Member { self == .a ? .b : .a }
    }

    let home: String
    private let program: String
    private let ports: [Member: Int]
    private let linkPort: Int
    private let link: Cable
    private let toWitness: [Member: Cable]
    private let processes = ProcessTable()

    /// Running processes by member.
    private actor ProcessTable {
        private var running: [Member: Process] = [:]

        func put(_ process: Process, for member: Member) { running[member] = process }
        func take(_ member: Member) -> Process? { running.removeValue(forKey: member) }
        func identifier(of member: Member) -> pid_t? { running[member]?.processIdentifier }
        func isRunning(_ member: Member) -> Bool { running[member]?.isRunning == true }
    }

    init(program: String, directory: String, number: Int) async throws {
        self.program = program
        let name = "baton-failover-\(ProcessInfo.processInfo.processIdentifier)-\(number)"
        home = URL(filePath: directory).resolvingSymlinksInPath().path + "/" + name
        var ports: [Member: Int] = [:]
        for member in Member.allCases { ports[member] = try SideProcess.freePort() }
        self.ports = ports
        linkPort = try SideProcess.freePort()
        link = try await Cable.laid(to: linkPort)
        var toWitness: [Member: Cable] = [:]
        for side in Member.sides {
            toWitness[side] = try await Cable.laid(to: ports[.witness] ?? 0)
        }
        self.toWitness = toWitness
        try FileManager.default.createDirectory(atPath: home, withIntermediateDirectories: true)
        for side in Member.sides {
            try Data(configuration(of: side).utf8).write(to: URL(filePath: configurationFile(side)))
        }
    }

    func port(_ side: Member) -> Int { ports[side] ?? 0 }

    private func configurationFile(_ side: Member) -> String { "\(home)/\(side.rawValue).yaml" }
    private func dataDirectory(_ side: Member) -> String { "\(home)/data-\(side.rawValue)" }
    private func logDirectory(_ side: Member) -> String { dataDirectory(side) + "/log" }

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
          otherSide: { host: 127.0.0.1, port: \(link.port) }
          witness: { process: { host: 127.0.0.1, port: \(toWitness[side]?.port ?? 0) } }

        """
    }

    // MARK: Life and harm

    func start(_ member: Member) async throws {
        let process = Process()
        process.executableURL = URL(filePath: program)
        switch member {
        case .witness:
            process.arguments = [
                "witness", "--listen", "127.0.0.1:\(port(member))", "--data", "\(home)/\(member.rawValue)",
            ]
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

    /// In the beginning all of it.
    func startWhatIsDown() async throws {
        for member in [Member.witness, .a, .b] where await !processes.isRunning(member) { try await start(member) }
    }

    func stopAll() async {
        for member in Member.allCases { await kill(member) }
        await link.remove()
        for cable in toWitness.values { await cable.remove() }
    }

    func cutLink() async { await link.cut() }

    /// Neither the other side nor the witness is reached any more.
    func cutOff(_ side: Member) async {
        await link.cut()
        await toWitness[side]?.cut()
    }

    func mendCables() async {
        await link.mend()
        for cable in toWitness.values { await cable.mend() }
    }

    /// What a program leaves in a stopped side that acknowledges before its disk has a batch: the last ones are missing.
    func loseTail(_ side: Member) throws {
        let files = LogFiles(directory: logDirectory(side))
        guard let newest = try files.segments().last else {
            throw DrillFault("side \(side.rawValue) has no log whose end could be lost")
        }
        let path = files.path(newest.file)
        let end = try LogFiles.endOfBytes(path)
        let lost = min(end - LogFormat.blockBytes, Self.lostBytes)
        let file = try FileHandle(forUpdating: URL(filePath: path))
        try file.seek(toOffset: UInt64(end - lost))
        try file.write(contentsOf: Data(count: lost))
        try file.close()
    }

    private static let lostBytes = 64 << 10

    /// The files that hold what the side promised, by name.
    func superblocks(of side: Member) throws -> [String: Data] {
        let folder = URL(filePath: logDirectory(side))
        var files: [String: Data] = [:]
        for name in SuperblockStore<PosixDisk>.files {
            files[name] = try Data(contentsOf: folder.appending(path: name))
        }
        return files
    }

    func put(_ superblocks: [String: Data], into side: Member) throws {
        let folder = URL(filePath: logDirectory(side))
        for (name, bytes) in superblocks { try bytes.write(to: folder.appending(path: name)) }
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
        return state == "paired-enabled" || state == "isolated-enabled" ? .b : .a
    }

    /// The planned switch, as an operator orders it.
    func switchSides(from ordering: Member) async throws {
        let client = DrillClient(port: port(ordering))
        let refusal = await client.switchSides()
        await client.close()
        if let refusal { throw DrillFault("side \(ordering.rawValue) did not hand over: \(refusal)") }
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
