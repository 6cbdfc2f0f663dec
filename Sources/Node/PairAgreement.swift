internal import ByteCoding
internal import CallModel
internal import ConfigurationFiles
internal import Ledger
internal import Logging
internal import ReplicatedLedger
internal import Synchronization

/// The id of an instance's pair: both sides make the same of the same name and number, before they have ever spoken.
enum PairID {
    static func of(_ configuration: SideConfiguration) -> Hash128 {
        let name = "\(configuration.instance.text)/\(configuration.instanceNumber)"
        return SipHash128.hash(Array(name.utf8), key: (0x6261_746f_6e00_0001, 0x7061_6972_0000_0001))
    }
}

/// What apply depends on is the ledger's, changed only from the ordering side's file (DESIGN.md, "The pair"). The other
/// side compares its own file: when it starts with another one it ends, with the difference; when it gets another one
/// while it runs it stays, and says so.
final class PairAgreement: Sendable {
    private let ledger: LedgerLoop
    private let ended: Ending
    private let logger: Logger
    private let task = Mutex<Task<Void, Never>?>(nil)

    init(ledger: LedgerLoop, ended: Ending, logger: Logger) {
        self.ledger = ledger
        self.ended = ended
        self.logger = logger
    }

    /// Once the pair has decided who orders: puts the file into the ledger, or compares it.
    func begin(_ file: LedgerConfiguration) {
        let started = Task { await settle(file) }
        task.withLock { $0 = started }
    }

    func end() {
        task.withLock { task in
            task?.cancel()
            task = nil
        }
    }

    private struct Standing: Sendable {
        let state: String
        let configuration: LedgerConfiguration?
    }

    private func settle(_ file: LedgerConfiguration) async {
        while !Task.isCancelled {
            guard
                let now = try? await ledger.read({  // not recovered yet, or stopping: asked again
                    Standing(state: $0.status.state, configuration: $0.ledger.configuration)
                })
            else { return }
            switch now.state {
            case "paired-enabled", "isolated-enabled":
                if now.configuration == file { return }
                do {
                    _ = try await ledger.submit(.configure(file), deadlineMilliseconds: 5_000)
                    logger.info("the configuration is in the ledger")
                    return
                } catch {
                    logger.warning("the configuration could not be logged yet: \(error)")
                }
            case "paired-disabled":
                guard let theirs = now.configuration else { break }
                if theirs == file { return }
                let difference = file.difference(from: theirs)
                return ended.end(
                    SideFault(
                        "this side's configuration is not the ordering side's: \(difference). "
                            + "Give both sides the same, or reload the ordering side first"))
            default: break
            }
            try? await Task.sleep(for: .milliseconds(25))  // cancelled: the loop ends
        }
    }

    func reload(_ file: LedgerConfiguration) async throws(SideFault) {
        let now: Standing
        do {
            now = try await ledger.read {
                Standing(state: $0.status.state, configuration: $0.ledger.configuration)
            }
            switch now.state {
            case "paired-enabled", "isolated-enabled":
                _ = try await ledger.submit(.configure(file), deadlineMilliseconds: 60_000)
            default:
                guard let theirs = now.configuration, theirs != file else { return }
                logger.error(
                    """
                    alarm: this side's configuration is not the ordering side's: \(file.difference(from: theirs)). \
                    Reload the ordering side
                    """)
            }
        } catch {
            throw SideFault("the configuration could not be logged: \(error)")
        }
    }
}

extension LedgerConfiguration {
    /// What differs, in the words of the configuration file; the first few differences are enough.
    func difference(from other: LedgerConfiguration) -> String {
        var found: [String] = []
        if instance != other.instance { found.append("instance is \(instance), there \(other.instance)") }
        found += Self.difference(
            "translation route", routes.map { ($0.name.text, $0) }, other.routes.map { ($0.name.text, $0) })
        found += Self.difference(
            "peripheral", peripherals.map { ($0.name.text, $0) }, other.peripherals.map { ($0.name.text, $0) })
        if limits != other.limits { found.append("limits or declared ECC variables") }
        if answersKeptSeconds != other.answersKeptSeconds {
            found.append("answersKeptSeconds is \(answersKeptSeconds), there \(other.answersKeptSeconds)")
        }
        if dialogAgeSeconds != other.dialogAgeSeconds {
            found.append("ageSeconds is \(dialogAgeSeconds), there \(other.dialogAgeSeconds)")
        }
        return found.isEmpty ? "the order of its lists" : found.prefix(5).joined(separator: "; ")
    }

    private static func difference<Element: Equatable>(
        _ kind: String, _ ours: [(String, Element)], _ theirs: [(String, Element)]
    ) -> [String] {
        let mine = Dictionary(ours) { first, _ in first }
        let other = Dictionary(theirs) { first, _ in first }
        return Set(mine.keys).union(other.keys).sorted().compactMap { name in
            switch (mine[name], other[name]) {
            case (_?, nil): "\(kind) \(name) is only here"
            case (nil, _?): "\(kind) \(name) is only there"
            case (let here?, let there?) where here != there: "\(kind) \(name) is another one there"
            default: nil
            }
        }
    }
}
