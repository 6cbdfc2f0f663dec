import ConfigurationFiles
import Foundation
import Logging
import Node
import Testing

/// What a side says when it cannot start; nothing that is there is changed.
@Suite("Starting a side", .serialized)
struct StartScenarios {
    @Test("a port in use is refused with the port's name")
    func portInUse() async throws {
        try await OneCentre.run { centre in
            let http = try await fault(httpPort: centre.side.httpPort, incrpPort: try Ports.free())
            #expect(http.contains("port \(centre.side.httpPort) is in use"))
            let incrp = try await fault(httpPort: 0, incrpPort: centre.incrpPort)
            #expect(incrp.contains("INCRP"))
            #expect(incrp.contains("\(centre.incrpPort)"))
            // The side that holds the port goes on serving.
            #expect(try await centre.get("/readyz").status == 200)
        }
    }

    @Test("a data directory in use by another side is refused, and the other goes on")
    func dataDirectoryInUse() async throws {
        try await OneCentre.run { centre in
            let sentence = try await fault(dataDirectory: centre.directory + "/data")
            #expect(sentence.contains("in use by another process"))
            #expect(try await centre.reserve("desk", call: "a").status == 201)
        }
    }

    @Test("a data directory that cannot be written is refused with the next step")
    func dataDirectoryNotWritable() async throws {
        let sentence = try await fault(dataDirectory: "/proc/baton")
        #expect(sentence.contains("/proc/baton"))
        #expect(sentence.contains("dataDirectory"))
    }

    @Test("a log of a newer format is refused, and nothing is changed")
    func newerFormat() async throws {
        let directory = try Centre.temporaryDirectory()
        try write(directory, dataDirectory: "data", httpPort: 0, incrpPort: try Ports.free())
        try await start(directory).stop()
        let file = directory + "/data/log/superblock-1"
        var bytes = try Data(contentsOf: URL(fileURLWithPath: file))
        // The version stands after the checksum, in this format and in every later one (Schemas/log.md).
        bytes[4] = 99
        let crc = Checksum.crc32c(Array(bytes.dropFirst(4)))
        for index in 0..<4 { bytes[index] = UInt8(truncatingIfNeeded: crc >> UInt32(8 * index)) }
        try bytes.write(to: URL(fileURLWithPath: file))
        do {
            try await start(directory).stop()
            Issue.record("the side started")
        } catch {
            #expect("\(error)".contains("format version 99"))
        }
        #expect(try Data(contentsOf: URL(fileURLWithPath: file)) == bytes)
        try FileManager.default.removeItem(atPath: directory)
    }

    // MARK: Helpers of these scenarios

    /// What starting a side of this kind throws.
    private func fault(
        dataDirectory: String = "data", httpPort: Int = 0, incrpPort: Int? = nil
    ) async throws -> String {
        let directory = try Centre.temporaryDirectory()
        defer { try? FileManager.default.removeItem(atPath: directory) }  // what is left of it fails no test
        try write(directory, dataDirectory: dataDirectory, httpPort: httpPort, incrpPort: try incrpPort ?? Ports.free())
        do {
            let side = try await start(directory)
            try await side.stop()
            return "it started"
        } catch let fault as SideFault {
            return fault.description
        }
    }

    private func write(_ directory: String, dataDirectory: String, httpPort: Int, incrpPort: Int) throws {
        try """
        instance: { name: other, number: 4 }
        dataDirectory: \(dataDirectory)
        http: { host: 127.0.0.1, port: \(httpPort) }
        incrpNIC: { host: 127.0.0.1, port: \(incrpPort) }
        store: { mapBytes: 1GiB }
        customers: [retail, brokers]
        \(OneCentre.configuration)
        """.write(toFile: directory + "/baton.yaml", atomically: true, encoding: .utf8)
        for (name, text) in OneCentre.scripts {
            try ("script: \(name)\n" + text).write(
                toFile: directory + "/scripts/\(name).yaml", atomically: true, encoding: .utf8)
        }
    }

    private func start(_ directory: String) async throws -> RunningSide {
        try await RunningSide.start(
            try Configuration.load(path: directory + "/baton.yaml", environment: [:]),
            logger: Logger(label: "test") { _ in SwiftLogNoOpLogHandler() })
    }
}

private enum Checksum {
    /// CRC-32C bit by bit: independent of the program's own.
    static func crc32c(_ bytes: [UInt8]) -> UInt32 {
        var crc = ~UInt32(0)
        for byte in bytes {
            crc ^= UInt32(byte)
            for _ in 0..<8 { crc = crc & 1 == 1 ? crc >> 1 ^ 0x82f6_3b78 : crc >> 1 }
        }
        return ~crc
    }
}
