internal import Foundation
internal import Glibc

/// A small file system in a file, mounted below a drill's directory, that can be filled and emptied. Needs the right to
/// mount. A child process waits for the drill's end and takes the mount away, however the drill ends.
final class SmallDisk {
    let directory: String
    private let keeper: Process
    private let word: Pipe

    private static let script = """
        set -e
        trap '' INT TERM HUP
        truncate -s "$3" "$1"
        mkfs.ext4 -q -m 0 -F "$1"
        mkdir -p "$2"
        mount -o loop "$1" "$2"
        echo mounted
        read -r word || true
        umount "$2" 2>/dev/null || umount -l "$2"
        rm -f "$1"
        rmdir "$2"
        """

    init(image: String, directory: String, bytes: Int) throws {
        self.directory = directory
        keeper = Process()
        word = Pipe()
        let answer = Pipe()
        keeper.executableURL = URL(filePath: "/bin/sh")
        keeper.arguments = ["-c", Self.script, "sh", image, directory, "\(bytes)"]
        // No other child holds the drill's end: it closes with the drill.
        _ = fcntl(word.fileHandleForWriting.fileDescriptor, F_SETFD, FD_CLOEXEC)
        keeper.standardInput = word
        keeper.standardOutput = answer
        try keeper.run()
        guard let line = try answer.fileHandleForReading.read(upToCount: 8), line == Data("mounted\n".utf8) else {
            keeper.waitUntilExit()
            throw DrillFault(
                "\(image) cannot be mounted at \(directory); the drill needs mkfs.ext4, mount, and the right to mount")
        }
    }

    /// Unmounts and removes it.
    func remove() throws {
        try word.fileHandleForWriting.close()
        keeper.waitUntilExit()
        guard keeper.terminationStatus == 0 else {
            throw DrillFault("\(directory) could not be unmounted: exit code \(keeper.terminationStatus)")
        }
    }

    var freeBytes: Int {
        var found = statvfs()
        return statvfs(directory, &found) == 0 ? Int(found.f_bavail) * Int(found.f_frsize) : 0
    }

    private var filler: String { directory + "/filler" }

    /// Takes all space that is left.
    func fill() throws {
        let descriptor = open(filler, O_WRONLY | O_CREAT | O_CLOEXEC, 0o600)
        guard descriptor >= 0 else { throw DrillFault("\(filler) cannot be made") }
        defer { close(descriptor) }
        var size = 0
        var piece = 64 << 20
        while piece >= 4096 {
            if posix_fallocate(descriptor, off_t(size), off_t(piece)) == 0 { size += piece } else { piece /= 2 }
        }
    }

    func empty() throws { try FileManager.default.removeItem(atPath: filler) }
}
