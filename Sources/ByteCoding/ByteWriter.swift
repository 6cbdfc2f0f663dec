/// Appends integers and strings to a growing byte array. Integers are little-endian unless the name says otherwise;
/// a byte string is preceded by its length. Inlinable, because other targets call the generic ones for every field.
package struct ByteWriter: Sendable {
    @usableFromInline package internal(set) var bytes: [UInt8]

    package init(capacity: Int = 64) {
        bytes = []
        bytes.reserveCapacity(capacity)
    }

    package var count: Int { bytes.count }

    @inlinable
    package mutating func u8(_ value: UInt8) { bytes.append(value) }

    @inlinable
    package mutating func u16(_ value: UInt16) { littleEndian(value) }

    package mutating func u32(_ value: UInt32) { littleEndian(value) }

    package mutating func u64(_ value: UInt64) { littleEndian(value) }

    package mutating func i64(_ value: Int64) { littleEndian(UInt64(bitPattern: value)) }

    @inlinable
    package mutating func flag(_ value: Bool) { bytes.append(value ? 1 : 0) }

    package mutating func hash(_ value: Hash128) {
        u64(value.low)
        u64(value.high)
    }

    /// Big-endian, so that the order of keys is the order of numbers.
    @inlinable
    package mutating func bigEndian<Integer: FixedWidthInteger>(_ value: Integer) {
        withUnsafeBytes(of: value.bigEndian) { bytes.append(contentsOf: $0) }
    }

    @inlinable
    package mutating func raw(_ source: some Collection<UInt8>) { bytes.append(contentsOf: source) }

    /// A byte string of at most 65,535 bytes after its 16-bit length.
    @inlinable
    package mutating func short(_ source: some Collection<UInt8>) {
        precondition(
            source.count <= Int(UInt16.max), "a short byte string holds at most 65,535 bytes, not \(source.count)")
        u16(UInt16(source.count))
        raw(source)
    }

    /// A byte string after its 32-bit length.
    @inlinable
    package mutating func long(_ source: some Collection<UInt8>) {
        u32(UInt32(source.count))
        raw(source)
    }

    @inlinable
    package mutating func string(_ value: String) { short(value.utf8) }

    /// One presence byte, then the value.
    @inlinable
    package mutating func optional<Value>(_ value: Value?, _ write: (inout ByteWriter, Value) -> Void) {
        flag(value != nil)
        if let value { write(&self, value) }
    }

    @inlinable
    package mutating func list<Element>(_ elements: [Element], _ write: (inout ByteWriter, Element) -> Void) {
        u32(UInt32(elements.count))
        for element in elements { write(&self, element) }
    }

    @inlinable
    mutating func littleEndian<Integer: FixedWidthInteger>(_ value: Integer) {
        withUnsafeBytes(of: value.littleEndian) { bytes.append(contentsOf: $0) }
    }
}
