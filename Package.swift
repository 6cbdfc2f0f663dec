// swift-tools-version: 6.2
// Baton: one program, `baton`; an arrow between targets points down only (ARCHITECTURE.md).

import PackageDescription

let strict: [SwiftSetting] = [
    .swiftLanguageMode(.v6),
    .enableUpcomingFeature("ExistentialAny"),
    .enableUpcomingFeature("MemberImportVisibility"),
    .enableUpcomingFeature("InternalImportsByDefault"),
    .treatAllWarnings(as: .error),
]

/// Release builds keep what is internal visible to the tests that look at wire bytes and HTTP forms from inside.
let testable: [SwiftSetting] = [.unsafeFlags(["-enable-testing"], .when(configuration: .release))]

let nio: Target.Dependency = .product(name: "NIOCore", package: "swift-nio")
let nioPosix: Target.Dependency = .product(name: "NIOPosix", package: "swift-nio")
let nioTLS: Target.Dependency = .product(name: "NIOTLS", package: "swift-nio")
let nioHTTP1: Target.Dependency = .product(name: "NIOHTTP1", package: "swift-nio")
let nioSSL: Target.Dependency = .product(name: "NIOSSL", package: "swift-nio-ssl")
let hummingbird: Target.Dependency = .product(name: "Hummingbird", package: "hummingbird")
let hummingbirdCore: Target.Dependency = .product(name: "HummingbirdCore", package: "hummingbird")
let httpTypes: Target.Dependency = .product(name: "HTTPTypes", package: "swift-http-types")
let logging: Target.Dependency = .product(name: "Logging", package: "swift-log")
let lifecycle: Target.Dependency = .product(name: "ServiceLifecycle", package: "swift-service-lifecycle")
let argumentParser: Target.Dependency = .product(name: "ArgumentParser", package: "swift-argument-parser")
let crypto: Target.Dependency = .product(name: "Crypto", package: "swift-crypto")
let protobuf: Target.Dependency = .product(name: "SwiftProtobuf", package: "swift-protobuf")
let yams: Target.Dependency = .product(name: "Yams", package: "Yams")

func part(_ name: String, _ dependencies: [Target.Dependency], settings: [SwiftSetting] = []) -> Target {
    .target(name: name, dependencies: dependencies, swiftSettings: strict + settings)
}

/// `besides`: files that the tests find by their own path.
func tests(_ name: String, _ dependencies: [Target.Dependency], besides: [String] = []) -> Target {
    .testTarget(name: name, dependencies: dependencies, exclude: besides, swiftSettings: strict)
}

