internal import ByteCoding
internal import CallModel
internal import CallRouter
package import ConfigurationFiles
internal import Console
internal import ContextStore
internal import INCRP
internal import Inspection
internal import Ledger
package import Logging
internal import NIOCore
internal import NIOPosix
internal import PeripheralGateway
internal import ReplicatedLedger
internal import Synchronization
internal import Transport
internal import WriteAheadLog

/// Why a side cannot start, or had to stop. The sentence is for the operator.
package struct SideFault: Error, Sendable, CustomStringConvertible {
    package let description: String

    init(_ description: String) { self.description = description }
}

/// One running side of an instance: data directory, ledger, services and listeners, from start to stop.
package final class RunningSide: Sendable {
    private let logger: Logger
    private let running: RunningLedger
    private let router: CallRouter
    private let links: ServerLinks
    private let clients: ClientDirectory
    private let incrpServer: INCRPServer?
    private let http: HTTPService
    private let configuration: Shared<SideConfiguration>
    private let agreement: PairAgreement
    private let ended: Ending
    private let stopped = Atomic(false)

    package var httpPort: Int { http.port }
    /// Nil when this instance is no server.
    package let incrpPort: Int?

    // MARK: Start

    /// Recovers what the data directory holds, puts the configuration into the ledger, and opens the listeners, so that
    /// whoever can connect is served. Throws a ``SideFault`` that names what is wrong and what to do.
    package static func start(
        _ configuration: SideConfiguration, care: StoreCare = .withinProcess, logger: Logger
    ) async throws -> RunningSide {
        for warning in configuration.warnings { logger.warning("\(warning)") }
        let token = try configuration.http.tokenFile.map { (file) throws(SideFault) in try TokenFile.read(file) }
        let ledgerGroup = MultiThreadedEventLoopGroup(numberOfThreads: 1)
        let ended = Ending()
        let recovered = try await recover(configuration, care, on: ledgerGroup, ended: ended, logger: logger)
        do {
            return try await RunningSide(
                configuration, token: token, running: recovered, ended: ended, logger: logger)
        } catch {
            try? await recovered.end()  // the first error is the one to tell
            throw error
        }
    }

    private init(
        _ configuration: SideConfiguration, token: String?, running: RunningLedger, ended: Ending, logger: Logger
    ) async throws {
        self.logger = logger
        self.running = running
        self.ended = ended
        let ledger = running.loop
        let shared = Shared(configuration)
        self.configuration = shared
        agreement = PairAgreement(ledger: ledger, ended: ended, logger: logger)
        if configuration.pair == nil { try await Self.configure(ledger, configuration) }

        let network = MultiThreadedEventLoopGroup.singleton
        links = ServerLinks(group: network, logger: logger)
        let router = CallRouter(
            settings: configuration.routerSettings, links: [:], ledger: ledger,
            civilTimes: { CivilTimes.at($0, zones: $1) }, logger: logger)
        self.router = router
        clients = ClientDirectory(configuration.incrpClients)
        (incrpServer, incrpPort) = try await Self.listenForClients(
            configuration, clients: clients, router: router, logger: logger)
        await links.apply(configuration) { router.update(configuration.routerSettings, links: $0) }

        let links = self.links
        let incrpServer = self.incrpServer
        let console = Console(
            ledger: ledger, services: { ServiceCounters(router.counters, await incrpServer?.status()) })
        do {
            http = try await HTTPService.start(
                host: configuration.http.host, port: configuration.http.port, bearerToken: token, router: router,
                desk: ClaimDesk(ledger: ledger, rules: { shared.value.deskRules }), console: console,
                gateways: { await links.status() }, logger: logger)
        } catch {
            await incrpServer?.stop()
            await links.stop()
            throw error
        }
        running.losses.listen { await router.takeUp(from: $0) }
        if configuration.pair != nil {
            try await running.pair.start(loop: ledger, logger: logger)
            agreement.begin(configuration.ledgerConfiguration)
        }
        logger.info(
            configuration.pair == nil ? "the side serves" : "the side listens",
            metadata: [
                "instance": "\(configuration.instance)", "side": "\(configuration.side.rawValue)",
                "http": "\(configuration.http.host):\(http.port)",
                "incrp": "\(incrpPort.map { "\(configuration.incrpNIC?.host ?? ""):\($0)" } ?? "none")",
            ])
    }

    // MARK: Reload and stop

    /// Takes over a new configuration while calls are served: scripts, clients and gateways at once, pools through the
    /// ledger. Listeners and the data directory keep their settings until the next start.
    package func reload(_ next: SideConfiguration) async throws {
        let current = configuration.value
        for (what, same) in [
            ("dataDirectory", current.dataDirectory == next.dataDirectory), ("http", current.http == next.http),
            ("instance", current.instance == next.instance && current.instanceNumber == next.instanceNumber),
            ("side", current.side == next.side), ("incrpNIC", current.incrpNIC == next.incrpNIC),
            ("store", current.store == next.store), ("log", current.log == next.log),
            ("pair", current.pair == next.pair),
        ] where !same {
            throw SideFault(
                "\(what) cannot change while the side runs: stop it and start it with the new configuration")
        }
        if next.pair == nil {
            try await Self.configure(running.loop, next)
        } else {
            try await agreement.reload(next.ledgerConfiguration)
        }
        configuration.value = next
        clients.replace(next.incrpClients)
        await links.apply(next) { router.update(next.routerSettings, links: $0) }
        logger.info("the configuration was reloaded", metadata: ["file": "\(next.file)"])
    }

    /// Returns when the side had to stop by itself, with the reason; or when ``stop()`` was called, without.
    package func waitUntilEnded() async -> SideFault? { await ended.wait() }

    /// Ends service in order, once: no new requests, answers for those under way, everything stored, the log's end noted.
    package func stop() async throws {
        if stopped.exchange(true, ordering: .relaxed) { return }
        agreement.end()
        await http.stop()
        await incrpServer?.stop()
        await links.stop()
        try await running.end()
        ended.end(nil)
        logger.info("the side stopped")
    }
}

