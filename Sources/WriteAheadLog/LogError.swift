package import CallModel

/// Why a log or a superblock cannot be opened or read. Every sentence names file, position and next step.
package enum LogError: Error, Hashable, Sendable, CustomStringConvertible {
    case disk(DiskError)
    case newerVersion(file: String, offset: Int, version: UInt16)
    /// Files of another pair, or of the pair's other side.
    case otherPair(file: String, found: String, expected: String)
    case otherSide(file: String, found: Side, expected: Side)
    /// Segments are missing: the log begins after what is needed, or has a hole.
    case gap(file: String, text: String)
    /// The log and the store, the superblock or a file after it contradict each other, or a durable record is damaged.
    case damaged(LogDamage)
    /// ``WriteAheadLog/format(_:identity:configuration:at:time:)`` where a log is already.
    case notEmpty(file: String)
    case badArgument(String)

    package var description: String {
        switch self {
        case .disk(let error):
            "the disk failed: \(error). Nothing was changed after it. "
                + "Check the disk and its permissions, then start again"
        case .newerVersion(let file, let offset, let version):
            "\(file) at byte \(offset) has format version \(version); this program knows \(LogFormat.version). "
                + "Run the program that wrote it, or a later one"
        case .otherPair(let file, let found, let expected):
            "\(file) at byte 0 belongs to pair \(found), this side to \(expected). "
                + "Give this side its own data directory, or correct the pair's id"
        case .otherSide(let file, let found, let expected):
            "\(file) at byte 0 was written by side \(found.rawValue), this is side \(expected.rawValue). "
                + "Put that side's files back where they came from"
        case .gap(let file, let text):
            "\(file): \(text). Put the missing segments back, or restore this side from a snapshot or the other side"
        case .damaged(let damage): damage.description
        case .notEmpty(let file):
            "\(file) is there already: a log is begun in an empty directory only. Move it aside first"
        case .badArgument(let text): text
        }
    }
}

/// A failure of the disk as a failure of the log.
func onDisk<Value>(_ body: () throws(DiskError) -> Value) throws(LogError) -> Value {
    do throws(DiskError) { return try body() } catch { throw .disk(error) }
}

/// A place where reading stops, and what the recovery table says of it.
package struct LogDamage: Error, Hashable, Sendable, CustomStringConvertible {
    package let file: String
    package let offset: Int
    /// The last good position before it.
    package let after: Position
    package let what: String
    package let finding: RecoveryFinding

    package var row: RecoveryRow { RecoveryTable.row(finding) }

    package var description: String {
        "\(file) at byte \(offset), after \(after): \(what). \(row.sentence)"
    }
}
