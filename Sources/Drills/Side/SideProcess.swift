internal import Foundation
internal import Glibc

/// Why a drill could not be held; nothing is said about the side.
package struct DrillFault: Error, Sendable, CustomStringConvertible {
    package let description: String

    init(_ description: String) { self.description = description }
}

/// One run of `baton run` under the power cut's library, from start to kill.
final class SideProcess {
    let processID: pid_t
    private let logFile: String
    /// Where in the log file this run begins.
    private let logOffset: Int
    private var ending: Ending?

    /// How a run ended.
    enum Ending: Hashable {
        case exit(CInt)
        case signal(CInt)
    }

    /// What the side runs with.
    struct Setting: Sendable {
        let program: String
        /// Nil: the side runs as it is.
        let library: String?
        var configurationFile: String
        var dataDirectory: String
        let journalDirectory: String
        var logFile: String
        /// A fault that the library turns on; nil for none.
        let breakage: String?
    }

    init(starting setting: Setting) throws(DrillFault) {
        var status = stat()
        let logOffset = stat(setting.logFile, &status) == 0 ? Int(status.st_size) : 0
        var actions = posix_spawn_file_actions_t()
        posix_spawn_file_actions_init(&actions)
        defer { posix_spawn_file_actions_destroy(&actions) }
        posix_spawn_file_actions_addopen(&actions, 0, "/dev/null", O_RDONLY, 0)
        posix_spawn_file_actions_addopen(&actions, 1, setting.logFile, O_WRONLY | O_CREAT | O_APPEND, 0o640)
        posix_spawn_file_actions_adddup2(&actions, 1, 2)
        var environment = ProcessInfo.processInfo.environment.filter { !$0.key.hasPrefix("BATON_") }
        environment["LD_PRELOAD"] = setting.library
        environment["POWERCUT_DIRECTORY"] = setting.library == nil ? nil : setting.dataDirectory
        environment["POWERCUT_JOURNAL"] = setting.journalDirectory
        environment["POWERCUT_BREAK"] = setting.breakage
        let words = [setting.program, "run", "--config", setting.configurationFile, "--log-level", "notice"]
        var arguments: [UnsafeMutablePointer<CChar>?] = words.map { strdup($0) }
        var variables: [UnsafeMutablePointer<CChar>?] = environment.map { strdup("\($0.key)=\($0.value)") }
        defer { for text in arguments + variables { free(text) } }
        arguments.append(nil)
        variables.append(nil)
        var processID: pid_t = 0
        let code = posix_spawn(&processID, setting.program, &actions, nil, arguments, variables)
        guard code == 0 else {
            throw DrillFault("\(setting.program) cannot be started: \(String(cString: strerror(code)))")
        }
        self.processID = processID
        logFile = setting.logFile
        self.logOffset = logOffset
    }

    deinit { kill() }

    /// kill -9, and waits until the process is gone.
    func kill() { end(SIGKILL) }

    /// As an operator ends it: what was taken is stored.
    func stop() { end(SIGTERM) }

    private func end(_ signal: CInt) {
        if ending != nil { return }
        Glibc.kill(processID, signal)
        var status: CInt = 0
        while waitpid(processID, &status, 0) < 0 && errno == EINTR {}
        ending = Self.ending(status)
    }

    private static func ending(_ status: CInt) -> Ending {
        status & 0x7f == 0 ? .exit((status >> 8) & 0xff) : .signal(status & 0x7f)
    }

    /// Nil while it runs.
    func endedByItself() -> Ending? {
        if ending == nil {
            var status: CInt = 0
            guard waitpid(processID, &status, WNOHANG) == processID else { return nil }
            ending = Self.ending(status)
        }
        return ending
    }

    /// The end of what it said, when it has ended by itself.
    func lastWordsIfEnded() -> String? { endedByItself() == nil ? nil : lastWords() }

    /// What this run said, or the end of it.
    func lastWords(_ mostBytes: Int = 1500) -> String {
        guard let words = FileManager.default.contents(atPath: logFile) else { return "" }
        return String(decoding: words.dropFirst(logOffset).suffix(mostBytes), as: UTF8.self)
    }

    /// A port of the loopback that nobody listens on at the moment.
    static func freePort() throws(DrillFault) -> Int {
        let descriptor = socket(AF_INET, Int32(SOCK_STREAM.rawValue), 0)
        defer { close(descriptor) }
        var address = sockaddr_in()
        address.sin_family = sa_family_t(AF_INET)
        address.sin_addr.s_addr = UInt32(0x7F00_0001).bigEndian
        var count = socklen_t(MemoryLayout<sockaddr_in>.size)
        let code = withUnsafeMutablePointer(to: &address) { pointer in
            pointer.withMemoryRebound(to: sockaddr.self, capacity: 1) {
                bind(descriptor, $0, count) == 0 ? getsockname(descriptor, $0, &count) : -1
            }
        }
        guard code == 0 else { throw DrillFault("there is no free port on 127.0.0.1") }
        return Int(UInt16(bigEndian: address.sin_port))
    }
}
