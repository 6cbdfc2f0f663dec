internal import Synchronization

/// One value, settled by whoever comes first, for one that waits. Later ones are told that they came too late.
final class FirstOf<Value: Sendable>: Sendable {
    private enum State {
        case empty
        case waiting(CheckedContinuation<Value, Never>)
        case settled(Value)
        case taken
    }

    private let state = Mutex(State.empty)

    @discardableResult
    func settle(_ value: Value) -> Bool {
        let (first, waiter) = state.withLock { state -> (Bool, CheckedContinuation<Value, Never>?) in
            switch state {
            case .empty:
                state = .settled(value)
                return (true, nil)
            case .waiting(let continuation):
                state = .taken
                return (true, continuation)
            case .settled, .taken: return (false, nil)
            }
        }
        waiter?.resume(returning: value)
        return first
    }

    /// Once.
    func value() async -> Value {
        await withCheckedContinuation { continuation in
            let settled = state.withLock { state -> Value? in
                switch state {
                case .settled(let value):
                    state = .taken
                    return value
                case .empty:
                    state = .waiting(continuation)
                    return nil
                case .waiting, .taken: preconditionFailure("a second one waits for the same value")
                }
            }
            if let settled { continuation.resume(returning: settled) }
        }
    }

    /// The value, or `late` at the deadline.
    func value(until deadline: Deadline, late: Value) async -> Value {
        let timer = Task {
            // Cancelled: the value has come, and nobody waits for the timer any more.
            guard (try? await deadline.clock.sleep(untilMilliseconds: deadline.atMilliseconds)) != nil else { return }
            settle(late)
        }
        defer { timer.cancel() }
        return await value()
    }
}
