package import CallModel
package import ReplicatedLedger

/// One side's end of the private link: of one life of that side.
///
/// `@unchecked Sendable`: a simulation runs on one thread.
package final class SimulatedLink: Link, @unchecked Sendable {
    let side: Side
    private let network: SimulatedNetwork
    /// The connection that this end holds to be open.
    fileprivate var connection: SimulatedConnection?
    /// The other end has introduced itself on it.
    fileprivate var isGreeted = false

    /// What this end says first; nil when it takes no session now.
    package var greeting: (_ nonce: UInt64) -> PairGreeting? = { _ in nil }
    package var onConnected: (PairGreeting, _ session: UInt64) -> Void = { _, _ in }
    package var onFrame: ([UInt8]) -> Void = { _ in }
    package var onClosed: () -> Void = {}
    /// Why the other end was not listened to.
    package private(set) var refusals: [PairLinkFault] = []

    init(side: Side, network: SimulatedNetwork) {
        self.side = side
        self.network = network
    }

    package func send(_ frame: [UInt8]) {
        if let connection { network.carry(frame, from: side, on: connection) }
    }

    package func endSession(reason: String) {
        guard let connection else { return }
        self.connection = nil
        network.close(connection, from: side)
    }

    /// The process is gone: the kernel of its machine closes what was open.
    package func processEnded() { endSession(reason: "the process ended") }

    // MARK: What the network brings

    fileprivate func open(_ connection: SimulatedConnection, _ ours: PairGreeting) {
        let hadSession = self.connection != nil && isGreeted
        self.connection = connection
        isGreeted = false
        connection.greetings[side] = ours
        if hadSession { onClosed() }
    }

    fileprivate func receive(_ frame: [UInt8], on connection: SimulatedConnection) {
        guard self.connection === connection else { return }
        if isGreeted { return onFrame(frame) }
        guard let ours = connection.greetings[side] else { return }
        do throws(PairLinkFault) {
            let theirs = try ours.judge(frame)
            isGreeted = true
            onConnected(theirs, ours.session(with: theirs))
        } catch {
            refusals.append(error)
            endSession(reason: "\(error)")
        }
    }

    /// A frame of an earlier connection turns up in the present one.
    fileprivate func receiveStale(_ frame: [UInt8]) {
        if connection != nil && isGreeted { onFrame(frame) }
    }

    fileprivate func closed(_ connection: SimulatedConnection) {
        guard self.connection === connection else { return }
        self.connection = nil
        if isGreeted { onClosed() }
    }
}

/// One TCP connection: in each direction a stream that keeps its order.
package final class SimulatedConnection {
    fileprivate var greetings: [Side: PairGreeting] = [:]
    /// By the sender: nothing arrives before this moment, which keeps the order.
    fileprivate var lastArrival: [Side: UInt64] = [:]
    /// By the sender: nothing of it arrives any more, and nobody is told.
    fileprivate var isSilent: Set<Side> = []
    fileprivate var isBroken = false
}

/// The network between the two sides, on virtual time.
package final class SimulatedNetwork {
    package let time: VirtualTime
    private var generator: SeededGenerator
    private var ends: [Side: SimulatedLink] = [:]
    private var newest: SimulatedConnection?
    /// No connection can be made.
    package var isCut = false
    /// By the sender: nothing arrives before this moment; it is late then, not lost, as a stream's bytes are.
    package var heldUntil: [Side: UInt64] = [:]
    package var delayMicroseconds: ClosedRange<UInt64> = 50...400
    package var redialMilliseconds: ClosedRange<UInt64> = 20...120
    /// Of a thousand frames that a connection lost, how many turn up in a later one.
    package var stalePerMille: UInt64 = 0
    package private(set) var frames: UInt64 = 0
    package private(set) var connections: UInt64 = 0
    /// Sees every frame; returns what is to travel in its place.
    package var tamper: ((_ frame: [UInt8], _ from: Side) -> [UInt8])?

    package init(time: VirtualTime, seed: UInt64) {
        self.time = time
        generator = SeededGenerator(seed: seed)
        dialLater()
    }

    /// A side's new life has an end of its own.
    package func attach(_ side: Side) -> SimulatedLink {
        let link = SimulatedLink(side: side, network: self)
        ends[side] = link
        return link
    }

    package func detach(_ side: Side) {
        ends[side]?.processEnded()
        ends[side] = nil
    }

    // MARK: Connections

    private func dialLater() {
        time.after(milliseconds: UInt64.random(in: redialMilliseconds, using: &generator)) { [weak self] in
            self?.dial()
            self?.dialLater()
        }
    }

    /// Whichever end has no connection calls the other.
    private func dial() {
        guard !isCut, let a = ends[.a], let b = ends[.b], a.connection == nil || b.connection == nil,
            let ofA = a.greeting(generator.next()), let ofB = b.greeting(generator.next())
        else { return }
        let connection = SimulatedConnection()
        connections += 1
        newest = connection
        a.open(connection, ofA)
        b.open(connection, ofB)
        if a.connection === connection { carry(ofA.encoded(), from: .a, on: connection) }
        if b.connection === connection { carry(ofB.encoded(), from: .b, on: connection) }
    }

    func close(_ connection: SimulatedConnection, from side: Side) {
        arrive(from: side, on: connection) { [weak self] in self?.ends[side.other]?.closed(connection) }
    }

    /// Both ends learn of it, each in its own time.
    package func breakConnection() {
        guard let connection = newest else { return }
        newest = nil
        connection.isBroken = true
        for side in Side.allCases {
            time.after(microseconds: UInt64.random(in: 0...2000, using: &generator)) { [weak self] in
                self?.ends[side]?.closed(connection)
            }
        }
    }

    /// From now on nothing that these sides send on the present connection arrives, and neither end is told.
    package func silence(_ sides: Set<Side>) { newest?.isSilent.formUnion(sides) }

    // MARK: Frames

    func carry(_ frame: [UInt8], from side: Side, on connection: SimulatedConnection) {
        frames += 1
        let frame = tamper?(frame, side) ?? frame
        arrive(from: side, on: connection) { [weak self] in
            guard let end = self?.ends[side.other] else { return }
            if end.connection !== connection { self?.keepStale(frame, from: side) }
            end.receive(frame, on: connection)
        } lost: { [weak self] in
            self?.keepStale(frame, from: side)
        }
    }

    private func arrive(
        from side: Side, on connection: SimulatedConnection, _ body: @escaping () -> Void, lost: () -> Void = {}
    ) {
        if connection.isSilent.contains(side) || connection.isBroken { return lost() }
        let delay = UInt64.random(in: delayMicroseconds, using: &generator)
        let earliest = max(
            time.microseconds + delay, (connection.lastArrival[side] ?? 0) + 1, heldUntil[side] ?? 0)
        connection.lastArrival[side] = earliest
        time.at(microseconds: earliest) {
            if !connection.isBroken && !connection.isSilent.contains(side) { body() }
        }
    }

    private func keepStale(_ frame: [UInt8], from side: Side) {
        guard stalePerMille > 0, generator.next() % 1000 < stalePerMille else { return }
        time.after(milliseconds: UInt64.random(in: 1...1500, using: &generator)) { [weak self] in
            self?.ends[side.other]?.receiveStale(frame)
        }
    }
}
