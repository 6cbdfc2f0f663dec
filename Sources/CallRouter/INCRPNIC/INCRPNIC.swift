package import CallModel
package import INCRP
internal import Ledger
internal import Logging
internal import ReplicatedLedger

/// The INCRP NIC: takes the requests of Client ICMs and hands them to the CallRouter as any route request. The routing
/// client is the Client ICM, told by its client id; the identity of a request is the client's (instance, dialog, node),
/// so that the same ask, on whatever link it comes again, gets the same answer.
///
/// A dialog that it answered stays `answered` until the client says how it ended (or it ages): only then is it known
/// whether the call will arrive.
package final class INCRPNIC: RouteAskHandler {
    private let router: CallRouter
    private let asks: ServedAsks

    package init(router: CallRouter) {
        self.router = router
        asks = ServedAsks(clock: router.clock)
    }

    package func answer(_ ask: RouteAsk, from peer: INCRPPeer) async -> Result<RouteReply, RouteAskRefusal> {
        let started = router.clock.nowMilliseconds
        router.counting.count { $0.nic.asked += 1 }
        let settings = router.wiring.settings
        let result: Result<RouteReply, RouteAskRefusal>
        do throws(RouteRefusal) {
            let answer = try await router.counted { () async throws(RouteRefusal) in try await self.route(ask, peer) }
            let arrival = answer.reservation.map {
                AskArrival(reservation: $0.reservation, key: $0.key, expiresAt: $0.expiresAt)
            }
            result = .success(RouteReply(id: ask.id, label: answer.label, arrival: arrival, context: answer.context))
        } catch {
            result = .failure(RouteAskRefusal(error))
            router.logger.notice(
                "a request over INCRP gets no label",
                metadata: [
                    "clientID": "\(peer.clientID)", "instance": "\(peer.instance)", "ask": "\(ask.id)",
                    "callKey": "\(ask.callKey)", "code": "\(error.code)", "reason": "\(error)",
                ])
        }
        let late = router.clock.nowMilliseconds - started > UInt64(settings.lateThresholdMilliseconds)
        router.counting.count {
            if case .success = result { $0.nic.answered += 1 } else { $0.nic.failed += 1 }
            if late { $0.nic.late += 1 }
        }
        return result
    }

    private func route(_ ask: RouteAsk, _ peer: INCRPPeer) async throws(RouteRefusal) -> RouteAnswer {
        let wiring = router.wiring
        let settings = wiring.settings
        guard let (client, instance) = settings.client(clientID: peer.clientID) else {
            throw .unknown(field: "clientID", name: peer.clientID.description, nearest: nil)
        }
        guard instance == peer.instance else {
            throw .refused(reason: "client id \(peer.clientID) is that of instance \(instance), not \(peer.instance)")
        }
        let most = min(ask.deadlineMilliseconds, settings.timeoutThresholdMilliseconds)
        // Slightly before, so that the answer still crosses in time; of a short time not more than a quarter.
        let before = min(settings.nicAnswersBeforeMilliseconds, most / 4)
        let deadline = Deadline(router.clock, inMilliseconds: most - before)
        let admission = try Admission.incrp(ask, client, from: peer, wiring, deadline)
        let name = ServedAsks.Name(clientID: peer.clientID, dialog: ask.id.dialog)
        if let ended = asks.arrived(name) {
            throw .refused(reason: "the client has ended dialog \(ask.id.dialog) already: \(ended)")
        }
        return try await router.take(admission) { [asks] dialog in asks.opened(dialog, for: name) }
    }

    /// What the client made of the answer. Default and abandoned mean that the call will not arrive: what waits for
    /// it is released.
    package func end(_ dialog: DialogID, as end: AskEnd, from peer: INCRPPeer) async {
        let name = ServedAsks.Name(clientID: peer.clientID, dialog: dialog)
        await asks.recover(takeovers: router.counters.takeovers) { await self.openDialogs() }
        let served = asks.ended(name, as: end)
        for (index, own) in served.enumerated() {
            // Several nodes of one dialog may have asked, one after the other failed: the last one counts.
            let handedOver = end == .handedOver && index == served.count - 1
            if handedOver { router.close(own, .handedOver) } else { await release(own, name, end) }
        }
    }

    private func release(_ own: DialogID, _ name: ServedAsks.Name, _ end: AskEnd) async {
        do throws(RouteRefusal) {
            let milliseconds = router.wiring.settings.routeDeadlineMilliseconds
            _ = try await router.abandon(own, Deadline(router.clock, inMilliseconds: milliseconds))
        } catch {
            router.logger.warning(
                "dialog of a Client ICM not closed; it will age",
                metadata: [
                    "clientID": "\(name.clientID)", "clientDialog": "\(name.dialog)", "dialog": "\(own)",
                    "as": "\(end)", "reason": "\(error)",
                ])
        }
    }

    // MARK: - After a restart or a takeover

    /// Dialogs of Client ICMs that the ledger holds and that are not closed.
    private func openDialogs() async -> [(ServedAsks.Name, DialogID)]? {
        let settings = router.wiring.settings
        do throws(LedgerRefusal) {
            return try await router.openDialogs { _ in true }.compactMap { row, bytes in
                // A row that cannot be read is the ledger's to report; here it names no client's dialog.
                guard let parked = try? ParkedRequest(key: row.dialog.storeKey, value: bytes),
                    let client = settings.routingClients[parked.request.routingClient],
                    case .incrp(let clientID, _) = client.kind,
                    let asked = ServedAsks.clientDialog(of: parked.request.requestID)
                else { return nil }
                return (ServedAsks.Name(clientID: clientID, dialog: asked), row.dialog)
            }
        } catch {
            router.logger.warning("dialogs of Client ICMs not read yet", metadata: ["reason": "\(error)"])
            return nil
        }
    }
}

extension RouteAskRefusal {
    fileprivate init(_ refusal: RouteRefusal) {
        let code: RouteFailure.Code =
            switch refusal {
            case .unknown(field: "dialedNumber", _, _): .unknownDialedNumber
            case .unknown: .unknownCustomer
            case .refused: .noLabel
            case .limit: .limit
            case .conflict: .conflict
            case .unavailable: .unavailable
            case .busy: .busy
            }
        self.init(code: code, reason: refusal.description.prefix(bytes: 200))
    }
}
