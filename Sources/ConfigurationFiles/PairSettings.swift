/// The other side and the witness of a duplex pair.
package struct PairSettings: Hashable, Sendable {
    /// Where side A takes the private link. Port 0: any free one.
    package var listen: PairAddress
    /// Where the other side listens: side B dials it.
    package var otherSide: PairAddress
    package var witness: WitnessSettings
    /// A side that serves alone stops when it cannot reach the witness for 10 s.
    package var aloneNeedsWitness: Bool
    /// The operator accepts that what crosses to the other side or the witness can be read on the way.
    package var allowClearText: Bool
}

package struct PairAddress: Hashable, Sendable, CustomStringConvertible {
    package var host: String
    package var port: Int

    package init(host: String, port: Int) {
        self.host = host
        self.port = port
    }

    package var description: String { host.contains(":") ? "[\(host)]:\(port)" : "\(host):\(port)" }
}

/// Where the pair's register is.
package enum WitnessSettings: Hashable, Sendable {
    case etcd(EtcdSettings)
    /// `baton witness`.
    case process(PairAddress)
    /// Absolute; both sides run on one host.
    case file(String)
}

package struct EtcdSettings: Hashable, Sendable {
    /// Tried in turn.
    package var members: [PairAddress]
    /// All members speak TLS, or none does.
    package var usesTLS: Bool
    /// Nil: a key made of the pair's id.
    package var key: String?
    /// Absolute. Nil: the host's own list of authorities.
    package var caFile: String?
    /// Absolute; both or none.
    package var certificateFile: String?
    package var keyFile: String?
}
