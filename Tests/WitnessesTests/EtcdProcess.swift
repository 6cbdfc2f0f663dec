import ByteCoding
import Foundation
import Glibc
import NIOPosix
import Synchronization
import Testing
import Witnesses

/// One member of an etcd that the test starts and ends: the program of Debian's package etcd-server.
final class EtcdMember: Sendable {
    let clientPort: Int
    let peerPort: Int
    private let name: String
    private let process = Mutex<Process?>(nil)

    init(name: String, clientPort: Int, peerPort: Int) {
        self.name = name
        self.clientPort = clientPort
        self.peerPort = peerPort
    }

    /// The program is a must: Tools/test installs it.
    static func program() throws -> URL {
        let folders = (ProcessInfo.processInfo.environment["PATH"] ?? "").split(separator: ":") + ["/usr/bin"]
        let program = folders.map { URL(filePath: "\($0)/etcd") }.first {
            FileManager.default.isExecutableFile(atPath: $0.path)
        }
        return try #require(program, "there is no etcd; install the package etcd-server")
    }

    fileprivate func start(_ cluster: String, in folder: String, certificates: EtcdCertificates?) throws {
        let scheme = certificates == nil ? "http" : "https"
        let client = "\(scheme)://127.0.0.1:\(clientPort)"
        let peer = "http://127.0.0.1:\(peerPort)"
        let etcd = Process()
        etcd.executableURL = try Self.program()
        etcd.arguments =
            [
                "--name", name, "--data-dir", "\(folder)/\(name)", "--initial-cluster", cluster,
                "--listen-client-urls", client, "--advertise-client-urls", client,
                "--listen-peer-urls", peer, "--initial-advertise-peer-urls", peer,
                "--heartbeat-interval", "50", "--election-timeout", "500", "--logger", "zap",
            ] + (certificates?.memberArguments ?? [])
        etcd.standardOutput = FileHandle.nullDevice
        etcd.standardError = FileHandle.nullDevice
        try etcd.run()
        process.withLock { $0 = etcd }
    }

    /// Only what was started here, by its own number; SIGKILL by default, as a power cut would.
    func end(_ signal: CInt = SIGKILL) {
        process.withLock { process in
            guard let running = process else { return }
            if running.isRunning { kill(running.processIdentifier, signal) }
            running.waitUntilExit()
            process = nil
        }
    }

    deinit { end() }
}

/// An etcd of one or three members on loopback, with a folder of its own, and drivers for it.
final class EtcdUnderTest: WitnessUnderTest {
    let members: [EtcdMember]
    private let folder: TemporaryFolder
    private let certificates: EtcdCertificates?

    init(members count: Int = 1, certificates: EtcdCertificates? = nil) async throws {
        folder = try TemporaryFolder()
        self.certificates = certificates
        let ports = try Self.freePorts(2 * count)
        members = (0..<count).map { EtcdMember(name: "m\($0)", clientPort: ports[2 * $0], peerPort: ports[2 * $0 + 1]) }
        for member in members { try start(member) }
        try await untilReady()
    }

    func start(_ member: EtcdMember) throws {
        let cluster = members.enumerated().map { "m\($0)=http://127.0.0.1:\($1.peerPort)" }.joined(separator: ",")
        try member.start(cluster, in: folder.path, certificates: certificates)
    }

    func driver() -> any SeedableWitness { etcd() }

    func etcd(
        of pair: Hash128 = somePair, key: String? = "baton/test", tls: EtcdTLS? = nil,
        timeoutMilliseconds: Int64 = 5_000
    ) -> EtcdWitness {
        EtcdWitness(
            members: members.map { WitnessMember(host: "127.0.0.1", port: $0.clientPort) }, key: key, pair: pair,
            tls: tls ?? certificates?.side, group: MultiThreadedEventLoopGroup.singleton,
            timeoutMilliseconds: timeoutMilliseconds)
    }

    func restart() async throws {
        for member in members { member.end() }
        for member in members { try start(member) }
        try await untilReady()
    }

    func end() async throws { for member in members { member.end() } }

    /// It has a leader when a read of a key that nobody uses has an answer.
    private func untilReady() async throws {
        let limit = ContinuousClock.now + .seconds(20)
        while true {
            do {
                _ = try await etcd(key: "baton/ready", timeoutMilliseconds: 1_000).read()
                return
            } catch {
                try #require(ContinuousClock.now < limit, "etcd does not answer: \(error)")
                try await Task.sleep(for: .milliseconds(20))
            }
        }
    }

    /// Ports of loopback that nobody listens on, all different: each is held until all are known.
    static func freePorts(_ count: Int) throws -> [Int] {
        var sockets: [CInt] = []
        defer { for socket in sockets { close(socket) } }
        return try (0..<count).map { _ in
            let number = socket(AF_INET, Int32(SOCK_STREAM.rawValue), 0)
            sockets.append(number)
            var address = sockaddr_in()
            address.sin_family = sa_family_t(AF_INET)
            address.sin_addr.s_addr = UInt32(0x7F00_0001).bigEndian
            var length = socklen_t(MemoryLayout<sockaddr_in>.size)
            let found = withUnsafeMutablePointer(to: &address) { pointer in
                pointer.withMemoryRebound(to: sockaddr.self, capacity: 1) {
                    bind(number, $0, length) == 0 && getsockname(number, $0, &length) == 0
                }
            }
            try #require(found, "no free port")
            return Int(UInt16(bigEndian: address.sin_port))
        }
    }
}

/// An authority, a certificate of the members for 127.0.0.1 and one of a side, made by openssl in a folder of its own.
final class EtcdCertificates: Sendable {
    let folder: TemporaryFolder
    let side: EtcdTLS

    init() throws {
        let folder = try TemporaryFolder()
        self.folder = folder
        let at = folder.path
        try Self.openssl(
            "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes", "-days", "2",
            "-subj",
            "/CN=authority", "-keyout", "\(at)/authority.key", "-out", "\(at)/authority.pem")
        for name in ["member", "side"] {
            try Self.openssl(
                "req", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes", "-subj", "/CN=\(name)",
                "-keyout", "\(at)/\(name).key", "-out", "\(at)/\(name).request")
            try "subjectAltName=IP:127.0.0.1\n".write(toFile: "\(at)/names", atomically: true, encoding: .utf8)
            try Self.openssl(
                "x509", "-req", "-days", "2", "-in", "\(at)/\(name).request", "-CA", "\(at)/authority.pem", "-CAkey",
                "\(at)/authority.key", "-CAcreateserial", "-extfile", "\(at)/names", "-out", "\(at)/\(name).pem")
        }
        side = try EtcdTLS(trust: "\(at)/authority.pem", certificate: "\(at)/side.pem", key: "\(at)/side.key")
    }

    var memberArguments: [String] {
        [
            "--cert-file", "\(folder.path)/member.pem", "--key-file", "\(folder.path)/member.key",
            "--trusted-ca-file", "\(folder.path)/authority.pem", "--client-cert-auth",
        ]
    }

    private static func openssl(_ arguments: String...) throws {
        let openssl = Process()
        openssl.executableURL = URL(filePath: "/usr/bin/env")
        openssl.arguments = ["openssl"] + arguments
        let said = Pipe()
        openssl.standardOutput = FileHandle.nullDevice
        openssl.standardError = said
        try openssl.run()
        let text = String(decoding: try said.fileHandleForReading.readToEnd() ?? Data(), as: UTF8.self)
        openssl.waitUntilExit()
        try #require(openssl.terminationStatus == 0, "openssl \(arguments[0]): \(text)")
    }
}
