package import CallModel
internal import INCRP
internal import Ledger
internal import Logging
internal import ReplicatedLedger

extension CallRouter {
    /// The caller hung up, before or after the answer: the dialog is closed, what waits for the call is released, here
    /// and at the servers that were asked.
    package func abandon(_ dialog: DialogID) async throws(RouteRefusal) -> AbandonAnswer {
        do throws(RouteRefusal) {
            let answer = try await abandon(
                dialog, Deadline(clock, inMilliseconds: wiring.settings.routeDeadlineMilliseconds))
            counting.count { $0.abandoned += 1 }
            logger.info(
                answer.closed ? "the caller hung up" : "the caller hung up; the dialog was closed before",
                metadata: ["dialog": "\(dialog)", "closedAs": "\(answer.reason)"])
            return answer
        } catch {
            counting.refused(error)
            throw error
        }
    }

    func abandon(_ dialog: DialogID, _ deadline: Deadline) async throws(RouteRefusal) -> AbandonAnswer {
        running.abandon(dialog)
        let reply = try await submit(.closeDialog(CloseDialog(dialog: dialog, reason: .abandoned)), deadline)
        switch reply.outcome {
        case .dialogClosed(let closed):
            tellServers(dialog)
            return AbandonAnswer(
                dialog: dialog, closed: closed.closed, reason: closed.reason, released: closed.released)
        case .unknown(let field, let name, let nearest): throw .unknown(field: field, name: name, nearest: nearest)
        default: preconditionFailure("closing a dialog came out as \(reply.outcome)")
        }
    }

    /// When it is forgotten which gateways the dialog asked (a restart lies between), all are told: a server that was
    /// not asked ignores it.
    private func tellServers(_ dialog: DialogID) {
        let links = wiring.links
        let asked = running.askedGateways(dialog) ?? Array(links.keys)
        end(dialog, asked.map { ($0, .abandoned) }, links)
    }

    /// Tells servers how a dialog ended, without waiting.
    func end(_ dialog: DialogID, _ ends: [(GatewayName, AskEnd)], _ links: [GatewayName: any ServerLink]) {
        for (gateway, end) in ends {
            guard let link = links[gateway] else { continue }
            Task { await link.end(dialog, as: end) }
        }
    }

    /// Releases a reservation, without waiting; its lease ends it otherwise.
    func release(_ reservation: ReservationID) {
        let logger = logger
        let milliseconds = wiring.settings.routeDeadlineMilliseconds
        ledger.submit(.release(Release(reservation: reservation)), deadlineMilliseconds: milliseconds) { result in
            if case .failure(let refusal) = result {
                logger.warning(
                    "reservation not released; its lease ends it",
                    metadata: ["reservation": "\(reservation)", "reason": "\(refusal)"])
            }
        }
    }
}
