import CallModel
import Ledger
import ReplicatedLedger
import Simulation
import Testing
import WriteAheadLog

@Suite("Nothing is answered before it is durable, and everything in its order")
struct GroupCommitTests {
    @Test("a request is answered when the sync of its batch has returned, not before")
    func durableFirst() throws {
        let rig = try SideRig.configured()
        let before = rig.ledger.position
        let request = rig.ask(.reserve("1"))
        rig.turn()
        rig.step()  // written
        #expect(rig.replies.replies(to: request).isEmpty)
        #expect(rig.ledger.position == before && rig.ledger.ledger.heldCount == 0, "applied before it was committed")
        rig.step()  // synced
        let answer = try rig.answer(to: request)
        #expect(answer.outcome.reserved != nil && answer.sequence == before.sequence.next)
        #expect(answer.reservation?.context == .sample("1") && answer.reservation?.target?.text == "agent-1")
        #expect(rig.ledger.position.sequence == answer.sequence && rig.ledger.ledger.heldCount == 1)
    }

    @Test("while one batch is in flight the next one gathers, and goes as one")
    func gathers() throws {
        let rig = try SideRig.configured()
        let known = try rig.logged().count
        let first = rig.ask(.reserve("1"))
        rig.turn()
        let later = (2...6).map { rig.ask(.reserve("\($0)")) }
        rig.turn()
        #expect(rig.disk.waiting == 1, "one batch is in flight at a time")
        rig.step()
        rig.step()
        #expect(rig.replies.replies(to: first).count == 1 && rig.replies.replies(to: later[0]).isEmpty)
        rig.settle()
        #expect(try rig.logged().dropFirst(known).map(\.records.count) == [1, 5])
        #expect(Array(rig.replies.order.suffix(6)) == [first] + later)
    }

    @Test("records keep the order of their arrival, through batches of bounded number and bytes")
    func order() throws {
        var settings = LedgerSettings()
        settings.mostBatchRecords = 7
        settings.mostBatchBytes = 3_000
        let rig = try SideRig.configured(settings: settings)
        let records = (1...60).map { Record.reserve("\($0)", contextBytes: $0 % 5 == 0 ? 1_000 : 10) }
        let requests = records.map { rig.ask($0) }
        rig.settle()
        #expect(try rig.loggedRecords().suffix(60) == records[...])
        #expect(Array(rig.replies.order.suffix(60)) == requests)
        let sequences = try requests.map { try rig.answer(to: $0).sequence }
        #expect(sequences == sequences.sorted())
        for batch in try rig.logged() {
            #expect(batch.records.count <= 7 && batch.records.reduce(0) { $0 + $1.count } <= 3_000)
        }
    }

    @Test("an answer in a batch tells of its own record, whatever the records behind it did")
    func withinOneBatch() throws {
        let rig = try SideRig.configured()
        let reserve = rig.ask(.reserve("1"))
        let claim = rig.ask(.claim(dnis: 8001, by: "a"))
        let other = rig.ask(.claim(dnis: 8001, by: "b"))
        let again = rig.ask(.claim(dnis: 8001, by: "a"))
        rig.settle()
        let reservation = try #require(try rig.outcome(reserve).reserved).reservation
        #expect(try rig.outcome(claim).claimed?.reservation == reservation)
        #expect(try rig.answer(to: again).reservation?.context == .sample("1"))
        #expect(try rig.outcome(again).claimed?.repeated == true)
        guard case .stray(let stray) = try rig.outcome(other) else {
            Issue.record("claimed twice")
            return
        }
        #expect(stray.why == .claimedByAnother)
    }

    @Test("a repeated dialog gets the answer that was recorded, and how it was closed")
    func dialogAnswer() throws {
        let rig = try SideRig.configured()
        let dialog = try #require(try rig.answer(.open("1")).outcome.opened).dialog
        let handoff = try rig.answer(.answer(dialog, "77", .handoff))
        #expect(handoff.answer?.answer.label.text == "77")
        let final = try rig.answer(.answer(dialog, "78"))
        #expect(final.outcome == .answerRecorded(first: true) && final.answer?.answer.label.text == "78")
        #expect(try rig.answer(.answer(dialog, "79")).answer?.answer.label.text == "78")
        _ = try rig.answer(.closeDialog(CloseDialog(dialog: dialog, reason: .handedOver)))
        let again = try rig.answer(.open("1"))
        #expect(again.outcome.opened?.repeated == true)
        #expect(again.answer?.answer.label.text == "78" && again.closeReason == .handedOver)
    }

    @Test("a record over the log's limit is refused at once, and batches never outgrow a small segment")
    func tooLarge() throws {
        let rig = try SideRig.configured(log: LogConfiguration(segmentBytes: 16 << 10))
        let tooLarge = rig.ask(.clock, bytes: Array(repeating: 1, count: 20_000))
        guard case .tooLarge(20_000, _) = rig.refusal(tooLarge) else {
            Issue.record("\(rig.replies.replies(to: tooLarge))")
            return
        }
        let requests = (1...40).map { rig.ask(.reserve("\($0)", contextBytes: 1_500)) }
        rig.settle()
        for request in requests { #expect(try rig.outcome(request).reserved != nil) }
        #expect(rig.stops.reasons == [])
    }

    @Test("status tells position, batches and records, and when it does not serve why")
    func status() throws {
        let rig = try SideRig.configured()
        for number in 1...3 { _ = try rig.answer(.reserve("\(number)")) }
        let status = rig.ledger.status
        #expect(status.instance == "bank" && status.side == .a && status.notServing == nil && status.busyReason == nil)
        #expect(status.position == rig.ledger.position && status.durable == status.position)
        #expect(status.stored == .zero && status.lagBytes > 0)
        #expect(status.batches == 5 && status.records == 5 && status.flushMicrosecondsP99 == 100)
        rig.store.flush()
        #expect(rig.ledger.status.stored == rig.ledger.position && rig.ledger.status.lagBytes == 0)
    }

    @Test("the first record of a new log opens its epoch, once")
    func epoch() throws {
        let rig = try SideRig()
        #expect(try rig.loggedRecords() == [.epochOpened(EpochOpened(epoch: 1, mode: .alone, active: .a))])
        let again = try SideRig(rig.disk.killImage())
        #expect(try again.loggedRecords().count == 1 && again.ledger.position == rig.ledger.position)
    }
}
