package import ByteCoding
package import CallModel
package import Ledger

/// Whose store it is; written once, compared at each opening, so that two pairs' or two sides' files never mix.
package struct StoreIdentity: Hashable, Sendable {
    package let pairID: Hash128
    package let side: Side

    package init(pairID: Hash128, side: Side) {
        self.pairID = pairID
        self.side = side
    }
}

/// What the ledger stands at after a batch: the same in memory, in the log and in the store.
package struct StoreState: Hashable, Sendable {
    package let position: Position
    package let time: BatchTime
    /// Of the rows of the digested tables at this position.
    package let digest: Digest

    package init(position: Position, time: BatchTime, digest: Digest) {
        self.position = position
        self.time = time
        self.digest = digest
    }

    /// A store into which nothing was written yet.
    package static let empty = StoreState(
        position: .zero, time: BatchTime(log: .zero, wall: .zero), digest: .empty)
}

/// What applying one committed batch changed, and where the ledger stands after it.
package struct AppliedBatch: Hashable, Sendable {
    package let changes: [Change]
    package let state: StoreState

    package init(changes: [Change], state: StoreState) {
        self.changes = changes
        self.state = state
    }

    package init(changes: [Change], position: Position, time: BatchTime, digest: Digest) {
        self.init(changes: changes, state: StoreState(position: position, time: time, digest: digest))
    }
}

package struct StoreRow: Hashable, Sendable {
    package let key: [UInt8]
    package let value: [UInt8]

    package init(key: [UInt8], value: [UInt8]) {
        self.key = key
        self.value = value
    }
}

/// How far LMDB is behind what was taken.
package struct StoreLag: Hashable, Sendable {
    /// Keys and values that wait, with a fixed charge per row.
    package let bytes: Int
    /// Age of the oldest batch that waits; 0 when none does.
    package let milliseconds: UInt64

    package init(bytes: Int, milliseconds: UInt64) {
        self.bytes = bytes
        self.milliseconds = milliseconds
    }

    package static let zero = StoreLag(bytes: 0, milliseconds: 0)
}

/// Whether new reservations may be taken. Claims and releases always may.
package enum StorePressure: Hashable, Sendable {
    case none
    /// The reason is a sentence for the caller and the operator.
    case busy(reason: String)
}

/// How full the store's map is.
package struct StoreUsage: Hashable, Sendable {
    package let usedBytes: Int
    package let mapBytes: Int

    package init(usedBytes: Int, mapBytes: Int) {
        self.usedBytes = usedBytes
        self.mapBytes = mapBytes
    }

    package var usedPercent: Int { mapBytes == 0 ? 0 : Int(Double(usedBytes) / Double(mapBytes) * 100) }
}
