internal import CallModel
internal import Ledger
package import ReplicatedLedger

/// Looks into a side: translation routes, parked contexts, dialogs, journeys, the side itself. It consumes nothing and
/// changes nothing. Rows are copied on the ledger's thread in short reads, and decoded on the caller's task.
package struct Console: Sendable {
    package static let mostPerPage = 500
    /// Rows that one read may copy: some tens of microseconds of the ledger's time.
    static let rowsPerRead = 256
    /// Events of a journey that are shown.
    static let mostEvents = 1000

    let ledger: any LedgerService
    let services: @Sendable () async -> ServiceCounters

    /// `services` is asked anew for each reading of the metrics.
    package init(
        ledger: any LedgerService, services: @escaping @Sendable () async -> ServiceCounters = { ServiceCounters() }
    ) {
        self.ledger = ledger
        self.services = services
    }

    func read<Value: Sendable>(
        _ body: @escaping @Sendable (any LedgerView) -> Value
    ) async throws(ConsoleFault) -> Value {
        do {
            return try await ledger.read(body)
        } catch {
            throw ConsoleFault(error)
        }
    }

    package func translationRoutes() async throws(ConsoleFault) -> TranslationRouteList {
        let (routes, configuration, time, sequence) = try await read { view in
            (view.ledger.routeStatus(), view.ledger.configuration, view.time, view.position.sequence)
        }
        let rules = Dictionary((configuration?.routes ?? []).map { ($0.name, $0) }) { first, _ in first }
        return TranslationRouteList(
            sequence: sequence.number,
            translationRoutes: routes.map { status in
                let route = rules[status.name]
                return TranslationRouteValues(
                    name: status.name.text, peripheral: status.peripheral.text, entries: status.total,
                    free: status.free,
                    waiting: status.waiting, claimed: status.claimed, expired: status.expired,
                    released: status.released,
                    nextFreeAt: status.nextFreeAt.map { time.wall(at: $0).description },
                    leaseSeconds: route?.leaseSeconds ?? 0, repeatSeconds: route?.repeatSeconds ?? 0,
                    quarantineSeconds: route?.quarantineSeconds ?? 0, aniCheck: (route?.aniCheck ?? .off).description)
            })
    }

    package func side() async throws(ConsoleFault) -> SideValues {
        SideValues(try await read { $0.status })
    }

    package func pair() async throws(ConsoleFault) -> PairValues {
        let side = try await side()
        if side.state == "single" {
            return PairValues(
                kind: "single", detail: "no other side is configured: this side serves alone, on its own log",
                sides: [side])
        }
        let because = side.pair.map { ": \($0.because)" } ?? ""
        return PairValues(kind: "pair", detail: "side \(side.side) is \(side.state)\(because)", sides: [side])
    }

    /// Carries an operator's order out, and shows what came of it.
    package func order(_ order: PairOrder) async throws(ConsoleFault) -> PairValues {
        do { try await ledger.order(order) } catch { throw ConsoleFault(error) }
        return try await pair()
    }
}

extension SideValues {
    init(_ status: SideStatus) {
        self.init(
            instance: status.instance, side: status.side.rawValue, state: status.state,
            serving: status.notServing == nil,
            notServing: status.notServing, busy: status.busyReason, position: PositionValues(status.position),
            durable: PositionValues(status.durable), stored: PositionValues(status.stored), lagBytes: status.lagBytes,
            lagMilliseconds: status.lagMilliseconds, batches: status.batches, records: status.records,
            flushMicrosecondsP50: status.flushMicrosecondsP50, flushMicrosecondsP99: status.flushMicrosecondsP99,
            pair: status.pair.map { PairSideValues($0, durable: status.durable.sequence) })
    }
}
