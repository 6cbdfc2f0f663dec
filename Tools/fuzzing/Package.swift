// swift-tools-version: 6.2
// The decoders of Baton under libFuzzer: `Tools/fuzz` builds and runs this. `Sources` is a link to those of Baton.

import PackageDescription

let strict: [SwiftSetting] = [
    .swiftLanguageMode(.v6),
    .enableUpcomingFeature("ExistentialAny"),
    .enableUpcomingFeature("MemberImportVisibility"),
    .enableUpcomingFeature("InternalImportsByDefault"),
    .treatAllWarnings(as: .error),
]

let nio: Target.Dependency = .product(name: "NIOCore", package: "swift-nio")
let nioPosix: Target.Dependency = .product(name: "NIOPosix", package: "swift-nio")
let nioHTTP1: Target.Dependency = .product(name: "NIOHTTP1", package: "swift-nio")
let logging: Target.Dependency = .product(name: "Logging", package: "swift-log")
let protobuf: Target.Dependency = .product(name: "SwiftProtobuf", package: "swift-protobuf")
let yams: Target.Dependency = .product(name: "Yams", package: "Yams")

func part(_ name: String, _ dependencies: [Target.Dependency], settings: [SwiftSetting] = []) -> Target {
    .target(name: name, dependencies: dependencies, swiftSettings: strict + settings)
}

let package = Package(
    name: "baton-fuzzing",
    dependencies: [
        .package(url: "https://github.com/apple/swift-nio", from: "2.101.2"),
        .package(url: "https://github.com/apple/swift-log", from: "1.16.2"),
        .package(url: "https://github.com/apple/swift-protobuf", from: "1.39.0", traits: []),
        .package(url: "https://github.com/jpsim/Yams", from: "6.2.2"),
    ],
    targets: [
        part("ByteCoding", []),
        part("CallModel", ["ByteCoding"]),
        .systemLibrary(name: "CLMDB", pkgConfig: "lmdb", providers: [.apt(["liblmdb-dev"])]),
        part("Ledger", ["ByteCoding", "CallModel"]),
        part("Routing", ["ByteCoding", "CallModel"]),
        part("INCRP", ["CallModel"]),
        part("LMDB", ["CLMDB"], settings: [.strictMemorySafety()]),
        part("ContextStore", ["ByteCoding", "CallModel", "Ledger", "LMDB"]),
        part("Transport", ["CallModel", "INCRP", nio, nioPosix, nioHTTP1, logging, protobuf]),
        part("ConfigurationFiles", ["CallModel", "Ledger", "INCRP", "Routing", yams]),
        part(
            "Fuzzing",
            [
                "ByteCoding", "CallModel", "Ledger", "Routing", "INCRP", "ContextStore", "Transport",
                "ConfigurationFiles",
            ]),
        .executableTarget(
            name: "fuzz", dependencies: ["Fuzzing"], path: "Runner", swiftSettings: strict,
            linkerSettings: [.unsafeFlags(["-sanitize=fuzzer"])]),
    ]
)
