internal import CallModel
internal import Ledger
internal import ReplicatedLedger

extension Console {
    /// Prometheus text format 0.0.4. Counters begin with the process; gauges are of now.
    package func metrics(gateways: [GatewayStatus]) async throws(ConsoleFault) -> String {
        let (routes, counters, status, openDialogs) = try await read { view in
            (view.ledger.routeStatus(), view.ledger.counters, view.status, view.ledger.openDialogCount)
        }
        var text = MetricsText()
        text.add(routes)
        text.add(counters)
        text.single("dialogs_open", .gauge, "Dialogs that are not closed.", String(openDialogs))
        text.add(status)
        text.add(gateways)
        text.add(await services())
        return text.output
    }
}

/// Builds the text; families are written whole, each with its help and type.
package struct MetricsText: Sendable {
    package enum Kind: String, Sendable { case counter, gauge }

    package private(set) var output = ""

    package init() {}

    /// One family. Labels are (name, value) pairs; values are whole numbers or decimal texts.
    package mutating func family(
        _ name: String, _ kind: Kind, _ help: String, _ samples: [(labels: [(String, String)], value: String)]
    ) {
        if samples.isEmpty { return }
        output += "# HELP baton_\(name) \(help)\n# TYPE baton_\(name) \(kind.rawValue)\n"
        for sample in samples {
            output += "baton_\(name)"
            if !sample.labels.isEmpty {
                output += "{" + sample.labels.map { "\($0.0)=\"\(Self.escaped($0.1))\"" }.joined(separator: ",") + "}"
            }
            output += " \(sample.value)\n"
        }
    }

    package mutating func single(_ name: String, _ kind: Kind, _ help: String, _ value: String) {
        family(name, kind, help, [(labels: [], value: value)])
    }

    private static func escaped(_ text: String) -> String {
        text.reduce(into: "") { output, character in
            switch character {
            case "\\": output += "\\\\"
            case "\"": output += "\\\""
            case "\n": output += "\\n"
            default: output.append(character)
            }
        }
    }

    /// Microseconds as a decimal number of seconds.
    static func seconds(microseconds: UInt64) -> String {
        let rest = String(microseconds % 1_000_000)
        return "\(microseconds / 1_000_000)." + String(repeating: "0", count: 6 - rest.count) + rest
    }
}

extension MetricsText {
    mutating func add(_ routes: [RouteStatus]) {
        family(
            "translation_route_entries", .gauge, "Entries of a translation route by state.",
            routes.flatMap { route in
                [
                    ("free", route.free), ("waiting", route.waiting), ("claimed", route.claimed),
                    ("expired", route.expired), ("released", route.released),
                ].map { state, count in
                    (labels: [("translation_route", route.name.text), ("state", state)], value: String(count))
                }
            })
    }

    mutating func add(_ counters: LedgerCounters) {
        single("reservations_total", .counter, "Reservations made.", String(counters.reserved))
        single("reservation_repeats_total", .counter, "Reservations asked for again.", String(counters.reserveRepeats))
        family(
            "claims_total", .counter, "Contexts claimed, by outcome.",
            [
                (labels: [("outcome", "claimed")], value: String(counters.claimed)),
                (labels: [("outcome", "late")], value: String(counters.late)),
            ])
        single("claim_repeats_total", .counter, "Claims answered again to the same call.", String(counters.repeats))
        single(
            "claims_ani_mismatched_total", .counter, "Claims served although the ANI was another one.",
            String(counters.aniMismatched))
        family(
            "strays_total", .counter, "Calls that arrived where nothing waited for them, by reason.",
            Stray.Why.allCases.map { (labels: [("why", $0.name)], value: String(counters.strays[$0] ?? 0)) })
        family(
            "exhausted_total", .counter, "Reservations refused because every entry was held.",
            counters.exhausted.sorted { $0.key < $1.key }
                .map { (labels: [("translation_route", $0.key.text)], value: String($0.value)) })
        single("reservations_released_total", .counter, "Reservations released.", String(counters.released))
        single("reservations_expired_total", .counter, "Reservations whose call never came.", String(counters.expired))
        single("entries_freed_total", .counter, "Entries that became free again.", String(counters.freed))
        single("conflicts_total", .counter, "Identities that came with other content.", String(counters.conflicts))
        single("dialogs_opened_total", .counter, "Dialogs opened.", String(counters.dialogsOpened))
        family(
            "dialogs_closed_total", .counter, "Dialogs closed, by reason.",
            CloseReason.allCases.map {
                (labels: [("reason", $0.description)], value: String(counters.dialogsClosed[$0] ?? 0))
            })
    }

    mutating func add(_ status: SideStatus) {
        single("serving", .gauge, "1 when this side serves.", status.notServing == nil ? "1" : "0")
        single("busy", .gauge, "1 when new reservations must wait.", status.busyReason == nil ? "0" : "1")
        single("log_sequence", .gauge, "The last committed record.", String(status.position.sequence.number))
        single("log_epoch", .gauge, "The epoch.", String(status.position.epoch))
        single("batches_total", .counter, "Batches committed.", String(status.batches))
        single("records_total", .counter, "Records committed.", String(status.records))
        family(
            "flush_seconds", .gauge, "Time until a batch is durable, over the last 1,024 batches.",
            [
                (labels: [("quantile", "0.5")], value: Self.seconds(microseconds: status.flushMicrosecondsP50)),
                (labels: [("quantile", "0.99")], value: Self.seconds(microseconds: status.flushMicrosecondsP99)),
            ])
        single("store_lag_bytes", .gauge, "Bytes that LMDB has still to take.", String(status.lagBytes))
        single(
            "store_lag_seconds", .gauge, "Age of the oldest change that LMDB has still to take.",
            Self.seconds(microseconds: status.lagMilliseconds * 1000))
        single("store_sequence", .gauge, "The record up to which LMDB stands.", String(status.stored.sequence.number))
    }

    mutating func add(_ gateways: [GatewayStatus]) {
        func each(_ name: String, _ kind: Kind, _ help: String, _ value: (GatewayStatus) -> String?) {
            family(
                name, kind, help,
                gateways.compactMap { gateway in
                    let side = gateway.peerSide.map { [("peer_side", $0)] } ?? []
                    return value(gateway).map { (labels: [("gateway", gateway.gateway)] + side, value: $0) }
                })
        }
        each("gateway_up", .gauge, "1 when the link to the Server ICM is open.") { $0.up ? "1" : "0" }
        each("gateway_in_flight", .gauge, "Requests under way.") { String($0.inFlight) }
        each("gateway_asked_total", .counter, "Requests sent.") { String($0.asked) }
        each("gateway_answered_total", .counter, "Requests answered in time.") { String($0.answered) }
        each("gateway_failed_total", .counter, "Requests that failed.") { String($0.failed) }
        each("gateway_late_total", .counter, "Requests answered too late.") { String($0.late) }
        each("gateway_round_trip_seconds", .gauge, "The link's last round trip.") {
            $0.roundTripMicroseconds.map(Self.seconds(microseconds:))
        }
    }
}

extension Stray.Why {
    /// The word of the protocols.
    fileprivate var name: String { "\(self)" }
}
