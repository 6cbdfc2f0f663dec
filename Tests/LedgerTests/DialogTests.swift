import CallModel
import Ledger
import Testing

@Suite("Dialogs")
struct DialogTests {
    @Test("a dialog goes from open by asked and answered to closed, and its answers are parked until it is forgotten")
    func wholeLife() throws {
        var rig = Rig()
        let dialog = try rig.opened("q1").dialog
        #expect(rig.ledger.dialog(dialog)?.state == .open)
        let ask = AskDialog(dialog: dialog, node: NodeName(unchecked: "n"), gateway: GatewayName(unchecked: "g"))
        #expect(rig.apply(.askDialog(ask)) == .dialogAsked)
        #expect(rig.ledger.dialog(dialog)?.state == .asked)
        #expect(rig.answer(dialog, .handoff, source: .gateway) == .answerRecorded(first: true))
        let handoff = rig.sequence
        #expect(rig.answer(dialog, .handoff, source: .gateway) == .answerRecorded(first: false))
        #expect(rig.answer(dialog, .final, source: .gateway) == .answerRecorded(first: true))
        #expect(rig.answer(dialog, .final) == .answerRecorded(first: false))
        #expect(rig.close(dialog, .handedOver).closed == DialogClosed(closed: true, reason: .handedOver, released: nil))
        let row = try #require(rig.ledger.dialog(dialog))
        #expect(row.state == .closed && row.handoff == handoff && row.final == handoff.advanced(by: 2))
        #expect(rig.rows.tables[.contexts]?.count == 3)
        rig.pass(milliseconds: 119_999)
        rig.apply(.clock)
        #expect(rig.ledger.dialog(dialog) != nil)
        rig.pass(milliseconds: 1)
        rig.apply(.clock)
        #expect(rig.ledger.dialog(dialog) == nil && rig.rows.tables[.contexts]?.isEmpty == true)
        #expect(rig.rows.tables[.requests]?.isEmpty == true)
    }

    @Test("a repeated route request meets its dialog and learns how far it is")
    func repeats() throws {
        var rig = Rig()
        let first = try rig.opened("q1")
        _ = rig.answer(first.dialog)
        let second = try rig.opened("q1")
        #expect(second.repeated && second.dialog == first.dialog && second.state == .answered)
        #expect(second.callKey == first.callKey)
    }

    @Test(
        "a route request with another dialed number, call id, customer or context under the same identity is a conflict"
    )
    func conflicts() throws {
        var rig = Rig()
        let first = try rig.opened("q1").dialog
        #expect(rig.open("q1", dialed: "0801").conflict?.first == first.sequence)
        #expect(rig.open("q1", call: "x").conflict?.first == first.sequence)
        #expect(rig.open("q1", ced: "2").conflict?.first == first.sequence)
        var open = OpenDialog.sample("q1")
        open.customer = CustomerName(unchecked: "c")
        #expect(rig.apply(.openDialog(open)).conflict?.first == first.sequence)
    }

    @Test("one call lawfully routed twice gets two dialogs and two call keys")
    func routedTwice() throws {
        var rig = Rig()
        let first = try #require(rig.open("q1", call: "leg").opened)
        let second = try #require(rig.open("q2", call: "leg").opened)
        #expect(first.dialog != second.dialog && first.callKey != second.callKey)
    }

    @Test("a reservation of a dialog takes its call key, and a repeat of the same node meets it")
    func reservationOfDialog() throws {
        var rig = Rig()
        let opened = try rig.opened("q1")
        let reserved = try #require(rig.reserve(in: opened.dialog, "n1").reserved)
        #expect(reserved.callKey == opened.callKey)
        #expect(rig.reserve(in: opened.dialog, "n1").reserved?.repeated == true)
        #expect(rig.ledger.dialog(opened.dialog)?.reservation == reserved.reservation)
        #expect(rig.ledger.reservation(reserved.reservation)?.dialog == opened.dialog)
    }

    @Test("a dialog has at most one live reservation: another node's releases the earlier one")
    func oneReservation() throws {
        var rig = Rig()
        let dialog = try rig.opened("q1").dialog
        let first = try #require(rig.reserve(in: dialog, "n1").reserved)
        let second = try #require(rig.reserve(in: dialog, "n2").reserved)
        #expect(rig.state(first.key) == .released && rig.state(second.key) == .waiting)
    }

