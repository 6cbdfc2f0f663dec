internal import ByteCoding
internal import CallModel
internal import ConfigurationFiles
internal import Logging
internal import NIOCore
internal import PrivateLink
internal import ReplicatedLedger
internal import Witnesses

/// The private link and the witness as the ledger reaches them. A single side has neither, and never asks.
package final class PairPort: Link, Witness, Sendable {
    private let link: PrivateLink?
    private let witness: WitnessCaller?

    init(link: PrivateLink?, witness: WitnessCaller?) {
        self.link = link
        self.witness = witness
    }

    package func send(_ frame: [UInt8]) { link?.send(frame) }

    package func endSession(reason: String) { link?.endSession(reason: reason) }

    package func swap(expected: [UInt8]?, value: [UInt8], token: UInt64) {
        witness?.swap(expected: expected, value: value, token: token)
    }
}

/// Connects the private link to the ledger. On the ledger's own event loop: nothing hops between the two.
final class PairLinkOwner: PrivateLinkOwner {
    private let loop: LedgerLoop
    private let logger: Logger

    init(loop: LedgerLoop, logger: Logger) {
        self.loop = loop
        self.logger = logger
    }

    func greeting() -> [UInt8] { own.map { $0.encoded() } ?? [] }

    func judge(_ theirs: [UInt8]) -> GreetingVerdict {
        guard let own else { return .refused("this side does not run") }
        if let why = loop.withCore({ $0.refusesSessions }) ?? nil { return .refused(why) }
        do throws(PairLinkFault) {
            _ = try own.judge(theirs)
            return .accepted
        } catch {
            logger.warning("private link: \(error)")
            return .refused("\(error)")
        }
    }

    func connected(mine: [UInt8], theirs: [UInt8]) {
        do {
            let own = try PairGreeting(decoding: mine)
            let other = try PairGreeting(decoding: theirs)
            logger.info("the private link to side \(other.side.rawValue) stands")
            loop.withCore { $0.linkConnected(other, session: own.session(with: other)) }
            loop.turn()
        } catch {
            preconditionFailure("a greeting that was judged cannot be read: \(error)")
        }
    }

    func received(_ frame: [UInt8]) { loop.withCore { $0.linkReceived(frame) } }

    func readsEnded() { loop.turn() }

    func lost(reason: String) {
        logger.warning("the private link is lost: \(reason)")
        loop.withCore { $0.linkLost() }
        loop.turn()
    }

    func congestionEnded() { loop.turn() }

    private var own: PairGreeting? {
        loop.withCore { $0.greeting(nonce: .random(in: 1 ... .max)) }
    }
}

/// The other side and the witness of a side's configuration, made to run on the ledger's event loop.
struct PairConnections: Sendable {
    let port: PairPort
    private let link: PrivateLink?

    /// Of a single side.
    static let none = PairConnections(port: PairPort(link: nil, witness: nil), link: nil)

    private init(port: PairPort, link: PrivateLink?) {
        self.port = port
        self.link = link
    }

    init(
        _ settings: PairSettings, side: Side, pairID: Hash128, loop: LedgerLoop, group: any EventLoopGroup,
        logger: Logger
    ) throws(SideFault) {
        let role: PrivateLink.Role =
            side == .a
            ? .listens(host: settings.listen.host, port: settings.listen.port)
            : .dials(host: settings.otherSide.host, port: settings.otherSide.port)
        let link = PrivateLink(settings: .init(role: role), eventLoop: loop.eventLoop, logger: logger)
        let caller = WitnessCaller(
            driver: try Self.driver(settings.witness, pairID: pairID, group: group),
            onOutcome: { token, outcome in
                switch outcome {
                case .swapped: loop.witnessAnswered(token: token, .swapped)
                case .differs(let current): loop.witnessAnswered(token: token, .differs(current: current))
                }
            },
            onFault: { _, fault in logger.warning("\(fault)") })
        self.init(port: PairPort(link: link, witness: caller), link: link)
    }

    private static func driver(
        _ settings: WitnessSettings, pairID: Hash128, group: any EventLoopGroup
    ) throws(SideFault) -> any WitnessDriver {
        switch settings {
        case .file(let path): return FileWitness(path: path, pair: pairID)
        case .process(let address):
            return ProcessWitness(
                member: WitnessMember(host: address.host, port: address.port), pair: pairID, group: group)
        case .etcd(let etcd):
            return EtcdWitness(
                members: etcd.members.map { WitnessMember(host: $0.host, port: $0.port) }, key: etcd.key, pair: pairID,
                tls: try tls(etcd), group: group)
        }
    }

    private static func tls(_ settings: EtcdSettings) throws(SideFault) -> EtcdTLS? {
        guard settings.usesTLS else { return nil }
        do throws(EtcdTLS.Fault) {
            return try EtcdTLS(
                trust: settings.caFile, certificate: settings.certificateFile, key: settings.keyFile)
        } catch {
            throw SideFault("the etcd witness: \(error)")
        }
    }

    /// After the ledger has begun.
    func start(loop: LedgerLoop, logger: Logger) async throws {
        _ = try await link?.start(owner: PairLinkOwner(loop: loop, logger: logger))
    }

    func stop() async { await link?.stop() }
}
