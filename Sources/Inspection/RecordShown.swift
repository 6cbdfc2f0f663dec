internal import CallModel
internal import Ledger

/// The kinds and fields of records, for people.
struct RecordShower {
    var contexts: ContextShower

    static func kind(of record: Record) -> String {
        switch record {
        case .configure: "configure"
        case .reserve: "reserve"
        case .claim: "claim"
        case .release: "release"
        case .openDialog: "openDialog"
        case .askDialog: "askDialog"
        case .recordAnswer: "recordAnswer"
        case .closeDialog: "closeDialog"
        case .clock: "clock"
        case .epochOpened: "epochOpened"
        }
    }

    /// What a reader of the log must remember of a record, to show those after it.
    mutating func pass(_ record: Record) {
        if case .configure(let configuration) = record { contexts.limits = configuration.limits }
    }

    func fields(of record: Record) -> ShownGroup {
        var group = ShownGroup()
        switch record {
        case .configure(let configuration):
            group.add("instance", configuration.instance)
            group.add("translationRoutes", number: configuration.routes.count)
            group.add("peripherals", number: configuration.peripherals.count)
            group.add("eccVariables", number: configuration.limits.declarations.count)
        case .reserve(let reserve): add(reserve, to: &group)
        case .claim(let claim):
            group.add("key", claim.key)
            group.add("callID", claim.callID)
            group.add("ani", contexts.personal(claim.ani))
        case .release(let release): group.add("reservation", release.reservation)
        case .openDialog(let open): add(open, to: &group)
        case .askDialog(let ask):
            group.add("dialog", ask.dialog)
            group.add("node", ask.node)
            group.add("gateway", ask.gateway)
        case .recordAnswer(let answer): add(answer, to: &group)
        case .closeDialog(let close):
            group.add("dialog", close.dialog)
            group.add("reason", close.reason)
        case .clock: break
        case .epochOpened(let opened):
            group.add("epoch", number: opened.epoch)
            group.add("mode", opened.mode == .paired ? "paired" : "alone")
            group.add("active", opened.active.rawValue)
        }
        return group
    }

    private func add(_ reserve: Reserve, to group: inout ShownGroup) {
        group.add("translationRoute", reserve.route)
        add(reserve.identity, to: &group)
        group.add("callID", reserve.callID)
        group.add("callKey", reserve.callKey)
        group.add("routingClient", reserve.routingClient)
        group.add("target", reserve.target)
        group.add("leaseSeconds", number: reserve.leaseSeconds)
        group.add("context", contexts.shown(reserve.context))
    }

    func add(_ identity: ReserveIdentity, to group: inout ShownGroup) {
        switch identity {
        case .request(let requestID): group.add("requestID", requestID)
        case .dialog(let dialog, let node):
            group.add("dialog", dialog)
            group.add("node", node)
        }
    }

    func add(_ open: OpenDialog, to group: inout ShownGroup) {
        group.add("routingClient", open.routingClient)
        group.add("requestID", open.requestID)
        group.add("callID", open.callID)
        group.add("dialedNumber", open.dialedNumber)
        group.add("customer", open.customer)
        group.add("nicCallID", open.nicCallID)
        group.add("callKey", open.callKey)
        group.add("callKeySequence", number: open.callKeySequence)
        group.add("side", open.side.rawValue)
        group.add("context", contexts.shown(open.context))
    }

    func add(_ answer: RecordAnswer, to group: inout ShownGroup) {
        group.add("dialog", answer.dialog)
        group.add("node", answer.node)
        group.add("kind", answer.kind == .handoff ? "handoff" : "final")
        group.add("label", answer.label.text)
        group.add("source", answer.source)
        group.add("reason", answer.reason)
        if let arrival = answer.arrival {
            group.add("reservation", arrival.reservation)
            group.add("key", arrival.key)
            group.add("expiresAt", arrival.expiresAt)
        }
        group.add("context", contexts.shown(answer.context))
    }
}
