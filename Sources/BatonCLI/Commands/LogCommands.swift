internal import ArgumentParser
internal import CallModel
internal import Inspection
internal import WriteAheadLog

struct LogCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "log",
        abstract: "Look into the log of a data directory: stopped, damaged, or beside a running side.",
        subcommands: [LogListCommand.self, LogShowCommand.self, LogVerifyCommand.self])
}

struct LogListCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "list", abstract: "The segments of the log.",
        discussion: """
            EXAMPLE
              baton log list --data data
            """)

    @OptionGroup var data: DataOptions
    @OptionGroup var output: OutputOptions

    func run() async throws {
        let list = try offline { () throws(InspectionFault) in try LogListing.list(data.files) }
        output.print(Self.json(list)) { _ in Self.rendered(list, data.files) }
    }

    static func json(_ list: LogList) -> JSONValue {
        .object(
            ("pairID", list.identity.map { .string("\($0.pairID)") }),
            ("side", list.identity.map { .string($0.side.rawValue) }),
            ("promisedEpoch", list.superblock?.promise.map { .integer($0.epoch) }),
            ("cleanEnd", list.superblock?.cleanEnd.map { .integer($0.sequence.number) }),
            (
                "segments",
                .array(
                    list.segments.map { segment in
                        .object(
                            ("file", .string(segment.file)), ("bytes", .integer(segment.bytes)),
                            ("first", .integer(segment.first.number)),
                            ("last", segment.last.map { .integer($0.number) }),
                            ("since", .string("\(segment.since)")), ("epoch", .integer(segment.epoch)),
                            ("incarnation", .string(String(segment.incarnation, radix: 16))))
                    })
            ), ("spares", .integer(list.spares)), ("notes", .array(list.notes.map { .string($0) })))
    }

    private static func rendered(_ list: LogList, _ files: SideFiles) -> String {
        var table = Table(
            [
                .init("segment"), .init("bytes", .right), .init("first", .right), .init("last", .right), .init("since"),
                .init("epoch", .right),
            ], empty: "The log has no segment yet.")
        for segment in list.segments {
            table.add([
                segment.file, String(segment.bytes), "\(segment.first)", segment.last.map { "\($0)" } ?? "open",
                segment.since == .zero ? "-" : "\(segment.since)", String(segment.epoch),
            ])
        }
        var lines: [String] = []
        if let identity = list.identity { lines.append("pair \(identity.pairID), side \(identity.side.rawValue)") }
        lines.append("\(list.spares) spare segments are ready.")
        lines += list.notes
        lines.append("Next: baton log verify --data \(files.directory)")
        return table.rendered + "\n" + lines.joined(separator: "\n")
    }
}

