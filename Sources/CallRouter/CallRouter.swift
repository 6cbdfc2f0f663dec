package import CallModel
package import INCRP
internal import Ledger
package import Logging
package import ReplicatedLedger
package import Routing
internal import Synchronization

/// Route requests in, labels out: finds the call type and its script, runs it in a dialog that the ledger holds, and
/// answers only with what is durable (DESIGN.md, "Life of a call").
///
/// Every step is recorded under (dialog, node), so a request that comes again, here or after a restart, gets the first
/// answer and reserves nothing new.
package final class CallRouter: Sendable {
    struct Wiring: Sendable {
        var settings: RouterSettings
        var links: [GatewayName: any ServerLink]
    }

    let ledger: any LedgerService
    let civilTimes: @Sendable (WallTime, Set<String>) -> [String: CivilTime]
    let clock: any RouterClock
    let logger: Logger
    let counting = RouterCounting()
    let running = RunningDialogs()
    private let current: Mutex<Wiring>

    /// `civilTimes` gives the civil time of the named zones at a wall time; a zone it does not know is left out.
    package init(
        settings: RouterSettings, links: [GatewayName: any ServerLink], ledger: any LedgerService,
        civilTimes: @escaping @Sendable (WallTime, Set<String>) -> [String: CivilTime],
        clock: any RouterClock = MonotonicClock(), logger: Logger
    ) {
        current = Mutex(Wiring(settings: settings, links: links))
        self.ledger = ledger
        self.civilTimes = civilTimes
        self.clock = clock
        self.logger = logger
    }

    var wiring: Wiring { current.withLock { $0 } }

    /// Takes new settings and links. Dialogs that run already keep theirs.
    package func update(_ settings: RouterSettings, links: [GatewayName: any ServerLink]) {
        current.withLock { $0 = Wiring(settings: settings, links: links) }
    }

    package var counters: RouterCounters { counting.snapshot }

    /// The label for a call. The same (routing client, request id) again gets the same answer, with `repeated`.
    package func route(_ request: RouteRequest) async throws(RouteRefusal) -> RouteAnswer {
        try await counted { () async throws(RouteRefusal) in
            try await self.take(try Admission.route(request, self.wiring, self.clock))
        }
    }

    /// The label for a call that an agent transfers with the post-route flag, as a route request of the peripheral's
    /// PG.
    package func transfer(_ request: TransferRequest) async throws(RouteRefusal) -> RouteAnswer {
        try await counted { () async throws(RouteRefusal) in
            try await self.take(try Admission.transfer(request, self.wiring, self.clock))
        }
    }

    func counted(_ body: () async throws(RouteRefusal) -> RouteAnswer) async throws(RouteRefusal) -> RouteAnswer {
        do throws(RouteRefusal) {
            let answer = try await body()
            counting.answered(answer)
            return answer
        } catch {
            counting.refused(error)
            throw error
        }
    }

    /// Opens the dialog of an admitted request, durably, and finds its answer. `wanted` is told the dialog's id before
    /// its script runs, and may say that its caller hung up meanwhile.
    func take(
        _ admission: Admission, wanted: @Sendable (DialogID) -> Bool = { _ in true }
    ) async throws(RouteRefusal) -> RouteAnswer {
        let reply = try await submit(.openDialog(admission.open), admission.deadline)
        switch reply.outcome {
        case .dialogOpened(let dialog):
            guard wanted(dialog.dialog) else {
                close(dialog.dialog, .abandoned)
                throw .closed(dialog.dialog, .abandoned)
            }
            return try await answer(dialog, reply, admission)
        case .conflict(let conflict): throw .conflict(first: conflict.first)
        case .unknown(let field, let name, let nearest): throw .unknown(field: field, name: name, nearest: nearest)
        default: preconditionFailure("opening a dialog came out as \(reply.outcome)")
        }
    }

    private func answer(
        _ opened: DialogOpened, _ reply: LedgerAnswer, _ admission: Admission
    ) async throws(RouteRefusal) -> RouteAnswer {
        if opened.repeated, let settled = try settled(opened, reply) { return settled }
        let (task, started) = running.join(opened.dialog) { [self] dialog in
            var run = DialogRun(self, admission, opened, reply, dialog)
            return await run.result()
        }
        if started { return try await task.value.get() }
        let joined = FirstOf<RunningDialogs.Result>()
        Task { joined.settle(await task.value) }
        let late = RunningDialogs.Result.failure(.unavailable(reason: "the request is still being answered"))
        var answer = try await joined.value(until: admission.deadline, late: late).get()
        answer.repeated = true
        return answer
    }

    /// The answer of a dialog that has one, or why it will get none; nil when its script must run (on). A label handoff
    /// of a dialog that is not closed is no answer yet: the script runs anew and validates it.
    private func settled(_ opened: DialogOpened, _ reply: LedgerAnswer) throws(RouteRefusal) -> RouteAnswer? {
        guard let standing = reply.standingAnswer else {
            if let reason = reply.closeReason { throw .closed(opened.dialog, reason) }
            return nil
        }
        guard standing.kind == .final || reply.closeReason != nil else { return nil }
        return try RouteAnswer(opened, standing, repeated: true)
    }

    /// One record, with what is left of the deadline.
    func submit(_ record: Record, _ deadline: Deadline) async throws(RouteRefusal) -> LedgerAnswer {
        let left = deadline.leftMilliseconds
        guard left > 0 else { throw .unavailable(reason: "the request's deadline has passed") }
        do throws(LedgerRefusal) {
            return try await ledger.submit(record, deadlineMilliseconds: left)
        } catch {
            throw RouteRefusal(error)
        }
    }

    /// Submits without waiting; what becomes of it is only logged.
    func close(_ dialog: DialogID, _ reason: CloseReason) {
        let logger = logger
        let record = Record.closeDialog(CloseDialog(dialog: dialog, reason: reason))
        ledger.submit(record, deadlineMilliseconds: wiring.settings.routeDeadlineMilliseconds) { result in
            if case .failure(let refusal) = result {
                logger.warning(
                    "dialog not closed; it will age",
                    metadata: ["dialog": "\(dialog)", "as": "\(reason)", "reason": "\(refusal)"])
            }
        }
    }
}

extension RouteRefusal {
    init(_ refusal: LedgerRefusal) {
        switch refusal {
        case .unavailable(let reason): self = .unavailable(reason: reason)
        case .busy(let reason): self = .busy(reason: reason)
        case .tooLarge(let bytes, let limit):
            self = .limit(FieldFault(field: "request", fault: .tooLong(bytes: bytes, limit: limit)))
        }
    }
}

extension RouteAnswer {
    /// From the recorded answer that counts.
    init(_ opened: DialogOpened, _ answer: RecordAnswer, repeated: Bool) throws(RouteRefusal) {
        do {
            context = try answer.context.decoded()
        } catch {
            throw .unavailable(reason: "the recorded context of dialog \(opened.dialog) cannot be read: \(error)")
        }
        label = answer.label
        dialog = opened.dialog
        callKey = opened.callKey
        callKeySequence = opened.callKeySequence
        source = answer.source
        reservation = answer.arrival
        self.repeated = repeated
        reason = answer.reason
    }
}
