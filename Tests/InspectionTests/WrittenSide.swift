import ByteCoding
import CallModel
import ContextStore
import Foundation
import Inspection
import Ledger
import ReplicatedLedger
import Synchronization
import Testing
import WriteAheadLog

/// What one side touches here: real files, no clock of its own.
enum OnDisk: Surroundings {
    typealias DiskSeam = PosixDisk
    typealias StoreSeam = ContextStore
    typealias ClockSeam = NoClock
    typealias LinkSeam = NoOtherSide
    typealias WitnessSeam = NoOtherSide
}

struct NoClock: Clock {
    func elapsedMilliseconds() -> UInt64 { 0 }
    func wall() -> WallTime { .zero }
}

/// A data directory of its own, removed when the last reference is gone.
final class DataDirectory {
    let files: SideFiles

    init() throws {
        let path = NSTemporaryDirectory() + "baton-inspection-\(UUID().uuidString)"
        try FileManager.default.createDirectory(atPath: path, withIntermediateDirectories: true)
        files = SideFiles(directory: path)
    }

    deinit { try? FileManager.default.removeItem(atPath: files.directory) }  // a leftover harms no other test

    func flip(byte offset: Int, of path: String) throws {
        let handle = try #require(FileHandle(forUpdatingAtPath: path))
        defer { try? handle.close() }  // the write has told of any failure
        try handle.seek(toOffset: UInt64(offset))
        let byte = try #require(try handle.read(upToCount: 1)?.first)
        try handle.seek(toOffset: UInt64(offset))
        try handle.write(contentsOf: Data([byte ^ 0xff]))
    }

    func truncate(_ path: String, to size: UInt64) throws {
        let handle = try #require(FileHandle(forUpdatingAtPath: path))
        try handle.truncate(atOffset: size)
        try handle.close()
    }

    func segments() throws -> [String] {
        try FileManager.default.contentsOfDirectory(atPath: files.log).filter { $0.hasPrefix("segment-") }.sorted()
            .map { files.log + "/" + $0 }
    }
}

/// Writes a data directory as a side does: log, ledger, store. One call is one batch.
final class WrittenSide {
    static let pairID = Hash128(high: 7, low: 8)
    static let noon = WallTime(milliseconds: 1_795_000_000_000)
    static var storeConfiguration: StoreConfiguration {
        var configuration = StoreConfiguration()
        configuration.mapBytes = 64 << 20
        return configuration
    }

    let files: SideFiles
    let disk: PosixDisk
    let store: ContextStore
    private(set) var log: WriteAheadLog<PosixDisk>
    private(set) var ledger: Ledger
    private var superblocks: SuperblockStore<PosixDisk>
    private let superblock: Superblock
    private let completions: Completions
    /// What the ledger's digest was at the end of each batch.
    private(set) var digests: [LogSequence: Digest] = [:]
    private(set) var replayed: Int

    private final class Completions: Sendable {
        private let waiting = Mutex<[DiskCompletion]>([])
        private let signal = DispatchSemaphore(value: 0)

        func add(_ completion: DiskCompletion) {
            waiting.withLock { $0.append(completion) }
            signal.signal()
        }

        func next() -> DiskCompletion {
            signal.wait()
            return waiting.withLock { $0.removeFirst() }
        }
    }

    init(_ files: SideFiles, segmentBytes: Int = 64 << 10, pairID: Hash128 = WrittenSide.pairID) throws {
        self.files = files
        let completions = Completions()
        self.completions = completions
        disk = try PosixDisk(directory: files.log, onCompletion: { completions.add($0) })
        var configuration = LogConfiguration(segmentBytes: segmentBytes)
        configuration.retentionBytes = 3 * segmentBytes
        let recovered = try RecoveredSide<OnDisk>.recover(
            disk: disk, side: .a, log: configuration, draw: { (pairID, 1) },
            openStore: { identity throws(StoreError) in
                try ContextStore.open(
                    path: files.store, identity: StoreIdentity(pairID: identity.pairID, side: identity.side),
                    configuration: Self.storeConfiguration)
            })
        store = recovered.store
        log = recovered.log
        ledger = recovered.ledger
        superblocks = recovered.superblocks
        superblock = recovered.superblock
        replayed = recovered.replayed
        store.start(onDurable: { _ in }, onFailure: { _ in })
        while log.spareCount < configuration.spareSegments { _ = log.completed(completions.next()) }
    }

