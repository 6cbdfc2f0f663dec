import ContextStore
import Testing

@Suite("ContextStore keeps the store's contract")
struct ContextStoreContractTests {
    private let contract = StoreContract<ContextStore>()

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

    @Test("rows in memory and rows in LMDB are one, in key order", arguments: 1...6 as ClosedRange<UInt64>)
    func merged(seed: UInt64) throws { try contract.mergedRowsAreInOrder(seed: seed) }

    @Test("lag is counted in bytes and time, and too much of either refuses reservations") func lag() throws {
        try contract.lagIsCountedAndRefusesReservations()
    }

    @Test("a reader misses nothing while the store's thread writes") func concurrent() throws {
        try contract.readersMissNothing()
    }

    @Test("a batch that changes nothing moves the position") func position() throws {
        try contract.positionWithoutChangesIsKept()
    }

    @Test("positions become durable oldest first, in transactions of bounded size") func order() throws {
        try contract.positionsBecomeDurableInOrder()
    }
}
