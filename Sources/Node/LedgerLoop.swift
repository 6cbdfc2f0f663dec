internal import CallModel
package import ContextStore
package import Ledger
package import NIOCore
package import ReplicatedLedger
internal import Synchronization
package import WriteAheadLog

/// What a production side's ledger touches.
package enum Production: Surroundings {
    package typealias DiskSeam = PosixDisk
    package typealias StoreSeam = ContextStore
    package typealias ClockSeam = SystemClock
    package typealias LinkSeam = PairPort
    package typealias WitnessSeam = PairPort
}

/// Drives the replicated ledger on one event loop, which is its thread. Requests and completions from any thread
/// gather in a mailbox; each turn hands them all in, so that everything that came in one turn shares one batch.
package final class LedgerLoop: LedgerService {
    private enum Message: Sendable {
        case request(LedgerRequest)
        case disk(DiskCompletion)
        case storeDurable
        case storeFailed(StoreError)
        case snapshotKept(LogSequence)
        case order(PairOrder, @Sendable (Result<Void, LedgerRefusal>) -> Void)
        case witness(token: UInt64, WitnessAnswer)
        case read(@Sendable ((any LedgerView)?) -> Void)
        case drain(EventLoopPromise<Void>)
    }

    private struct Mailbox: Sendable {
        var messages: [Message] = []
        /// The event loop is about to end: nothing is taken any more.
        var isClosed = false

        mutating func takeAll() -> [Message] {
            let taken = messages
            messages.removeAll(keepingCapacity: true)
            return taken
        }
    }

    /// What only the event loop touches.
    private struct Loop {
        var core: ReplicatedLedger<Production>?
        var wake: Scheduled<Void>?
        var wakeMilliseconds: UInt64 = .max
        var draining: [EventLoopPromise<Void>] = []
    }

    package let eventLoop: any EventLoop
    private let clock = SystemClock()
    private let mailbox = Mutex(Mailbox())
    private let loop: NIOLoopBoundBox<Loop>

    package init(eventLoop: any EventLoop) {
        self.eventLoop = eventLoop
        loop = NIOLoopBoundBox.makeBoxSendingValue(Loop(), eventLoop: eventLoop)
    }

    /// Gives the loop its recovered ledger. Until then every request waits for its deadline in the mailbox.
    /// Must be called on the event loop.
    package func begin(_ core: ReplicatedLedger<Production>) {
        eventLoop.preconditionInEventLoop()
        loop.value.core = core
        turn()
    }

    // MARK: From any thread

    package func submit(
        _ record: Record, deadlineMilliseconds: UInt32,
        reply: @escaping @Sendable (Result<LedgerAnswer, LedgerRefusal>) -> Void
    ) {
        post(
            .request(
                LedgerRequest(
                    record: record, bytes: record.encoded(),
                    deadlineElapsedMilliseconds: clock.elapsedMilliseconds() + UInt64(deadlineMilliseconds),
                    reply: reply)))
    }

    package func read<Value: Sendable>(
        _ body: @escaping @Sendable (any LedgerView) -> Value
    ) async throws(LedgerRefusal) -> Value {
        let result: Result<Value, LedgerRefusal> = await withCheckedContinuation { continuation in
            post(
                .read { view in
                    guard let view else {
                        return continuation.resume(returning: .failure(.unavailable(reason: "the side does not run")))
                    }
                    continuation.resume(returning: .success(body(view)))
                })
        }
        return try result.get()
    }

    package func order(_ order: PairOrder) async throws(LedgerRefusal) {
        let result = await withCheckedContinuation { continuation in
            post(.order(order) { continuation.resume(returning: $0) })
        }
        try result.get()
    }

    package func witnessAnswered(token: UInt64, _ answer: WitnessAnswer) { post(.witness(token: token, answer)) }

    package func diskCompleted(_ completion: DiskCompletion) { post(.disk(completion)) }

    package func storeBecameDurable() { post(.storeDurable) }

    package func storeFailed(_ error: StoreError) { post(.storeFailed(error)) }

    func snapshotKept(at sequence: LogSequence) { post(.snapshotKept(sequence)) }

    /// Refuses what is queued and completes when nothing is in flight any more.
    package func drain() async throws {
        let promise = eventLoop.makePromise(of: Void.self)
        post(.drain(promise))
        try await promise.futureResult.get()
    }

    /// Nothing is taken any more, so that the event loop may end. Must be called on it, after ``drain()``.
    package func close() {
        eventLoop.preconditionInEventLoop()
        let left = mailbox.withLock { mailbox in
            mailbox.isClosed = true
            return mailbox.takeAll()
        }
        for message in left { refuse(message) }
        loop.value.wake?.cancel()
        loop.value.wake = nil
    }

    private func post(_ message: Message) {
        enum Posted { case first, later, refused }
        let posted = mailbox.withLock { mailbox -> Posted in
            if mailbox.isClosed { return .refused }
            mailbox.messages.append(message)
            return mailbox.messages.count == 1 ? .first : .later
        }
        switch posted {
        case .first: eventLoop.execute { self.turn() }
        case .later: break
        case .refused: refuse(message)
        }
    }

    private func refuse(_ message: Message) {
        switch message {
        case .request(let request): request.reply(.failure(.unavailable(reason: "the side has stopped")))
        case .read(let body): body(nil)
        case .drain(let promise): promise.succeed()
        case .order(_, let reply): reply(.failure(.unavailable(reason: "the side has stopped")))
        case .disk, .storeDurable, .storeFailed, .snapshotKept, .witness: break
        }
    }

    // MARK: On the event loop

    /// Runs `body` with the ledger: for the end of service.
    package func withCore<Value>(_ body: (ReplicatedLedger<Production>) throws -> Value) rethrows -> Value? {
        eventLoop.preconditionInEventLoop()
        return try loop.value.core.map(body)
    }

    /// Everything that came from the other side in this turn is handed in.
    func turn() {
        guard let core = loop.value.core else { return }
        let messages = mailbox.withLock { $0.takeAll() }
        for message in messages {
            switch message {
            case .request(let request): core.submit(request)
            case .disk(let completion): core.diskCompleted(completion)
            case .storeDurable: core.storeBecameDurable()
            case .storeFailed(let error): core.storeFailed(error)
            case .snapshotKept(let sequence): core.keepLog(after: sequence)
            case .order(let order, let reply): core.order(order, reply: reply)
            case .witness(let token, let answer): core.witnessAnswered(token: token, answer)
            case .read(let body): body(core)
            case .drain(let promise): loop.value.draining.append(promise)
            }
        }
        if !loop.value.draining.isEmpty, core.drain() {
            for promise in loop.value.draining { promise.succeed() }
            loop.value.draining = []
        }
        core.endOfTurn()
        scheduleWake(core.nextWakeMilliseconds)
    }

    private func scheduleWake(_ next: UInt64?) {
        guard let next else { return }
        if loop.value.wake != nil && loop.value.wakeMilliseconds <= next { return }
        loop.value.wake?.cancel()
        loop.value.wakeMilliseconds = next
        let now = clock.elapsedMilliseconds()
        let delay = TimeAmount.milliseconds(next > now ? Int64(clamping: next - now) : 0)
        loop.value.wake = eventLoop.scheduleTask(in: delay) { [self] in
            loop.value.wake = nil
            loop.value.wakeMilliseconds = .max
            turn()
        }
    }
}
