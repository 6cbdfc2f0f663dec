import CallModel
import ContextStore
import Glibc
import Ledger
import Testing

/// The second process is this test's own program, told by the environment which part to play.
private let childKey = "BATON_STORE_CHILD"

private func environmentValue(_ name: String) -> String? { getenv(name).map { String(cString: $0) } }

/// Lines of text that a child process writes.
private final class Child {
    private let pipe: UnsafeMutablePointer<FILE>

    /// Runs one child test of this program; nil where it cannot be run by its name.
    init?(playing part: String, store: String) {
        var buffer = [CChar](repeating: 0, count: 4_096)
        let count = readlink("/proc/self/exe", &buffer, buffer.count)
        guard count > 0 else { return nil }
        let program = String(decoding: buffer[..<count].map(UInt8.init(bitPattern:)), as: UTF8.self)
        let arguments = "--testing-library swift-testing --filter ContextStoreTests.OtherProcessParts"
        guard let pipe = popen("\(childKey)='\(part):\(store)' exec '\(program)' \(arguments) 2>&1", "r") else {
            return nil
        }
        self.pipe = pipe
    }

    deinit { pclose(pipe) }

    /// The rest of the next line that begins with `word`; nil at the end.
    func next(_ word: String) -> String? {
        var line = [CChar](repeating: 0, count: 4_096)
        while fgets(&line, Int32(line.count), pipe) != nil {
            let text = String(decoding: line.prefix { $0 != 0 }.map(UInt8.init(bitPattern:)), as: UTF8.self)
            if text.hasPrefix(word + " ") { return String(text.dropFirst(word.count + 1).prefix { $0 != "\n" }) }
        }
        return nil
    }
}

@Suite("ContextStore and other processes", .enabled(if: environmentValue(childKey) == nil))
struct OtherProcessTests {
    let directory = TemporaryDirectory()

    @Test("another process reads beside the running side, and cannot write")
    func readsBeside() throws {
        let store = try ContextStore.open(path: directory.store, identity: identity, configuration: patient)
        defer { store.close() }
        store.start(onDurable: { _ in }, onFailure: { _ in })
        var model = Model()
        store.take(model.batch([put(.contexts, 1, "one"), put(.dialogs, 1, "dialog")]))
        try store.flush()
        let child = try #require(Child(playing: "read", store: directory.store))
        #expect(child.next("OPENING") == "refused")
        #expect(child.next("STANDS") == "\(model.state.position)")
        #expect(child.next("VERIFIED") == "true")
        store.take(model.batch([put(.contexts, 2, "two")]))
        try store.flush()
        #expect(store.durable == model.state)
    }

    @Test("a process killed while it writes leaves a sound store that holds at least what it said was durable")
    func killed() throws {
        var pid: pid_t = 0
        var said = ""
        do {
            let child = try #require(Child(playing: "write", store: directory.store))
            pid = try #require(child.next("PID").flatMap { pid_t($0) })
            for _ in 0..<20 { said = try #require(child.next("DURABLE")) }
            kill(pid, SIGKILL)
            while let later = child.next("DURABLE") { said = later }
        }
        let verification = try ContextStore.verify(path: directory.store)
        #expect(verification.isSound, "\(verification.description)")
        let store = try ContextStore.open(path: directory.store, identity: identity, configuration: patient)
        #expect(store.restored.position.sequence.number >= (try #require(UInt64(said))))
        store.start(onDurable: { _ in }, onFailure: { _ in })
        store.close()
    }
}

@Suite("ContextStore: parts of a second process", .enabled(if: environmentValue(childKey) != nil))
struct OtherProcessParts {
    private func say(_ line: String) {
        let bytes = Array((line + "\n").utf8)
        _ = Glibc.write(STDOUT_FILENO, bytes, bytes.count)
    }

    @Test("plays the part it is told")
    func play() throws {
        let told = try #require(environmentValue(childKey)).split(separator: ":", maxSplits: 1).map(String.init)
        if told[0] == "read" { try read(told[1]) } else { try write(told[1]) }
    }

    private func read(_ path: String) throws {
        do throws(StoreError) {
            _ = try ContextStore.open(path: path, identity: identity, configuration: patient)
            say("OPENING allowed")
        } catch {
            say("OPENING \(error == .inUse(path: path) ? "refused" : error.description)")
        }
        say("STANDS \(try StoreReader.open(path: path).state().position)")
        say("VERIFIED \(try ContextStore.verify(path: path).isSound)")
    }

    /// Writes until it is killed.
    private func write(_ path: String) throws {
        say("PID \(getpid())")
        var configuration = patient
        configuration.windowBytes = 20_000
        let store = try ContextStore.open(path: path, identity: identity, configuration: configuration)
        store.start(onDurable: { say("DURABLE \($0.sequence)") }, onFailure: { _ in })
        var model = Model()
        // Ends by itself if nobody kills it.
        for round in 0..<2_000_000 {
            let number = round % 500
            store.take(
                model.batch([put(.dialogs, number, "dialog \(round)"), put(.contexts, number, "context \(round)")]))
            while store.lag.bytes > 1 << 20 { sched_yield() }
        }
    }
}
