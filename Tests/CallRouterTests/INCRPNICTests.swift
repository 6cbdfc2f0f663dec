import CallModel
import CallRouter
import INCRP
import Ledger
import LedgerDouble
import Logging
import ReplicatedLedger
import Routing
import Testing

@Suite("The INCRP NIC")
struct INCRPNICTests {
    private func ask(_ number: String = "08001", dialog: UInt64 = 12, node: String = "ask", customer: String? = nil)
        -> RouteAsk
    {
        RouteAsk(
            id: AskID(dialog: DialogID(LogSequence(dialog)), node: name(node)),
            callKey: CallKey(origin: name("bank"), day: 20_000, number: UInt32(dialog)), callKeySequence: 0,
            callID: name("call-\(dialog)"), dialedNumber: number, customer: customer.map { name($0) },
            deadlineMilliseconds: 1000, context: context())
    }

    @Test("two client ICMs at one server are told apart by client id and customer mapping")
    func twoClients() async throws {
        let server = try insurance()
        let fromBank = try await server.nic.answer(ask(), from: try peer(5, "bank")).get()
        let fromBroker = try await server.nic.answer(ask(), from: try peer(6, "broker")).get()
        #expect(fromBank.label == label("95559001"))
        #expect(fromBroker.label == label("95557777"))
        #expect(fromBroker.arrival == nil)
        let customers = server.ledger.records.compactMap { record -> String? in
            if case .openDialog(let open) = record {
                "\(open.routingClient) for \(open.customer?.text ?? "nobody")"
            } else {
                nil
            }
        }
        #expect(customers == ["bank for retail", "broker for other"])
    }

    @Test("a client without a mapping brings its customer, who must be known")
    func unmappedCustomer() async throws {
        let server = try insurance()
        let known = try await server.nic.answer(ask(customer: "other"), from: try peer(7, "mapless")).get()
        #expect(known.label == label("95557777"))
        let unknown = await server.nic.answer(ask(dialog: 13, customer: "nobody"), from: try peer(7, "mapless"))
        #expect(unknown.code == .unknownCustomer)
    }

    @Test("an unknown client id, and a client id from another instance, are refused")
    func unknownClient() async throws {
        let server = try insurance()
        #expect(await server.nic.answer(ask(), from: try peer(99, "bank")).code == .unknownCustomer)
        #expect(await server.nic.answer(ask(), from: try peer(5, "broker")).code == .noLabel)
        #expect(server.ledger.records.isEmpty)
    }

    @Test("a request that arrived over INCRP never leaves over a gateway: failure path, logged")
    func neverOnward() async throws {
        let onward = ScriptedLink(label: "95554321")
        let server = try insurance(link: onward)
        let result = await server.nic.answer(ask("0800177"), from: try peer(5, "bank"))
        #expect(result.code == .noLabel)
        #expect(onward.asks.all.isEmpty)
        let line = "a request that arrived over INCRP is never forwarded over a gateway (to-bank)"
        #expect(server.log.all.contains { $0.contains(line) && $0.contains("client=bank") })
    }

    @Test("the same ask again gets the same answer, and reserves nothing new")
    func sameAsk() async throws {
        let server = try insurance()
        let first = try await server.nic.answer(ask(), from: try peer(5, "bank")).get()
        let second = try await server.nic.answer(ask(), from: try peer(5, "bank")).get()
        #expect(first == second)
        let third = try await server.restarted().nic.answer(ask(), from: try peer(5, "bank")).get()
        #expect(first == third)
        #expect(server.waiting == 1)
        #expect(server.dialogs.count == 1)
    }

    @Test("a dialog stays answered until the client says how it ended")
    func answeredUntilEnd() async throws {
        let server = try insurance()
        let bank = try peer(5, "bank")
        _ = await server.nic.answer(ask(), from: bank)
        #expect(server.dialogs.map(\.state) == [.answered])
        await server.nic.end(ask().id.dialog, as: .handedOver, from: bank)
        #expect(server.dialogs.map(\.closeReason) == [.handedOver])
        #expect(server.waiting == 1)
    }

    @Test(
        "when the client gave its default label or the caller hung up the reservation is released",
        arguments: [AskEnd.default, .abandoned])
    func released(end: AskEnd) async throws {
        let server = try insurance()
        _ = await server.nic.answer(ask(), from: try peer(5, "bank"))
        await server.nic.end(ask().id.dialog, as: end, from: try peer(5, "bank"))
        #expect(server.dialogs.map(\.closeReason) == [.abandoned])
        #expect(server.waiting == 0)
    }

    @Test("a caller who hangs up after the handover releases the reservation too")
    func abandonedAfterHandover() async throws {
        let server = try insurance()
        _ = await server.nic.answer(ask(), from: try peer(5, "bank"))
        await server.nic.end(ask().id.dialog, as: .handedOver, from: try peer(5, "bank"))
        await server.nic.end(ask().id.dialog, as: .abandoned, from: try peer(5, "bank"))
        #expect(server.waiting == 0)
    }

