package import CallModel
internal import Glibc
internal import LMDB
package import Ledger

/// The image of the ledger in LMDB: it follows the log off the acknowledgement path (DESIGN.md, "The store").
///
/// Changes are taken at once into memory and written by a thread of the store's own, one transaction for many batches,
/// with the position they reach in the same transaction. Whatever happens, LMDB holds the whole image as of some
/// position, and replaying the log from there gives the rest.
///
/// Invariant: a change is in a generation until the transaction that holds it is durable; so a reader that looks
/// through the generations, newest first, and then into LMDB misses nothing.
///
/// Any thread may call it; `take` has one caller, the ledger's thread.
package final class ContextStore: Sendable {
    package let path: String
    package let identity: StoreIdentity
    /// What LMDB held when the store was opened: the log is replayed from here.
    package let restored: StoreState

    let configuration: StoreConfiguration
    let monitor: Monitor<Shared>

    /// What is open of the directory. The files close with the last reference.
    struct Files: Sendable {
        let tables: StoreTables
        let lock: WriterLock
    }

    /// What the callers and the store's thread share.
    struct Shared {
        /// Nil once closed.
        var files: Files?
        /// Oldest first. The last gathers unless it is sealed; the first may be in flight.
        var generations: [Generation] = []
        var durable: StoreState
        var failure: StoreError?
        var usage: StoreUsage
        /// Free bytes of the disk, when no transaction is begun for lack of them.
        var shortOfSpace: UInt64?
        var isClosing = false
        var thread: pthread_t?
        var staleReadersClearedAt: UInt64
        var transactions: UInt64 = 0
    }

    /// Opens the store in a directory, which is made when absent (its parent has to be there).
    package static func open(
        path: String, identity: StoreIdentity, configuration: StoreConfiguration = StoreConfiguration()
    ) throws(StoreError) -> ContextStore {
        try ContextStore(path: path, identity: identity, configuration: configuration)
    }

    private init(path: String, identity: StoreIdentity, configuration: StoreConfiguration) throws(StoreError) {
        try FileSystem.prepareDirectory(path)
        let lock = try WriterLock(directory: path)
        if !StoreTables.exists(path: path) { try Self.create(path, identity, configuration) }
        let tables = try StoreTables(path: path, mapBytes: configuration.mapBytes)
        self.path = path
        self.identity = identity
        self.configuration = configuration
        let transaction = try tables.beginRead()
        let found = try tables.identity(in: transaction)
        restored = try tables.state(in: transaction)
        if let found {
            guard found.pairID == identity.pairID else {
                throw .otherPair(path: path, found: found.pairID, expected: identity.pairID)
            }
            guard found.side == identity.side else {
                throw .otherSide(path: path, found: found.side, expected: identity.side)
            }
        } else {
            guard restored == .empty else { throw .damaged(path: path, reason: "it says not whose it is") }
            try Self.write(identity, to: tables)
        }
        monitor = Monitor(
            Shared(
                files: Files(tables: tables, lock: lock), durable: restored, usage: try tables.usage(),
                staleReadersClearedAt: configuration.clock()))
    }

    func openTables() throws(StoreError) -> StoreTables {
        guard let files = monitor.withLock({ $0.files }) else { throw .closed(path: path) }
        return files.tables
    }

    /// A store that says whose it is, made beside its place and put there when it is durable: a power cut at any moment
    /// leaves either none, or one that can be opened. What a cut attempt left behind is overwritten.
    private static func create(
        _ path: String, _ identity: StoreIdentity, _ configuration: StoreConfiguration
    ) throws(StoreError) {
        let building = path + "/new"
        try FileSystem.prepareDirectory(building)
        for name in StoreTables.files { try FileSystem.remove("\(building)/\(name)") }
        try write(identity, to: StoreTables(path: building, mapBytes: configuration.mapBytes))
        try FileSystem.rename("\(building)/\(StoreTables.dataFile)", to: "\(path)/\(StoreTables.dataFile)")
        try FileSystem.synchronizeDirectory(building)
        try FileSystem.synchronizeDirectory(path)
        for name in StoreTables.files { try FileSystem.remove("\(building)/\(name)") }
        try FileSystem.removeDirectory(building)
    }

    static func write(_ identity: StoreIdentity, to tables: StoreTables) throws(StoreError) {
        do throws(LMDBFault) {
            var transaction = try tables.environment.beginWrite()
            try transaction.put(
                tables.database(.meta), key: MetaRows.identityKey,
                value: StoredValue.wrap(
                    table: Table.meta.rawValue, key: MetaRows.identityKey, value: MetaRows.identity(identity)))
            try transaction.commit()
        } catch {
            throw tables.error(error)
        }
    }

    /// Hands over every stored row of a table in key order, to restore the ledger before `start`. The row decoder's
    /// fault becomes the row's.
    package func forEachRow<Failure: Error>(
        _ table: Table, _ body: (_ key: [UInt8], _ value: [UInt8]) throws(Failure) -> Void
    ) throws(StoreError) {
        try openTables().forEachRow(table, body)
    }

    // MARK: Writing

    /// Begins to write. `onDurable` is told each position LMDB has reached; `onFailure` comes at most once, after
    /// which nothing is written any more and the side has to stop. Both run on the store's thread.
    package func start(
        onDurable: @escaping @Sendable (Position) -> Void, onFailure: @escaping @Sendable (StoreError) -> Void
    ) {
        monitor.withLock { shared in
            guard let files = shared.files, shared.thread == nil else {
                preconditionFailure("a store is started once, before it is closed")
            }
            let writer = StoreWriter(store: self, tables: files.tables, onDurable: onDurable, onFailure: onFailure)
            shared.thread = writer.spawn()
        }
    }

    /// Takes what a committed batch changed. Never waits for the disk. After a failure or `close` it does nothing: the
    /// log has the batch.
    package func take(_ batch: AppliedBatch) {
        let now = configuration.clock()
        let wakes = monitor.withLock { shared -> Bool in
            if shared.failure != nil || shared.isClosing { return false }
            let joins = shared.generations.last.map { !$0.isSealed } ?? false
            if !joins { shared.generations.append(Generation()) }
            let last = shared.generations.count - 1
            shared.generations[last].take(batch, now: now)
            let isFull = shared.generations[last].bytes >= configuration.windowBytes
            if isFull { shared.generations[last].isSealed = true }
            return !joins || isFull
        }
        if wakes { monitor.signal() }
    }

    /// Writes all that was taken, and waits until it is durable.
    package func flush() throws(StoreError) {
        let target = try monitor.withLock { shared throws(StoreError) -> StoreState? in
            if let failure = shared.failure { throw failure }
            guard let last = shared.generations.last?.state else { return nil }
            if shared.files == nil { throw .closed(path: path) }
            precondition(shared.thread != nil, "a store that was not started writes nothing")
            shared.generations[shared.generations.count - 1].isSealed = true
            return last
        }
        guard let target else { return }
        monitor.signal()
        let result: Result<Void, StoreError> = monitor.wait { shared in
            if let failure = shared.failure { return .ready(.failure(failure)) }
            if !shared.generations.contains(where: { $0.state == target }) { return .ready(.success(())) }
            if let free = shared.shortOfSpace {
                return .ready(.failure(noSpace(free)))
            }
            return .signal
        }
        try result.get()
    }

    /// Writes all that was taken, as far as the disk allows, ends the store's thread, and closes the files as soon as
    /// no reading goes on. What could not be written is in the log.
    package func close() {
        let thread = monitor.withLock { shared -> pthread_t? in
            shared.isClosing = true
            if !shared.generations.isEmpty { shared.generations[shared.generations.count - 1].isSealed = true }
            defer { shared.thread = nil }
            return shared.thread
        }
        monitor.signal()
        if let thread { pthread_join(thread, nil) }
        // Closed outside the lock.
        let files = monitor.withLock { shared in
            defer { shared.files = nil }
            return shared.files
        }
        withExtendedLifetime(files) {}
    }

    // MARK: Reading

    /// A row's value as it stands after the last batch taken; nil when there is none. Never waits for the writer.
    package func value(_ table: Table, key: [UInt8]) throws(StoreError) -> [UInt8]? {
        let (waiting, files): ([UInt8]??, Files?) = monitor.withLock { shared in
            for generation in shared.generations.reversed() {
                if let found = generation.lookUp(table, key: key) { return (.some(found), shared.files) }
            }
            return (.none, shared.files)
        }
        if let waiting { return waiting }
        guard let tables = files?.tables else { throw .closed(path: path) }
        return try tables.value(table, key: key, in: try tables.beginRead())
    }

    /// At most `limit` rows with keys not before `from`, in key order, as they stand after the last batch taken.
    package func rows(_ table: Table, from: [UInt8] = [], limit: Int) throws(StoreError) -> [StoreRow] {
        let tables = try openTables()
        var merged: MergedRows?
        // The view of LMDB begins while the generations stand still, so that both belong together.
        let transaction = try monitor.withLock { shared throws(StoreError) -> ReadTransaction in
            merged = MergedRows(shared.generations, table: table, from: from, limit: limit)
            return try tables.beginRead()
        }
        return try merged?.rows(tables: tables, transaction: transaction) ?? []
    }

    // MARK: How it is doing

    /// What LMDB holds durably.
    package var durable: StoreState { monitor.withLock { $0.durable } }

    package var durablePosition: Position { durable.position }

    package var usage: StoreUsage { monitor.withLock { $0.usage } }

    package var failure: StoreError? { monitor.withLock { $0.failure } }

    /// Transactions written since the store was opened.
    package var transactions: UInt64 { monitor.withLock { $0.transactions } }

    package var lag: StoreLag {
        let now = configuration.clock()
        return monitor.withLock { lag(of: $0, now: now) }
    }

    private func lag(of shared: borrowing Shared, now: UInt64) -> StoreLag {
        guard let oldest = shared.generations.first else { return .zero }
        var bytes = 0
        for generation in shared.generations { bytes += generation.bytes }
        return StoreLag(bytes: bytes, milliseconds: now >= oldest.since ? now - oldest.since : 0)
    }

    /// Whether the ledger may take new reservations.
    package var pressure: StorePressure {
        let now = configuration.clock()
        return monitor.withLock { shared in
            if let failure = shared.failure { return .busy(reason: failure.description) }
            if let free = shared.shortOfSpace { return .busy(reason: noSpace(free).description) }
            return crowding(of: shared) ?? falling(behind: lag(of: shared, now: now)) ?? .none
        }
    }

    private func noSpace(_ freeBytes: UInt64) -> StoreError {
        .noSpace(path: path, freeBytes: freeBytes, leastBytes: configuration.freeBytesLeast)
    }

    private func crowding(of shared: borrowing Shared) -> StorePressure? {
        let usage = shared.usage
        guard usage.usedPercent >= configuration.usedPercentMost else { return nil }
        return .busy(
            reason: """
                the store uses \(usage.usedPercent) % of its map of \(usage.mapBytes >> 20) MiB; \
                from \(configuration.usedPercentMost) % on no new reservations are taken
                """)
    }

    private func falling(behind lag: StoreLag) -> StorePressure? {
        if lag.bytes > configuration.lagBytesMost {
            let most = configuration.lagBytesMost >> 20
            return .busy(reason: "the store is \(lag.bytes >> 20) MiB behind the log; the limit is \(most) MiB")
        }
        if lag.milliseconds > configuration.lagMillisecondsMost {
            let most = configuration.lagMillisecondsMost
            return .busy(reason: "the store is \(lag.milliseconds) ms behind the log; the limit is \(most) ms")
        }
        return nil
    }
}

extension StoreTables {
    func forEachRow<Failure: Error>(
        _ table: Table, _ body: (_ key: [UInt8], _ value: [UInt8]) throws(Failure) -> Void
    ) throws(StoreError) {
        try scan(table, in: try beginRead()) { key, value throws(StoreError) in
            do throws(Failure) {
                try body(key, value)
            } catch {
                throw StoreError.damagedRow(path: path, table: table, key: key, reason: "\(error)")
            }
            return .next
        }
    }
}
