internal import Foundation
internal import Glibc

/// Tells the interposed library under a running side which call is to fail: `struct plan` of Sources/PowerCut, a file
/// that the library maps.
struct FaultPlan: Sendable {
    enum Fault: UInt32, CaseIterable, Sendable {
        case inputOutputError = 1
        case noSpace
        case shortWrite
    }

    enum Call: UInt32, CaseIterable, Sendable {
        case writes = 1
        case syncs
    }

    enum Files: UInt32, CaseIterable, Sendable {
        case segments = 1
        case superblocks
        case store
        case spares
    }

    let fault: Fault
    let call: Call
    let files: Files
    /// Matching calls that still succeed.
    let before: Int32
    /// Every matching call after the first failure fails too.
    let stays: Bool

    static let bytes = 28
    private static let struckOffset = 24

    static func file(in journalDirectory: String) -> String { journalDirectory + "/plan" }

    /// Before the side starts: nothing fails.
    static func prepare(in journalDirectory: String) throws {
        try Data(count: bytes).write(to: URL(filePath: file(in: journalDirectory)))
    }

    /// From now on, also under a running side.
    func arm(in journalDirectory: String) throws {
        let path = Self.file(in: journalDirectory)
        let descriptor = Glibc.open(path, O_WRONLY | O_CLOEXEC)
        guard descriptor >= 0 else { throw DrillFault("\(path) cannot be written") }
        defer { Glibc.close(descriptor) }
        let words: [UInt32] = [1, fault.rawValue, call.rawValue, files.rawValue, UInt32(before), stays ? 1 : 0]
        // All that the first word makes valid comes before it.
        for index in words.indices.reversed() {
            var word = words[index]
            guard pwrite(descriptor, &word, 4, off_t(index * 4)) == 4 else {
                throw DrillFault("\(path) cannot be written")
            }
        }
    }

    /// How many calls have failed.
    static func struck(in journalDirectory: String) -> Int {
        guard let plan = FileManager.default.contents(atPath: file(in: journalDirectory)), plan.count == bytes else {
            return 0
        }
        return plan.withUnsafeBytes { Int($0.loadUnaligned(fromByteOffset: struckOffset, as: UInt32.self)) }
    }
}

extension FaultPlan: CustomStringConvertible {
    var description: String { "\(fault) of \(call) to \(files) after \(before)\(stays ? ", for good" : "")" }
}
