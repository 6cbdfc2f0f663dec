internal import Foundation

/// What Sources/PowerCut/powercut.c wrote beside a data directory: every change since the side started, with what was
/// there before, and the syncs. A last record that is cut off belongs to a change that never happened.
struct PowerCutJournal {
    enum Kind: UInt32 {
        case change = 1
        case writtenThrough
        case syncBegin
        case syncEnd
        case create
        case rename
        case unlink
        case namesBegin
        case namesEnd
        case syncFailed
    }

    struct Record {
        let kind: Kind
        let inode: UInt64
        let token: UInt64
        let offset: Int
        /// Of the file before the change; of a written-through one after it.
        let sizeBefore: Int
        /// Of the changed range; what is not stored of it was zero.
        let length: Int
        let stored: Range<Int>
    }

    struct Malformed: Error, CustomStringConvertible {
        let offset: Int
        var description: String { "the power cut's journal cannot be read at byte \(offset)" }
    }

    static let headerBytes = 48
    private static let magic: UInt32 = 0x4357_5250

    let bytes: [UInt8]
    let records: [Record]

    static func file(in directory: String) -> String { directory + "/journal" }

    init(directory: String) throws {
        try self.init(bytes: Array(Data(contentsOf: URL(filePath: Self.file(in: directory)))))
    }

    init(bytes: [UInt8]) throws(Malformed) {
        self.bytes = bytes
        var records: [Record] = []
        var at = 0
        while bytes.count - at >= Self.headerBytes {
            func number<Value: FixedWidthInteger>(_ offset: Int, _ type: Value.Type) -> Value {
                bytes.withUnsafeBytes { Value(littleEndian: $0.loadUnaligned(fromByteOffset: at + offset, as: type)) }
            }
            guard number(0, UInt32.self) == Self.magic, let kind = Kind(rawValue: number(4, UInt32.self)) else {
                throw Malformed(offset: at)
            }
            let begin = at + Self.headerBytes
            let stored = Int(number(44, UInt32.self))
            guard bytes.count - begin >= stored else { break }
            records.append(
                Record(
                    kind: kind, inode: number(8, UInt64.self), token: number(16, UInt64.self),
                    offset: Int(truncatingIfNeeded: number(24, UInt64.self)),
                    sizeBefore: Int(truncatingIfNeeded: number(32, UInt64.self)), length: Int(number(40, UInt32.self)),
                    stored: begin..<begin + stored))
            at = begin + stored
        }
        self.records = records
    }

    /// The paths of a record about names.
    func paths(of record: Record) -> [String] {
        bytes[record.stored].split(separator: 0, omittingEmptySubsequences: false).dropLast()
            .map { String(decoding: $0, as: UTF8.self) }
    }
}