struct LogShowCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "show", abstract: "The records of the log, one a line; personal fields masked unless asked for.",
        discussion: """
            CALL is a call key (bank-20779-17), the id of any leg, a dialog (D41) or a reservation (R42): shown is what \
            concerns that call. With --call or --key the log is applied from its beginning, or from the newest good \
            snapshot when it was trimmed. Times are RFC 3339 in UTC.

            EXAMPLES
              baton log show --data data --from 100 --to 120
              baton log show --data data --call bank-20779-17 -o json
              baton log show --data data --key hartford-acd/inbound/8001 --since 2026-11-22T10:00:00Z
            """)

    @OptionGroup var data: DataOptions
    @OptionGroup var output: OutputOptions

    @Option(help: "Of this call only.") var call: String?
    @Option(help: ArgumentHelp("Concerning this key only.", valueName: "peripheral/trunk group/DNIS")) var key: String?
    @Option(help: ArgumentHelp("From this sequence on.", valueName: "sequence")) var from: UInt64?
    @Option(help: ArgumentHelp("Up to this sequence.", valueName: "sequence")) var to: UInt64?
    @Option(help: ArgumentHelp("Logged at or after this time.", valueName: "time")) var since: String?
    @Option(help: ArgumentHelp("Logged at or before this time.", valueName: "time")) var until: String?
    @Flag(help: "Show personal and payment values.") var personal = false

    func run() async throws {
        let filter = try filter()
        var count = 0
        let format = output.output
        let notes = try offline { () throws(InspectionFault) in
            try LogListing.show(data.files, filter, personal: personal ? .shown : .masked) { record in
                count += 1
                Terminal.write(format == .json ? JSONValue(record.shown).compact : Self.line(record))
            }
        }
        for note in notes { Terminal.note(note) }
        Terminal.note("\(count) records" + (count == 0 ? ": none fits. baton log list shows what the log holds" : ""))
    }

    private func filter() throws(CommandFailure) -> RecordFilter {
        var filter = RecordFilter()
        filter.call = call
        filter.from = from.map { LogSequence($0) }
        filter.through = to.map { LogSequence($0) }
        filter.since = try since.map { (text) throws(CommandFailure) in try wallTime(text, option: "--since") }
        filter.until = try until.map { (text) throws(CommandFailure) in try wallTime(text, option: "--until") }
        if let key { filter.key = try Self.key(key) }
        return filter
    }

    private static func key(_ text: String) throws(CommandFailure) -> TranslationRouteKey {
        let parts = text.split(separator: "/", omittingEmptySubsequences: false).map(String.init)
        guard parts.count == 3 else {
            throw CommandFailure(
                .usage, "--key \"\(text)\" must be peripheral/trunk group/DNIS, for example acd/inbound/8001")
        }
        do throws(FieldFault) {
            return TranslationRouteKey(
                peripheral: try PeripheralName(parts[0]), trunkGroup: try TrunkGroupName(parts[1]),
                dnis: try DNIS(parts[2]))
        } catch {
            throw CommandFailure(.usage, "--key \"\(text)\": \(error)")
        }
    }

    /// `sequence  time  kind  name=value ...`
    static func line(_ record: ShownRecord) -> String {
        let sequence = "\(record.sequence)"
        let padding = String(repeating: " ", count: max(0, 8 - sequence.count))
        let kind = record.kind + String(repeating: " ", count: max(0, 12 - record.kind.count))
        return Table.printable("\(padding)\(sequence)  \(record.at)  \(kind)  \(Shown.group(record.fields).line)")
    }
}

struct LogVerifyCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "verify", abstract: "Read the whole log and say what a start would decide.",
        discussion: """
            Every segment, header, batch and chain is checked; nothing is changed. Exit code 0: a start would take the \
            log. 1: it is damaged, and the sentence says where and what to do.

            EXAMPLE
              baton log verify --data data
            """)

    @OptionGroup var data: DataOptions
    @OptionGroup var output: OutputOptions

    func run() async throws {
        let verdict = try offline { () throws(InspectionFault) in try LogListing.verify(data.files) }
        output.print(Self.json(verdict)) { _ in Self.rendered(verdict) }
    }

    static func json(_ verdict: LogVerdict) -> JSONValue {
        let report = verdict.report
        return .object(
            ("sound", .bool(true)), ("segments", .integer(report.segments)), ("batches", .integer(report.batches)),
            ("records", .integer(report.records)), ("after", .integer(report.base.sequence.number)),
            ("end", .integer(report.end.sequence.number)), ("epoch", .integer(report.end.epoch)),
            ("chain", .string("\(report.end.chain)")), ("endedAt", .string("\(report.time.wall)")),
            ("notes", .array((verdict.notes + report.notes.map(\.description)).map { .string($0) })))
    }

    private static func rendered(_ verdict: LogVerdict) -> String {
        let report = verdict.report
        var lines = [
            "sound: \(report.records) records in \(report.batches) batches and \(report.segments) segments, after "
                + "sequence \(report.base.sequence), to \(report.end)"
        ]
        if report.batches > 0 { lines.append("last batch at \(report.time.wall)") }
        if verdict.superblock == nil {
            lines.append("the superblock is missing in both copies: a start refuses this log")
        }
        lines += verdict.notes + report.notes.map(\.description)
        lines.append("Nothing was changed; a start takes this log as it is.")
        return lines.joined(separator: "\n")
    }
}
