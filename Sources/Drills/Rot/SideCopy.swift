internal import Foundation
internal import WriteAheadLog

/// A copy of a stopped side's data directory, to be harmed and thrown away. Zeros are not written: copies are many.
enum SideCopy {
    static func make(of directory: String, at copy: String) throws {
        let manager = FileManager.default
        if manager.fileExists(atPath: copy) { try manager.removeItem(atPath: copy) }
        try manager.createDirectory(atPath: copy, withIntermediateDirectories: true)
        guard let names = manager.enumerator(atPath: directory) else { throw DrillFault("\(directory) is gone") }
        for case let name as String in names {
            let (from, to) = (directory + "/" + name, copy + "/" + name)
            var isDirectory: ObjCBool = false
            guard manager.fileExists(atPath: from, isDirectory: &isDirectory) else { continue }
            if isDirectory.boolValue {
                try manager.createDirectory(atPath: to, withIntermediateDirectories: true)
            } else if LogFormat.segmentNumber((name as NSString).lastPathComponent) != nil {
                try copyUpToZeros(from, to)
            } else {
                try manager.copyItem(atPath: from, toPath: to)
            }
        }
    }

    private static func copyUpToZeros(_ from: String, _ to: String) throws {
        let end = try LogFiles.endOfBytes(from)
        let source = try FileHandle(forReadingFrom: URL(filePath: from))
        defer { try? source.close() }  // only read from
        let size = try source.seekToEnd()
        try source.seek(toOffset: 0)
        let content = end == 0 ? Data() : try source.read(upToCount: end) ?? Data()
        try content.write(to: URL(filePath: to))
        let target = try FileHandle(forUpdating: URL(filePath: to))
        try target.truncate(atOffset: size)
        try target.close()
    }
}
