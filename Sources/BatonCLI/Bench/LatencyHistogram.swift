/// Counts durations in microseconds in log-linear buckets: exact below 128, then 64 buckets to each doubling, so
/// that a quantile is at most 1.6 % above the truth. 26 doublings hold up to an hour.
package struct LatencyHistogram: Sendable {
    private static let linear: UInt64 = 128
    private static let perDoubling = 64
    private static let doublings = 26
    private var counts = [UInt64](repeating: 0, count: Int(linear) + doublings * perDoubling)
    package private(set) var count: UInt64 = 0
    package private(set) var maximum: UInt64 = 0

    package init() {}

    package mutating func record(microseconds: UInt64) {
        counts[Self.bucket(of: microseconds)] += 1
        count += 1
        maximum = max(maximum, microseconds)
    }

    package mutating func add(_ other: LatencyHistogram) {
        for index in counts.indices { counts[index] += other.counts[index] }
        count += other.count
        maximum = max(maximum, other.maximum)
    }

    /// The smallest bucket end that at least this share (0...1) of all durations does not exceed; 0 when empty.
    package func quantile(_ share: Double) -> UInt64 {
        precondition((0...1).contains(share))
        let wanted = max(1, UInt64((Double(count) * share).rounded(.up)))
        var seen: UInt64 = 0
        for (index, bucketCount) in counts.enumerated() {
            seen += bucketCount
            if seen >= wanted { return min(maximum, Self.end(of: index)) }
        }
        return maximum
    }

    private static func bucket(of value: UInt64) -> Int {
        if value < linear { return Int(value) }
        let doubling = 63 - value.leadingZeroBitCount - 7
        if doubling >= doublings { return Int(linear) + doublings * perDoubling - 1 }
        let within = Int(value >> UInt64(doubling + 1)) - perDoubling
        return Int(linear) + doubling * perDoubling + within
    }

    private static func end(of bucket: Int) -> UInt64 {
        if bucket < Int(linear) { return UInt64(bucket) }
        let doubling = (bucket - Int(linear)) / perDoubling
        let within = (bucket - Int(linear)) % perDoubling
        return UInt64(within + perDoubling + 1) << UInt64(doubling + 1) - 1
    }
}