    @Test("another client's end of a dialog of the same number changes nothing")
    func otherClientsEnd() async throws {
        let server = try insurance()
        _ = await server.nic.answer(ask(), from: try peer(5, "bank"))
        await server.nic.end(ask().id.dialog, as: .abandoned, from: try peer(6, "broker"))
        #expect(server.waiting == 1)
    }

    @Test("an end that overtakes its ask refuses it, and nothing is reserved")
    func endBeforeAsk() async throws {
        let server = try insurance()
        await server.nic.end(ask().id.dialog, as: .abandoned, from: try peer(5, "bank"))
        #expect(await server.nic.answer(ask(), from: try peer(5, "bank")).code == .noLabel)
        #expect(server.waiting == 0)
    }

    @Test("an end that comes while the dialog is opened closes it, and nothing is reserved")
    func endWhileOpening() async throws {
        let server = try insurance()
        // What was open before a restart is looked for at the first end; that is over here.
        await server.nic.end(DialogID(LogSequence(99)), as: .abandoned, from: try peer(5, "bank"))
        server.ledger.withholdReplies()
        async let answering = server.nic.answer(ask(), from: try peer(5, "bank"))
        while server.dialogs.isEmpty { await Task.yield() }
        await server.nic.end(ask().id.dialog, as: .abandoned, from: try peer(5, "bank"))
        server.ledger.sendReplies()
        #expect(try await answering.code == .noLabel)
        #expect(server.dialogs.map(\.closeReason) == [.abandoned])
        #expect(server.waiting == 0)
    }

    @Test("after a restart of the server the client's end still finds its dialog")
    func endAfterRestart() async throws {
        let server = try insurance()
        _ = await server.nic.answer(ask(), from: try peer(5, "bank"))
        let restarted = server.restarted()
        await restarted.nic.end(ask().id.dialog, as: .default, from: try peer(5, "bank"))
        #expect(restarted.dialogs.map(\.closeReason) == [.abandoned])
        #expect(restarted.waiting == 0)
    }

    @Test("of two nodes of one dialog that asked, the last one's reservation waits, the first one's is released")
    func twoNodes() async throws {
        let server = try insurance()
        let bank = try peer(5, "bank")
        _ = await server.nic.answer(ask(node: "first"), from: bank)
        let second = try await server.nic.answer(ask(node: "second"), from: bank).get()
        await server.nic.end(ask().id.dialog, as: .handedOver, from: bank)
        #expect(server.waiting == 1)
        let key = try #require(second.arrival?.key)
        guard case .claimed = try await server.claim(key, callID: "leg").outcome else {
            Issue.record("not the second one waits")
            return
        }
    }

    @Test("the pool is exhausted: the failure path, with clear counts")
    func exhausted() async throws {
        let server = try insurance()
        for dialog in [1, 2] { _ = await server.nic.answer(ask(dialog: UInt64(dialog)), from: try peer(5, "bank")) }
        let result = await server.nic.answer(ask(dialog: 3), from: try peer(5, "bank"))
        guard case .failure(let refusal) = result else {
            Issue.record("\(result)")
            return
        }
        #expect(refusal.code == .noLabel)
        #expect(refusal.reason.contains("translation route claims is exhausted: 2 held, next free at "))
    }

    @Test("a context over this instance's limits is refused with field and limit")
    func limits() async throws {
        var ask = ask()
        ask.context.variables[0] = String(repeating: "x", count: 41)
        let result = await (try insurance()).nic.answer(ask, from: try peer(5, "bank"))
        #expect(result == .failure(RouteAskRefusal(code: .limit, reason: "variable1 has 41 bytes; the limit is 40")))
    }

    @Test("the failure of a ledger that cannot serve is answered as such")
    func unavailable() async throws {
        let server = try insurance()
        server.ledger.refuse { _ in .unavailable(reason: "testing the other side") }
        #expect(await server.nic.answer(ask(), from: try peer(5, "bank")).code == .unavailable)
        server.ledger.refuse { _ in .busy(reason: "store behind") }
        #expect(await server.nic.answer(ask(), from: try peer(5, "bank")).code == .busy)
    }

    @Test("the NIC's answer is due slightly before the ask's deadline, and before its own timeout threshold")
    func deadline() async throws {
        var ask = ask()
        for (deadline, due) in [(1000, 950), (3000, 1450), (40, 30)] as [(UInt32, UInt32)] {
            let server = try insurance()
            ask.deadlineMilliseconds = deadline
            _ = await server.nic.answer(ask, from: try peer(5, "bank"))
            #expect(server.ledger.deadlinesMilliseconds.first == due)
        }
    }

    @Test("both directions between two instances: each is client and server")
    func bothDirections() async throws {
        let bankServer = try bank(link: nil)
        let back = DirectLink(to: bankServer.nic, as: try peer(9, "insurance"))
        let client = try insurance(link: back)
        let answer = try await client.router.route(.forwarded(client: "insurance-pg", to: "55"))
        #expect(answer.label == label("6000"))
        #expect(answer.source == .gateway)
        let centres = try TwoCentres()
        #expect(try await centres.bank.router.route(.forwarded()).source == .gateway)
    }
}

extension Result where Success == RouteReply, Failure == RouteAskRefusal {
    var code: RouteFailure.Code? { if case .failure(let refusal) = self { refusal.code } else { nil } }
}
