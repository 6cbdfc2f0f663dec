import CallModel
import ConfigurationFiles
import Foundation
import INCRP
import Ledger
import Routing
import Testing

@Suite("What a configuration file becomes")
struct LoadTests {
    static func load(_ name: String, _ environment: [String: String] = [:]) throws -> SideConfiguration {
        try Configuration.load(
            path: Sample.directory.appendingPathComponent("config/accept/\(name).yaml").path, environment: environment)
    }

    @Test("what is not said has its documented default")
    func defaults() throws {
        let side = try Self.load("minimal")
        #expect(side.instance == InstanceName(unchecked: "bank") && side.instanceNumber == 0 && side.side == .a)
        #expect(side.dataDirectory == Sample.directory.appendingPathComponent("config/accept/data").path)
        #expect(side.http.host == "127.0.0.1" && side.http.port == 7080 && side.http.tokenFile == nil)
        #expect(side.limits == ContextLimits())
        #expect(side.incrpNIC == nil)
        #expect(side.dialogs.answersKeptSeconds == 120 && side.dialogs.ageSeconds == 60)
        #expect(side.store.mapBytes == 16 << 30 && side.log.retentionHours == 24 && side.log.retentionBytes == 4 << 30)
        #expect(side.deadlines.claimMilliseconds == 1000 && side.deadlines.reservationMilliseconds == 1000)
        #expect(side.deadlines.routeMilliseconds == 3000)
        #expect(side.warnings.isEmpty)
    }

    @Test("a client's file gives its routes, routing clients, gateways, scripts and tables")
    func bank() throws {
        let side = try Self.load("bank")
        let route = try #require(side.ledgerConfiguration.routes.first)
        #expect(route.ranges.map(\.count) == [40, 1])
        #expect(route.ranges[0].dnis(at: 39) == DNIS(unchecked: "8040"))
        #expect(route.labels[RoutingClientName(unchecked: "carrier")] == LabelTemplate(prefix: "9555"))
        #expect(route.leaseSeconds == 20 && route.repeatSeconds == 10 && route.quarantineSeconds == 60)
        #expect(side.ledgerConfiguration.peripherals.map(\.defaultRoute) == ["7000"])
        #expect(side.ledgerConfiguration.limits.payloads["insurance-sale"]?.members.count == 2)

        let carrier = try #require(side.routingClient(RoutingClientName(unchecked: "carrier")))
        #expect(carrier.networkTransfer && carrier.deadlineMilliseconds == 3000)
        #expect(carrier.defaultLabel == Label(unchecked: "95550000", type: .default))
        let pg = try #require(side.routingClient(ofPeripheral: PeripheralName(unchecked: "bank-acd")))
        #expect(pg.name.text == "bank-pg" && !pg.networkTransfer)
        let peer = try #require(side.routingClient(clientID: try ClientID(9)))
        #expect(peer.instance?.text == "insurance" && peer.customer?.text == "retail")

        let gateway = try #require(side.gateway(GatewayName(unchecked: "to-insurance")))
        #expect(gateway.addresses.map(\.host) == ["127.0.0.1"] && gateway.addresses.map(\.port) == [40_073])
        #expect(gateway.connection == .simplexA && gateway.sidePreference == .none && gateway.clientID.number == 5)

        let entry = side.dialedNumbers.entry(for: "080055512", routingClient: carrier.name)
        #expect(entry?.callType == "sales")
        #expect(side.script(for: "sales")?.gateways == [gateway.name])
        #expect(side.script(for: "sales")?.zones == ["Europe/Berlin"])
        #expect(side.script(for: "advice")?.translationRoutes == [route.name])
    }

