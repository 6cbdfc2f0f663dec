package import CallModel
package import ContextStore
package import Duplex
package import Ledger
package import WriteAheadLog

/// Everything a replicated ledger touches besides its own memory. Production and simulation differ here, and only here.
package protocol Surroundings {
    associatedtype DiskSeam: Disk
    associatedtype StoreSeam: Store
    associatedtype ClockSeam: Clock
    associatedtype LinkSeam: Link
    associatedtype WitnessSeam: Witness
    /// Other rules than the standard ones are for showing that a simulation finds what a broken rule lets happen.
    associatedtype Rules: PairRules = StandardRules
}

/// The store that follows the log: it takes committed changes, in order, and serves what they left.
/// Called on the ledger's thread.
package protocol Store: AnyObject {
    /// What the durable image held when the store was opened: from here a restart replays.
    var restored: StoreState { get }
    func forEachRow<Failure: Error>(
        _ table: Table, _ body: (_ key: [UInt8], _ value: [UInt8]) throws(Failure) -> Void
    ) throws(StoreError)
    /// The changes of one committed batch. Never waits for a disk.
    func take(_ batch: AppliedBatch)
    /// A row as the taken batches left it. Throws when what is stored is damaged: never a wrong value.
    func value(_ table: Table, key: [UInt8]) throws(StoreError) -> [UInt8]?
    /// Rows with keys not before `from`, in key order.
    func rows(_ table: Table, from: [UInt8], limit: Int) throws(StoreError) -> [StoreRow]
    /// Where the durable image stands now.
    var durablePosition: Position { get }
    var lag: StoreLag { get }
    var pressure: StorePressure { get }
}

/// The side's clocks.
package protocol Clock {
    /// CLOCK_BOOTTIME: monotonic, counts suspended time too.
    func elapsedMilliseconds() -> UInt64
    func wall() -> WallTime
}

/// The private link to the other side, as the ledger uses it. A side without another one has ``NoOtherSide``.
package protocol Link {
    /// Sends a frame of the present session; frames keep their order. Nothing is sent where no session is.
    func send(_ frame: [UInt8])
    /// Ends the session, naming why. Frames of an ended session are void.
    func endSession(reason: String)
}

/// The register that decides which side may serve, changed only by compare-and-swap (RELIABILITY.md, "The pair").
package protocol Witness {
    /// Asks to replace `expected` (the register's encoded value; nil when absent) by `value`. The answer comes as an
    /// event with `token`, or never.
    func swap(expected: [UInt8]?, value: [UInt8], token: UInt64)
}

/// Link and witness of a *single* side: no other side is configured, so there is nobody to write to and nothing to
/// decide. The ledger never calls it in that mode.
package struct NoOtherSide: Link, Witness {
    package init() {}

    package func send(_ frame: [UInt8]) { preconditionFailure("a single side sent \(frame.count) bytes to nobody") }

    package func endSession(reason: String) {}

    package func swap(expected: [UInt8]?, value: [UInt8], token: UInt64) {
        preconditionFailure("a single side asked a witness")
    }
}

extension ContextStore: Store {}
