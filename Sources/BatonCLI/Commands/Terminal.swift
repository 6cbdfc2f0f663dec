internal import Foundation
internal import Glibc

/// Standard output for results, standard error for progress and failures.
package enum Terminal {
    package static func write(_ text: String) {
        var line = text
        if line.last != "\n" { line += "\n" }
        put(line, to: STDOUT_FILENO)
    }

    package static func note(_ text: String) { put(text + "\n", to: STDERR_FILENO) }

    /// A line that the next one overwrites; nothing where nobody watches.
    package static func progress(_ text: String) {
        guard isatty(STDERR_FILENO) == 1 else { return }
        put("\r\u{1B}[K" + text, to: STDERR_FILENO)
    }

    package static func progressEnded() { progress("") }

    private static func put(_ text: String, to descriptor: Int32) {
        var rest = Array(text.utf8)[...]
        while !rest.isEmpty {
            let written = rest.withUnsafeBytes { Glibc.write(descriptor, $0.baseAddress, $0.count) }
            if written < 0 {
                if errno == EINTR { continue }
                return  // The reader has gone; there is nobody left to tell.
            }
            rest = rest.dropFirst(written)
        }
    }

    /// A system error in few words.
    package static func reason(of error: any Error) -> String {
        if let code = (error as? CocoaError)?.code {
            switch code {
            case .fileReadNoSuchFile, .fileNoSuchFile: return "there is no such file"
            case .fileReadNoPermission: return "permission denied"
            default: break
            }
        }
        return String(describing: error)
    }
}
