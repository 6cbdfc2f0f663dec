import CallModel
import CallRouter
import INCRP
import Ledger
import LedgerDouble
import Logging
import ReplicatedLedger
import Routing
import Testing

@Suite("Post-routing")
struct PostRoutingTests {
    private func transfer(
        _ peripheral: String = "bank-acd", to number: String = "7910", kind: TransferKind = .local,
        postRoute: Bool = true
    ) -> TransferRequest {
        TransferRequest(
            peripheral: peripheral, agent: "agent-7", dialedNumber: number, callID: name("call-1"), kind: kind,
            postRoute: postRoute, context: context())
    }

    @Test("a call to a special dialed number on the ACD is post-routed to the other instance")
    func specialDialedNumber() async throws {
        let centres = try TwoCentres()
        let answer = try await centres.bank.router.route(.forwarded(client: "bank-pg", to: "7910"))
        #expect(answer.source == .gateway)
        #expect(answer.reservation?.key.peripheral == name("insurance-acd"))
        #expect(centres.insurance.waiting == 1)
    }

    @Test("a PG with special dialed numbers asks for these only")
    func noSpecialNumber() async throws {
        let bank = try bank(link: ScriptedLink(label: "95551111"))
        let refusal = await refusal { () async throws(RouteRefusal) in
            try await bank.router.route(.forwarded(client: "bank-pg", to: "08001"))
        }
        #expect(refusal == .unknown(field: "dialedNumber", name: "08001", nearest: nil))
    }

    @Test("a CTI transfer with the post-route flag is routed as its peripheral's PG")
    func ctiTransfer() async throws {
        let centres = try TwoCentres()
        let answer = try await centres.bank.router.transfer(transfer())
        #expect(answer.source == .gateway)
        guard case .openDialog(let open) = centres.bank.ledger.records.first else {
            Issue.record("no dialog")
            return
        }
        #expect(open.routingClient == name("bank-pg"))
        #expect(open.nicCallID == nil)
    }

    @Test("a CTI transfer without the post-route flag is refused, and nothing is stored")
    func withoutPostRoute() async throws {
        let bank = try bank(link: ScriptedLink(label: "95551111"))
        let refusal = await refusal { () async throws(RouteRefusal) in
            try await bank.router.transfer(transfer(postRoute: false))
        }
        #expect(refusal?.code == "refused")
        #expect(bank.ledger.records.isEmpty)
    }

    @Test("a network transfer across instances is refused, and the server is not asked")
    func networkTransferAcross() async throws {
        let link = ScriptedLink(label: "95551111")
        let bank = try bank(link: link)
        let refusal = await refusal { () async throws(RouteRefusal) in
            try await bank.router.transfer(transfer("net-acd", kind: .network))
        }
        #expect(
            refusal == .refused(reason: "a network transfer does not cross instances (gateway to-insurance)"))
        #expect(link.asks.all.isEmpty)
        #expect(bank.dialogs.map(\.closeReason) == [.failed])
    }

    @Test("a network transfer that would cross takes the gateway node's failure path to a label of this instance")
    func networkTransferFailurePath() async throws {
        let script = try script(
            "forward", start: "ask",
            [
                "ask": .gateway(GatewayNode(gateway: toInsurance, otherwise: name("here"))),
                "here": .label(LabelNode(label("7123"))),
            ])
        let bank = try bank(script: script, link: ScriptedLink(label: "95551111"))
        let answer = try await bank.router.transfer(transfer("net-acd", kind: .network))
        #expect(answer.label == label("7123"))
    }

    @Test("a local transfer works, within the instance and across")
    func localTransfer() async throws {
        let bank = try bank(link: ScriptedLink(label: "95551111"))
        let within = try await bank.router.transfer(transfer(to: "7900"))
        #expect(within.label == label("8001"))
        #expect(within.reservation?.key.peripheral == name("bank-acd"))
        var across = transfer()
        across.requestID = name("request-2")
        #expect(try await bank.router.transfer(across).label == label("95551111"))
    }

    @Test("a network transfer within the instance works when the routing client can do one")
    func networkTransferWithin() async throws {
        let bank = try bank(link: nil)
        #expect(try await bank.router.transfer(transfer("net-acd", to: "7900", kind: .network)).source == .script)
        let refusal = await refusal { () async throws(RouteRefusal) in
            try await bank.router.transfer(transfer("bank-acd", to: "7900", kind: .network))
        }
        #expect(refusal == .refused(reason: "routing client bank-pg cannot transfer a call in the network"))
    }

    @Test("a transfer from an unknown peripheral is refused with the nearest name")
    func unknownPeripheral() async throws {
        let bank = try bank(link: nil)
        let refusal = await refusal { () async throws(RouteRefusal) in
            try await bank.router.transfer(transfer("bank-acq"))
        }
        #expect(refusal == .unknown(field: "peripheral", name: "bank-acq", nearest: "bank-acd"))
    }
}
