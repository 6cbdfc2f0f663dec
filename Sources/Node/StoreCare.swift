package import Inspection

/// How a side cares for its store: the check before it is opened, and its snapshots.
package struct StoreCare: Sendable {
    /// Reads the store before it is opened. A program that knows the child's command gives
    /// ``VerifierProcess/verify(_:)``; in this process a damaged file may kill it.
    package var verify: StoreVerifier
    package var snapshotSeconds = 600

    package init(verify: @escaping StoreVerifier) { self.verify = verify }

    /// For a side within a test.
    package static let withinProcess = StoreCare(verify: { StoreVerdict.reading($0) })
}
