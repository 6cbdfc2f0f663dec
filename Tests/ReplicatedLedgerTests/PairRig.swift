import ByteCoding
import CallModel
import Duplex
import Ledger
import ReplicatedLedger
import Simulation
import Testing
import WriteAheadLog

/// A pair on virtual time, driven by a test: time passes only when the test lets it.
final class PairRig {
    let pair: SimulatedPair<StandardRules>
    let replies = ReplyBook()
    private var asked = 0

    init(seed: UInt64 = 1, settings: LedgerSettings = LedgerSettings(), segmentBytes: Int = 64 << 10) {
        pair = SimulatedPair(seed: seed, settings: settings, segmentBytes: segmentBytes)
    }

    /// Both sides are paired, A orders, and the ledger has the sample configuration.
    static func paired(
        settings: LedgerSettings = LedgerSettings(), segmentBytes: Int = 64 << 10
    ) throws -> PairRig {
        let rig = PairRig(settings: settings, segmentBytes: segmentBytes)
        try #require(rig.pair.begin(), "\(rig.pair.trace.lines)")
        #expect(try rig.answer(.configure(.sample()), at: .a).outcome == .configured(changed: true))
        return rig
    }

    var a: SimulatedMachine<StandardRules> { pair.a }
    var b: SimulatedMachine<StandardRules> { pair.b }
    var states: [String?] { [a.state, b.state] }

    func pass(_ milliseconds: UInt64) { pair.run(milliseconds: milliseconds) }

    func reaches(
        within milliseconds: UInt64, _ what: Comment? = nil, sourceLocation: SourceLocation = #_sourceLocation,
        _ isReached: () -> Bool
    ) {
        let came = pair.run(atMost: milliseconds, until: isReached)
        #expect(came, what ?? "not within \(milliseconds) ms; \(story)", sourceLocation: sourceLocation)
    }

    func becomesPaired(within milliseconds: UInt64 = 10_000, sourceLocation: SourceLocation = #_sourceLocation) {
        reaches(within: milliseconds, sourceLocation: sourceLocation) { pair.isPaired }
    }

    var story: Comment { Comment(rawValue: pair.trace.lines.suffix(60).joined(separator: "\n")) }

    // MARK: Requests

    func ask(_ record: Record, at side: Side, within milliseconds: UInt64 = 3000) -> Int {
        asked += 1
        let (number, replies) = (asked, replies)
        pair.machine(side).ask(record, within: milliseconds) { replies.write(number, $0) }
        return number
    }

    func reply(to request: Int) -> Reply? { replies.replies(to: request).first }

    /// Waits for it.
    func answer(to request: Int, sourceLocation: SourceLocation = #_sourceLocation) throws -> LedgerAnswer {
        _ = pair.run(atMost: 10_000) { reply(to: request) != nil }
        let given = replies.replies(to: request)
        try #require(given.count == 1, story, sourceLocation: sourceLocation)
        return try given[0].get()
    }

    func answer(
        _ record: Record, at side: Side, sourceLocation: SourceLocation = #_sourceLocation
    ) throws -> LedgerAnswer {
        try answer(to: ask(record, at: side), sourceLocation: sourceLocation)
    }

    /// Asks again until it is answered; milliseconds until it was.
    func outage(_ record: Record, at side: Side, atMost milliseconds: UInt64) -> UInt64? {
        let start = pair.time.milliseconds
        while pair.time.milliseconds < start + milliseconds {
            let request = ask(record, at: side, within: 1000)
            _ = pair.run(atMost: 1100) { reply(to: request) != nil }
            if case .success? = reply(to: request) { return pair.time.milliseconds - start }
            pass(10)
        }
        return nil
    }

    // MARK: What both sides hold

    func logs() throws -> (a: [LoggedBatch], b: [LoggedBatch]) { (try batches(on: a.disk), try batches(on: b.disk)) }

    /// When all is quiet both sides stand at the same place with the same ledger.
    func expectEqualSides(sourceLocation: SourceLocation = #_sourceLocation) throws {
        pass(500)
        reaches(within: 5000, sourceLocation: sourceLocation) { a.ledger?.position == b.ledger?.position }
        #expect(a.ledger?.ledger == b.ledger?.ledger, sourceLocation: sourceLocation)
        #expect(a.ledger?.ledger.digest == b.ledger?.ledger.digest, sourceLocation: sourceLocation)
        let chains = try (logs().a.map(\.position), logs().b.map(\.position))
        #expect(chains.0 == chains.1, story, sourceLocation: sourceLocation)
    }
}
