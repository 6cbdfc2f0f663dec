internal import Glibc
internal import Synchronization

/// The environments this process has open, by device and inode of their directory. LMDB's file locks belong to the
/// process, so that closing a second opening would drop those of the first.
enum EnvironmentRegistry {
    struct Place: Hashable, Sendable {
        let device: UInt64
        let inode: UInt64
    }

    private static let open = Mutex<Set<Place>>([])

    static func enter(path: String) throws(LMDBFault) -> Place {
        var found = stat()
        guard unsafe stat(path, &found) == 0 else { throw .failed(.openEnvironment, code: errno) }
        let place = Place(device: UInt64(found.st_dev), inode: UInt64(found.st_ino))
        guard open.withLock({ $0.insert(place).inserted }) else { throw .openTwice(path: path) }
        return place
    }

    static func leave(_ place: Place) { open.withLock { _ = $0.remove(place) } }
}
