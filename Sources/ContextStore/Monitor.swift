internal import Glibc

/// A value under a mutex, with a condition to wait for its changes by a monotonic clock.
/// Safe to share: the value is touched only while the mutex is held.
final class Monitor<State>: @unchecked Sendable {
    private var state: State
    // Own memory, since neither may move after its initialization.
    private let mutex = UnsafeMutablePointer<pthread_mutex_t>.allocate(capacity: 1)
    private let condition = UnsafeMutablePointer<pthread_cond_t>.allocate(capacity: 1)

    init(_ state: State) {
        self.state = state
        pthread_mutex_init(mutex, nil)
        var attributes = pthread_condattr_t()
        pthread_condattr_init(&attributes)
        pthread_condattr_setclock(&attributes, CLOCK_MONOTONIC)
        pthread_cond_init(condition, &attributes)
        pthread_condattr_destroy(&attributes)
    }

    deinit {
        pthread_cond_destroy(condition)
        pthread_mutex_destroy(mutex)
        condition.deallocate()
        mutex.deallocate()
    }

    func withLock<Result: ~Copyable, Failure>(_ body: (inout State) throws(Failure) -> Result) throws(Failure) -> Result
    {
        pthread_mutex_lock(mutex)
        defer { pthread_mutex_unlock(mutex) }
        return try body(&state)
    }

    /// Wakes all that wait.
    func signal() { pthread_cond_broadcast(condition) }

    /// Asks `body` until it gives a result: at once, after each signal, and after the milliseconds it last named.
    func wait<Result>(until body: (inout State) -> Wait<Result>) -> Result {
        pthread_mutex_lock(mutex)
        defer { pthread_mutex_unlock(mutex) }
        while true {
            switch body(&state) {
            case .ready(let result): return result
            case .signal: pthread_cond_wait(condition, mutex)
            case .signalOrMilliseconds(let milliseconds): wait(milliseconds: milliseconds)
            }
        }
    }

    private func wait(milliseconds: UInt64) {
        var deadline = timespec()
        clock_gettime(CLOCK_MONOTONIC, &deadline)
        let nanoseconds = deadline.tv_nsec + Int(milliseconds % 1_000) * 1_000_000
        deadline.tv_sec += Int(milliseconds / 1_000) + nanoseconds / 1_000_000_000
        deadline.tv_nsec = nanoseconds % 1_000_000_000
        pthread_cond_timedwait(condition, mutex, &deadline)
    }
}

enum Wait<Result> {
    case ready(Result)
    case signal
    case signalOrMilliseconds(UInt64)
}