let package = Package(
    name: "baton",
    dependencies: [
        .package(url: "https://github.com/apple/swift-nio", from: "2.101.2"),
        .package(url: "https://github.com/apple/swift-nio-ssl", from: "2.37.6"),
        .package(url: "https://github.com/hummingbird-project/hummingbird", from: "2.28.1", traits: []),
        .package(url: "https://github.com/apple/swift-http-types", from: "1.8.0", traits: []),
        .package(url: "https://github.com/apple/swift-log", from: "1.16.2"),
        .package(url: "https://github.com/swift-server/swift-service-lifecycle", from: "2.13.0"),
        .package(url: "https://github.com/apple/swift-argument-parser", from: "1.8.2"),
        .package(url: "https://github.com/apple/swift-crypto", from: "4.5.2"),
        .package(url: "https://github.com/apple/swift-protobuf", from: "1.39.0", traits: []),
        .package(url: "https://github.com/jpsim/Yams", from: "6.2.2"),
    ],
    targets: [
        // Level 0: values.
        part("ByteCoding", []),
        part("CallModel", ["ByteCoding"]),
        part("StrictJSON", []),
        .systemLibrary(name: "CLMDB", pkgConfig: "lmdb", providers: [.apt(["liblmdb-dev"])]),
        // Level 1: pure parts, and the binding to LMDB.
        part("Ledger", ["ByteCoding", "CallModel"]),
        part("Routing", ["ByteCoding", "CallModel"]),
        part("INCRP", ["CallModel"]),
        part("Duplex", ["ByteCoding", "CallModel"]),
        part("LMDB", ["CLMDB"], settings: [.strictMemorySafety()]),
        // Level 2: what is durable.
        part("WriteAheadLog", ["ByteCoding", "CallModel", crypto]),
        part("ContextStore", ["ByteCoding", "CallModel", "Ledger", "LMDB"]),
        // Level 3: the only way to change state.
        part("ReplicatedLedger", ["ByteCoding", "CallModel", "Ledger", "Duplex", "WriteAheadLog", "ContextStore"]),
        part("Inspection", ["ByteCoding", "CallModel", "Ledger", "WriteAheadLog", "ContextStore"]),
        // Level 4: sockets and files.
        part("Transport", ["CallModel", "INCRP", nio, nioPosix, nioHTTP1, logging, protobuf], settings: testable),
        part(
            "Witnesses",
            ["ByteCoding", "ReplicatedLedger", "StrictJSON", nio, nioPosix, nioTLS, nioHTTP1, nioSSL, logging],
            settings: testable),
        part("PrivateLink", ["ReplicatedLedger", nio, nioPosix, logging], settings: testable),
        part("ConfigurationFiles", ["CallModel", "Ledger", "INCRP", "Routing", yams]),
        // Level 5: services.
        part(
            "CallRouter", ["CallModel", "Ledger", "Routing", "INCRP", "ReplicatedLedger", logging], settings: testable),
        part("PeripheralGateway", ["CallModel", "Ledger", "ReplicatedLedger"]),
        part("Console", ["ByteCoding", "CallModel", "ContextStore", "Ledger", "INCRP", "ReplicatedLedger"]),
        // Level 6: the HTTP contract over the services.
        part(
            "HTTPFront",
            [
                "CallModel", "Ledger", "ReplicatedLedger", "CallRouter", "PeripheralGateway", "Console", "StrictJSON",
                hummingbird, hummingbirdCore, httpTypes, nio, logging, lifecycle,
            ], settings: testable),
        // Level 7: one side, wired; and what drills it from outside.
        part(
            "Drills", ["CallModel", "ContextStore", "Ledger", "Transport", "WriteAheadLog", nio, nioPosix],
            settings: testable),
        part(
            "Node",
            [
                "CallModel", "Ledger", "Routing", "INCRP", "WriteAheadLog", "ContextStore", "ReplicatedLedger",
                "Inspection",
                "Transport", "Witnesses", "PrivateLink", "ConfigurationFiles", "CallRouter", "PeripheralGateway",
                "Console", "HTTPFront",
                "ByteCoding",
                nio, nioPosix, logging, lifecycle,
            ]),
        // Level 8: the program, and what proves it.
        part(
            "BatonCLI",
            [
                "ByteCoding", "CallModel", "Ledger", "WriteAheadLog", "ContextStore", "Inspection",
                "ConfigurationFiles", "Node",
                "Drills", "StrictJSON", "Transport", "Witnesses", nioPosix, logging, argumentParser,
            ]),
        .executableTarget(name: "baton", dependencies: ["BatonCLI", argumentParser], swiftSettings: strict),
        part(
            "Simulation",
            ["ByteCoding", "CallModel", "Ledger", "Duplex", "WriteAheadLog", "ContextStore", "ReplicatedLedger"]),
        part(
            "Fuzzing",
            [
                "ByteCoding", "CallModel", "Ledger", "Routing", "INCRP", "ContextStore", "Transport",
                "ConfigurationFiles",
            ],
            settings: testable),
        part("LedgerDouble", ["ByteCoding", "CallModel", "ContextStore", "Ledger", "ReplicatedLedger"]),
        // Level 9: a program over what proves it.
        .executableTarget(name: "simulate", dependencies: ["Simulation", argumentParser], swiftSettings: strict),

        tests("ByteCodingTests", ["ByteCoding"]),
        tests("CallModelTests", ["ByteCoding", "CallModel"]),
        tests("StrictJSONTests", ["StrictJSON"]),
        tests("LedgerTests", ["ByteCoding", "CallModel", "Ledger"]),
        tests("RoutingTests", ["CallModel", "Routing"]),
        tests("INCRPTests", ["CallModel", "INCRP"]),
        tests("DuplexTests", ["Duplex"]),
        tests("LMDBTests", ["LMDB"]),
        tests(
            "WriteAheadLogTests", ["ByteCoding", "CallModel", "WriteAheadLog", "Simulation"], besides: ["format.golden"]
        ),
        tests("ContextStoreTests", ["ByteCoding", "CallModel", "Ledger", "LMDB", "ContextStore", "Simulation"]),
        tests(
            "ReplicatedLedgerTests",
            [
                "ByteCoding", "CallModel", "Duplex", "Ledger", "WriteAheadLog", "ContextStore", "ReplicatedLedger",
                "Simulation",
            ]),
        tests(
            "InspectionTests",
            ["ByteCoding", "CallModel", "Ledger", "WriteAheadLog", "ContextStore", "ReplicatedLedger", "Inspection"]),
        tests("FuzzCorpusTests", ["Fuzzing"], besides: ["Corpus"]),
        tests(
            "TransportTests",
            ["CallModel", "INCRP", "Transport", nio, nioPosix, nioHTTP1, logging, protobuf]),
        tests("PrivateLinkTests", ["PrivateLink", nio, nioPosix, logging]),
        tests("WitnessesTests", ["ByteCoding", "Witnesses", nio, nioPosix, nioHTTP1, logging]),
        tests(
            "ConfigurationFilesTests", ["CallModel", "Ledger", "INCRP", "Routing", "ConfigurationFiles"],
            besides: ["Samples", "schema_verdicts.py"]),
        tests(
            "CallRouterTests",
            [
                "CallModel", "Ledger", "Routing", "INCRP", "ContextStore", "ReplicatedLedger", "CallRouter",
                "LedgerDouble",
                logging,
            ]),
        tests(
            "PeripheralGatewayTests", ["CallModel", "Ledger", "ReplicatedLedger", "PeripheralGateway", "LedgerDouble"]),
        tests(
            "HTTPFrontTests",
            [
                "CallModel", "Ledger", "INCRP", "ReplicatedLedger", "CallRouter", "PeripheralGateway", "Console",
                "HTTPFront",
                "LedgerDouble", "StrictJSON", hummingbird, logging, lifecycle,
            ]),
        tests("ConsoleTests", ["CallModel", "Ledger", "INCRP", "ReplicatedLedger", "Console", "LedgerDouble"]),
        tests("SimulationTests", ["Simulation"], besides: ["failed-seeds.txt"]),
        tests("DrillTests", ["CallModel", "Drills", "Simulation", "WriteAheadLog"]),
        tests("BatonTests", ["BatonCLI"]),
        tests("HouseTests", []),
        tests(
            "ScenarioTests",
            ["CallModel", "ConfigurationFiles", "Transport", "Node", logging, nioPosix]),
    ]
)
