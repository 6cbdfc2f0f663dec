internal import CallModel

/// A pool entry's key in 12 bytes of numbers: its family, and the number that its DNIS ends with.
struct EntryKey: Hashable, Sendable {
    var family: UInt32
    var number: UInt64
}

/// Keys that differ only in the digits at the end of their DNIS. The digits are as many as there are (at most 18), so
/// that each key belongs to one family only, however a range in the configuration splits it.
struct KeyFamily: Sendable {
    let peripheral: PeripheralName
    let trunkGroup: TrunkGroupName
    let prefix: String
    let digits: UInt8
    /// What the store keys of the family begin with.
    let head: [UInt8]

    init(peripheral: PeripheralName, trunkGroup: TrunkGroupName, prefix: some Collection<UInt8>, digits: UInt8) {
        self.peripheral = peripheral
        self.trunkGroup = trunkGroup
        self.prefix = String(decoding: prefix, as: UTF8.self)
        self.digits = digits
        head = Array(peripheral.text.utf8) + [0] + Array(trunkGroup.text.utf8) + [0] + Array(prefix)
    }

    func key(_ number: UInt64) -> TranslationRouteKey {
        TranslationRouteKey(peripheral: peripheral, trunkGroup: trunkGroup, dnis: dnis(number))
    }

    func dnis(_ number: UInt64) -> DNIS {
        if digits == 0 { return DNIS(unchecked: prefix) }
        return DNIS(unchecked: String(decoding: Array(prefix.utf8) + digitBytes(number), as: UTF8.self))
    }

    func storeKey(_ number: UInt64) -> [UInt8] {
        var bytes = head
        bytes.reserveCapacity(head.count + Int(digits) + 1)
        bytes.append(contentsOf: digitBytes(number))
        bytes.append(0)
        return bytes
    }

    private func digitBytes(_ number: UInt64) -> [UInt8] {
        var bytes = [UInt8](repeating: 48, count: Int(digits))
        var rest = number
        var index = bytes.count - 1
        while rest > 0 && index >= 0 {
            bytes[index] = 48 + UInt8(rest % 10)
            rest /= 10
            index -= 1
        }
        return bytes
    }
}

/// Bytes as a dictionary's key, hashed at once: an array hashes its elements one by one.
struct KeyBytes: Hashable, Sendable {
    let bytes: [UInt8]

    func hash(into hasher: inout Hasher) { bytes.withUnsafeBytes { hasher.combine(bytes: $0) } }
}

/// The families in use. They come from the configuration and from restored rows only, never from a claim, so that
/// nobody outside can make them many. Their numbers are not the same on both sides and never leave the ledger.
struct KeyFamilies: Sendable {
    private(set) var all: [KeyFamily] = []
    private var numbers: [KeyBytes: UInt32] = [:]

    static let mostDigits = 18

    /// The digits at the end of a DNIS: how many, and their number.
    static func ending(of dnis: some BidirectionalCollection<UInt8>) -> (digits: UInt8, number: UInt64) {
        var digits: UInt8 = 0
        var number: UInt64 = 0
        var scale: UInt64 = 1
        for byte in dnis.reversed() {
            guard (48...57).contains(byte), digits < mostDigits else { break }
            number += UInt64(byte - 48) * scale
            if digits < mostDigits - 1 { scale *= 10 }
            digits += 1
        }
        return (digits, number)
    }

    /// The key of an entry that a family holds; nil when there is no such family.
    func find(_ key: TranslationRouteKey) -> EntryKey? {
        let dnis = key.dnis.text.utf8
        let (digits, number) = Self.ending(of: dnis)
        var bytes: [UInt8] = []
        bytes.reserveCapacity(96)
        bytes.append(contentsOf: key.peripheral.text.utf8)
        bytes.append(0)
        bytes.append(contentsOf: key.trunkGroup.text.utf8)
        bytes.append(0)
        bytes.append(contentsOf: dnis.prefix(dnis.count - Int(digits)))
        bytes.append(0)
        bytes.append(digits)
        return numbers[KeyBytes(bytes: bytes)].map { EntryKey(family: $0, number: number) }
    }

    mutating func intern(_ key: TranslationRouteKey) -> EntryKey {
        let dnis = Array(key.dnis.text.utf8)
        let (digits, number) = Self.ending(of: dnis)
        let family = KeyFamily(
            peripheral: key.peripheral, trunkGroup: key.trunkGroup, prefix: dnis.dropLast(Int(digits)), digits: digits)
        return EntryKey(family: intern(family), number: number)
    }

    /// The first key of a sound range; the others follow it without gaps in the same family.
    mutating func intern(_ range: EntryRange, peripheral: PeripheralName) -> EntryKey {
        intern(TranslationRouteKey(peripheral: peripheral, trunkGroup: range.trunkGroup, dnis: range.dnis(at: 0)))
    }

    private mutating func intern(_ family: KeyFamily) -> UInt32 {
        let identity = KeyBytes(bytes: family.head + [0, family.digits])
        if let number = numbers[identity] { return number }
        let number = UInt32(all.count)
        all.append(family)
        numbers[identity] = number
        return number
    }

    func key(_ entry: EntryKey) -> TranslationRouteKey { all[Int(entry.family)].key(entry.number) }

    func storeKey(_ entry: EntryKey) -> [UInt8] { all[Int(entry.family)].storeKey(entry.number) }

    /// The order of the store's keys.
    func precedes(_ left: EntryKey, _ right: EntryKey) -> Bool {
        if left.family == right.family { return left.number < right.number }
        return storeKey(left).lexicographicallyPrecedes(storeKey(right))
    }
}
