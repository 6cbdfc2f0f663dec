internal import CallModel
internal import INCRP
internal import Ledger
internal import Logging
internal import ReplicatedLedger
internal import Routing

// How a dialog comes to its end: the final answer is recorded, the dialog closed without waiting, and every server
// that was asked is told what became of its answer.

extension DialogRun {
    /// Answers with a label of the script or of a gateway.
    func finish(
        _ node: NodeName, _ label: Label, _ source: LabelSource, arrival: Arrival?
    ) async throws(RouteRefusal) -> RouteAnswer {
        let final = RecordAnswer(
            dialog: opened.dialog, node: node, kind: .final, label: label, source: source, arrival: arrival,
            context: script.context.encoded())
        // The label handoff says it all already when nothing has changed since.
        if let handoff, source == .gateway, handoff.node == node, handoff.context == final.context {
            return try end(with: handoff)
        }
        return try end(with: try await record(final) ?? final)
    }

    /// The routing client's default label: that of the gateway node where the script ended, else its own.
    func giveDefault(_ reason: String) async throws(RouteRefusal) -> RouteAnswer {
        if let crossing {
            closeUnanswered()
            throw .refused(reason: "a network transfer does not cross instances (gateway \(crossing))")
        }
        let node = script.trace.last ?? script.script.start
        var label = admission.client.defaultLabel
        if case .gateway(let gateway) = script.script.nodes[node] {
            label = gateway.defaultLabels[admission.client.name] ?? label
        }
        guard let label else {
            closeUnanswered()
            throw .refused(reason: "no label: \(reason)")
        }
        log.info("the call gets the default label", metadata: ["reason": "\(reason)"])
        let final = RecordAnswer(
            dialog: opened.dialog, node: node, kind: .final, label: Label(unchecked: label.text, type: .default),
            source: .default, reason: reason.prefix(bytes: 64), context: script.context.encoded())
        return try end(with: try await record(final) ?? final)
    }

    /// Records an answer. Nil when it is the first; else the one that stands, and counts. Throws when the dialog will
    /// get no answer any more.
    func record(_ answer: RecordAnswer) async throws(RouteRefusal) -> RecordAnswer? {
        let reply = try await router.submit(.recordAnswer(answer), admission.deadline)
        switch reply.outcome {
        case .answerRecorded(first: true): return nil
        case .answerRecorded(first: false):
            if let standing = reply.standingAnswer { return standing }
            closeServers(answeredBy: nil, as: .abandoned)
            throw .closed(opened.dialog, reply.closeReason)
        case .unknown:
            closeServers(answeredBy: nil, as: .default)
            throw .closed(opened.dialog, nil)
        default: preconditionFailure("recording an answer came out as \(reply.outcome)")
        }
    }

    /// The answer that counts is durable. A request over INCRP stays answered until its client says how it ended.
    private func end(with answer: RecordAnswer) throws(RouteRefusal) -> RouteAnswer {
        let result = try RouteAnswer(opened, answer, repeated: opened.repeated)
        releaseUnused(answer)
        if !admission.arrivedOverINCRP {
            router.close(opened.dialog, answer.source == .default ? .default : .handedOver)
        }
        closeServers(answeredBy: answer.source == .gateway ? answer.node : nil, as: .default)
        return result
    }

    private func closeUnanswered() {
        router.close(opened.dialog, .failed)
        closeServers(answeredBy: nil, as: .default)
    }

    /// Entries that this run reserved and that are not behind the answer that counts: nobody will arrive there.
    private func releaseUnused(_ answer: RecordAnswer) {
        for arrival in arrivals.values where arrival.reservation != answer.arrival?.reservation {
            router.release(arrival.reservation)
        }
    }

    /// Tells every server that was asked: the one behind the answer that it was handed over, the others `end`.
    private func closeServers(answeredBy node: NodeName?, as end: AskEnd) {
        let used = node.flatMap { returned[$0]?.gateway }
        router.end(
            opened.dialog, dialog.askedGateways.map { ($0, $0 == used ? .handedOver : end) }, admission.wiring.links)
    }
}

extension LedgerAnswer {
    /// The answer that counts; nil when there is none, or nobody may come for it any more. A label handoff of a dialog
    /// that is closed counts only if it was handed over: else its label may never have been validated.
    var standingAnswer: RecordAnswer? {
        switch closeReason {
        case nil, .handedOver: answer?.answer
        case .default, .aged: answer?.answer.kind == .final ? answer?.answer : nil
        case .abandoned, .failed: nil
        }
    }
}

extension RouteRefusal {
    /// Nil: closed in a way that is not known here.
    static func closed(_ dialog: DialogID, _ reason: CloseReason?) -> RouteRefusal {
        .refused(reason: "dialog \(dialog) is closed\(reason.map { ": \($0)" } ?? "")")
    }
}

extension String {
    /// As much of it as fits into so many bytes of UTF-8, in whole characters.
    func prefix(bytes limit: Int) -> String {
        if utf8.count <= limit { return self }
        var result = ""
        for character in self {
            if result.utf8.count + character.utf8.count > limit { break }
            result.append(character)
        }
        return result
    }
}
