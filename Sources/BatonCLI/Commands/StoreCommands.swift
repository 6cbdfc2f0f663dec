internal import ArgumentParser
internal import CallModel
internal import ContextStore
internal import Inspection
internal import Ledger

struct StoreCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "store", abstract: "Look into the store of a data directory, and rebuild it.",
        discussion: """
            verify, digest, dump and snapshot work beside a running side; they show what LMDB holds, some seconds behind.
            """,
        subcommands: [
            StoreVerifyCommand.self, StoreDigestCommand.self, StoreDumpCommand.self, StoreSnapshotCommand.self,
            StoreRestoreCommand.self, StoreVerifyChildCommand.self,
        ])
}

struct StoreVerifyCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "verify", abstract: "Read every value of the store and check it.",
        discussion: """
            The store is read by a child process, since a damaged file can kill its reader. Exit code 0: sound, or there \
            is none. 1: damaged. 5: it cannot be read here (a newer format, no right to read it).

            EXAMPLE
              baton store verify --data data
            """)

    @OptionGroup var data: DataOptions
    @OptionGroup var output: OutputOptions

    func run() async throws {
        let verdict = StoreInspection.verify(data.files)
        let (sound, next) = Self.meaning(of: verdict, data.data)
        if output.output == .json {
            Terminal.write(
                JSONValue.object(
                    ("sound", .bool(sound == .ok)), ("found", .string("\(verdict)")), ("next", .string(next))
                ).pretty)
        } else {
            Terminal.write("\(verdict)\n\(next)")
        }
        if sound != .ok { throw CommandFailure(sound, "the store is not sound") }
    }

    private static func meaning(of verdict: StoreVerdict, _ data: String) -> (CommandStatus, String) {
        switch verdict {
        case .sound: (.ok, "Nothing was changed, and nothing need be done.")
        case .absent:
            (.ok, "Nothing was changed. The next start, or baton store restore --data \(data), builds the store.")
        case .damaged:
            (
                .failed,
                "Nothing was changed. The next start moves the store aside and rebuilds it from the newest good snapshot "
                    + "and the log; so does baton store restore --data \(data) while no side runs."
            )
        case .refused: (.refused, "Nothing was changed.")
        }
    }
}

/// The child of `verify` and of a side's start: how it ends is its verdict.
struct StoreVerifyChildCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(commandName: "verify-child", shouldDisplay: false)

    @Argument var path: String

    func run() async throws {
        let verdict = StoreVerdict.reading(path)
        Terminal.write("\(verdict)")
        if verdict.exitCode != 0 { throw ExitCode(verdict.exitCode) }
    }
}

struct StoreDigestCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "digest", abstract: "Where the store stands, and the digest there.",
        discussion: """
            Equal sequences of one log have equal digests, on both sides and after every restore.

            EXAMPLE
              baton store digest --data data -o json
            """)

    @OptionGroup var data: DataOptions
    @OptionGroup var output: OutputOptions

    func run() async throws {
        let (identity, state, usage) = try offline { () throws(InspectionFault) in try StoreInspection.state(data.files)
        }
        let digest = zip(StoreTable.digested, state.digest.sums).map { JSONMember("\($0)", .string("\($1)")) }
        let value = JSONValue.object(
            ("pairID", .string("\(identity.pairID)")), ("side", .string(identity.side.rawValue)),
            ("epoch", .integer(state.position.epoch)), ("sequence", .integer(state.position.sequence.number)),
            ("chain", .string("\(state.position.chain)")), ("at", .string("\(state.time.wall)")),
            ("digest", .object(digest)), ("usedBytes", .integer(usage.usedBytes)),
            ("mapBytes", .integer(usage.mapBytes)))
        output.print(value, table: Rendering.record)
    }
}

struct StoreDumpCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "dump",
        abstract: "All rows, sorted by table and key, one a line; personal fields masked unless asked for.",
        discussion: """
            EXAMPLES
              baton store dump --data data --table contexts
              baton store dump --data data -o json --personal
            """)

    @OptionGroup var data: DataOptions
    @OptionGroup var output: OutputOptions

    @Option(
        name: .customLong("table"),
        help: ArgumentHelp(
            "Of this table only; may be repeated: pools, reservations, requests, dialogs, strays, contexts, journeys, legs, meta.",
            valueName: "table"))
    var names: [String] = []
    @Flag(help: "Show personal and payment values.") var personal = false

    func run() async throws {
        var tables: [StoreTable] = []
        for name in names {
            guard let table = StoreTable.allCases.first(where: { $0.description == name }) else {
                let known = StoreTable.allCases.map(\.description).joined(separator: ", ")
                throw CommandFailure(.usage, "--table \"\(name)\" is none of \(known)")
            }
            tables.append(table)
        }
        let format = output.output
        var count = 0
        try offline { () throws(InspectionFault) in
            try StoreInspection.dump(
                data.files, tables: tables.isEmpty ? StoreTable.allCases : tables, personal: personal ? .shown : .masked
            ) { row in
                count += 1
                Terminal.write(format == .json ? JSONValue(row).compact : Table.printable(Shown.group(row).line))
            }
        }
        Terminal.note("\(count) rows")
    }
}