    /// One batch, durable and applied; a second later than the one before.
    @discardableResult
    func commit(_ records: Record...) throws -> [Outcome] {
        let seconds = log.end.sequence.number + 1
        let time = BatchTime(
            log: LogTime(milliseconds: max(log.lastTime.log.milliseconds, seconds * 10)),
            wall: WallTime(milliseconds: Self.noon.milliseconds + Int64(seconds) * 1000))
        while log.spareCount == 0 { _ = log.completed(completions.next()) }
        let batch = try log.append(
            records: records.map { $0.encoded() }, time: time, epoch: 1, committed: log.end.sequence)
        while log.durable.sequence < batch.position.sequence { _ = log.completed(completions.next()) }
        var changes: [Change] = []
        ledger.begin(time, first: batch.firstSequence, changes: &changes)
        var outcomes: [Outcome] = []
        for (index, record) in records.enumerated() {
            outcomes.append(ledger.apply(record, sequence: batch.firstSequence.advanced(by: index), changes: &changes))
        }
        store.take(AppliedBatch(changes: changes, position: batch.position, time: time, digest: ledger.digest))
        digests[batch.position.sequence] = ledger.digest
        return outcomes
    }

    func snapshot() throws -> SnapshotSummary {
        try store.flush()
        try files.prepareSnapshots()
        return try store.writeSnapshot(into: files.snapshots)
    }

    /// As the ledger trims, as far as the retention wants it.
    func trim() throws {
        try store.flush()
        log.trim(keeping: store.durablePosition.sequence.next, now: Self.noon)
    }

    /// A clean stop; a crash leaves the end unsaid.
    func stop(cleanly: Bool = true) throws {
        store.close()
        disk.close()
        guard cleanly else { return }
        var block = superblock
        block.cleanEnd = log.durable
        try superblocks.write(block)
    }
}

// MARK: - Records

extension LedgerConfiguration {
    static var sample: LedgerConfiguration {
        let acd = PeripheralName(unchecked: "acd")
        let sales = TranslationRoute(
            name: TranslationRouteName(unchecked: "sales"), peripheral: acd,
            ranges: [
                EntryRange(trunkGroup: TrunkGroupName(unchecked: "T1"), prefix: "", first: 8001, last: 8400, digits: 4)
            ])
        var limits = ContextLimits()
        for (name, sensitivity) in [("user.tier", Sensitivity.none), ("user.card", .payment)] {
            if let declared = try? ECCDeclaration(
                name: ECCName(unchecked: name), maximumLength: 40, sensitivity: sensitivity)
            {
                limits.declare(declared)
            }
        }
        return LedgerConfiguration(
            instance: InstanceName(unchecked: "bank"), routes: [sales],
            peripherals: [Peripheral(name: acd, defaultRoute: "queue")], limits: limits)
    }
}

extension Record {
    static func reserve(_ request: String, bytes: Int = 0) -> Record {
        var context = CallContext()
        context.ani = "+4989\(request)"
        context.ced = "4711"
        context.variables[0] = "gold-\(request)"
        context.uui = bytes > 0 ? String(repeating: "u", count: bytes) : nil
        context.ecc = [
            ECCName(unchecked: "user.card"): .scalar("5500"), ECCName(unchecked: "user.tier"): .scalar("platinum"),
            ECCName(unchecked: "user.unknown"): .scalar("secret"),
        ]
        return .reserve(
            Reserve(
                route: TranslationRouteName(unchecked: "sales"), identity: .request(RequestID(unchecked: request)),
                callID: CallID(unchecked: "leg-\(request)"), context: context.encoded()))
    }

    static func claim(_ key: TranslationRouteKey, by call: String) -> Record {
        .claim(Claim(key: key, callID: CallID(unchecked: call), ani: "+4989"))
    }
}

extension WrittenSide {
    /// Configures, then reserves and claims, a batch for each; every third call stays unclaimed.
    @discardableResult
    func serve(_ calls: Range<Int>, bytes: Int = 0) throws -> [Reserved] {
        if ledger.configuration == nil { try commit(.configure(.sample)) }
        return try calls.map { call in
            let outcome = try commit(.reserve("\(call)", bytes: bytes))[0]
            guard case .reserved(let reserved) = outcome else { throw Unexpected(outcome: outcome) }
            if call % 3 != 0 { try commit(.claim(reserved.key, by: "arrival-\(call)")) }
            return reserved
        }
    }
}

struct Unexpected: Error { let outcome: Outcome }
