internal import ByteCoding
internal import Ledger

/// What stands around each value in LMDB:
///
/// | offset | bytes | is |
/// |---|---|---|
/// | 0 | 4 | checksum, little-endian: CRC-32C of bytes 4... XOR CRC-32C of the key |
/// | 4 | 1 | version, 1 |
/// | 5 | 1 | table |
/// | 6 | rest | the value |
///
/// Key and table are in the checksum so that a value found in another row's place is not taken for that row's.
enum StoredValue {
    static let version: UInt8 = 1
    static let headerBytes = 6

    enum Fault: Error, Hashable {
        case tooShort
        case newer(UInt8)
        case checksum
        case otherTable(UInt8)

        var reason: String {
            switch self {
            case .tooShort: "it is too short"
            case .newer(let version): "its version is \(version)"
            case .checksum: "its checksum is wrong"
            case .otherTable(let table): "it was written to table \(table)"
            }
        }
    }

    static func wrap(table: UInt8, key: [UInt8], value: [UInt8]) -> [UInt8] {
        var stored = [UInt8]()
        stored.reserveCapacity(headerBytes + value.count)
        stored.append(contentsOf: [0, 0, 0, 0, version, table])
        stored.append(contentsOf: value)
        let checksum =
            stored.withUnsafeBytes { CRC32C.checksum(UnsafeRawBufferPointer(rebasing: $0[4...])) }
            ^ CRC32C.checksum(key)
        stored.withUnsafeMutableBytes { $0.storeBytes(of: checksum.littleEndian, as: UInt32.self) }
        return stored
    }

    /// The value, or why these bytes are not what was written under this key.
    static func unwrap(table: UInt8, key: [UInt8], stored: RawSpan) -> Result<[UInt8], Fault> {
        let keyChecksum = CRC32C.checksum(key)
        return stored.withUnsafeBytes { bytes in
            guard bytes.count >= headerBytes else { return .failure(.tooShort) }
            let expected = UInt32(littleEndian: bytes.loadUnaligned(as: UInt32.self))
            guard CRC32C.checksum(UnsafeRawBufferPointer(rebasing: bytes[4...])) ^ keyChecksum == expected else {
                return .failure(.checksum)
            }
            guard bytes[4] == version else { return .failure(.newer(bytes[4])) }
            guard bytes[5] == table else { return .failure(.otherTable(bytes[5])) }
            return .success([UInt8](UnsafeRawBufferPointer(rebasing: bytes[headerBytes...])))
        }
    }
}