struct StoreSnapshotCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "snapshot",
        abstract: "Write a snapshot of the store into the data directory; the two newest are kept.",
        discussion: """
            EXAMPLE
              baton store snapshot --data data
            """)

    @OptionGroup var data: DataOptions
    @OptionGroup var output: OutputOptions

    func run() async throws {
        let summary = try offline { () throws(InspectionFault) in try StoreInspection.snapshot(data.files) }
        let value = JSONValue.object(
            ("snapshot", .string(summary.path)), ("rows", .integer(summary.rows)),
            ("sequence", .integer(summary.state.position.sequence.number)),
            ("at", .string("\(summary.state.time.wall)")))
        output.print(value) { _ in
            "\(summary.path): \(summary.rows) rows at \(summary.state.position).\n"
                + "A restore from it needs the log from sequence \(summary.state.position.sequence.next) on."
        }
    }
}

struct StoreRestoreCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "restore", abstract: "Rebuild the store from the newest good snapshot and the log.",
        discussion: """
            Without --to: rebuilds DATA/store to the log's end, while no side runs; the store that was there is moved \
            aside (store.aside-N). With --to: makes a new data directory that stands at --sequence or --time, to look \
            into or to serve from; the source is not changed and may be in use. Everything later is missing there.

            EXAMPLES
              baton store restore --data data
              baton store restore --data data --to data-ten --time 2026-11-22T10:00:00Z
              baton store restore --data data --to data-4711 --sequence 4711
            """)

    @OptionGroup var data: DataOptions
    @OptionGroup var output: OutputOptions

    @Option(help: ArgumentHelp("A data directory that does not exist yet.", valueName: "directory")) var to: String?
    @Option(help: "Stand there; within a batch, at the end of the batch before.") var sequence: UInt64?
    @Option(help: "Stand where the log stood then.") var time: String?
    @Option(help: ArgumentHelp("The store's map, as store.mapBytes in the configuration.", valueName: "bytes"))
    var mapBytes: Int?

    func run() async throws {
        if to == nil && (sequence != nil || time != nil) {
            throw CommandFailure(
                .usage,
                "--sequence and --time need --to: a store behind its log is brought to the log's end by the next start")
        }
        if sequence != nil && time != nil { throw CommandFailure(.usage, "give --sequence or --time, not both") }
        var settings = StoreConfiguration()
        if let mapBytes { settings.mapBytes = mapBytes }
        let limit = try limit()
        let restored = try offline { () throws(InspectionFault) in
            guard let to else { return try StoreRestoring.rebuild(data.files, configuration: settings) }
            return try StoreRestoring.restore(
                data.files, until: limit, to: SideFiles(directory: to), incarnation: .random(in: 1 ... .max),
                configuration: settings)
        }
        output.print(Self.json(restored)) { _ in Self.rendered(restored, to: to) }
    }

    private func limit() throws(CommandFailure) -> ReplayLimit {
        if let sequence { return .sequence(LogSequence(sequence)) }
        if let time { return .wall(try wallTime(time, option: "--time")) }
        return .end
    }

    static func json(_ restored: RestoredStore) -> JSONValue {
        .object(
            ("store", .string(restored.path)), ("sequence", .integer(restored.state.position.sequence.number)),
            ("at", .string("\(restored.state.time.wall)")), ("snapshot", restored.snapshot.map { .string($0.path) }),
            ("replayed", .integer(restored.records)), ("movedAside", restored.aside.map { .string($0) }),
            ("notes", .array(restored.notes.map { .string($0) })))
    }

    private static func rendered(_ restored: RestoredStore, to target: String?) -> String {
        var lines = restored.notes
        lines.append(
            "built from " + (restored.snapshot.map { "\($0.path) and " } ?? "")
                + "\(restored.records) records of the log, and verified: \(restored.path) stands at \(restored.state.position)"
        )
        if let aside = restored.aside {
            lines.append("The store that was there is now \(aside); remove it when nobody needs it.")
        }
        if let target {
            lines.append(
                "Next: a side with dataDirectory \(target) serves from there, without anything later. "
                    + "Stop the one that runs on the source first.")
        } else {
            lines.append("Next: start the side.")
        }
        return lines.joined(separator: "\n")
    }
}
