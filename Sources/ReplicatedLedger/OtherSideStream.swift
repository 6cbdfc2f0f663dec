internal import CallModel
internal import WriteAheadLog

/// What the other side is sent of the log: batches in order, old ones read from memory or disk as it takes them, new
/// ones as they are appended.
struct OtherSideStream {
    /// Bytes on their way that the other side has not said are durable, at most; beyond it old batches wait.
    static let mostUnacknowledgedBytes = 8 << 20
    /// Read from the disk at once.
    static let chunkBytes = 1 << 20

    /// Sent up to here.
    private(set) var sent: LogSequence
    /// The other side has been sent everything: new batches go out as they are appended.
    private(set) var isLive = false
    private var unacknowledged: [(end: LogSequence, bytes: Int)] = []
    private(set) var unacknowledgedBytes = 0

    init(after sequence: LogSequence) { sent = sequence }

    var mayRead: Bool { !isLive && unacknowledgedBytes < Self.mostUnacknowledgedBytes }

    mutating func sending(through end: LogSequence, bytes: Int) {
        sent = end
        unacknowledged.append((end, bytes))
        unacknowledgedBytes += bytes
    }

    mutating func caughtUp() { isLive = true }

    /// The other side takes new batches more slowly than they come: it is sent old ones from the disk again.
    var isTooFarBehind: Bool { unacknowledgedBytes > 4 * Self.mostUnacknowledgedBytes }

    mutating func fallBehind() { isLive = false }

    mutating func acknowledged(through sequence: LogSequence) {
        var count = 0
        while count < unacknowledged.count, unacknowledged[count].end <= sequence {
            unacknowledgedBytes -= unacknowledged[count].bytes
            count += 1
        }
        unacknowledged.removeFirst(count)
    }
}

/// The newest batches as encoded, so that what the other side lacks for a moment need not be read from the disk.
struct RecentBatches {
    private static let mostBytes = 4 << 20

    private var batches: [(end: LogSequence, bytes: [UInt8])] = []
    private var total = 0
    private var start: LogSequence = .zero

    mutating func append(_ bytes: [UInt8], first: LogSequence, end: LogSequence) {
        if batches.isEmpty { start = LogSequence(first.number - 1) }
        batches.append((end, bytes))
        total += bytes.count
        if total > 2 * Self.mostBytes { shrink() }
    }

    mutating func removeAll() { self = RecentBatches() }

    /// The batches behind `sequence`, when the oldest kept is not beyond it.
    func after(_ sequence: LogSequence) -> ArraySlice<(end: LogSequence, bytes: [UInt8])>? {
        guard !batches.isEmpty, sequence >= start else { return nil }
        return batches[(batches.firstIndex { $0.end > sequence } ?? batches.count)...]
    }

    private mutating func shrink() {
        var count = 0
        while total > Self.mostBytes, count < batches.count - 1 {
            total -= batches[count].bytes.count
            start = batches[count].end
            count += 1
        }
        batches.removeFirst(count)
    }
}