    @Test("a routing client knows its labels and its default label, and no other")
    func labels() throws {
        let side = try Self.load("bank")
        let carrier = RoutingClientName(unchecked: "carrier")
        for text in ["95551234", "8", "95550000"] {
            #expect(side.labelTable.validates(Label(unchecked: text, type: .normal), for: carrier))
        }
        #expect(!side.labelTable.validates(Label(unchecked: "9555123", type: .normal), for: carrier))
        #expect(
            !side.labelTable.validates(
                Label(unchecked: "95551234", type: .normal), for: RoutingClientName(unchecked: "x")))
    }

    @Test("a client id's customer is its own, then the mapping's for it, then the mapping's for all")
    func customers() throws {
        let side = try Self.load("insurance")
        #expect(try side.routingClient(clientID: ClientID(5))?.customer?.text == "retail")
        #expect(try side.routingClient(clientID: ClientID(6))?.customer?.text == "other")
        #expect(side.incrpNIC?.port == 40_073 && side.incrpNIC?.timeoutThresholdMilliseconds == 1500)
    }

    @Test("limits can be raised up to 32 KiB, and clear text beyond this host is warned about")
    func raised() throws {
        let side = try Self.load("raised")
        #expect(side.side == .b && side.limits.variable == 4000 && side.limits.context == 32_768)
        #expect(side.limits.declarations[ECCName(unchecked: "user.document")]?.maximumLength == 8000)
        #expect(side.warnings.count == 1 && side.warnings[0].contains("0.0.0.0"))
        let duplex = try #require(side.gateway(GatewayName(unchecked: "to-y")))
        #expect(duplex.connection == .duplex && duplex.addresses.map(\.side) == [.b, .a])
        #expect(duplex.addresses.map(\.port) == [41_153, 40_033])
        #expect(side.gateway(GatewayName(unchecked: "to-x"))?.connection == .simplexB)
        #expect(side.log.retentionBytes == 512 << 20)
    }

    @Test("an environment variable overrides a scalar setting, also in a section that the file has not")
    func environment() throws {
        let side = try Self.load(
            "minimal",
            [
                "BATON_HTTP_PORT": "9999", "BATON_DATADIRECTORY": "/elsewhere", "BATON_INSTANCE_NUMBER": "3",
                "BATON_SIDE": "B",
                "BATON_STORE_MAPBYTES": "1GiB", "BATON_HTTP_ALLOWCLEARTEXT": "true", "PATH": "x", "BATON_URL": "other",
            ])
        #expect(side.http.port == 9999 && side.http.allowClearText && side.store.mapBytes == 1 << 30)
        #expect(side.dataDirectory == "/elsewhere" && side.instanceNumber == 3 && side.side == .b)
    }

    @Test("a wrong or misspelled environment variable is refused by its name")
    func wrongEnvironment() throws {
        func refusal(_ environment: [String: String]) throws -> String {
            let errors = #expect(throws: ConfigurationErrors.self) { try Self.load("minimal", environment) }
            return try #require(errors).description
        }
        #expect(
            try refusal(["BATON_HTTP_PORT": "x"]) == "BATON_HTTP_PORT: port in http must be a whole number, not a text")
        #expect(
            try refusal(["BATON_HTTP_PROT": "1"])
                == "BATON_HTTP_PROT: this environment variable overrides no setting; the nearest name is BATON_HTTP_PORT"
        )
    }

    @Test("a file that is missing, empty, no UTF-8 or nested without end is refused and crashes nothing")
    func noFile() throws {
        let file = FileManager.default.temporaryDirectory.appendingPathComponent("\(UUID().uuidString).yaml")
        defer { try? FileManager.default.removeItem(at: file) }  // Only a temporary file is left behind.
        func refusal() throws -> String {
            let errors = #expect(throws: ConfigurationErrors.self) { try Configuration.load(path: file.path) }
            return try #require(errors).description
        }
        #expect(try refusal().hasPrefix("\(file.path): cannot be read: "))
        for (bytes, sentence) in [
            ([], "is empty"), ([0xff, 0xfe, 0xfd], "is not UTF-8"),
            (Array(repeating: UInt8(91), count: 100_000), "is no YAML"),
            (Array("a: \u{0}".utf8), "is no YAML"),
            (Array(Self.aliases.utf8), "holds more than"),
        ] {
            try Data(bytes).write(to: file)
            let text = try refusal()
            #expect(text.contains(sentence), "\(text)")
        }
    }

    /// A short text that stands for 10^9 values.
    static let aliases =
        "a0: &a0 [x,x,x,x,x,x,x,x,x,x]\n"
        + (1...8).map { n in "a\(n): &a\(n) [\(Array(repeating: "*a\(n - 1)", count: 10).joined(separator: ","))]\n" }
        .joined()

    @Test("a pair has its addresses, its witness and what the operator accepts; without the section the side is single")
    func pair() throws {
        func load(_ name: String) throws -> SideConfiguration {
            try Configuration.load(path: Sample.directory.appendingPathComponent("config/accept/\(name).yaml").path)
        }
        #expect(try load("minimal").pair == nil)
        let process = try load("pair-process")
        #expect(process.pair?.listen == PairAddress(host: "0.0.0.0", port: 0))
        #expect(process.pair?.otherSide == PairAddress(host: "bank-a.example", port: 7081))
        #expect(process.pair?.witness == .process(PairAddress(host: "witness.example", port: 7090)))
        #expect(process.pair?.aloneNeedsWitness == true && process.pair?.allowClearText == true)
        #expect(process.warnings.count == 2)
        let folder = Sample.directory.appendingPathComponent("config/accept").path
        #expect(try load("pair-file").pair?.witness == .file(folder + "/pair.register"))
        guard case .etcd(let clear)? = try load("pair-etcd").pair?.witness else {
            Issue.record("no etcd")
            return
        }
        #expect(clear.members == ["127.0.0.1", "::1", "localhost"].map { PairAddress(host: $0, port: 2379) })
        #expect(!clear.usesTLS && clear.key == "baton/bank" && clear.caFile == nil)
        guard case .etcd(let etcd)? = try load("pair-etcd-tls").pair?.witness else {
            Issue.record("no etcd")
            return
        }
        #expect(etcd.usesTLS && etcd.key == nil && etcd.members.map(\.port) == [2379, 2379])
        #expect(etcd.caFile == folder + "/pair-etcd-tls.yaml")
        #expect(try load("pair-etcd-tls").warnings == [])
    }

    @Test("the environment gives each side its own letter and addresses over one file")
    func pairEnvironment() throws {
        let path = Sample.directory.appendingPathComponent("config/accept/pair-file.yaml").path
        let side = try Configuration.load(
            path: path,
            environment: [
                "BATON_SIDE": "B", "BATON_PAIR_LISTEN_PORT": "7082", "BATON_PAIR_OTHERSIDE_PORT": "7081",
                "BATON_PAIR_WITNESS_FILE": "other.register", "BATON_PAIR_ALONENEEDSWITNESS": "true",
            ])
        #expect(side.side == .b)
        #expect(side.pair?.listen.port == 7082 && side.pair?.otherSide.port == 7081)
        #expect(side.pair?.aloneNeedsWitness == true)
        guard case .file(let file)? = side.pair?.witness else {
            Issue.record("no file")
            return
        }
        #expect(file.hasSuffix("/other.register"))
    }

    @Test("civil time follows the zone, over midnight and the change to summer time")
    func civilTimes() {
        // 2026-11-22 23:30 UTC, a Sunday; 2026-03-29 00:59 and 01:00 UTC, around the change in Berlin.
        let zones = ["UTC", "Europe/Berlin", "America/New_York", "Nowhere/Never"]
        let night = CivilTimes.at(WallTime(milliseconds: 1_795_390_200_000), zones: zones)
        #expect(night["UTC"] == CivilTime(weekday: .sunday, minuteOfDay: 23 * 60 + 30))
        #expect(night["Europe/Berlin"] == CivilTime(weekday: .monday, minuteOfDay: 30))
        #expect(night["America/New_York"] == CivilTime(weekday: .sunday, minuteOfDay: 18 * 60 + 30))
        #expect(night["Nowhere/Never"] == nil)
        let before = CivilTimes.at(WallTime(milliseconds: 1_774_745_940_000), zones: ["Europe/Berlin"])
        let after = CivilTimes.at(WallTime(milliseconds: 1_774_746_000_000), zones: ["Europe/Berlin"])
        #expect(before["Europe/Berlin"] == CivilTime(weekday: .sunday, minuteOfDay: 119))
        #expect(after["Europe/Berlin"] == CivilTime(weekday: .sunday, minuteOfDay: 180))
        #expect(
            CivilTimes.at(WallTime(milliseconds: -1), zones: ["UTC"])["UTC"]
                == CivilTime(weekday: .wednesday, minuteOfDay: 1439))
    }
}
