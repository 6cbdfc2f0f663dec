internal import CallModel
internal import Glibc
internal import LMDB
internal import Ledger

/// The store's one writing thread: a transaction for each generation, oldest first.
final class StoreWriter: Sendable {
    private let store: ContextStore
    private let tables: StoreTables
    private let onDurable: @Sendable (Position) -> Void
    private let onFailure: @Sendable (StoreError) -> Void

    private var configuration: StoreConfiguration { store.configuration }

    init(
        store: ContextStore, tables: StoreTables, onDurable: @escaping @Sendable (Position) -> Void,
        onFailure: @escaping @Sendable (StoreError) -> Void
    ) {
        self.store = store
        self.tables = tables
        self.onDurable = onDurable
        self.onFailure = onFailure
    }

    func spawn() -> pthread_t {
        var thread = pthread_t()
        // The thread takes the reference over and keeps the writer until it ends.
        let writer = Unmanaged.passRetained(self).toOpaque()
        let code = pthread_create(
            &thread, nil,
            { argument in
                // `spawn` passes a retained writer and nothing else.
                let writer = Unmanaged<StoreWriter>.fromOpaque(argument!).takeRetainedValue()
                writer.run()
                return nil
            }, writer)
        precondition(code == 0, "no thread for the store: error \(code)")
        return thread
    }

    private enum Work {
        case write(Generation)
        case clearStaleReaders
        case end
    }

    private func run() {
        while true {
            let work = store.monitor.wait { self.next(&$0) }
            do throws(StoreError) {
                switch work {
                case .end: return
                case .clearStaleReaders: try clearStaleReaders()
                case .write(let generation): try writeIfSpace(generation)
                }
            } catch {
                store.monitor.withLock { $0.failure = error }
                store.monitor.signal()
                onFailure(error)
                return
            }
        }
    }

    private func next(_ shared: inout ContextStore.Shared) -> Wait<Work> {
        let now = configuration.clock()
        if shared.isClosing && shared.generations.isEmpty { return .ready(.end) }
        let staleReadersDue = shared.staleReadersClearedAt + configuration.staleReaderMilliseconds
        if now >= staleReadersDue {
            shared.staleReadersClearedAt = now
            return .ready(.clearStaleReaders)
        }
        guard let oldest = shared.generations.first else { return .signalOrMilliseconds(staleReadersDue - now) }
        let due = oldest.since + configuration.windowMilliseconds
        guard oldest.isSealed || now >= due else {
            return .signalOrMilliseconds(min(due, staleReadersDue) - now)
        }
        shared.generations[0].isSealed = true
        return .ready(.write(shared.generations[0]))
    }

    private func clearStaleReaders() throws(StoreError) {
        do throws(LMDBFault) { try tables.environment.clearStaleReaders() } catch { throw tables.error(error) }
    }

    /// Without enough free space nothing is begun: a transaction that fails half way would stop the side.
    private func writeIfSpace(_ generation: Generation) throws(StoreError) {
        if let free = configuration.freeBytes(store.path), free < configuration.freeBytesLeast {
            store.monitor.withLock { shared in
                shared.shortOfSpace = free
                // Closing does not wait for space: the log has it all.
                if shared.isClosing { shared.generations.removeAll() }
            }
            store.monitor.signal()
            let until = configuration.clock() + configuration.retryMilliseconds
            store.monitor.wait { shared -> Wait<Void> in
                let now = configuration.clock()
                if shared.isClosing || now >= until { return .ready(()) }
                return .signalOrMilliseconds(until - now)
            }
            return
        }
        // A sealed generation holds at least one batch.
        guard let state = generation.state else { preconditionFailure("an empty generation was sealed") }
        try GenerationWriter(tables: tables, configuration: configuration).write(generation, state: state)
        let usage = try tables.usage()
        // Freed here, not under the lock: it takes as long as the generation is large.
        let written = store.monitor.withLock { shared -> Generation in
            shared.durable = state
            shared.usage = usage
            shared.shortOfSpace = nil
            shared.transactions += 1
            return shared.generations.removeFirst()
        }
        withExtendedLifetime(written) {}
        store.monitor.signal()
        onDurable(state.position)
    }
}
