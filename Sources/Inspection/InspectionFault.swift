internal import ByteCoding
package import CallModel
package import ContextStore
internal import Ledger
package import WriteAheadLog

/// Why something cannot be looked into or rebuilt. Every sentence says what was found and what to do next.
package enum InspectionFault: Error, CustomStringConvertible {
    case log(LogError)
    /// The log is damaged where it was durable, before the limit: leaving out what follows would lose what was
    /// acknowledged.
    case rot(LogDamage)
    case store(StoreError)
    case directory(PosixDisk.OpenError)
    case noLog(directory: String)
    case system(path: String, operation: String, reason: String)
    /// A record that no program of this version wrote.
    case record(sequence: LogSequence, reason: String)
    /// The log begins too late, and no good snapshot reaches back to it.
    case unreachable(base: LogSequence, until: String, notes: [String])
    /// The snapshot is not one of this log.
    case notOfThisLog(snapshot: String, position: Position)
    case unknownCall(String)
    case beforeAll(until: String)
    /// What was rebuilt is not what it should be.
    case rebuiltWrong(path: String, reason: String)

    package var description: String {
        switch self {
        case .log(let error): "\(error)"
        case .rot(let damage):
            "\(damage.file) at byte \(damage.offset), after \(damage.after): \(damage.what): a durable record is damaged "
                + "(rot), and nothing was made. A restore to --sequence \(damage.after.sequence) or before is possible. "
                + "If baton store verify finds the store sound, take a snapshot of it (baton store snapshot): a restore "
                + "then begins behind the damage"
        case .store(let error): "\(error)"
        case .directory(let error): "\(error)"
        case .noLog(let directory):
            "\(directory): there is no log here. Name the dataDirectory of a side's configuration"
        case .system(let path, let operation, let reason): "\(path): cannot \(operation): \(reason)"
        case .record(let sequence, let reason):
            "record \(sequence) of the log cannot be read (\(reason)). Run the program version that wrote it"
        case .unreachable(let base, let until, let notes):
            "the log begins after sequence \(base), and no good snapshot reaches from there to \(until)"
                + (notes.isEmpty ? "" : " (\(notes.joined(separator: "; ")))")
                + ". Put an older segment or a snapshot back, or restore this side from the other side"
        case .notOfThisLog(let snapshot, let position):
            "\(snapshot) stands at \(position), which is not on this log. Put the snapshots of this data directory back, "
                + "or take another one"
        case .unknownCall(let call):
            "nothing is known of \(call): no call key, call id, dialog or reservation of that name is in the log or its "
                + "snapshot. Look for it with baton log show"
        case .beforeAll(let until):
            "nothing was logged at or before \(until). baton log list shows where the log begins"
        case .rebuiltWrong(let path, let reason):
            "\(path): what was rebuilt is not what the log says (\(reason)). It was not put in place; keep it and report it"
        }
    }

    /// Of something that is a fault of the data, and not of how the program was called or of the disk.
    package var isDamage: Bool {
        switch self {
        case .log(.damaged), .log(.gap), .rot, .store(.damaged), .store(.damagedRow), .store(.damagedSnapshot), .record,
            .unreachable, .notOfThisLog, .rebuiltWrong:
            true
        default: false
        }
    }
}

func inLog<Value>(_ body: () throws(LogError) -> Value) throws(InspectionFault) -> Value {
    do throws(LogError) { return try body() } catch { throw .log(error) }
}

func inStore<Value>(_ body: () throws(StoreError) -> Value) throws(InspectionFault) -> Value {
    do throws(StoreError) { return try body() } catch { throw .store(error) }
}
