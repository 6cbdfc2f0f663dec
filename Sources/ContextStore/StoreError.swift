package import ByteCoding
package import CallModel
package import LMDB
package import Ledger

/// Why a store cannot be opened, read or written. Each text names the file and what the operator can do next.
package enum StoreError: Error, Hashable, Sendable, CustomStringConvertible {
    /// No store is at this path.
    case missing(path: String)
    case notWritable(path: String, reason: String)
    /// Another process, or this one, has it open for writing.
    case inUse(path: String)
    case newerFormat(path: String, found: Int, known: Int)
    case otherPair(path: String, found: Hash128, expected: Hash128)
    case otherSide(path: String, found: Side, expected: Side)
    /// What is stored is not what was written: LMDB's own structure, a checksum or a row's form.
    case damaged(path: String, reason: String)
    /// One row is not what was written.
    case damagedRow(path: String, table: Table, key: [UInt8], reason: String)
    /// A snapshot is not what was written, or was not written to its end.
    case damagedSnapshot(path: String, offset: Int, reason: String)
    case mapFull(path: String, mapBytes: Int)
    /// Too little space on the file system; no transaction is begun until there is more.
    case noSpace(path: String, freeBytes: UInt64, leastBytes: UInt64)
    /// It is unknown whether the transaction in flight is in the store; what is there is whole in either case.
    case failed(path: String, LMDBFault)
    case system(path: String, operation: String, reason: String)
    /// `close` was called before.
    case closed(path: String)

    package var description: String {
        switch self {
        case .missing(let path):
            "\(path): there is no store here. Check the data directory in the configuration."
        case .notWritable(let path, let reason):
            "\(path): the store cannot be written (\(reason)). Give the user of baton write access to it."
        case .inUse(let path):
            """
            \(path): the store is open for writing already. Stop the other side's process first, or give this one a \
            data directory of its own.
            """
        case .newerFormat(let path, let found, let known):
            """
            \(path): the store has format \(found); this program knows format \(known). Run the newer program that \
            wrote it.
            """
        case .otherPair(let path, let found, let expected):
            """
            \(path): the store belongs to the pair \(found), not \(expected). Check the data directory; nothing was \
            changed.
            """
        case .otherSide(let path, let found, let expected):
            """
            \(path): the store belongs to side \(found), not \(expected). Check the data directory; nothing was \
            changed.
            """
        case .damaged(let path, let reason):
            "\(path): the store is damaged (\(reason)). Move it aside; it is rebuilt from a snapshot and the log."
        case .damagedRow(let path, let table, let key, let reason):
            """
            \(path): a row of \(table) is damaged (key \(Self.hexadecimal(key)): \(reason)). Run `baton store \
            verify`, move the store aside; it is rebuilt from a snapshot and the log.
            """
        case .damagedSnapshot(let path, let offset, let reason):
            """
            \(path): the snapshot is damaged at byte \(offset) (\(reason)). Take an older snapshot, or rebuild from \
            the log or the other side.
            """
        case .mapFull(let path, let mapBytes):
            """
            \(path): the store's map of \(mapBytes >> 20) MiB is full. Nothing acknowledged is lost: raise the map \
            size in the configuration and start again.
            """
        case .noSpace(let path, let freeBytes, let leastBytes):
            """
            \(path): only \(freeBytes >> 20) MiB are free on this disk; \(leastBytes >> 20) MiB are needed. It goes \
            on by itself when there is space.
            """
        case .failed(let path, let fault):
            "\(path): the store failed: \(fault). Nothing acknowledged is lost: look at the disk, then start again."
        case .system(let path, let operation, let reason):
            "\(path): cannot \(operation): \(reason)."
        case .closed(let path):
            "\(path): the store is closed."
        }
    }

    init(_ fault: LMDBFault, path: String, mapBytes: Int = 0) {
        if fault.isMapFull {
            self = .mapFull(path: path, mapBytes: mapBytes)
        } else if case .openTwice = fault {
            self = .inUse(path: path)
        } else if fault.isDamage {
            self = .damaged(path: path, reason: fault.description)
        } else {
            self = .failed(path: path, fault)
        }
    }

    static func hexadecimal(_ bytes: [UInt8]) -> String {
        bytes.map { ($0 < 16 ? "0" : "") + String($0, radix: 16) }.joined()
    }
}
