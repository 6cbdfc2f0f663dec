import ByteCoding
import Foundation
import Logging
import NIOPosix
import Synchronization
import Testing
import Witnesses

@Suite("Every witness driver")
struct WitnessContractTests {
    @Test("in a file keeps the contract", arguments: WitnessContract.all.indices)
    func file(_ index: Int) async throws {
        let witness = try FileUnderTest()
        try await Self.run(index, over: witness)
    }

    @Test("at a witness process keeps the contract", arguments: WitnessContract.all.indices)
    func process(_ index: Int) async throws {
        let witness = try await ProcessUnderTest()
        try await Self.run(index, over: witness)
    }

    static func run(_ index: Int, over witness: any WitnessUnderTest) async throws {
        let requirement = WitnessContract.all[index]
        do {
            try await requirement.run(witness)
        } catch {
            Issue.record("\(requirement.name): \(error)")
        }
        try await witness.end()
    }
}

let somePair = Hash128(high: 0xB0, low: 0x17)

struct FileUnderTest: WitnessUnderTest {
    let folder: TemporaryFolder

    init() throws { folder = try TemporaryFolder() }

    func driver() -> any SeedableWitness { FileWitness(path: folder.path + "/pair.register", pair: somePair) }

    /// There is no process; what counts is in the file.
    func restart() async throws {}

    func end() async throws {}
}

final class ProcessUnderTest: WitnessUnderTest {
    let folder: TemporaryFolder
    private let running: Mutex<(server: WitnessServer, port: Int)>

    static func settings(_ folder: TemporaryFolder, port: Int) -> WitnessServer.Settings {
        WitnessServer.Settings(host: "127.0.0.1", port: port, directory: folder.path + "/registers")
    }

    static func server(_ settings: WitnessServer.Settings) throws -> WitnessServer {
        try WitnessServer(
            settings: settings, group: MultiThreadedEventLoopGroup.singleton,
            logger: Logger(label: "witness", factory: { _ in SwiftLogNoOpLogHandler() }))
    }

    init(change: (inout WitnessServer.Settings) -> Void = { _ in }) async throws {
        folder = try TemporaryFolder()
        var settings = Self.settings(folder, port: 0)
        change(&settings)
        let server = try Self.server(settings)
        running = Mutex((server, try await server.start()))
    }

    var server: WitnessServer { running.withLock { $0.server } }
    var port: Int { running.withLock { $0.port } }

    func driver() -> any SeedableWitness { driver(of: somePair) }

    func driver(of pair: Hash128, timeoutMilliseconds: Int64 = 5_000) -> any SeedableWitness {
        ProcessWitness(
            member: WitnessMember(host: "127.0.0.1", port: port), pair: pair,
            group: MultiThreadedEventLoopGroup.singleton, timeoutMilliseconds: timeoutMilliseconds)
    }

    func restart() async throws {
        await server.stop()
        let server = try Self.server(Self.settings(folder, port: port))
        try await server.start()
        running.withLock { $0.server = server }
    }

    func end() async throws { await server.stop() }
}
