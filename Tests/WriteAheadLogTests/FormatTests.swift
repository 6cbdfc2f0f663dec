import CallModel
import Glibc
import Simulation
import Testing
import WriteAheadLog

/// A file of the project, by the parts of its path.
func projectFile(_ parts: String..., here: String = #filePath) throws -> [UInt8] {
    let root = here.split(separator: "/", omittingEmptySubsequences: false).dropLast(3)
    let directory = (root + parts.dropLast().map { Substring($0) }).joined(separator: "/")
    let disk = try PosixDisk(directory: directory, access: .reading)
    return try disk.read(parts[parts.count - 1], offset: 0, count: 1 << 20)
}

/// Compares with a checked-in file. With `BATON_REWRITE_GOLDEN` set the file is written anew instead, for a
/// reviewer's diff.
func expectGolden(
    _ text: String, _ parts: String..., here: String = #filePath, sourceLocation: SourceLocation = #_sourceLocation
) throws {
    let path = (here.split(separator: "/", omittingEmptySubsequences: false).dropLast(3).map(String.init) + parts)
        .joined(separator: "/")
    let rewrites = getenv("BATON_REWRITE_GOLDEN") != nil
    let file = try #require(fopen(path, rewrites ? "w" : "r"), "\(path)", sourceLocation: sourceLocation)
    defer { fclose(file) }
    if rewrites {
        fputs(text, file)
        return
    }
    var bytes = [UInt8](repeating: 0, count: 1 << 20)
    let count = fread(&bytes, 1, bytes.count, file)
    #expect(text == String(decoding: bytes.prefix(count), as: UTF8.self), sourceLocation: sourceLocation)
}

/// Lines of 16 bytes in hexadecimal; lines that repeat are left out, and the size comes last, as
/// `hexdump` does.
func hexadecimal(_ bytes: [UInt8]) -> String {
    var text = ""
    var last: ArraySlice<UInt8>?
    for offset in stride(from: 0, to: bytes.count, by: 16) {
        let line = bytes[offset..<min(offset + 16, bytes.count)]
        if last.map({ Array($0) == Array(line) }) ?? false { continue }
        last = line
        text +=
            padded(String(offset, radix: 16), 8) + " " + line.map { " " + padded(String($0, radix: 16), 2) }.joined()
            + "\n"
    }
    return text + padded(String(bytes.count, radix: 16), 8) + "\n"
}

private func padded(_ digits: String, _ width: Int) -> String {
    String(repeating: "0", count: max(0, width - digits.count)) + digits
}

@Suite("The format does not drift")
struct FormatTests {
    /// A small log of two segments with every kind of batch, and a superblock with every field.
    static func sample() throws -> SimulatedDisk {
        let disk = SimulatedDisk(seed: 1)
        for life in 0..<2 {
            let rig = try LogRig(disk)
            try rig.submit([Array("first \(life)".utf8), Array("second \(life)".utf8)], epoch: UInt64(3 + life))
            rig.settle()
            rig.guardBatch()
            try rig.submit([[UInt8](repeating: 0, count: 1500)], epoch: 4)
            rig.settle()
        }
        var store = try SuperblockStore.open(disk)
        try store.write(fullSuperblock)
        return disk
    }

    static let files = ["segment-000000000001.log", "segment-000000000002.log", "superblock-1"]

    @Test("segments and superblock are byte for byte those of the golden file")
    func golden() throws {
        let disk = try Self.sample()
        var text = ""
        for file in Self.files { text += "\(file)\n" + hexadecimal(try #require(disk.contents(file))) }
        try expectGolden(text, "Tests", "WriteAheadLogTests", "format.golden")
    }

    @Test("what today's code wrote in the golden file, today's code reads")
    func readsGolden() throws {
        let golden = String(decoding: try projectFile("Tests", "WriteAheadLogTests", "format.golden"), as: UTF8.self)
        let disk = SimulatedDisk(seed: 1)
        var file = ""
        var end = 0
        for line in golden.split(separator: "\n") {
            if Self.files.contains(String(line)) {
                file = String(line)
                end = 0
                continue
            }
            let parts = line.split(separator: " ")
            let offset = try #require(Int(parts[0], radix: 16))
            let bytes = try parts.dropFirst().map { try #require(UInt8($0, radix: 16)) }
            // The lines left out repeat the one before.
            while end < offset {
                let before = try disk.read(file, offset: end - 16, count: 16)
                try disk.write(file, offset: end, bytes: before)
                end += 16
            }
            try disk.write(file, offset: offset, bytes: bytes)
            end = offset + bytes.count
        }
        let rig = try LogRig(disk)
        let expected = (0..<2).flatMap { life in
            [Array("first \(life)".utf8), Array("second \(life)".utf8), [UInt8](repeating: 0, count: 1500)]
        }
        #expect(try records(of: rig.log) == expected)
        #expect(try SuperblockStore.open(disk).current == fullSuperblock)
    }
}
