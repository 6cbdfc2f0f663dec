internal import Glibc

/// An open file, closed when the last user lets go of it: a lane may still write what another thread removes.
final class PosixFile: Sendable {
    let descriptor: CInt

    init(_ descriptor: CInt) { self.descriptor = descriptor }

    deinit { Glibc.close(descriptor) }

    static func text(_ code: CInt) -> String {
        var buffer = [CChar](repeating: 0, count: 256)
        return strerror_r(code, &buffer, buffer.count) == 0
            ? String(decoding: buffer.prefix { $0 != 0 }.map { UInt8(bitPattern: $0) }, as: UTF8.self) : "error \(code)"
    }
}

enum PosixClock {
    static func microseconds() -> UInt64 {
        var time = timespec()
        clock_gettime(CLOCK_MONOTONIC, &time)
        return UInt64(time.tv_sec) * 1_000_000 + UInt64(time.tv_nsec) / 1000
    }
}

/// A mutex with a condition. `@unchecked Sendable`: both are made for several threads and never move.
final class PosixLock: @unchecked Sendable {
    private let mutex = UnsafeMutablePointer<pthread_mutex_t>.allocate(capacity: 1)
    private let condition = UnsafeMutablePointer<pthread_cond_t>.allocate(capacity: 1)

    init() {
        precondition(pthread_mutex_init(mutex, nil) == 0 && pthread_cond_init(condition, nil) == 0)
    }

    deinit {
        pthread_cond_destroy(condition)
        pthread_mutex_destroy(mutex)
        condition.deallocate()
        mutex.deallocate()
    }

    func locked<Value>(_ body: () -> Value) -> Value {
        pthread_mutex_lock(mutex)
        defer { pthread_mutex_unlock(mutex) }
        return body()
    }

    /// Only inside ``locked(_:)``.
    func wait() { pthread_cond_wait(condition, mutex) }

    func wake() { pthread_cond_broadcast(condition) }
}

/// One thread that runs jobs in order. `@unchecked Sendable`: everything that changes is guarded by `lock`.
final class PosixLane: @unchecked Sendable {
    /// Is told whether an earlier job failed for good; says whether this one succeeded.
    typealias Job = @Sendable (_ canceled: Bool) -> Bool

    private let lock = PosixLock()
    private let failsForGood: Bool
    private var jobs: [Job] = []
    private var ended = false
    private var thread: pthread_t = 0

    init(failsForGood: Bool) {
        self.failsForGood = failsForGood
        let context = Unmanaged.passRetained(self).toOpaque()
        let code = pthread_create(
            &thread, nil,
            { context in
                Unmanaged<PosixLane>.fromOpaque(context!).takeRetainedValue().run()
                return nil
            }, context)
        precondition(code == 0, "no thread for the disk: \(PosixFile.text(code))")
    }

    func add(_ job: @escaping Job) {
        lock.locked {
            precondition(!ended, "work for a disk that was closed")
            jobs.append(job)
            lock.wake()
        }
    }

    /// Returns when every job is done and the thread has ended; from the lane's own thread at once.
    func end() {
        lock.locked {
            ended = true
            lock.wake()
        }
        if pthread_equal(pthread_self(), thread) != 0 {
            pthread_detach(thread)
        } else {
            pthread_join(thread, nil)
        }
    }

    private func run() {
        var failed = false
        while true {
            let next: [Job]? = lock.locked {
                while jobs.isEmpty && !ended { lock.wait() }
                if jobs.isEmpty { return nil }
                defer { jobs = [] }
                return jobs
            }
            guard let next else { return }
            for job in next where !job(failed) { failed = failsForGood }
        }
    }
}
