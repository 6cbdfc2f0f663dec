/// How the program ends. The numbers are documented in `baton help` and README.md: scripts rely on them.
package enum CommandStatus: Int32, Sendable, CaseIterable {
    case ok = 0
    case failed = 1
    case usage = 2
    case stray = 3
    case exhausted = 4
    case refused = 5
    case unavailable = 6

    package var meaning: String {
        switch self {
        case .ok: "done"
        case .failed: "failed (an error that is none of the others; `check`: the configuration is refused)"
        case .usage: "the command line is wrong"
        case .stray: "stray: nothing waits on that key for this call"
        case .exhausted: "exhausted: every entry of the translation route is held"
        case .refused: "refused: the request is wrong (refused, conflict, limit, unknown, syntax); nothing was changed"
        case .unavailable: "unavailable or busy, or no side answers at the URL; the same request may be sent again"
        }
    }

    /// By the stable `code` of a side's problem (DESIGN.md, HTTP).
    package init(problemCode: String) {
        switch problemCode {
        case "stray": self = .stray
        case "exhausted": self = .exhausted
        case "unavailable", "busy": self = .unavailable
        case "conflict", "limit", "unknown", "refused", "syntax": self = .refused
        default: self = .failed
        }
    }
}

/// What a command ends with when it does not succeed: one sentence for a person, one number for a script.
package struct CommandFailure: Error, Equatable, Sendable, CustomStringConvertible {
    package let status: CommandStatus
    package let sentence: String

    package init(_ status: CommandStatus, _ sentence: String) {
        self.status = status
        self.sentence = sentence
    }

    package var description: String { sentence }
}
