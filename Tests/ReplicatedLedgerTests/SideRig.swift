import ByteCoding
import CallModel
import ContextStore
import Ledger
import ReplicatedLedger
import Simulation
import Synchronization
import Testing
import WriteAheadLog

typealias SimulatedLedger = ReplicatedLedger<SimulatedSide>
typealias Reply = Result<LedgerAnswer, LedgerRefusal>

/// Segments of 8 blocks: a few batches fill one.
let smallLog = LogConfiguration(segmentBytes: 32 << 10)

let pairOfTest = Hash128(high: 0xb470_0000_0000_0001, low: 0x0000_0000_0000_002a)

/// Replies by the number of the request, and the order in which they came.
final class ReplyBook: Sendable {
    private struct Book {
        var order: [Int] = []
        var replies: [Int: [Reply]] = [:]
    }

    private let book = Mutex(Book())

    func write(_ request: Int, _ reply: Reply) {
        book.withLock {
            $0.order.append(request)
            $0.replies[request, default: []].append(reply)
        }
    }

    func replies(to request: Int) -> [Reply] { book.withLock { $0.replies[request] ?? [] } }

    /// Requests in the order of their replies.
    var order: [Int] { book.withLock { $0.order } }
}

/// Why a side said that it stops.
final class StopBook: Sendable {
    private let book = Mutex<[String]>([])

    func write(_ reason: String) { book.withLock { $0.append(reason) } }

    var reasons: [String] { book.withLock { $0 } }
}

/// One side on a simulated disk, store and clock, driven by hand: nothing happens unless a test says so.
final class SideRig {
    let disk: SimulatedDisk
    let store: SimulatedStore
    let clock: SimulatedClock
    let ledger: SimulatedLedger
    let replies = ReplyBook()
    let stops = StopBook()
    let report: RecoveryReport
    let replayed: Int
    /// As recovery left it, before any event.
    let recoveredLedger: Ledger
    private(set) var asked: [Record] = []

    /// Recovers what the disk and the store's image hold. Spares are made before it returns, unless told otherwise.
    init(
        _ disk: SimulatedDisk = SimulatedDisk(seed: 1), image: SimulatedStoreImage = SimulatedStoreImage(),
        pair: Hash128 = pairOfTest, side: Side = .a, clock: SimulatedClock = SimulatedClock(),
        log: LogConfiguration = smallLog,
        store storeConfiguration: ((SimulatedClock) -> StoreConfiguration)? = nil,
        settings: LedgerSettings = LedgerSettings(), settles: Bool = true
    ) throws(RecoveryFault) {
        self.disk = disk
        self.clock = clock
        let configuration = storeConfiguration?(clock) ?? Self.storeConfiguration(clock)
        let recovered = try RecoveredSide<SimulatedSide>.recover(
            disk: disk, side: side, log: log,
            draw: { (pairID: pair, incarnation: 7) },
            openStore: { identity throws(StoreError) in
                try SimulatedStore(
                    image: image, identity: StoreIdentity(pairID: identity.pairID, side: identity.side),
                    configuration: configuration)
            })
        store = recovered.store
        report = recovered.report
        replayed = recovered.replayed
        recoveredLedger = recovered.ledger
        let stops = stops
        ledger = SimulatedLedger(
            recovered: recovered, clock: clock, link: NoOtherSide(), witness: NoOtherSide(), settings: settings,
            observer: LedgerObserver(onStop: { stops.write($0) }))
        let ledger = ledger
        store.onDurable = { _ in ledger.storeBecameDurable() }
        if settles { settle() }
    }

    static func storeConfiguration(_ clock: SimulatedClock) -> StoreConfiguration {
        var configuration = StoreConfiguration()
        configuration.clock = { clock.elapsedMilliseconds() }
        configuration.lagMillisecondsMost = .max
        return configuration
    }

    /// A side whose ledger has the sample configuration.
    static func configured(
        _ disk: SimulatedDisk = SimulatedDisk(seed: 1), log: LogConfiguration = smallLog,
        store: ((SimulatedClock) -> StoreConfiguration)? = nil, settings: LedgerSettings = LedgerSettings()
    ) throws -> SideRig {
        let rig = try SideRig(disk, log: log, store: store, settings: settings)
        let request = rig.ask(.configure(.sample()), within: .max)
        rig.settle()
        #expect(try rig.outcome(request) == .configured(changed: true))
        return rig
    }

    // MARK: Requests

    /// Hands a request in; its number is for asking what became of it.
    @discardableResult
    func ask(_ record: Record, within milliseconds: UInt64 = 10_000, bytes: [UInt8]? = nil) -> Int {
        let number = asked.count
        asked.append(record)
        let (deadline, overflow) = clock.elapsedMilliseconds().addingReportingOverflow(milliseconds)
        let replies = replies
        ledger.submit(
            LedgerRequest(
                record: record, bytes: bytes ?? record.encoded(),
                deadlineElapsedMilliseconds: overflow ? .max : deadline, reply: { replies.write(number, $0) }))
        return number
    }

    /// Hands it in, and lets it be committed.
    func answer(_ record: Record) throws -> LedgerAnswer {
        let request = ask(record)
        settle()
        return try answer(to: request)
    }

    func answer(to request: Int) throws -> LedgerAnswer {
        let given = replies.replies(to: request)
        try #require(given.count == 1, "request \(request) has \(given.count) replies")
        return try given[0].get()
    }

    func outcome(_ request: Int) throws -> Outcome { try answer(to: request).outcome }

    /// The one refusal of a request; nil when it has none, or an answer.
    func refusal(_ request: Int) -> LedgerRefusal? {
        let given = replies.replies(to: request)
        guard given.count == 1, case .failure(let refusal) = given[0] else { return nil }
        return refusal
    }

    // MARK: Events

    func turn() { ledger.endOfTurn() }

    /// Hands the disk's completions over, without a turn.
    func hear() {
        for completion in disk.takeCompletions() { ledger.diskCompleted(completion) }
    }

    /// One step of the disk, and a turn.
    @discardableResult
    func step(_ lane: DiskLane = .log) -> Bool {
        let did = disk.runStep(lane)
        hear()
        turn()
        return did
    }

    /// Turns until neither side nor disk has anything to do.
    func settle() {
        turn()
        while disk.waiting > 0 {
            disk.runAll()
            hear()
            turn()
        }
    }

    /// Time goes on in quiet: the driver comes back whenever the side asked it to.
    func pass(milliseconds: UInt64) {
        let end = clock.elapsedMilliseconds() + milliseconds
        while let wake = ledger.nextWakeMilliseconds, wake <= end {
            let now = clock.elapsedMilliseconds()
            clock.advance(milliseconds: max(wake, now + 1) - now)
            settle()
            if clock.elapsedMilliseconds() >= end { return }
        }
        clock.advance(milliseconds: end - clock.elapsedMilliseconds())
        settle()
    }

    /// Whether the side asks to be woken later than now: a driver would never come to rest otherwise.
    var restsUntilLater: Bool { ledger.nextWakeMilliseconds.map { $0 > clock.elapsedMilliseconds() } ?? true }

    /// What stands in the log on the disk, batch by batch.
    func logged() throws -> [LoggedBatch] { try batches(on: disk) }

    func loggedRecords() throws -> [Record] { try logged().flatMap(\.records).map { try Record(decoding: $0) } }
}

func batches(on disk: SimulatedDisk) throws -> [LoggedBatch] {
    var reader = try LogReader(disk)
    var batches: [LoggedBatch] = []
    while let batch = try reader.next() { batches.append(batch) }
    return batches
}