// MARK: - Steps of the start

extension RunningSide {
    struct RunningLedger {
        let loop: LedgerLoop
        let disk: PosixDisk
        let store: ContextStore
        let snapshots: StoreSnapshots
        let pair: PairConnections
        /// The other side, each time it is lost.
        let losses: Losses
        let group: MultiThreadedEventLoopGroup

        /// Answers what is under way, stores what was taken, notes where the log ends, and gives disk and thread back.
        func end() async throws {
            losses.end()
            try await loop.drain()
            await pair.stop()
            try await loop.eventLoop.submit { [loop, store, snapshots] in
                snapshots.stop()
                store.close()
                defer { loop.close() }
                try loop.withCore { try $0.closeLog() }
            }.get()
            disk.close()
            try await group.shutdownGracefully()
        }
    }

    /// Recovery waits for the disk: it runs on the ledger's own thread, where nothing else waits yet.
    private static func recover(
        _ configuration: SideConfiguration, _ care: StoreCare, on group: MultiThreadedEventLoopGroup, ended: Ending,
        logger: Logger
    ) async throws -> RunningLedger {
        let loop = LedgerLoop(eventLoop: group.next())
        do {
            return try await loop.eventLoop.submit {
                try recoverHere(configuration, care, loop: loop, group: group, ended: ended, logger: logger)
            }.get()
        } catch {
            try? await group.shutdownGracefully()  // the first error is the one to tell
            throw SideFault("\(error)")
        }
    }

