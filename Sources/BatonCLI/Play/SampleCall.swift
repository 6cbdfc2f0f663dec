internal import CallModel

/// One row of the sample calls: what is asked, what must be answered, and what the ACD must then find. The columns
/// are explained at the head of `Tools/samples/calls.csv`.
package struct SampleCall: Sendable {
    package enum Ask: String, Sendable, CaseIterable {
        case route
        case transferLocal = "transfer-local"
        case transferNetwork = "transfer-network"
        case transferWithoutFlag = "transfer-without-flag"
        case reserve
    }

    package enum Expectation: Hashable, Sendable {
        /// `X` in the pattern stands for a digit.
        case label(pattern: String, type: String, source: String)
        /// A problem's code.
        case refusal(code: String)
    }

    /// Where the network brings a call with this label.
    package struct Destination: Hashable, Sendable {
        package let side: String
        package let peripheral: String
        package let trunkGroup: String
        /// The label's last digits that are the DNIS.
        package let digits: Int
    }

    package enum Step: Hashable, Sendable {
        case claim
        case claimByGET
        /// The claim of the first label, when the call was routed twice.
        case claimFirst
        case again
        case late
        case stray
        case other
        /// As `other`, and with another ANI.
        case foreign
        case hangup
        case release
        case repeatRequest
        case conflict
        case reroute
        case wait(milliseconds: Int)
    }

    package let line: Int
    package let name: String
    package let kind: String
    package let side: String
    package let ask: Ask
    package let client: String
    package let number: String
    package let customer: String?
    package let nicCallID: String?
    package let expectation: Expectation
    package let target: String?
    package let destination: Destination?
    package let steps: [Step]
    package let after: String?
    let context: CallContext
    let expectedContext: CallContext

    package init(_ row: CSV.Row) throws(CommandFailure) {
        func wrong(_ what: String) -> CommandFailure { CommandFailure(.usage, "line \(row.line): \(what)") }
        func optional(_ column: String) -> String? { row[column].isEmpty ? nil : row[column] }
        line = row.line
        name = row["name"]
        kind = row["kind"]
        side = row["asks"]
        guard let ask = Ask(rawValue: row["how"]) else {
            throw wrong("how is \"\(row["how"])\"; it may be \(Ask.allCases.map(\.rawValue).joined(separator: ", "))")
        }
        self.ask = ask
        client = row["client"]
        number = row["number"]
        customer = optional("customer")
        nicCallID = optional("nicCallID")
        target = optional("target")
        after = optional("after")
        if row["label"].hasPrefix("!") {
            expectation = .refusal(code: String(row["label"].dropFirst()))
        } else {
            expectation = .label(pattern: row["label"], type: optional("type") ?? "normal", source: row["source"])
        }
        do {
            var context = CallContext()
            context.ani = optional("ani")
            context.ced = optional("ced")
            context.uui = optional("uui")
            try Self.assign(row["variables"], in: &context)
            self.context = context
            try Self.assign(row["changes"], in: &context)
            expectedContext = context
        } catch { throw wrong("\(error)") }
        destination = try Self.destination(row["arrives"], wrong)
        steps = try Self.steps(row["then"], wrong)
        if name.isEmpty || side.isEmpty || number.isEmpty { throw wrong("name, asks and number must not be empty") }
        let claims: Set<Step> = [.claim, .claimByGET, .claimFirst, .again, .late, .stray, .other, .foreign]
        if destination == nil, steps.contains(where: claims.contains) { throw wrong("it claims, but arrives nowhere") }
    }

    /// Whether the file says that a context is claimed.
    package var expectsClaim: Bool { steps.contains { [.claim, .claimByGET, .claimFirst, .late].contains($0) } }

    package static func matches(_ pattern: String, _ label: String) -> Bool {
        pattern.count == label.count
            && zip(pattern, label).allSatisfy { $0 == "X" ? $1.isASCII && $1.isNumber : $0 == $1 }
    }

    private static func assign(_ cell: String, in context: inout CallContext) throws(FieldFault) {
        for assignment in cell.split(separator: ";") { try ContextJSON.assign(assignment, in: &context) }
    }

    private static func destination(
        _ cell: String, _ wrong: (String) -> CommandFailure
    ) throws(CommandFailure) -> Destination? {
        if cell.isEmpty { return nil }
        let sides = cell.split(separator: ":").map(String.init)
        let parts = sides.count == 2 ? sides[1].split(separator: "/").map(String.init) : []
        guard parts.count == 3, parts[2].allSatisfy({ $0 == "X" }) else {
            throw wrong("arrives is \"\(cell)\"; it must be side:peripheral/trunkGroup/XXXX")
        }
        return Destination(side: sides[0], peripheral: parts[0], trunkGroup: parts[1], digits: parts[2].count)
    }

    private static func steps(_ cell: String, _ wrong: (String) -> CommandFailure) throws(CommandFailure) -> [Step] {
        let words: [String: Step] = [
            "claim": .claim, "get": .claimByGET, "first": .claimFirst, "again": .again, "late": .late, "stray": .stray,
            "other": .other, "foreign": .foreign, "hangup": .hangup, "release": .release, "repeat": .repeatRequest,
            "conflict": .conflict,
            "reroute": .reroute,
        ]
        var steps: [Step] = []
        for word in cell.split(separator: " ") {
            if let step = words[String(word)] {
                steps.append(step)
            } else if word.hasPrefix("wait:"), let milliseconds = Int(word.dropFirst(5)),
                (1...60_000).contains(milliseconds)
            {
                steps.append(.wait(milliseconds: milliseconds))
            } else {
                throw wrong(
                    "then has \"\(word)\"; known are \(words.keys.sorted().joined(separator: ", ")), wait:milliseconds")
            }
        }
        return steps
    }

    /// All rows; names must differ and `after` must name an earlier row.
    package static func all(in text: String) throws(CommandFailure) -> [SampleCall] {
        var calls: [SampleCall] = []
        for row in try CSV(parsing: text).rows {
            let call = try SampleCall(row)
            if calls.contains(where: { $0.name == call.name }) {
                throw CommandFailure(.usage, "line \(row.line): the name \(call.name) was used before")
            }
            if let after = call.after, !calls.contains(where: { $0.name == after }) {
                throw CommandFailure(.usage, "line \(row.line): after names \(after), which is no earlier row")
            }
            calls.append(call)
        }
        return calls
    }
}
