import Glibc

/// A directory of its own for one test, removed with what is in it when the last reference is gone.
final class TemporaryDirectory: Sendable {
    let path: String

    init() {
        var template = Array("/tmp/baton-lmdb-XXXXXX".utf8CString)
        path = template.withUnsafeMutableBufferPointer { buffer in
            guard let made = mkdtemp(buffer.baseAddress!) else { preconditionFailure("mkdtemp: errno \(errno)") }
            return String(cString: made)
        }
    }

    deinit {
        for name in ["data.mdb", "lock.mdb", "snippet.swift"] { unlink(path + "/" + name) }
        rmdir(path)
    }
}
