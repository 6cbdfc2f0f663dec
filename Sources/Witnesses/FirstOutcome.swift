internal import NIOCore
internal import Synchronization

/// Starts something that reports its outcome through a closure, from any thread, and waits for the report or for the
/// time limit, whichever is first. What comes later is dropped: after the limit the outcome is unknown.
func firstOutcome<Value: Sendable>(
    on loop: any EventLoop, within timeout: TimeAmount,
    _ start: (_ outcome: @escaping @Sendable (Result<Value, WitnessFault>) -> Void) -> Void
) async throws(WitnessFault) -> Value {
    let result: Result<Value, WitnessFault> = await withCheckedContinuation { continuation in
        let once = Once(continuation)
        let timer = loop.scheduleTask(in: timeout) {
            once.resume(.failure(.unknown("no answer within \(timeout.nanoseconds / 1_000_000) ms")))
        }
        start { outcome in
            timer.cancel()
            once.resume(outcome)
        }
    }
    return try result.get()
}

/// A continuation that is resumed by whoever is first.
private final class Once<Value: Sendable>: Sendable {
    private let waiting: Mutex<CheckedContinuation<Value, Never>?>

    init(_ continuation: CheckedContinuation<Value, Never>) { waiting = Mutex(continuation) }

    func resume(_ value: Value) {
        let first = waiting.withLock { waiting in
            defer { waiting = nil }
            return waiting
        }
        first?.resume(returning: value)
    }
}
