internal import CallModel
internal import ContextStore
internal import Dispatch
internal import Inspection
internal import Logging
internal import Synchronization

/// Takes a snapshot of the store at each interval on a thread of its own, and tells from where on the log is needed.
/// The store is read as LMDB holds it; nothing waits for it.
final class StoreSnapshots: Sendable {
    private let files: SideFiles
    private let store: ContextStore
    private let logger: Logger
    private let onKept: @Sendable (LogSequence) -> Void
    private let queue = DispatchQueue(label: "baton.snapshots", qos: .background)
    private let timer: Mutex<any DispatchSourceTimer>

    /// Begins with the newest good snapshot that is there already; the first new one comes after an interval.
    /// `onKept`: the log is needed from behind this sequence on. Zero as long as there is no good snapshot.
    init(
        _ files: SideFiles, of store: ContextStore, everySeconds seconds: Int, logger: Logger,
        onKept: @escaping @Sendable (LogSequence) -> Void
    ) {
        self.files = files
        self.store = store
        self.logger = logger
        self.onKept = onKept
        let timer = DispatchSource.makeTimerSource(queue: queue)
        timer.schedule(deadline: .now() + .seconds(seconds), repeating: .seconds(seconds), leeway: .seconds(1))
        self.timer = Mutex(timer)
        onKept(.zero)
        queue.async { [self] in findNewest() }
        self.timer.withLock { timer in
            timer.setEventHandler { [weak self] in self?.take() }
            timer.activate()
        }
    }

    /// Returns when nothing reads the store any more.
    func stop() {
        timer.withLock { $0.cancel() }
        queue.sync {}
    }

    private func findNewest() {
        do {
            for path in try files.snapshotPaths() {
                do throws(StoreError) {
                    return onKept(try SnapshotReader.verify(path: path).state.position.sequence)
                } catch {
                    logger.warning("a snapshot is passed over: \(error)")
                }
            }
        } catch {
            logger.warning("the snapshots cannot be listed: \(error)")
        }
    }

    private func take() {
        do {
            try files.prepareSnapshots()
            let newest = try files.snapshotPaths().first
            if let newest, try SnapshotReader.header(path: newest).state.position == store.durablePosition { return }
            let summary = try store.writeSnapshot(into: files.snapshots)
            onKept(summary.state.position.sequence)
            logger.info("snapshot", metadata: ["file": "\(summary.path)", "rows": "\(summary.rows)"])
        } catch StoreError.closed {
            // The side is stopping.
        } catch {
            logger.warning("no snapshot was taken, so the log is kept as far as the last one needs it: \(error)")
        }
    }
}
