import Foundation
import Testing

@testable import Fuzzing

/// Cheap and repeatable: a failing input is told by its seed.
private struct Mutator {
    var state: UInt64

    mutating func next() -> UInt64 {
        state = state &* 6_364_136_223_846_793_005 &+ 1_442_695_040_888_963_407
        return state >> 33
    }

    mutating func mutate(_ bytes: [UInt8]) -> [UInt8] {
        var bytes = bytes
        for _ in 0...(next() % 4) {
            let at = bytes.isEmpty ? 0 : Int(next() % UInt64(bytes.count))
            switch next() % 5 {
            case 0: bytes.insert(UInt8(truncatingIfNeeded: next()), at: at)
            case 1 where !bytes.isEmpty: bytes[at] ^= 1 << UInt8(next() % 8)
            case 2 where !bytes.isEmpty: bytes[at] = [0, 1, 0x7F, 0x80, 0xFF][Int(next() % 5)]
            case 3 where !bytes.isEmpty: bytes.removeSubrange(at..<min(bytes.count, at + Int(next() % 8) + 1))
            default: bytes.insert(contentsOf: bytes[at..<min(bytes.count, at + 8)], at: at)
            }
        }
        return bytes
    }
}

@Suite("Bytes from outside end in a value or a typed error")
struct CorpusTests {
    private static let corpus = URL(filePath: #filePath).deletingLastPathComponent().appending(path: "Corpus")

    private static func inputs(_ target: FuzzTarget) throws -> [(name: String, bytes: [UInt8])] {
        let folder = corpus.appending(path: target.rawValue).path
        return try FileManager.default.contentsOfDirectory(atPath: folder).sorted().map { name in
            (name, Array(try Data(contentsOf: URL(filePath: folder + "/" + name))))
        }
    }

    @Test("each kept input, and nothing at all", arguments: FuzzTarget.allCases)
    func corpus(target: FuzzTarget) throws {
        target.run([])
        let inputs = try Self.inputs(target)
        #expect(!inputs.isEmpty)
        for input in inputs { target.run(input.bytes) }
    }

    @Test("thousands of mutations of them, the same each time", arguments: FuzzTarget.allCases)
    func mutations(target: FuzzTarget) throws {
        let inputs = try Self.inputs(target)
        var mutator = Mutator(state: 22)
        for round in 0..<3000 {
            var bytes = inputs[round % inputs.count].bytes
            for _ in 0...(mutator.next() % 3) { bytes = mutator.mutate(bytes) }
            target.run(bytes)
        }
    }
}
