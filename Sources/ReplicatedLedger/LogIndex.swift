internal import CallModel
internal import Duplex

/// Ends of the batches of one side's log, by sequence: the newest in memory, older ones by reading.
/// Belongs to the ledger's thread.
final class LogIndex: PairLog {
    private static let kept = 4096

    /// Ends in the order of the log; the first may lie before the oldest batch kept.
    private var recent: [Position]
    /// The end of the batch that ends exactly at the sequence, read from the disk. Nil when none does.
    var lookUp: (LogSequence) -> Position? = { _ in nil }
    var logBase: () -> LogSequence = { .zero }
    /// Ends of old batches on their way to the other side: it will name them in its acknowledgements, one by one, and
    /// none of them may cost a search in the log.
    private var streamed: [LogSequence: Position] = [:]

    init(end: Position) { recent = [end] }

    func append(_ end: Position) {
        recent.append(end)
        if recent.count > 2 * Self.kept {
            recent.removeFirst(recent.count - Self.kept)
        }
    }

    func streaming(_ end: Position) { streamed[end.sequence] = end }

    func streamAcknowledged(through sequence: LogSequence) {
        if !streamed.isEmpty { streamed = streamed.filter { $0.key > sequence } }
    }

    /// Forgets what was cut.
    func cut(after position: Position) {
        while let last = recent.last, last.sequence > position.sequence { recent.removeLast() }
        if recent.isEmpty { recent = [position] }
    }

    func end(at sequence: LogSequence) -> Position? {
        if let oldest = recent.first, sequence < oldest.sequence { return streamed[sequence] ?? lookUp(sequence) }
        let index = lowerBound(sequence)
        return index < recent.count && recent[index].sequence == sequence ? recent[index] : nil
    }

    // MARK: PairLog

    func holds(_ position: Position) -> Bool {
        if position.sequence == .zero { return true }
        return end(at: position.sequence).map { $0.chain == position.chain } ?? false
    }

    /// From the batch end at `sequence`, where one is; else from the next one on.
    func ends(from sequence: LogSequence) -> [Position] {
        var ends: [Position] = []
        if let oldest = recent.first, sequence < oldest.sequence {
            ends.append(sequence == .zero ? .zero : lookUp(sequence) ?? .zero)
        } else if sequence == .zero {
            ends.append(.zero)
        }
        let known = recent[lowerBound(sequence)...]
        return ends + known.suffix(PairFrame.mostEnds - 1)
    }

    var base: LogSequence { logBase() }

    private func lowerBound(_ sequence: LogSequence) -> Int {
        var low = 0
        var high = recent.count
        while low < high {
            let middle = (low + high) / 2
            if recent[middle].sequence < sequence { low = middle + 1 } else { high = middle }
        }
        return low
    }
}
