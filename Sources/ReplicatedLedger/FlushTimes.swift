/// How long the last 1,024 batches took from hand-over to the disk until durable, in microseconds.
struct FlushTimes {
    private static let kept = 1024
    private var recent: [UInt64] = []
    private var oldest = 0

    mutating func add(_ microseconds: UInt64) {
        if recent.count < Self.kept {
            recent.append(microseconds)
        } else {
            recent[oldest] = microseconds
            oldest = (oldest + 1) % Self.kept
        }
    }

    /// The value below which `share` (0...1) of the batches lie; 0 when there are none.
    func percentile(_ share: Double) -> UInt64 {
        if recent.isEmpty { return 0 }
        return recent.sorted()[min(recent.count - 1, Int(Double(recent.count) * share))]
    }
}
