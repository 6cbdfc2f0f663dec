package import CallModel
internal import Ledger
internal import Logging
internal import ReplicatedLedger
internal import Routing

// The other side is lost: the dialogs whose scripts it ran are brought to their end here (DESIGN.md, "The pair").

extension CallRouter {
    /// Scripts of taken up dialogs that run at the same time, so that the calls of this side keep their share.
    private static var mostAtOnce: Int { 64 }

    /// Takes up the dialogs that the lost side had open. Each is asked again under its own identity, so its script runs
    /// anew, what it had recorded already meets its first answer, and a routing client that asks again here joins it.
    /// Returns when each has come to an end, or could not: it then waits for its routing client, or ages.
    package func takeUp(from lost: Side) async {
        counting.count { $0.takeovers += 1 }
        let dialogs: [OpenedThere]
        do throws(LedgerRefusal) {
            dialogs = try await openDialogs(of: lost)
        } catch {
            logger.error(
                "open dialogs of side \(lost.rawValue) not taken up: they age", metadata: ["reason": "\(error)"])
            return
        }
        if dialogs.isEmpty { return }
        logger.notice("open dialogs of side \(lost.rawValue) are taken up", metadata: ["count": "\(dialogs.count)"])
        await withTaskGroup(of: Void.self) { group in
            for (index, dialog) in dialogs.enumerated() {
                if index >= Self.mostAtOnce { await group.next() }
                group.addTask { await self.takeUp(dialog) }
            }
        }
    }

    /// A dialog that is not closed, with the request that opened it.
    private struct OpenedThere: Sendable {
        let parked: ParkedRequest
        /// Its final answer is durable, and only its close was lost.
        let isAnswered: Bool
    }

    private func openDialogs(of side: Side) async throws(LedgerRefusal) -> [OpenedThere] {
        try await openDialogs { $0.side == side }.compactMap { row, bytes in
            do {
                let parked = try ParkedRequest(key: row.dialog.storeKey, value: bytes)
                return OpenedThere(parked: parked, isAnswered: row.final != nil)
            } catch {
                logger.error(
                    "the request of a dialog cannot be read: it ages",
                    metadata: ["dialog": "\(row.dialog)", "reason": "\(error)"])
                return nil
            }
        }
    }

    /// The ledger's dialogs that are wanted and not closed, each with its parked request as the store holds it.
    func openDialogs(
        _ isWanted: @escaping @Sendable (DialogRow) -> Bool
    ) async throws(LedgerRefusal) -> [(row: DialogRow, request: [UInt8])] {
        try await ledger.read { view in
            view.ledger.allDialogs().filter { $0.state != .closed && isWanted($0) }.compactMap { row in
                view.value(.contexts, key: row.dialog.storeKey).map { (row, $0) }
            }
        }
    }

    private func takeUp(_ dialog: OpenedThere) async {
        let open = dialog.parked.request
        // Its client says how it ended, here too.
        if dialog.isAnswered && open.callKey != nil { return }
        do throws(RouteRefusal) {
            let answer = try await take(try Admission.takenUp(open, wiring, clock))
            if dialog.isAnswered { close(answer.dialog, answer.source == .default ? .default : .handedOver) }
            counting.count { $0.takenUp += 1 }
        } catch {
            logger.notice(
                "a dialog of the lost side gets no label here",
                metadata: ["dialog": "\(dialog.parked.dialog)", "code": "\(error.code)", "reason": "\(error)"])
        }
    }
}

extension Admission {
    /// A request that the lost side had admitted, as its dialog keeps it.
    static func takenUp(
        _ open: OpenDialog, _ wiring: CallRouter.Wiring, _ clock: any RouterClock
    ) throws(RouteRefusal) -> Admission {
        let settings = wiring.settings
        guard let client = settings.routingClients[open.routingClient] else {
            throw .unknown(field: "routingClient", name: open.routingClient.text, nearest: nil)
        }
        // Whether the network was to transfer the call is not kept, and decides what its script may do.
        if case .pg = client.kind, client.networkTransfer {
            throw .refused(reason: "it may be a network transfer: routing client \(client.name) must ask again")
        }
        let context: CallContext
        do { context = try open.context.decoded() } catch {
            throw .unavailable(reason: "its context cannot be read: \(error)")
        }
        let longest =
            open.callKey == nil
            ? client.deadlineMilliseconds ?? settings.routeDeadlineMilliseconds : settings.timeoutThresholdMilliseconds
        return try Admission(
            wiring, client, open.customer, callID: open.callID, requestID: open.requestID,
            dialedNumber: open.dialedNumber, nicCallID: open.nicCallID, context: context, asOpened: open,
            by: Deadline(clock, inMilliseconds: longest))
    }
}
