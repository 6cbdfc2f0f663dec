internal import Foundation

/// What every drill is told.
package struct DrillSettings: Sendable {
    package var rounds: Int
    package var seed: UInt64
    /// The program whose `run` is drilled.
    package var program: String
    /// Sources/PowerCut as Tools/powercut-library builds it.
    package var library: String
    /// Where data directories are made and removed.
    package var directory: String
    package var fault: KnownFault?
    /// Contexts that wait in a side before its first round, and go on waiting.
    package var waiting = 0
    package var connections = 8

    package init(
        rounds: Int, seed: UInt64, program: String, library: String, directory: String, fault: KnownFault? = nil
    ) {
        self.rounds = rounds
        self.seed = seed
        self.program = program
        self.library = library
        self.directory = directory
        self.fault = fault
    }

    func check() throws(DrillFault) {
        guard FileManager.default.isExecutableFile(atPath: program) else {
            throw DrillFault("there is no program \(program)")
        }
        guard FileManager.default.fileExists(atPath: library) else {
            throw DrillFault("there is no \(library); Tools/powercut-library builds it")
        }
    }
}

/// A known fault that is turned on to show that a drill can fail. None of them is in the program: the interposed
/// library has two, and the others do to a stopped side's files what a program with that fault would make of them.
package enum KnownFault: String, CaseIterable, Sendable {
    /// Flushes of the log return before anything is durable.
    case acknowledgeBeforeSync = "acknowledge-before-sync"
    /// A failed flush is tried again, and the second one, which says nothing of what the first one lost, is believed.
    case retryFsync = "retry-fsync"
    /// Recovery ends the log at the first bad batch, whatever was durable behind it.
    case truncateAtFirstBad = "truncate-at-first-bad"
    /// A value is taken as it stands, whatever its checksum says.
    case skipChecksum = "skip-checksum"
    /// A torn tail of an earlier segment ends the log, although a later segment says where that one ends.
    case forgetPredecessorEnd = "forget-predecessor-end"

    /// The drill that finds it.
    package var drill: String {
        switch self {
        case .acknowledgeBeforeSync, .forgetPredecessorEnd: "crash"
        case .retryFsync: "disk"
        case .truncateAtFirstBad, .skipChecksum: "rot"
        }
    }

    /// What the interposed library is told.
    var libraryWord: String? {
        switch self {
        case .acknowledgeBeforeSync, .retryFsync: rawValue
        case .truncateAtFirstBad, .skipChecksum, .forgetPredecessorEnd: nil
        }
    }
}

/// What a drill counted.
package struct DrillReport: Sendable {
    package let drill: String
    package internal(set) var rounds = 0
    package internal(set) var recoveryMilliseconds: [Int] = []
    package internal(set) var roundMillisecondsMax = 0
    package internal(set) var acknowledgedLeast = Int.max
    package internal(set) var waitingMost = 0
    /// What this kind of drill counts besides, in the order of its first count.
    private(set) var counts: [(what: String, number: Int)] = []
    var findings = Findings()

    init(_ drill: String) { self.drill = drill }

    package var isClean: Bool { findings.areClean }

    mutating func count(_ what: String, _ number: Int = 1) {
        if let index = counts.firstIndex(where: { $0.what == what }) {
            counts[index].number += number
        } else {
            counts.append((what, number))
        }
    }

    /// One more round ended. `before`: what was acknowledged when it began.
    mutating func endRound(began: ContinuousClock.Instant, acknowledgedBefore before: Int) {
        rounds += 1
        roundMillisecondsMax = max(roundMillisecondsMax, Int((ContinuousClock.now - began) / .milliseconds(1)))
        acknowledgedLeast = min(acknowledgedLeast, findings.acknowledged - before)
    }

    /// One object on one line; its fields are what scripts may rely on.
    package var json: String {
        """
        {"drill":"\(drill)","rounds":\(rounds),"acknowledged":\(findings.acknowledged),"lost":\(findings.lost),\
        "doubled":\(findings.doubled),"wrong":\(findings.wrong),"recoveryMillisecondsMax":\(recoveryMilliseconds.max() ?? 0)}
        """
    }

    /// For people.
    package var sentence: String {
        let sorted = recoveryMilliseconds.sorted()
        func percentile(_ percent: Int) -> Int {
            sorted.isEmpty ? 0 : sorted[min(sorted.count - 1, sorted.count * percent / 100)]
        }
        let least = acknowledgedLeast == .max ? 0 : acknowledgedLeast
        return """
            \(rounds) rounds. \(counts.map { "\($0.what): \($0.number)" }.joined(separator: "; ")). \
            \(findings.acknowledged) operations acknowledged (at least \(least) a round): \(findings.lost) lost, \
            \(findings.doubled) doubled, \(findings.wrong) wrong. \(sorted.count) starts with at most \(waitingMost) \
            waiting: p50 \(percentile(50)), p99 \(percentile(99)), most \(sorted.last ?? 0) ms to ready. \
            Longest round \(roundMillisecondsMax) ms.
            """
    }
}
