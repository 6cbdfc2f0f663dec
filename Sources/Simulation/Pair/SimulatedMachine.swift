internal import ByteCoding
package import CallModel
internal import ContextStore
package import Duplex
package import Ledger
package import ReplicatedLedger
internal import WriteAheadLog

/// The computer of one side: its disk and store through all lives of the process on it, and the process that runs now.
///
/// `@unchecked Sendable`: a simulation runs on one thread.
package final class SimulatedMachine<Rules: PairRules>: @unchecked Sendable {
    package typealias SideLedger = ReplicatedLedger<PairedSurroundings<Rules>>

    package let side: Side
    private let pairID: Hash128
    private let time: VirtualTime
    private let network: SimulatedNetwork
    private let witness: SimulatedWitness
    private let trace: SimulationTrace
    private var generator: SeededGenerator
    private let settings: LedgerSettings
    private let logConfiguration: LogConfiguration

    package private(set) var disk: SimulatedDisk
    private var image = SimulatedStoreImage()
    private var life: Life?
    private var clock: SimulatedClock
    private var clockMilliseconds: UInt64 = 0
    /// Grows with each format.
    package private(set) var incarnation: UInt64

    // How the machine is doing.
    package private(set) var isPaused = false
    private var held: [() -> Void] = []
    package var stepMicroseconds: ClosedRange<UInt64> = 20...400
    package var storeMilliseconds: UInt64 = 2000

    // What the machine has seen.
    package private(set) var alarms: [String] = []
    package private(set) var stops: [String] = []
    package private(set) var moves: [String] = []
    package private(set) var resyncs = 0
    /// How far the ledger stood each time that the other side's open dialogs were to be taken up.
    package private(set) var takeUps: [LogSequence] = []
    /// What the side was bound to last, in this life or an earlier one.
    package private(set) var lastPromise: PairRegister?
    package private(set) var refusedStarts: [String] = []
    /// Called after each event of the side.
    package var afterEvent: () -> Void = {}
    package var onResync: () -> Void = {}
    /// A process ended by itself, for a fault of its disk or store.
    package var onStopped: (String) -> Void = { _ in }
    /// The bug of a program that goes on before its fdatasync has returned.
    package var answersBeforeSync = false
    /// The bug of a recovery that cuts the log wherever its bytes are bad.
    package var cutsAtDamage = false

    private final class Life {
        let ledger: SideLedger
        let store: SimulatedStore
        var wake: UInt64 = .max
        var busyLanes: Set<DiskLane> = []

        init(ledger: SideLedger, store: SimulatedStore) {
            self.ledger = ledger
            self.store = store
        }
    }

    init(
        side: Side, pairID: Hash128, time: VirtualTime, network: SimulatedNetwork, witness: SimulatedWitness,
        trace: SimulationTrace, seed: UInt64, settings: LedgerSettings, segmentBytes: Int
    ) {
        self.side = side
        self.pairID = pairID
        self.time = time
        self.network = network
        self.witness = witness
        self.trace = trace
        self.settings = settings
        generator = SeededGenerator(seed: seed)
        logConfiguration = LogConfiguration(segmentBytes: segmentBytes)
        disk = SimulatedDisk(seed: seed &+ 100)
        clock = SimulatedClock()
        incarnation = side == .a ? 1_000 : 2_000
    }

    // MARK: Looking

    package var ledger: SideLedger? { life?.ledger }
    package var isUp: Bool { life != nil }
    /// As operators know it; nil when no process runs.
    package var state: String? { life?.ledger.pairState.shownName }
    package var store: SimulatedStore? { life?.store }
    package var elapsedMilliseconds: UInt64 {
        syncClock()
        return clock.elapsedMilliseconds()
    }

    // MARK: Lives

    /// False when recovery refuses what the disk holds; ``refusedStarts`` says why.
    @discardableResult
    package func start() -> Bool {
        precondition(life == nil, "side \(side) runs already")
        syncClock()
        guard let recovered = recoverOrRefuse() else { return false }
        for note in recovered.notes { trace.note("\(side.rawValue) found: \(note)") }
        let link = network.attach(side)
        let witness = witness.client(side)
        let ledger = SideLedger(
            recovered: recovered, clock: clock, link: link, witness: witness, settings: settings,
            nonce: Hash128(high: generator.next(), low: generator.next()), observer: observer)
        let life = Life(ledger: ledger, store: recovered.store)
        self.life = life
        trace.note("\(side.rawValue) starts at \(recovered.position), committed \(recovered.committed.sequence)")
        connect(link, witness, life)
        connect(recovered.store, life)
        disk.answersBeforeSync = answersBeforeSync
        disk.onSubmit = { [weak self, weak life] lane in if let life { self?.work(lane, life) } }
        for lane in DiskLane.allCases where disk.isWaiting(lane) { work(lane, life) }
        turn(life)
        return true
    }

    private func recoverOrRefuse() -> RecoveredSide<PairedSurroundings<Rules>>? {
        do throws(RecoveryFault) { return try recover() } catch {
            if cutsAtDamage, case .log(.damaged(let damage)) = error, cut(at: damage) { return recoverOrRefuse() }
            trace.note("\(side.rawValue) cannot start: \(error)")
            refusedStarts.append("\(error)")
            return nil
        }
    }

    /// Takes everything behind the damage out of the log, as if it had never been written. False when there is nothing.
    private func cut(at damage: LogDamage) -> Bool {
        guard let number = LogFormat.segmentNumber(damage.file), let bytes = disk.contents(damage.file),
            bytes[min(damage.offset, bytes.count)...].contains(where: { $0 != 0 })
        else { return false }
        disk.harm(damage.file) { bytes in
            for index in bytes.indices.dropFirst(damage.offset) { bytes[index] = 0 }
        }
        for file in disk.allContents.keys {
            guard let other = LogFormat.segmentNumber(file), other > number else { continue }
            disk.harm(file) { bytes in bytes = [UInt8](repeating: 0, count: bytes.count) }
        }
        return true
    }

    private func recover() throws(RecoveryFault) -> RecoveredSide<PairedSurroundings<Rules>> {
        let clock = clock
        let image = image
        return try RecoveredSide<PairedSurroundings<Rules>>.recover(
            disk: disk, side: side, isSingle: false, log: logConfiguration,
            draw: { (pairID: pairID, incarnation: incarnation) },
            openStore: { identity throws(StoreError) in
                var configuration = StoreConfiguration()
                configuration.clock = { clock.elapsedMilliseconds() }
                configuration.lagMillisecondsMost = 60_000
                return try SimulatedStore(
                    image: image, identity: StoreIdentity(pairID: identity.pairID, side: identity.side),
                    configuration: configuration)
            })
    }

    private var observer: LedgerObserver {
        LedgerObserver(
            onStop: { [unowned self] reason in
                stops.append(reason)
                trace.note("\(side.rawValue) stops: \(reason)")
                // Not now: the ledger is in the middle of something.
                let life = life
                time.after(microseconds: 0) { [weak self] in
                    guard let self, self.life === life, life != nil else { return }
                    kill()
                    onStopped(reason)
                }
            },
            onMove: { [unowned self] state, sentence in
                moves.append(state)
                trace.note("\(side.rawValue) is \(state): \(sentence)")
            },
            onAlarm: { [unowned self] what in
                alarms.append(what)
                trace.note("\(side.rawValue) alarms: \(what)")
            },
            onTakeUp: { [unowned self] _ in takeUps.append(life?.ledger.position.sequence ?? .zero) },
            onResync: { [unowned self] in
                resyncs += 1
                trace.note("\(side.rawValue) must begin anew")
                let life = life
                time.after(microseconds: 0) { [weak self] in if self?.life === life { self?.onResync() } }
            })
    }

    private func connect(_ link: SimulatedLink, _ witness: SimulatedWitnessClient, _ life: Life) {
        link.greeting = { [weak self, unowned life] nonce in
            guard self?.isPaused == false, life.ledger.refusesSessions == nil else { return nil }
            return life.ledger.greeting(nonce: nonce)
        }
        link.onConnected = { [weak self, unowned life] theirs, session in
            self?.deliver(life) { $0.linkConnected(theirs, session: session) }
        }
        link.onFrame = { [weak self, unowned life] frame in self?.deliver(life) { $0.linkReceived(frame) } }
        link.onClosed = { [weak self, unowned life] in self?.deliver(life) { $0.linkLost() } }
        witness.onAnswer = { [weak self, weak life] token, answer in
            if let life { self?.deliver(life) { $0.witnessAnswered(token: token, answer) } }
        }
    }

    private func connect(_ store: SimulatedStore, _ life: Life) {
        store.onDurable = { [unowned life] _ in life.ledger.storeBecameDurable() }
        commitLater(life)
    }

    private func commitLater(_ life: Life) {
        time.after(milliseconds: storeMilliseconds) { [weak self, weak life] in
            guard let self, let life, self.life === life else { return }
            deliver(life) { _ in life.store.commitOldest() }
            commitLater(life)
        }
    }

    // MARK: Ends of a life

    /// kill -9: everything written is there.
    package func kill() {
        guard end() else { return }
        disk = disk.killImage()
    }

    /// The power goes: what was not synced is there, or torn, or not.
    package func cutPower() {
        guard end() else { return }
        disk = disk.crashImage(seed: generator.next())
        // The machine boots anew: its clock of elapsed time begins again.
        clock = SimulatedClock(elapsedMilliseconds: 2_000 + generator.next() % 10_000, wall: clock.wall())
    }

    /// Segments that hold anything, oldest first, with the place of their last byte that is not zero.
    var writtenSegments: [(number: UInt64, file: String, last: Int)] {
        disk.allContents.compactMap { file, bytes in
            LogFormat.segmentNumber(file).flatMap { number in
                bytes.lastIndex { $0 != 0 }.map { (number: number, file: file, last: $0) }
            }
        }.sorted { $0.number < $1.number }
    }

    /// A byte of the last batch in a stopped side's log changes.
    package func rotLastBatch() {
        guard let newest = writtenSegments.last(where: { $0.last >= LogFormat.blockBytes }) else { return }
        disk.harm(newest.file) { $0[newest.last - newest.last % LogFormat.blockBytes + 48] ^= 0x41 }
    }

    /// An empty disk in a stopped side, and a new incarnation.
    package func format() {
        precondition(life == nil, "a running side is not formatted")
        trace.note("\(side.rawValue) is formatted")
        incarnation += 1
        lastPromise = nil
        disk = SimulatedDisk(seed: generator.next())
        image = SimulatedStoreImage()
    }

    private func end() -> Bool {
        guard let life else { return false }
        syncClock()
        image = life.store.image
        self.life = nil
        isPaused = false
        held = []
        disk.onSubmit = nil
        network.detach(side)
        return true
    }

    // MARK: Events

    /// SIGSTOP and SIGCONT: what arrives meanwhile waits.
    package func pause() { isPaused = life != nil }

    package func resume() {
        guard isPaused else { return }
        isPaused = false
        let bodies = held
        held = []
        for body in bodies {
            // One of them may end the process.
            if isPaused { held.append(body) } else { body() }
        }
    }

    package func stepWallClock(milliseconds: Int64) { clock.step(wallMilliseconds: milliseconds) }

    /// Whatever the process is told, and its turn after it.
    package func deliver(_ body: @escaping (SideLedger) -> Void) {
        if let life { deliver(life, body) }
    }

    /// Hands a request in; false when nobody listens. The reply may never come: the process may end before.
    @discardableResult
    package func ask(
        _ record: Record, within milliseconds: UInt64,
        reply: @escaping @Sendable (Result<LedgerAnswer, LedgerRefusal>) -> Void
    ) -> Bool {
        guard isUp else { return false }
        deliver { [unowned self] ledger in
            ledger.submit(
                LedgerRequest(
                    record: record, bytes: record.encoded(),
                    deadlineElapsedMilliseconds: clock.elapsedMilliseconds() + milliseconds, reply: reply))
        }
        return true
    }

    /// A read that must be current; false when nobody listens.
    @discardableResult
    package func read(
        within milliseconds: UInt64, _ body: @escaping (Result<any LedgerView, LedgerRefusal>) -> Void
    ) -> Bool {
        guard isUp else { return false }
        deliver { [unowned self] ledger in
            ledger.readCurrent(deadlineElapsedMilliseconds: clock.elapsedMilliseconds() + milliseconds, body)
        }
        return true
    }

    private func deliver(_ life: Life, _ body: @escaping (SideLedger) -> Void) {
        guard self.life === life else { return }
        if isPaused {
            held.append { [weak self, weak life] in if let life { self?.deliver(life, body) } }
            return
        }
        syncClock()
        body(life.ledger)
        turn(life)
    }

    private func turn(_ life: Life) {
        guard self.life === life else { return }
        life.ledger.endOfTurn()
        lastPromise = life.ledger.promise ?? lastPromise
        afterEvent()
        guard let wake = life.ledger.nextWakeMilliseconds else { return }
        let now = clock.elapsedMilliseconds()
        let at = time.microseconds / 1000 * 1000 + (max(wake, now + 1) - now) * 1000
        guard at < life.wake || life.wake <= time.microseconds else { return }
        life.wake = at
        time.at(microseconds: at) { [weak self, weak life] in
            guard let self, let life, life.wake == at else { return }
            life.wake = .max
            deliver(life) { _ in }
        }
    }

    private func syncClock() {
        let milliseconds = time.milliseconds
        if milliseconds > clockMilliseconds { clock.advance(milliseconds: milliseconds - clockMilliseconds) }
        clockMilliseconds = milliseconds
    }

    // MARK: Disk

    private func work(_ lane: DiskLane, _ life: Life) {
        guard self.life === life, !life.busyLanes.contains(lane), disk.isWaiting(lane) else { return }
        life.busyLanes.insert(lane)
        time.after(microseconds: UInt64.random(in: stepMicroseconds, using: &generator)) { [weak self, weak life] in
            guard let self, let life, self.life === life else { return }
            life.busyLanes.remove(lane)
            disk.runStep(lane)
            let completions = disk.takeCompletions()
            if !completions.isEmpty {
                deliver(life) { ledger in for completion in completions { ledger.diskCompleted(completion) } }
            }
            if self.life === life { work(lane, life) }
        }
    }
}
