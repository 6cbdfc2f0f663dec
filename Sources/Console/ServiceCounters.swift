/// What the services beside the ledger have counted since the process began, as plain values for the metrics.
package struct ServiceCounters: Hashable, Sendable {
    /// Of one ICM Gateway, as its nodes in the scripts see it.
    package struct Gateway: Hashable, Sendable {
        package var asked: UInt64 = 0
        /// How the asks ended, by outcome.
        package var outcomes: [String: UInt64] = [:]
        package var invalidLabels: UInt64 = 0

        package init() {}
    }

    /// Of the INCRP NIC. Only a side that serves clients has one.
    package struct NIC: Hashable, Sendable {
        package var asked: UInt64 = 0
        package var answered: UInt64 = 0
        package var failed: UInt64 = 0
        package var late: UInt64 = 0
        /// Open now.
        package var links = 0
        /// OPENs refused, by code.
        package var opensRefused: [String: UInt64] = [:]

        package init() {}
    }

    /// Labels given, by their source.
    package var routes: [String: UInt64] = [:]
    package var routeRepeats: UInt64 = 0
    package var dialogsTakenUp: UInt64 = 0
    /// By stable code.
    package var routeRefusals: [String: UInt64] = [:]
    /// By name.
    package var gateways: [String: Gateway] = [:]
    package var nic: NIC?

    package init() {}
}

extension MetricsText {
    mutating func add(_ services: ServiceCounters) {
        family("routes_total", .counter, "Labels given, by source.", Self.samples(services.routes, "source"))
        single(
            "route_repeats_total", .counter, "Route requests answered again with the first answer.",
            String(services.routeRepeats))
        single(
            "dialogs_taken_up_total", .counter, "Dialogs of the lost other side that got their answer here.",
            String(services.dialogsTakenUp))
        family(
            "route_refusals_total", .counter, "Route requests that got no label, by code.",
            Self.samples(services.routeRefusals, "code"))
        let gateways = services.gateways.sorted { $0.key < $1.key }
        family(
            "gateway_nodes_asked_total", .counter, "Gateway nodes that asked their Server ICM.",
            gateways.map { (labels: [("gateway", $0.key)], value: String($0.value.asked)) })
        family(
            "gateway_nodes_total", .counter, "How the asks of gateway nodes ended.",
            gateways.flatMap { name, gateway in
                Self.samples(gateway.outcomes, "outcome").map {
                    (labels: [("gateway", name)] + $0.labels, value: $0.value)
                }
            })
        family(
            "gateway_invalid_labels_total", .counter, "Returned labels that do not exist for the routing client.",
            gateways.map { (labels: [("gateway", $0.key)], value: String($0.value.invalidLabels)) })
        if let nic = services.nic { add(nic) }
    }

    private mutating func add(_ nic: ServiceCounters.NIC) {
        single("nic_asked_total", .counter, "Requests that came over INCRP.", String(nic.asked))
        single("nic_answered_total", .counter, "Requests over INCRP that got a label.", String(nic.answered))
        single("nic_failed_total", .counter, "Requests over INCRP that got none.", String(nic.failed))
        single("nic_late_total", .counter, "Requests over INCRP answered after the late threshold.", String(nic.late))
        single("incrp_links", .gauge, "Links of Client ICMs that are open.", String(nic.links))
        family(
            "incrp_opens_refused_total", .counter, "Links refused at their OPEN, by code.",
            Self.samples(nic.opensRefused, "code"))
    }

    private static func samples(
        _ counts: [String: UInt64], _ label: String
    ) -> [(labels: [(String, String)], value: String)] {
        counts.sorted { $0.key < $1.key }.map { (labels: [(label, $0.key)], value: String($0.value)) }
    }
}