    private static func recoverHere(
        _ configuration: SideConfiguration, _ care: StoreCare, loop: LedgerLoop, group: MultiThreadedEventLoopGroup,
        ended: Ending, logger: Logger
    ) throws -> RunningLedger {
        let started = ContinuousClock.now
        try DataDirectory.prepare(configuration.dataDirectory)
        let disk = try PosixDisk(
            directory: "\(configuration.dataDirectory)/log", onCompletion: { loop.diskCompleted($0) })
        var log = LogConfiguration()
        log.retentionMilliseconds = Int64(configuration.log.retentionHours) * 3_600_000
        log.retentionBytes = Int(clamping: configuration.log.retentionBytes)
        var settings = StoreConfiguration()
        settings.mapBytes = Int(clamping: configuration.store.mapBytes)
        settings.journeyRowsMost = configuration.store.journeysKept
        let files = SideFiles(directory: configuration.dataDirectory)
        let pairID = PairID.of(configuration)
        let pair =
            try configuration.pair.map { (pair) throws(SideFault) in
                try PairConnections(
                    pair, side: configuration.side, pairID: pairID, loop: loop,
                    group: MultiThreadedEventLoopGroup.singleton, logger: logger)
            } ?? .none
        let repair = try StoreRepair.beforeOpening(files, log: disk, configuration: settings, verify: care.verify)
        for note in repair.notes { logger.warning("store: \(note)") }
        let recovered = try RecoveredSide<Production>.recover(
            disk: disk, side: configuration.side, isSingle: configuration.pair == nil, log: log,
            draw: { (pairID: pairID, incarnation: .random(in: 1 ... .max)) },
            openStore: { identity throws(StoreError) in
                try ContextStore.open(
                    path: files.store,
                    identity: StoreIdentity(pairID: identity.pairID, side: identity.side), configuration: settings)
            })
        for note in recovered.notes { logger.warning("recovery: \(note)") }
        let store = recovered.store
        let losses = Losses()
        store.start(
            onDurable: { _ in loop.storeBecameDurable() }, onFailure: { loop.storeFailed($0) })
        loop.begin(
            ReplicatedLedger(
                recovered: recovered, clock: SystemClock(), link: pair.port, witness: pair.port,
                settings: LedgerSettings(),
                nonce: Hash128(high: .random(in: 0 ... .max), low: .random(in: 0 ... .max)),
                observer: LedgerObserver(
                    onStop: { reason in
                        logger.critical("the side stops: \(reason)")
                        ended.end(SideFault(reason))
                    },
                    onMove: { state, sentence in logger.notice("\(state): \(sentence)") },
                    onAlarm: { logger.error("alarm: \($0)") }, onTakeUp: { losses.add($0) },
                    onResync: {
                        ended.end(
                            SideFault(
                                "the log cannot go on from the other side's. Move the data directory aside and start "
                                    + "this side again: it joins anew"))
                    })))
        logger.info(
            "recovered",
            metadata: [
                "position": "\(recovered.position.sequence)", "replayed": "\(recovered.replayed)",
                "held": "\(recovered.ledger.heldCount)",
                "milliseconds": "\(Int((ContinuousClock.now - started) / .milliseconds(1)))",
            ])
        let snapshots = StoreSnapshots(
            files, of: store, everySeconds: care.snapshotSeconds, logger: logger, onKept: { loop.snapshotKept(at: $0) })
        return RunningLedger(
            loop: loop, disk: disk, store: store, snapshots: snapshots, pair: pair, losses: losses, group: group)
    }

    private static func configure(_ ledger: LedgerLoop, _ configuration: SideConfiguration) async throws {
        do {
            _ = try await ledger.submit(
                .configure(configuration.ledgerConfiguration), deadlineMilliseconds: 60_000)
        } catch {
            throw SideFault("the configuration could not be logged: \(error)")
        }
    }

    private static func listenForClients(
        _ configuration: SideConfiguration, clients: ClientDirectory, router: CallRouter, logger: Logger
    ) async throws -> (INCRPServer?, Int?) {
        guard let nic = configuration.incrpNIC else { return (nil, nil) }
        let server = INCRPServer(
            settings: INCRPServer.Settings(
                host: nic.host, port: nic.port,
                session: INCRPServerSession.Settings(
                    instance: configuration.instance, instanceNumber: UInt32(configuration.instanceNumber),
                    side: configuration.side)),
            directory: clients, handler: INCRPNIC(router: router), group: MultiThreadedEventLoopGroup.singleton,
            logger: logger)
        do {
            return (server, try await server.start())
        } catch {
            throw SideFault("INCRP NIC: \(error)")
        }
    }
}
