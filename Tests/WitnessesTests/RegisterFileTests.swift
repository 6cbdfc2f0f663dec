import ByteCoding
import Foundation
import Testing

@testable import Witnesses

@Suite("A register on disk")
struct RegisterFileTests {
    let folder: TemporaryFolder
    let path: String
    let file: RegisterFile

    init() throws {
        folder = try TemporaryFolder()
        path = folder.path + "/pair.register"
        file = RegisterFile(path: path, pair: somePair)
    }

    private func stored() throws -> [UInt8] { Array(try Data(contentsOf: URL(filePath: path))) }

    /// In place, so that the file stays the same one.
    private func overwrite(_ bytes: [UInt8]) throws {
        let handle = try FileHandle(forWritingTo: URL(filePath: path))
        try handle.truncate(atOffset: 0)
        try handle.write(contentsOf: bytes)
        try handle.close()
    }

    @Test(
        "a register with any one bit flipped, cut short at any byte or grown by one does not answer, and says which file it is"
    )
    func damage() throws {
        #expect(try file.swap(expected: nil, value: Array("value".utf8)) == .swapped)
        let sound = try stored()
        var images = (0..<sound.count * 8).map { bit in
            var image = sound
            image[bit / 8] ^= 1 << UInt8(bit % 8)
            return image
        }
        images += (0..<sound.count).map { Array(sound[..<$0]) }
        images.append(sound + [0])
        images.append(Array(repeating: 0, count: 100_000))
        for image in images {
            try overwrite(image)
            let fault = #expect(throws: RegisterFileFault.self) { try file.value() }
            #expect(fault.map { "\($0)".contains(path) } == true)
            #expect(throws: RegisterFileFault.self) { try file.swap(expected: nil, value: [1]) }
            #expect(throws: RegisterFileFault.self) { try file.swap(expected: Array("value".utf8), value: [1]) }
            #expect(try stored() == image, "a damaged register was changed")
        }
        try overwrite(sound)
        #expect(try file.value() == Array("value".utf8))
    }

    @Test("a register put back from a copy does not answer until it is set anew")
    func restored() throws {
        #expect(try file.swap(expected: nil, value: [1]) == .swapped)
        try FileManager.default.copyItem(atPath: path, toPath: path + ".copy")
        #expect(try file.swap(expected: [1], value: [2]) == .swapped)
        try FileManager.default.removeItem(atPath: path)
        try FileManager.default.moveItem(atPath: path + ".copy", toPath: path)
        #expect(throws: RegisterFileFault.restored(path: path)) { try file.value() }
        #expect(throws: RegisterFileFault.restored(path: path)) { try file.swap(expected: [1], value: [3]) }
        #expect(RegisterFileFault.restored(path: path).description.contains("baton pair witness reset"))
        try file.seed([9])
        #expect(try file.swap(expected: [9], value: [10]) == .swapped)
    }

    @Test("a register of another pair answers nothing and is not set anew")
    func otherPair() throws {
        #expect(try file.swap(expected: nil, value: [1]) == .swapped)
        let other = RegisterFile(path: path, pair: Hash128(high: 1, low: 2))
        let fault = RegisterFileFault.otherPair(
            path: path, found: "\(somePair)", expected: "00000000000000010000000000000002")
        #expect(throws: fault) { try other.swap(expected: [1], value: [2]) }
        #expect(throws: fault) { try other.seed([2]) }
        #expect(try file.value() == [1])
    }

    @Test("what a change left half done under its temporary name does not count and is in nobody's way")
    func halfDone() throws {
        #expect(try file.swap(expected: nil, value: [1]) == .swapped)
        try Data([1, 2, 3]).write(to: URL(filePath: path + ".new"))
        #expect(try file.value() == [1])
        #expect(try file.swap(expected: [1], value: [2]) == .swapped)
        #expect(!FileManager.default.fileExists(atPath: path + ".new"))
    }

    @Test("a folder that is not there is named")
    func noFolder() async throws {
        let witness = FileWitness(path: folder.path + "/none/pair.register", pair: somePair)
        let fault = await #expect(throws: WitnessFault.self) { try await witness.swap(expected: nil, value: [1]) }
        guard case .notApplied(let reason) = fault else {
            Issue.record("\(String(describing: fault))")
            return
        }
        #expect(reason.contains(folder.path + "/none/pair.register"))
    }

    @Test("while another process holds the register's lock, nothing is done and that is said in time")
    func locked() async throws {
        let witness = FileWitness(path: path, pair: somePair, timeoutMilliseconds: 100)
        #expect(try await witness.swap(expected: nil, value: [1]) == .swapped)
        let holder = Descriptor(open(path + ".lock", O_RDWR))
        // The answer of the swap may come a moment before its lock is given back.
        var isHeld = holder.lock()
        for _ in 0..<400 where !isHeld {
            try await Task.sleep(for: .milliseconds(5))
            isHeld = holder.lock()
        }
        #expect(isHeld)
        let fault = await #expect(throws: WitnessFault.self) { try await witness.swap(expected: [1], value: [2]) }
        // The lock's own wait and the call's limit end at the same moment; either may be first.
        #expect(fault.map { "\($0)".contains("lock") || "\($0)".contains("100 ms") } == true)
        withExtendedLifetime(holder) {}
        #expect(try file.value() == [1])
    }

    @Test("the format of a register file is the one that Schemas/witness.md gives")
    func golden() throws {
        let image = RegisterImage(
            pair: Hash128(high: 0x0102_0304_0506_0708, low: 0x090A_0B0C_0D0E_0F10), inode: 0x1122, changes: 3,
            value: [0xAA, 0xBB])
        let golden: [UInt8] =
            Array("BATONREG".utf8) + [1, 0, 0, 0, 56, 0, 0, 0]
            + [0x10, 0x0F, 0x0E, 0x0D, 0x0C, 0x0B, 0x0A, 0x09, 8, 7, 6, 5, 4, 3, 2, 1]
            + [0x22, 0x11, 0, 0, 0, 0, 0, 0, 3, 0, 0, 0, 0, 0, 0, 0, 2, 0, 0xAA, 0xBB]
        #expect(Array(image.encoded().dropLast(4)) == golden)
        #expect(try RegisterImage.decode(image.encoded()) == image)
        var later = golden
        later[8] = 2
        #expect(throws: RegisterImage.Fault.otherFormat(2)) { try RegisterImage.decode(later + [0, 0, 0, 0]) }
    }
}
