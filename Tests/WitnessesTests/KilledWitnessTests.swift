import Foundation
import Glibc
import NIOPosix
import Synchronization
import Testing
import Witnesses

/// One run of the program `baton witness`, which stands beside this test's own program.
final class WitnessProcess: Sendable {
    let port: Int
    private let process: Mutex<Process>

    static func program() throws -> URL {
        let own = try FileManager.default.destinationOfSymbolicLink(atPath: "/proc/self/exe")
        let program = URL(filePath: own).deletingLastPathComponent().appending(path: "baton")
        try #require(FileManager.default.isExecutableFile(atPath: program.path), "\(program.path) is not built")
        return program
    }

    /// Waits for its line that it listens.
    init(data: String, port: Int = 0) throws {
        let process = Process()
        process.executableURL = try Self.program()
        process.arguments = ["witness", "--listen", "127.0.0.1:\(port)", "--data", data]
        let log = Pipe()
        process.standardError = log
        try process.run()
        var said = ""
        while !said.contains("registers in") {
            let part = log.fileHandleForReading.availableData
            try #require(!part.isEmpty, "it ended with: \(said)")
            said += String(decoding: part, as: UTF8.self)
        }
        let match = try #require(said.firstMatch(of: /listening on 127\.0\.0\.1 port ([0-9]+)/))
        self.port = try #require(Int(match.1))
        self.process = Mutex(process)
        // What else it says is nobody's: read on, so that it never waits for us.
        log.fileHandleForReading.readabilityHandler = { handle in
            if handle.availableData.isEmpty { handle.readabilityHandler = nil }
        }
    }

    func end(_ signal: CInt) -> CInt {
        process.withLock { process in
            kill(process.processIdentifier, signal)
            process.waitUntilExit()
            return process.terminationStatus
        }
    }
}

@Suite("A witness process that is killed")
struct KilledWitnessTests {
    private func driver(_ witness: WitnessProcess) -> ProcessWitness {
        ProcessWitness(
            member: WitnessMember(host: "127.0.0.1", port: witness.port), pair: somePair,
            group: MultiThreadedEventLoopGroup.singleton, timeoutMilliseconds: 5_000)
    }

    private func attempt(
        _ driver: ProcessWitness, _ old: [UInt8], _ new: [UInt8]
    ) async -> Result<SwapOutcome, WitnessFault> {
        do {
            return .success(try await driver.swap(expected: old, value: new))
        } catch {
            return .failure(error)
        }
    }

    private func bytes(_ number: UInt64) -> [UInt8] { withUnsafeBytes(of: number.bigEndian) { Array($0) } }

    @Test("kill -9 in the middle of swaps loses no acknowledged one, and invents none", arguments: 1...12)
    func killed(round: Int) async throws {
        let folder = try TemporaryFolder()
        var witness = try WitnessProcess(data: folder.path + "/registers")
        var acknowledged: UInt64 = 0
        for life in 1...3 {
            // Some swaps in peace first, then one under which the process dies at another moment each time.
            let driver = driver(witness)
            for _ in 0..<(round + life) {
                let old = acknowledged == 0 ? nil : bytes(acknowledged)
                #expect(try await driver.swap(expected: old, value: bytes(acknowledged + 1)) == .swapped)
                acknowledged += 1
            }
            let (old, next) = (acknowledged, acknowledged + 1)
            async let last = attempt(driver, bytes(old), bytes(next))
            usleep(UInt32(round * life * 97 % 1_500))
            _ = witness.end(SIGKILL)
            let outcome = await last
            witness = try WitnessProcess(data: folder.path + "/registers")
            let found = try await self.driver(witness).read()
            switch outcome {
            case .success(let outcome):
                #expect(outcome == .swapped)
                #expect(found == bytes(next), "an acknowledged swap was lost")
            case .failure(.notApplied): #expect(found == bytes(old), "a swap that was not applied was")
            case .failure(.unknown): #expect(found == bytes(old) || found == bytes(next))
            }
            // The same swap again settles it.
            let again = try await self.driver(witness).swap(expected: bytes(old), value: bytes(next))
            #expect(found == bytes(old) ? again == .swapped : again == .differs(current: bytes(next)))
            acknowledged = next
        }
        #expect(witness.end(SIGTERM) == 0)
    }
}