    @Test(
        "closing a dialog without a caller releases its waiting reservation",
        arguments: [CloseReason.abandoned, .failed, .default])
    func closingReleases(reason: CloseReason) throws {
        var rig = Rig()
        let dialog = try rig.opened("q1").dialog
        let reserved = try #require(rig.reserve(in: dialog, "n1").reserved)
        #expect(
            rig.close(dialog, reason).closed
                == DialogClosed(closed: true, reason: reason, released: reserved.reservation))
        #expect(rig.state(reserved.key) == .released)
    }

    @Test("a caller that hangs up after the label was handed over releases the reservation all the same")
    func abandonedAfterHandedOver() throws {
        var rig = Rig()
        let dialog = try rig.opened("q1").dialog
        let reserved = try #require(rig.reserve(in: dialog, "n1").reserved)
        _ = rig.answer(dialog)
        #expect(rig.close(dialog, .handedOver).closed?.released == nil)
        #expect(rig.state(reserved.key) == .waiting)
        let again = rig.close(dialog, .abandoned).closed
        #expect(again == DialogClosed(closed: false, reason: .handedOver, released: reserved.reservation))
        #expect(rig.close(dialog, .abandoned).closed?.released == nil)
    }

    @Test("records for an unknown or closed dialog have no effect")
    func unknownAndClosed() throws {
        var rig = Rig()
        let none = DialogID(LogSequence(99))
        let node = NodeName(unchecked: "n")
        let gateway = GatewayName(unchecked: "g")
        #expect(rig.answer(none).unknownField == "dialog")
        #expect(rig.close(none, .failed).unknownField == "dialog")
        #expect(rig.reserve(in: none, "n").unknownField == "dialog")
        let dialog = try rig.opened("q1").dialog
        _ = rig.close(dialog, .failed)
        let before = rig.ledger.dialog(dialog)
        #expect(rig.answer(dialog) == .answerRecorded(first: false))
        #expect(rig.reserve(in: dialog, "n").unknownField == "dialog")
        #expect(rig.apply(.askDialog(AskDialog(dialog: dialog, node: node, gateway: gateway))).unknownField == "dialog")
        #expect(rig.ledger.dialog(dialog) == before)
    }

    @Test("a dialog that nobody closes ages: unanswered it releases its reservation, answered it does not")
    func ageing() throws {
        var rig = Rig(.sample { $0.routes[0].leaseSeconds = 300 })
        let unanswered = try rig.opened("q1").dialog
        let first = try #require(rig.reserve(in: unanswered, "n").reserved)
        let answered = try rig.opened("q2").dialog
        let second = try #require(rig.reserve(in: answered, "n").reserved)
        _ = rig.answer(answered)
        rig.pass(seconds: 60)
        rig.apply(.clock)
        #expect(
            rig.ledger.dialog(unanswered)?.closeReason == .aged && rig.ledger.dialog(answered)?.closeReason == .aged)
        #expect(rig.state(first.key) == .released && rig.state(second.key) == .waiting)
        #expect(rig.ledger.counters.dialogsClosed[.aged] == 2)
    }

    @Test("an identity is new again when its dialog's answers are forgotten")
    func identityEnds() throws {
        var rig = Rig()
        let first = try rig.opened("q1").dialog
        _ = rig.close(first, .handedOver)
        rig.pass(seconds: 120)
        let second = try #require(rig.open("q1", dialed: "another").opened)
        #expect(!second.repeated && second.dialog != first)
    }

    @Test(
        "a journey tells requested, forwarded, reserved, label returned, modified, handed over, arrived, claimed"
    )
    func journeyOfACall() throws {
        var rig = Rig()
        let opened = try rig.opened("q1")
        let ask = AskDialog(
            dialog: opened.dialog, node: NodeName(unchecked: "ask"), gateway: GatewayName(unchecked: "insurance"))
        rig.apply(.askDialog(ask))
        let reserved = try #require(rig.reserve(in: opened.dialog, "n").reserved)
        _ = rig.answer(opened.dialog, .handoff, source: .gateway, ced: "7")
        _ = rig.answer(opened.dialog, .final, source: .gateway, ced: "7")
        _ = rig.close(opened.dialog, .handedOver)
        _ = rig.claim(reserved.key, by: "arriving")
        #expect(
            try rig.kinds(opened.callKey) == [
                .requested, .forwarded, .reserved, .labelReturned, .contextModified, .handedOver, .arrived, .claimed,
            ])
        let rows = try rig.rows.journeys(of: opened.callKey)
        #expect(rows[4].details == [JourneyRow.Detail(name: "fields", text: "ced")])
        for leg in ["leg-q1", "leg", "arriving"] {
            let value = try #require(rig.rows.tables[.legs]?[CallID(unchecked: leg).legKey])
            #expect(try CallKey(legValue: value) == opened.callKey)
        }
    }

    @Test("a default label, an exhausted route, an abandoned and a late call stand in their journeys")
    func otherJourneys() throws {
        var rig = Rig()
        let defaulted = try rig.opened("q1")
        _ = rig.answer(defaulted.dialog, source: .default)
        _ = rig.close(defaulted.dialog, .default)
        #expect(try rig.kinds(defaulted.callKey) == [.requested, .defaulted, .handedOver])
        let abandoned = try rig.opened("q2")
        _ = rig.reserve(in: abandoned.dialog, "n")
        _ = rig.close(abandoned.dialog, .abandoned)
        #expect(try rig.kinds(abandoned.callKey) == [.requested, .reserved, .released, .abandoned])
        let late = try rig.reserved("r1")
        rig.pass(seconds: 30)
        _ = rig.claim(late.key, by: "c")
        #expect(try rig.kinds(late.callKey) == [.reserved, .expired, .arrived, .late])
        let exhausted = try rig.opened("q3")
        for number in 2...4 { _ = rig.reserve("r\(number)") }
        _ = rig.reserve(in: exhausted.dialog, "n")
        #expect(try rig.kinds(exhausted.callKey) == [.requested, .exhausted])
    }

    @Test("no value of a context field stands in a journey")
    func journeysHoldNoValues() throws {
        var rig = Rig()
        let opened = try rig.opened("q1")
        var modified = CallContext()
        modified.ani = "+4917012345"
        modified.uui = "secret-uui"
        modified.ecc[try ECCName("user.account")] = .scalar("secret-account")
        rig.apply(
            .recordAnswer(
                RecordAnswer(
                    dialog: opened.dialog, node: NodeName(unchecked: "n"), kind: .final,
                    label: Label(unchecked: "1", type: .normal), source: .script, context: modified.encoded())))
        let texts = try rig.rows.journeys(of: opened.callKey).flatMap(\.details)
        #expect(texts.contains(JourneyRow.Detail(name: "fields", text: "ani uui user.account ced variable3")))
        #expect(
            !texts.contains { $0.text.contains("secret") || $0.text.contains("4917012345") || $0.text.contains("gold") }
        )
    }
}
