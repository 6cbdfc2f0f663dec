/// A 128-bit hash. Sums are modulo 2^128, so that a digest over a set can be kept up to date element by element.
package struct Hash128: Hashable, Sendable, CustomStringConvertible {
    package let high: UInt64
    package let low: UInt64

    package init(high: UInt64, low: UInt64) {
        self.high = high
        self.low = low
    }

    package static let zero = Hash128(high: 0, low: 0)

    package static func + (left: Hash128, right: Hash128) -> Hash128 {
        let (low, carry) = left.low.addingReportingOverflow(right.low)
        return Hash128(high: left.high &+ right.high &+ (carry ? 1 : 0), low: low)
    }

    package static func - (left: Hash128, right: Hash128) -> Hash128 {
        let (low, borrow) = left.low.subtractingReportingOverflow(right.low)
        return Hash128(high: left.high &- right.high &- (borrow ? 1 : 0), low: low)
    }

    /// 32 hexadecimal digits.
    package var description: String { Self.hexadecimal(high) + Self.hexadecimal(low) }

    private static func hexadecimal(_ value: UInt64) -> String {
        let digits = String(value, radix: 16)
        return String(repeating: "0", count: 16 - digits.count) + digits
    }
}

/// SipHash-2-4 with 128 bits of output and a key given by its user, for identities and digests: quick on short
/// strings, and the same on both sides of a pair and for ever, as stored digests must be.
/// Invariant: the output is that of the reference implementation's test vectors.
package enum SipHash128 {
    package static func hash(_ bytes: [UInt8], key: (UInt64, UInt64) = (0, 0)) -> Hash128 {
        bytes.withUnsafeBytes { hash($0, key: key) }
    }

    package static func hash(_ bytes: UnsafeRawBufferPointer, key: (UInt64, UInt64) = (0, 0)) -> Hash128 {
        var state = State(key: key)
        let whole = bytes.count & ~7
        var offset = 0
        while offset < whole {
            state.absorb(UInt64(littleEndian: bytes.loadUnaligned(fromByteOffset: offset, as: UInt64.self)))
            offset += 8
        }
        var last = UInt64(bytes.count & 0xff) << 56
        while offset < bytes.count {
            last |= UInt64(bytes[offset]) << UInt64(8 * (offset - whole))
            offset += 1
        }
        state.absorb(last)
        return state.finish()
    }

    private struct State {
        var v0: UInt64
        var v1: UInt64
        var v2: UInt64
        var v3: UInt64

        init(key: (UInt64, UInt64)) {
            v0 = key.0 ^ 0x736f_6d65_7073_6575
            v1 = key.1 ^ 0x646f_7261_6e64_6f6d ^ 0xee
            v2 = key.0 ^ 0x6c79_6765_6e65_7261
            v3 = key.1 ^ 0x7465_6462_7974_6573
        }

        mutating func round() {
            v0 &+= v1
            v1 = v1 << 13 | v1 >> 51
            v1 ^= v0
            v0 = v0 << 32 | v0 >> 32
            v2 &+= v3
            v3 = v3 << 16 | v3 >> 48
            v3 ^= v2
            v0 &+= v3
            v3 = v3 << 21 | v3 >> 43
            v3 ^= v0
            v2 &+= v1
            v1 = v1 << 17 | v1 >> 47
            v1 ^= v2
            v2 = v2 << 32 | v2 >> 32
        }

        mutating func absorb(_ word: UInt64) {
            v3 ^= word
            round()
            round()
            v0 ^= word
        }

        mutating func finish() -> Hash128 {
            v2 ^= 0xee
            for _ in 0..<4 { round() }
            let low = v0 ^ v1 ^ v2 ^ v3
            v1 ^= 0xdd
            for _ in 0..<4 { round() }
            return Hash128(high: v0 ^ v1 ^ v2 ^ v3, low: low)
        }
    }
}
