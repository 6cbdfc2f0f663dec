/// Why a register file does not answer. Each sentence names the file and what to do.
enum RegisterFileFault: Error, Hashable, Sendable, CustomStringConvertible {
    case damaged(path: String, what: String)
    /// It is a copy: what it holds may be older than what was promised.
    case restored(path: String)
    case otherFormat(path: String, format: UInt16)
    case otherPair(path: String, found: String, expected: String)
    case unreadable(path: String, reason: String)
    /// The old value stands.
    case notWritten(path: String, reason: String)
    /// The new value stands, but may not survive a power cut.
    case notDurable(path: String, reason: String)

    private static let seeding = "stop changes, and set the register anew with `baton pair witness reset`"

    var description: String {
        switch self {
        case .damaged(let path, let what): "the register file \(path) is damaged: \(what); \(Self.seeding)"
        case .restored(let path):
            "the register file \(path) was copied or restored, so it may be older than what was promised; \(Self.seeding)"
        case .otherFormat(let path, let format):
            "the register file \(path) has format \(format), which this version does not know; use the version that wrote it"
        case .otherPair(let path, let found, let expected):
            "the register file \(path) belongs to pair \(found), not to \(expected); correct the configured path"
        case .unreadable(let path, let reason):
            "the register file \(path) cannot be read: \(reason); correct its owner, mode or mount"
        case .notWritten(let path, let reason):
            "the register file \(path) cannot be written: \(reason); the old value stands"
        case .notDurable(let path, let reason):
            "the register file \(path) was written, but the disk refused to keep it: \(reason); check the disk, then start again"
        }
    }

    var witnessFault: WitnessFault {
        if case .notDurable = self { return .unknown(description) }
        return .notApplied(description)
    }
}
