/// What is wrong with bytes that should have been written by ``ByteWriter``.
package enum ByteFault: Error, Equatable, Sendable, CustomStringConvertible {
    case truncated(at: Int, wanted: Int)
    case trailing(Int)
    case notUTF8(at: Int)
    case value(String, at: Int)

    package var description: String {
        switch self {
        case .truncated(let at, let wanted): "ends at byte \(at) where \(wanted) more are wanted"
        case .trailing(let count): "\(count) bytes too many"
        case .notUTF8(let at): "a string at byte \(at) is not UTF-8"
        case .value(let what, let at): "\(what) at byte \(at)"
        }
    }
}

/// Reads what ``ByteWriter`` wrote. Bytes may come from a disk or a peer: every fault is thrown, none traps.
package struct ByteReader: Sendable {
    private let bytes: [UInt8]
    private let end: Int
    package private(set) var position: Int

    package init(_ bytes: [UInt8]) {
        self.bytes = bytes
        position = 0
        end = bytes.count
    }

    package init(_ bytes: [UInt8], range: Range<Int>) {
        precondition(range.lowerBound >= 0 && range.upperBound <= bytes.count)
        self.bytes = bytes
        position = range.lowerBound
        end = range.upperBound
    }

    package var remaining: Int { end - position }

    /// Throws unless everything was read.
    package func finish() throws(ByteFault) {
        if remaining != 0 { throw .trailing(remaining) }
    }

    package mutating func u8() throws(ByteFault) -> UInt8 { try littleEndian() }

    package mutating func u16() throws(ByteFault) -> UInt16 { try littleEndian() }

    package mutating func u32() throws(ByteFault) -> UInt32 { try littleEndian() }

    package mutating func u64() throws(ByteFault) -> UInt64 { try littleEndian() }

    package mutating func i64() throws(ByteFault) -> Int64 { Int64(bitPattern: try littleEndian()) }

    package mutating func flag() throws(ByteFault) -> Bool {
        let at = position
        switch try u8() {
        case 0: return false
        case 1: return true
        case let other: throw .value("flag \(other)", at: at)
        }
    }

    package mutating func hash() throws(ByteFault) -> Hash128 {
        let low = try u64()
        return Hash128(high: try u64(), low: low)
    }

    @inlinable
    package mutating func bigEndian<Integer: FixedWidthInteger>(_ type: Integer.Type = Integer.self) throws(ByteFault)
        -> Integer
    {
        Integer(bigEndian: try fixedWidth())
    }

    package mutating func raw(_ count: Int) throws(ByteFault) -> [UInt8] {
        try require(count)
        defer { position += count }
        return Array(bytes[position..<position + count])
    }

    package mutating func short() throws(ByteFault) -> [UInt8] { try raw(Int(try u16())) }

    package mutating func long() throws(ByteFault) -> [UInt8] { try raw(Int(try u32())) }

    package mutating func rest() -> [UInt8] {
        defer { position = end }
        return Array(bytes[position..<end])
    }

    package mutating func string() throws(ByteFault) -> String {
        let count = Int(try u16())
        try require(count)
        guard let value = String(validating: bytes[position..<position + count], as: UTF8.self) else {
            throw .notUTF8(at: position)
        }
        position += count
        return value
    }

    @inlinable
    package mutating func optional<Value>(
        _ read: (inout ByteReader) throws(ByteFault) -> Value
    ) throws(ByteFault) -> Value? {
        try flag() ? try read(&self) : nil
    }

    /// A list whose every element takes at least one byte, so that a false count cannot reserve memory.
    @inlinable
    package mutating func list<Element>(
        _ read: (inout ByteReader) throws(ByteFault) -> Element
    ) throws(ByteFault) -> [Element] {
        let at = position
        let count = Int(try u32())
        guard count <= remaining else { throw .value("list of \(count) elements in \(remaining) bytes", at: at) }
        var elements: [Element] = []
        elements.reserveCapacity(count)
        for _ in 0..<count { elements.append(try read(&self)) }
        return elements
    }

    private func require(_ count: Int) throws(ByteFault) {
        if count > remaining { throw .truncated(at: position, wanted: count - remaining) }
    }

    private mutating func littleEndian<Integer: FixedWidthInteger>() throws(ByteFault) -> Integer {
        Integer(littleEndian: try fixedWidth())
    }

    private mutating func fixedWidth<Integer: FixedWidthInteger>() throws(ByteFault) -> Integer {
        let width = MemoryLayout<Integer>.size
        try require(width)
        defer { position += width }
        return bytes.withUnsafeBytes { $0.loadUnaligned(fromByteOffset: position, as: Integer.self) }
    }
}
