internal import Glibc

/// Verifies a store in a child process of the same executable: a damaged LMDB file kills the child, and not the side.
package enum VerifierProcess {
    /// The hidden command that the executable runs as a child: `baton store verify-child PATH`.
    package static let arguments = ["store", "verify-child"]

    package static func verify(_ storePath: String) -> StoreVerdict {
        run(executable: "/proc/self/exe", arguments + [storePath])
    }

    /// Its verdict, from how the child ended and what it wrote.
    package static func run(executable: String, _ arguments: [String]) -> StoreVerdict {
        var ends: [Int32] = [0, 0]
        guard pipe(&ends) == 0 else { return .refused("the verifier cannot be started: \(reason(errno))") }
        for end in ends { _ = fcntl(end, F_SETFD, FD_CLOEXEC) }
        var actions = posix_spawn_file_actions_t()
        posix_spawn_file_actions_init(&actions)
        defer { posix_spawn_file_actions_destroy(&actions) }
        posix_spawn_file_actions_adddup2(&actions, ends[1], STDOUT_FILENO)
        // A crash report of the child is none of the operator's: that it died is the verdict.
        posix_spawn_file_actions_addopen(&actions, STDERR_FILENO, "/dev/null", O_WRONLY, 0)
        var child: pid_t = 0
        var texts = (["baton"] + arguments).map { strdup($0) } + [nil]
        defer { for text in texts { free(text) } }
        let code = posix_spawn(&child, executable, &actions, nil, &texts, environ)
        close(ends[1])
        defer { close(ends[0]) }
        guard code == 0 else { return .refused("the verifier cannot be started: \(reason(code))") }
        let said = String(decoding: readAll(ends[0]), as: UTF8.self)
        var status: Int32 = 0
        while waitpid(child, &status, 0) < 0 {
            if errno != EINTR { return .refused("the verifier's end is not known: \(reason(errno))") }
        }
        return verdict(status, said.split(separator: "\n").joined(separator: " "))
    }

    private static func verdict(_ status: Int32, _ said: String) -> StoreVerdict {
        let signal = status & 0x7f
        if signal != 0 { return .damaged("damaged: reading it killed the verifier (signal \(signal))") }
        switch (status >> 8) & 0xff {
        case 0: return .sound(said)
        case 20: return .absent(said)
        case 21: return .refused(said)
        case let code:
            return .damaged(said.isEmpty ? "damaged: the verifier ended with code \(code)" : said)
        }
    }

    private static func readAll(_ descriptor: Int32) -> [UInt8] {
        var all: [UInt8] = []
        var buffer = [UInt8](repeating: 0, count: 4096)
        while true {
            let count = read(descriptor, &buffer, buffer.count)
            if count < 0 && errno == EINTR { continue }
            if count <= 0 { return all }
            all += buffer[0..<count]
        }
    }

    private static func reason(_ code: Int32) -> String { String(cString: strerror(code)) }
}
