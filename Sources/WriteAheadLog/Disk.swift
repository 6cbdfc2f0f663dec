/// What the log, the superblock and the tools ask of a directory on a disk. Production: ``PosixDisk``; tests and the
/// simulator: an in-memory disk that crashes and lies. Files are named, never pathed: nothing outside the one
/// directory can be reached.
///
/// The calls that wait are for the start, for recovery and for tools. While a side runs it only ever uses
/// ``submit(_:)``. No error is retried inside, least of all a failed sync: what is on the disk after it is unknown.
package protocol Disk: AnyObject, Sendable {
    /// Names of all files, in no particular order.
    func list() throws(DiskError) -> [String]
    func size(_ file: String) throws(DiskError) -> Int
    /// Up to `count` bytes; fewer only at the end of the file.
    func read(_ file: String, offset: Int, count: Int) throws(DiskError) -> [UInt8]
    /// Writes all of `bytes` or throws. The file is made when it is absent. Not durable before ``sync(_:)``.
    func write(_ file: String, offset: Int, bytes: [UInt8]) throws(DiskError)
    /// fdatasync: contents and size are durable, the name only after ``syncDirectory()``.
    func sync(_ file: String) throws(DiskError)
    /// Makes (or replaces) a file of `count` zero bytes that really occupy the disk.
    func zeroFill(_ file: String, count: Int) throws(DiskError)
    func truncate(_ file: String, size: Int) throws(DiskError)
    /// Replaces `to` when it is there.
    func rename(_ from: String, to: String) throws(DiskError)
    /// A file that is not there counts as removed.
    func remove(_ file: String) throws(DiskError)
    func syncDirectory() throws(DiskError)
    /// Bytes this process may still write.
    func freeSpace() throws(DiskError) -> Int
    /// Hands work over; its completion comes later through the callback that the driver was made with. Works of one
    /// lane run one after the other in the order given. After a failure on the `.log` lane every later work of that
    /// lane fails untouched.
    func submit(_ work: DiskWork)
}

package enum DiskOperation: String, Sendable, CaseIterable {
    case list, size, read, write, sync, zeroFill, truncate, rename, remove, syncDirectory, freeSpace, open
}

/// One failed call. Whether its effect is on the disk is unknown.
package struct DiskError: Error, Hashable, Sendable, CustomStringConvertible {
    package let operation: DiskOperation
    package let file: String
    /// As in `errno.h`; zero for a short write.
    package let errno: Int32
    package let text: String

    package init(operation: DiskOperation, file: String, errno: Int32, text: String) {
        self.operation = operation
        self.file = file
        self.errno = errno
        self.text = text
    }

    package var description: String { "\(operation.rawValue) of \(file): \(text)" }
}

/// Tells the works of one side apart: who asked, and the asker's number.
package struct DiskToken: Hashable, Sendable {
    package enum Owner: UInt8, Sendable { case log, spare, trim, superblock, other }

    package let owner: Owner
    package let number: UInt64

    package init(owner: Owner, number: UInt64) {
        self.owner = owner
        self.number = number
    }
}

package enum DiskLane: UInt8, Sendable, CaseIterable {
    /// The acknowledgement path: batches and superblocks.
    case log
    /// Spares, trimming: whatever nobody waits for.
    case background
}

package enum DiskStep: Sendable {
    case write(file: String, offset: Int, bytes: [UInt8])
    case sync(file: String)
    case zeroFill(file: String, count: Int)
    case rename(from: String, to: String)
    case syncDirectory
    case remove(file: String)
}

/// Steps taken in order; the first failure ends them.
package struct DiskWork: Sendable {
    package let token: DiskToken
    package let lane: DiskLane
    package let steps: [DiskStep]

    package init(token: DiskToken, lane: DiskLane, steps: [DiskStep]) {
        self.token = token
        self.lane = lane
        self.steps = steps
    }
}

package struct DiskCompletion: Sendable {
    package let token: DiskToken
    package let result: Result<Void, DiskError>
    /// From the first step begun to the last one ended.
    package let elapsedMicroseconds: UInt64

    package init(token: DiskToken, result: Result<Void, DiskError>, elapsedMicroseconds: UInt64) {
        self.token = token
        self.result = result
        self.elapsedMicroseconds = elapsedMicroseconds
    }
}

extension Disk {
    /// One step, now: how drivers carry a submitted work out.
    package func perform(_ step: DiskStep) throws(DiskError) {
        switch step {
        case .write(let file, let offset, let bytes): try write(file, offset: offset, bytes: bytes)
        case .sync(let file): try sync(file)
        case .zeroFill(let file, let count): try zeroFill(file, count: count)
        case .rename(let from, let to): try rename(from, to: to)
        case .syncDirectory: try syncDirectory()
        case .remove(let file): try remove(file)
        }
    }
}
