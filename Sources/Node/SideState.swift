internal import CallModel
internal import ConfigurationFiles
internal import Foundation
internal import Synchronization

/// A value that is replaced as a whole while others read it.
final class Shared<Value: Sendable>: Sendable {
    private let current: Mutex<Value>

    init(_ value: Value) { current = Mutex(value) }

    var value: Value {
        get { current.withLock { $0 } }
        set { current.withLock { $0 = newValue } }
    }
}

/// Why and when a side's service ended; the first reason counts.
final class Ending: Sendable {
    private struct State {
        var ended = false
        var fault: SideFault?
        var waiting: [CheckedContinuation<SideFault?, Never>] = []
    }

    private let state = Mutex(State())

    func end(_ fault: SideFault?) {
        let waiting = state.withLock { state in
            if state.ended { return [] as [CheckedContinuation<SideFault?, Never>] }
            state.ended = true
            state.fault = fault
            defer { state.waiting = [] }
            return state.waiting
        }
        for continuation in waiting { continuation.resume(returning: fault) }
    }

    func wait() async -> SideFault? {
        await withCheckedContinuation { continuation in
            let ended = state.withLock { state -> SideFault?? in
                if state.ended { return .some(state.fault) }
                state.waiting.append(continuation)
                return nil
            }
            if let ended { continuation.resume(returning: ended) }
        }
    }
}

/// The losses of the other side, for whoever takes its open dialogs up: also those from before it listened.
final class Losses: Sendable {
    private let stream: AsyncStream<Side>
    private let continuation: AsyncStream<Side>.Continuation

    init() { (stream, continuation) = AsyncStream.makeStream(of: Side.self) }

    func add(_ side: Side) { continuation.yield(side) }

    func end() { continuation.finish() }

    /// Returns at once; `body` is called for one loss after the other until ``end()``.
    func listen(_ body: @escaping @Sendable (Side) async -> Void) {
        let stream = stream
        Task { for await side in stream { await body(side) } }
    }
}

/// The directory that holds log and store of one side.
enum DataDirectory {
    static func prepare(_ path: String) throws(SideFault) {
        do {
            try FileManager.default.createDirectory(atPath: path, withIntermediateDirectories: true)
        } catch {
            throw SideFault(
                "data directory \(path) cannot be made: \(error.localizedDescription). "
                    + "Correct dataDirectory in the configuration, or the rights of its parent")
        }
        guard FileManager.default.isWritableFile(atPath: path) else {
            throw SideFault("data directory \(path) is not writable: correct its owner or mode, or name another one")
        }
    }
}

/// The file with the bearer token: one line.
enum TokenFile {
    static func read(_ path: String) throws(SideFault) -> String {
        let text: String
        do {
            text = try String(contentsOfFile: path, encoding: .utf8)
        } catch {
            throw SideFault("token file \(path) cannot be read: \(error.localizedDescription)")
        }
        let token = text.trimmingCharacters(in: .whitespacesAndNewlines)
        guard token.utf8.count >= 16, !token.contains(where: \.isWhitespace) else {
            throw SideFault("token file \(path) must hold one line of at least 16 characters without spaces")
        }
        return token
    }
}
