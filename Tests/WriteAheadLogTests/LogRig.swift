import ByteCoding
import CallModel
import Simulation
import Testing
import WriteAheadLog

typealias SimulatedLog = WriteAheadLog<SimulatedDisk>

let thisSide = LogIdentity(
    pairID: Hash128(high: 0x1122_3344_5566_7788, low: 0x99aa_bbcc_ddee_ff00), side: .a, incarnation: 7)

/// Segments of 8 blocks, so that a few dozen batches roll over.
let smallSegments = LogConfiguration(segmentBytes: 32 << 10)

/// Bytes without NUL, as records are, of a length that depends on the number.
func sampleRecord(_ number: Int) -> [UInt8] {
    var generator = SeededGenerator(seed: UInt64(number))
    let length = number % 7 == 0 ? 5000 : Int.random(in: 1...1500, using: &generator)
    return Array("record \(number) ".utf8) + (0..<length).map { _ in UInt8.random(in: 1...255, using: &generator) }
}

/// A log on a simulated disk with an owner that keeps one batch in flight, and remembers what it was told.
final class LogRig {
    let disk: SimulatedDisk
    var log: SimulatedLog
    let report: RecoveryReport
    /// Of this life: records handed over, and how many of them were reported durable.
    private(set) var issued: [[UInt8]] = []
    private(set) var acknowledged = 0
    private(set) var events: [LogEvent] = []
    private var milliseconds: UInt64 = 0

    init(
        _ disk: SimulatedDisk, configuration: LogConfiguration = smallSegments,
        evidence: DurableEvidence = DurableEvidence(), identity: LogIdentity = thisSide
    ) throws(LogError) {
        self.disk = disk
        (log, report) = try SimulatedLog.open(
            disk, identity: identity, configuration: configuration, evidence: evidence)
        milliseconds = log.lastTime.log.milliseconds
    }

    var time: BatchTime {
        BatchTime(
            log: LogTime(milliseconds: milliseconds),
            wall: WallTime(milliseconds: 1_795_000_000_000 + Int64(milliseconds)))
    }

    /// Hands a batch over, without waiting for it.
    @discardableResult
    func submit(_ records: [[UInt8]], epoch: UInt64 = 1) throws(AppendRefusal) -> AppendedBatch {
        milliseconds += 10
        let batch = try log.append(records: records, time: time, epoch: epoch, committed: log.durable.sequence)
        issued += records
        return batch
    }

    /// Lets the disk finish, and the log hear of it.
    func settle() {
        repeat {
            disk.runAll()
            hear()
        } while disk.waiting > 0
    }

    func hear() {
        for completion in disk.takeCompletions() {
            guard let event = log.completed(completion) else { continue }
            events.append(event)
            if case .durable(let position, _) = event {
                acknowledged = Int(position.sequence.number - report.end.sequence.number)
            }
        }
    }

    func append(_ records: [[UInt8]]) throws(AppendRefusal) {
        try submit(records)
        settle()
    }

    /// One record a batch.
    func append(numbers: Range<Int>) throws(AppendRefusal) {
        for number in numbers { try append([sampleRecord(number)]) }
    }

    func guardBatch() {
        if log.appendGuard(committed: log.durable.sequence) { settle() }
    }
}

/// All records of a log, by replay.
func records(of log: SimulatedLog, after: LogSequence = .zero) throws -> [[UInt8]] {
    var all: [[UInt8]] = []
    try log.replay(after: after) { (batch: LoggedBatch) in all += batch.records }
    return all
}

func sampleRecords(_ numbers: Range<Int>) -> [[UInt8]] { numbers.map(sampleRecord) }

/// The damage that opening reports; fails the test when it opens, or fails otherwise.
func damage(
    _ disk: SimulatedDisk, _ evidence: DurableEvidence = DurableEvidence(),
    sourceLocation: SourceLocation = #_sourceLocation
) -> LogDamage? {
    do throws(LogError) {
        _ = try SimulatedLog.open(disk, identity: thisSide, configuration: smallSegments, evidence: evidence)
        Issue.record("it opened", sourceLocation: sourceLocation)
    } catch {
        if case .damaged(let damage) = error { return damage }
        Issue.record("\(error)", sourceLocation: sourceLocation)
    }
    return nil
}
