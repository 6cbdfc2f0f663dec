import CallModel
import ContextStore
import Ledger
import Simulation
import Synchronization
import Testing

@Suite("The simulation's store keeps the store's contract")
struct SimulatedStoreContractTests {
    private let contract = StoreContract<SimulatedStoreUnderTest>()

    @Test("a restart restores position, digest, times and every row") func restart() throws {
        try contract.restartRestoresAll()
    }

    @Test("what was taken is written by close") func close() throws { try contract.nothingIsLostByClose() }

    @Test("what was taken is seen at once, and stays so when it is durable") func seen() throws {
        try contract.takenIsSeenAtOnce()
    }

    @Test("what came and went within a window is never written") func coalesced() throws {
        try contract.cameAndWentIsNotWritten()
    }

    @Test("rows in memory and durable rows are one, in key order", arguments: 1...6 as ClosedRange<UInt64>)
    func merged(seed: UInt64) throws { try contract.mergedRowsAreInOrder(seed: seed) }

    @Test("lag is counted in bytes and time, and too much of either refuses reservations") func lag() throws {
        try contract.lagIsCountedAndRefusesReservations()
    }

    @Test("a reader misses nothing, whatever is durable") func readers() throws {
        try contract.readersMissNothing()
    }

    @Test("a batch that changes nothing moves the position") func position() throws {
        try contract.positionWithoutChangesIsKept()
    }

    @Test("positions become durable oldest first, in transactions of bounded size") func order() throws {
        try contract.positionsBecomeDurableInOrder()
    }
}

/// The simulated store as the contract drives one: its images stay under their paths, as files do.
private final class SimulatedStoreUnderTest: StoreUnderTest {
    private static let images = Mutex<[String: SimulatedStoreImage]>([:])

    private let store: SimulatedStore
    private let path: String

    private init(_ store: SimulatedStore, path: String) {
        self.store = store
        self.path = path
    }

    static func open(at path: String, identity: StoreIdentity, configuration: StoreConfiguration) throws -> Self {
        let image = images.withLock { $0[path] } ?? SimulatedStoreImage()
        return Self(try SimulatedStore(image: image, identity: identity, configuration: configuration), path: path)
    }

    var restored: StoreState { store.restored }
    var durable: StoreState { store.durable }
    var lag: StoreLag { store.lag }
    var pressure: StorePressure { store.pressure }
    var transactions: UInt64 { store.transactions }

    func start(
        onDurable: @escaping @Sendable (Position) -> Void, onFailure: @escaping @Sendable (StoreError) -> Void
    ) { store.onDurable = onDurable }

    func take(_ batch: AppliedBatch) { store.take(batch) }

    func value(_ table: Table, key: [UInt8]) throws(StoreError) -> [UInt8]? { try store.value(table, key: key) }

    func rows(_ table: Table, from: [UInt8], limit: Int) throws(StoreError) -> [StoreRow] {
        try store.rows(table, from: from, limit: limit)
    }

    func forEachRow<Failure: Error>(
        _ table: Table, _ body: ([UInt8], [UInt8]) throws(Failure) -> Void
    ) throws(StoreError) { try store.forEachRow(table, body) }

    func flush() throws(StoreError) { store.flush() }

    func close() {
        store.flush()
        Self.images.withLock { $0[path] = store.image }
    }
}
