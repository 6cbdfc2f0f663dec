import CallModel
import INCRP
import Testing

@Suite("Which client may open a link")
struct RegistryTests {
    let directory: [ClientID: InstanceName] = [Sample.id(3): InstanceName(unchecked: "bank")]

    func refusal(_ registry: inout INCRPRegistry, _ open: INCRPOpen) -> INCRPOpenRefusal? {
        do {
            _ = try registry.admit(open, directory: directory)
            return nil
        } catch {
            return error
        }
    }

    @Test("an unknown client id is refused")
    func unknown() {
        var registry = INCRPRegistry()
        var open = Sample.open
        open.clientID = Sample.id(4)
        let refused = refusal(&registry, open)
        #expect(refused?.code == .unknownClient)
    }

    @Test("a client id of another instance is refused")
    func otherInstance() {
        var registry = INCRPRegistry()
        var open = Sample.open
        open.instance = InstanceName(unchecked: "hotel")
        let refused = refusal(&registry, open)
        #expect(refused?.code == .clientIDOfAnotherInstance)
    }

    @Test("one client id from two instances is refused, and free again when the first has left")
    func twoInstances() throws {
        var registry = INCRPRegistry()
        let first = try registry.admit(Sample.open, directory: directory)
        var second = Sample.open
        second.instanceNumber = 1
        let refused = refusal(&registry, second)
        #expect(refused?.code == .clientIDOfAnotherInstance)
        registry.left(first.session)
        let afterwards = refusal(&registry, second)
        #expect(afterwards == nil)
    }

    @Test("both sides of a client may be linked, and the same side again replaces its older link")
    func sides() throws {
        var registry = INCRPRegistry()
        let a = try registry.admit(Sample.open, directory: directory)
        var open = Sample.open
        open.side = .b
        let b = try registry.admit(open, directory: directory)
        #expect(b.replaces == nil)
        let again = try registry.admit(Sample.open, directory: directory)
        #expect(again.replaces == a.session)
        #expect(again.session != a.session)
    }

    @Test("the wait before connecting again doubles from 100 ms to 1 s, and starts anew after an open link")
    func backoff() {
        var backoff = ReconnectBackoff()
        let waits = (0..<6).map { _ in backoff.nextMilliseconds() }
        #expect(waits == [100, 200, 400, 800, 1_000, 1_000])
        backoff.reset()
        let first = backoff.nextMilliseconds()
        #expect(first == 100)
    }
}

@Suite("Ends of dialogs that wait for a link")
struct PendingEndsTests {
    func dialog(_ number: UInt64) -> DialogID { DialogID(LogSequence(number)) }

    @Test("they are kept in order, 60 s long and no longer")
    func kept() {
        var ends = PendingEnds()
        let kept = [
            ends.keep(dialog(1), .abandoned, at: Sample.start),
            ends.keep(dialog(2), .default, at: Sample.start.later(1_000)),
        ]
        #expect(kept == [true, true])
        let taken = ends.take(at: Sample.start.later(60_000)).map(\.dialog)
        #expect(taken == [dialog(2)])
        #expect(ends.count == 0)
    }

    @Test("there is room for a bounded number")
    func bounded() {
        var ends = PendingEnds(capacity: 2)
        let kept = (1...3).map { ends.keep(dialog($0), .abandoned, at: Sample.start) }
        #expect(kept == [true, true, false])
    }

    @Test("those sent within 2 s before the link was lost are sent again")
    func sentAgain() {
        var ends = PendingEnds()
        ends.noteSent(dialog(1), .handedOver, at: Sample.start)
        ends.noteSent(dialog(2), .handedOver, at: Sample.start.later(1_500))
        ends.linkLost(at: Sample.start.later(2_500))
        let taken = ends.take(at: Sample.start.later(2_600)).map(\.dialog)
        #expect(taken == [dialog(2)])
    }

    @Test("what was sent is remembered in a bounded number")
    func sentBounded() {
        var ends = PendingEnds(capacity: 4)
        for number: UInt64 in 1...50 { ends.noteSent(dialog(number), .handedOver, at: Sample.start) }
        ends.linkLost(at: Sample.start)
        #expect(ends.count <= 4)
        let newest = ends.take(at: Sample.start).last?.dialog
        #expect(newest == dialog(50))
    }
}
