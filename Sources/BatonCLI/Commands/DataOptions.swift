internal import ArgumentParser
internal import CallModel
internal import FoundationEssentials
internal import Inspection
internal import Ledger

/// The data directory that an offline command looks into.
struct DataOptions: ParsableArguments {
    @Option(help: ArgumentHelp("The dataDirectory of a side's configuration.", valueName: "directory"))
    var data: String

    var files: SideFiles {
        SideFiles(directory: data.count > 1 && data.hasSuffix("/") ? String(data.dropLast()) : data)
    }
}

/// Runs an inspection; its fault becomes the command's end: 1 for damage, 5 for what must not or cannot be done.
func offline<Value>(_ body: () throws(InspectionFault) -> Value) throws(CommandFailure) -> Value {
    do throws(InspectionFault) { return try body() } catch {
        if case .unknownCall = error { throw CommandFailure(.refused, "\(error)") }
        throw CommandFailure(error.isDamage ? .failed : .refused, "\(error)")
    }
}

/// RFC 3339 in UTC, as all commands print it: `2026-11-22T10:00:00Z`, with or without a fraction.
func wallTime(_ text: String, option: String) throws(CommandFailure) -> WallTime {
    let styles = [Date.ISO8601FormatStyle(includingFractionalSeconds: true), Date.ISO8601FormatStyle()]
    for style in styles {
        // The other style may fit.
        if let date = try? Date(text, strategy: style) {
            return WallTime(milliseconds: Int64((date.timeIntervalSince1970 * 1000).rounded()))
        }
    }
    throw CommandFailure(.usage, "\(option) \"\(text)\" is no time like 2026-11-22T10:00:00Z")
}

extension JSONValue {
    /// What an inspection shows.
    init(_ group: ShownGroup) { self = .object(group.members.map { JSONMember($0.name, JSONValue($0.value)) }) }

    init(_ shown: Shown) {
        switch shown {
        case .text(let text): self = .string(text)
        case .number(let number): self = .integer(number)
        case .flag(let flag): self = .bool(flag)
        case .list(let elements): self = .array(elements.map { JSONValue($0) })
        case .group(let group): self = JSONValue(group)
        }
    }

    /// A journey as a side answers it over HTTP.
    init(_ journey: JourneyFromLog) {
        self = .object(
            ("callKey", .string("\(journey.callKey)")), ("sequence", .integer(journey.position.sequence.number)),
            (
                "events",
                .array(
                    journey.rows.map { row in
                        .object(
                            ("at", .string("\(row.at)")), ("kind", .string("\(row.kind)")),
                            ("dialog", row.dialog.map { .string("\($0)") }),
                            ("reservation", row.reservation.map { .string("\($0)") }),
                            (
                                "details",
                                .array(
                                    row.details.map {
                                        .object(("name", .string($0.name)), ("text", .string($0.text)))
                                    })
                            ))
                    })
            ), ("legs", .array(journey.legs.map { .string($0.text) })))
    }
}

extension Shown {
    /// On one line: `name=value name=value`.
    var line: String {
        switch self {
        case .text(let text): text
        case .number(let number): String(number)
        case .flag(let flag): flag ? "yes" : "no"
        case .list(let elements): "[" + elements.map(\.line).joined(separator: ", ") + "]"
        case .group(let group):
            group.members.map { member in
                if case .group = member.value {
                    "\(member.name)={\(member.value.line)}"
                } else {
                    "\(member.name)=\(member.value.line)"
                }
            }.joined(separator: " ")
        }
    }
}
