internal import CallModel
internal import PeripheralGateway
internal import StrictJSON

/// An error as clients see it: `application/problem+json` (RFC 9457) with a stable `code`.
/// Invariant: no value of a call context stands in it.
struct Problem: Error, Equatable {
    static let contentType = "application/problem+json"

    var status: Int
    var code: RefusalCode
    var detail: String
    /// The field of the request that is wrong.
    var field: String?
    /// What the field may have at most.
    var limit: Int?
    /// The name that was probably meant.
    var nearest: String?
    /// A stray call's way on.
    var defaultRoute: String?
    /// Why a call is a stray.
    var why: String?
    /// Entries of the exhausted translation route that are not free.
    var held: Int?
    /// When the next of them falls free at the latest.
    var nextFreeAt: WallTime?
    var retryAfterSeconds: UInt32?
    /// The methods that a path has (405).
    var allowed: [String]?

    init(
        _ code: RefusalCode, _ detail: String, status: Int? = nil, field: String? = nil, limit: Int? = nil,
        nearest: String? = nil, retryAfterSeconds: UInt32? = nil
    ) {
        self.status = status ?? Self.status(of: code)
        self.code = code
        self.detail = detail
        self.field = field
        self.limit = limit
        self.nearest = nearest
        self.retryAfterSeconds = retryAfterSeconds
    }

    static func status(of code: RefusalCode) -> Int {
        switch code {
        case .syntax: 400
        case .refused: 403
        case .stray, .unknown: 404
        case .conflict: 409
        case .limit: 422
        case .exhausted, .unavailable, .busy: 503
        }
    }

    static func title(of code: RefusalCode) -> String {
        switch code {
        case .stray: "Nothing waits for this call"
        case .exhausted: "The translation route has no free entry"
        case .unavailable: "This side cannot serve now"
        case .busy: "New work must wait"
        case .conflict: "The same identity came with other content"
        case .limit: "A value is over its limit"
        case .unknown: "Not known here"
        case .refused: "Not allowed"
        case .syntax: "The request cannot be read"
        }
    }

    var body: JSONValue {
        var fields: [JSONMember] = []
        func add(_ name: String, _ value: JSONValue?) {
            if let value { fields.append(JSONMember(name, value)) }
        }
        add("type", .string("urn:baton:problem:\(code.rawValue)"))
        add("title", .string(Self.title(of: code)))
        add("status", .number(String(status)))
        add("code", .string(code.rawValue))
        add("detail", .string(detail))
        add("field", field.map { .string($0) })
        add("limit", limit.map { .number(String($0)) })
        add("nearest", nearest.map { .string($0) })
        add("defaultRoute", defaultRoute.map { .string($0) })
        add("why", why.map { .string($0) })
        add("held", held.map { .number(String($0)) })
        add("nextFreeAt", nextFreeAt.map { .string($0.description) })
        add("retryAfterSeconds", retryAfterSeconds.map { .number(String($0)) })
        return .object(fields)
    }
}

extension Problem {
    init(_ fault: FieldFault) {
        self.init(fault.refusalCode, fault.description, field: fault.field)
        switch fault.fault {
        case .tooLong(_, let limit): self.limit = limit
        case .undeclared(let nearest): self.nearest = nearest
        default: break
        }
    }

    init(_ fault: JSONFault) { self.init(.syntax, "\(fault.reason), at byte \(fault.offset)") }

    /// A name that is not known, with the nearest one where there is any.
    static func unknown(field: String, name: String, nearest: String?) -> Problem {
        Problem(
            .unknown, "\(field) \(name) is not known" + (nearest.map { "; the nearest name is \($0)" } ?? ""),
            field: field, nearest: nearest)
    }

    init(_ refusal: DeskRefusal) {
        switch refusal {
        case .stray(let stray):
            self.init(.stray, stray.why.sentence)
            defaultRoute = stray.defaultRoute
            why = stray.why.word
        case .exhausted(let exhausted):
            self.init(
                .exhausted,
                "all \(exhausted.held) entries of translation route \(exhausted.translationRoute) are held",
                retryAfterSeconds: exhausted.retryAfterSeconds)
            held = exhausted.held
            nextFreeAt = exhausted.nextFreeAt
        case .unavailable(let reason):
            self.init(.unavailable, reason, retryAfterSeconds: 1)
        case .busy(let reason):
            self.init(.busy, reason, retryAfterSeconds: 1)
        case .conflict(let field, let detail):
            self.init(.conflict, detail, field: field)
        case .unknown(let field, let name, let nearest):
            self = .unknown(field: field, name: name, nearest: nearest)
        case .field(let fault):
            self.init(fault)
        case .tooLarge(let bytes, let limit):
            self.init(.limit, "the request has \(bytes) bytes as a record; the limit is \(limit)", limit: limit)
        case .broken(let reason):
            self.init(.unavailable, reason, status: 500)
        }
    }
}
