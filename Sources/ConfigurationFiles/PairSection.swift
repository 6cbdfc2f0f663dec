internal import CallModel
internal import Foundation

/// The section `pair`: the private link and the witness. Absent, the side is a single one.
extension ConfigurationDecoder {
    func decodePair() -> PairSettings? {
        guard root.has("pair") else {
            _ = root.value("pair")
            return nil
        }
        if !root.has("side"), state.environment["BATON_SIDE"] == nil {
            root.report("the configuration has a pair, so it needs side, which is A or B", at: root.keyPlace("pair"))
        }
        let fields = root.section("pair")
        let allowClearText = fields.boolean("allowClearText", default: false)
        let aloneNeedsWitness = fields.boolean("aloneNeedsWitness", default: false)
        let listen = decodePairAddress(fields, "listen", 0...65_535)
        let otherSide = decodePairAddress(fields, "otherSide", 1...65_535)
        if let listen { checkClearText("listen", listen, allowClearText, "the private link takes call contexts") }
        let witness = decodeWitness(fields, allowClearText)
        fields.finish()
        guard let listen, let otherSide, let witness else { return nil }
        return PairSettings(
            listen: listen.value, otherSide: otherSide.value, witness: witness, aloneNeedsWitness: aloneNeedsWitness,
            allowClearText: allowClearText)
    }

    private func decodePairAddress(
        _ fields: Fields, _ key: String, _ ports: ClosedRange<Int>, of parent: String = "pair"
    ) -> Located<PairAddress>? {
        guard let value = fields.value(key) else {
            fields.missing(key)
            return nil
        }
        let one = Fields(value, "\(key) of \(parent)", section: "\(parent)_\(key)", at: value.place, state)
        let host = one.checkedText("host", limit: 255)
        let port = one.optionalInteger("port", ports)
        if !one.has("port"), port == nil { one.missing("port") }
        one.finish()
        guard let host, let port else { return nil }
        return Located(PairAddress(host: host.value, port: port.value), at: host.place)
    }

    /// Nothing leaves the host in clear text unless the operator says that it may.
    private func checkClearText(
        _ what: String, _ address: Located<PairAddress>, _ allowClearText: Bool, _ warning: String
    ) {
        guard !Self.isLoopback(address.value.host) else { return }
        if allowClearText {
            warnings.append("\(warning) at \(address.value) in clear text: it can be read and changed on the way")
        } else {
            state.problems.report(
                "\(what) of pair is \(address.value.host), which is not loopback; without TLS that needs"
                    + " allowClearText: true in pair", at: address.place)
        }
    }

    private func decodeWitness(_ pair: Fields, _ allowClearText: Bool) -> WitnessSettings? {
        guard let value = pair.value("witness") else {
            pair.missing("witness")
            return nil
        }
        let fields = Fields(value, "witness of pair", section: "pair_witness", at: value.place, state)
        guard value.kind == .mapping else { return nil }
        let kinds = ["etcd", "process", "file"].filter { fields.has($0) }
        var witness: WitnessSettings?
        if let etcd = fields.value("etcd") {
            witness = decodeEtcd(
                Fields(etcd, "etcd of witness", section: "pair_etcd", at: etcd.place, state), allowClearText
            ).map { .etcd($0) }
        }
        if fields.has("process") {
            let address = decodePairAddress(fields, "process", 1...65_535, of: "witness")
            if let address { checkClearText("witness process", address, allowClearText, "the witness is asked") }
            witness = address.map { .process($0.value) }
        } else {
            _ = fields.value("process")
        }
        if fields.has("file") {
            witness = fields.checkedText("file", limit: 4096).map { .file(absolute($0.value)) }
        } else {
            _ = fields.value("file")
        }
        fields.finish()
        if kinds.count != 1 {
            fields.report("witness of pair needs one of etcd, process or file, not \(kinds.count)")
            return nil
        }
        return witness
    }

    private func decodeEtcd(_ fields: Fields, _ allowClearText: Bool) -> EtcdSettings? {
        let endpoints = fields.texts("endpoints", required: true)
        let key = fields.has("key") ? fields.checkedText("key", limit: 512) : fields.optionalText("key")
        let files = ["caFile", "certificateFile", "keyFile"].map { name -> Located<String>? in
            let file = fields.has(name) ? fields.checkedText(name, limit: 4096) : fields.optionalText(name)
            if let file, !FileManager.default.isReadableFile(atPath: absolute(file.value)) {
                fields.report("\(name) \(resolved(file.value)) cannot be read", at: file.place)
            }
            return file
        }
        for (one, other) in [("certificateFile", "keyFile"), ("keyFile", "certificateFile")]
        where fields.has(one) && !fields.has(other) {
            fields.report("\(fields.what) has \(one), so it needs \(other)", at: fields.keyPlace(one))
        }
        fields.finish()
        let members = endpoints.compactMap { decodeEndpoint($0) }
        guard members.count == endpoints.count, let first = members.first else { return nil }
        if let other = zip(members, endpoints).first(where: { $0.0.usesTLS != first.usesTLS }) {
            fields.report("the endpoints of etcd are http:// and https:// mixed", at: other.1.place)
        }
        for (member, endpoint) in zip(members, endpoints) where !member.usesTLS {
            let address = Located(member.address, at: endpoint.place)
            checkClearText("an etcd endpoint", address, allowClearText, "the witness is asked")
        }
        if !first.usesTLS, let file = files.compactMap({ $0 }).first {
            fields.report("no endpoint of etcd is https://, so it takes no certificates", at: file.place)
        }
        return EtcdSettings(
            members: members.map(\.address), usesTLS: first.usesTLS, key: key?.value,
            caFile: files[0].map { absolute($0.value) }, certificateFile: files[1].map { absolute($0.value) },
            keyFile: files[2].map { absolute($0.value) })
    }

    /// `http://HOST:PORT` or `https://HOST:PORT`, an IPv6 address in brackets.
    private func decodeEndpoint(_ text: Located<String>) -> (address: PairAddress, usesTLS: Bool)? {
        if let match = text.value.wholeMatch(
            of: /(https?):\/\/(?:\[([0-9A-Fa-f:.]+)\]|([^\/:\[\]?#@ ]+)):([0-9]{1,5})/),
            let port = Int(match.4), (1...65_535).contains(port), let host = match.2 ?? match.3
        {
            return (PairAddress(host: String(host), port: port), match.1 == "https")
        }
        state.problems.report(
            "the etcd endpoint \(text.value) must be http://HOST:PORT or https://HOST:PORT", at: text.place)
        return nil
    }
}
