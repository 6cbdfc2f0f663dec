/// What a side answered.
package struct SideAnswer: Sendable {
    package let status: Int
    package let body: [UInt8]

    package init(status: Int, body: [UInt8]) {
        self.status = status
        self.body = body
    }

    package var succeeded: Bool { (200..<300).contains(status) }
    package var text: String { String(decoding: body, as: UTF8.self) }
}

/// One keep-alive connection to a running side. Requests on it go one after another.
package protocol SideClient: Sendable {
    /// Any answer is a result, also a refusal; throws when there is none.
    func ask(_ method: String, _ path: String, body: [UInt8]?) async throws(CommandFailure) -> SideAnswer
    func close() async
}

extension SideClient {
    package func ask(_ method: String, _ path: String, body: JSONValue? = nil) async throws(CommandFailure)
        -> SideAnswer
    {
        try await ask(method, path, body: body.map { Array($0.compact.utf8) })
    }

    /// The JSON of a successful answer; a refusal is thrown as its sentence.
    package func fetch(_ method: String, _ path: String, body: JSONValue? = nil) async throws(CommandFailure)
        -> JSONValue
    {
        let answer = try await ask(method, path, body: body)
        guard answer.succeeded else { throw Problem(answer).failure }
        if answer.body.isEmpty { return .object([]) }
        do { return try JSONValue(parsing: answer.body) } catch {
            throw CommandFailure(.failed, "the side answered \(answer.status) with a body that is \(error)")
        }
    }
}

/// Where a side listens: `http://host:port`.
package struct SideURL: Hashable, Sendable, CustomStringConvertible {
    package let host: String
    package let port: Int

    package init(parsing text: String) throws(CommandFailure) {
        guard text.hasPrefix("http://") else {
            throw CommandFailure(
                .usage, "the URL \"\(text)\" must begin with http:// (for example http://127.0.0.1:7080)")
        }
        var rest = text.dropFirst("http://".count)
        if rest.last == "/" { rest = rest.dropLast() }
        let bracket = rest.lastIndex(of: "]") ?? rest.startIndex
        if let colon = rest[bracket...].lastIndex(of: ":") {
            guard let number = UInt16(rest[rest.index(after: colon)...]), number > 0 else {
                throw CommandFailure(.usage, "the URL \"\(text)\" has no port from 1 to 65535 after its colon")
            }
            port = Int(number)
            rest = rest[..<colon]
        } else {
            port = 80
        }
        if rest.first == "[", rest.last == "]" { rest = rest.dropFirst().dropLast() }
        guard !rest.isEmpty, !rest.contains("/") else {
            throw CommandFailure(.usage, "the URL \"\(text)\" must be http://host:port, without a path")
        }
        host = String(rest)
    }

    package var description: String { host.contains(":") ? "http://[\(host)]:\(port)" : "http://\(host):\(port)" }
}

/// Text within a path or a query, percent-encoded.
package func percentEncoded(_ text: String) -> String {
    var out = ""
    for byte in text.utf8 {
        switch byte {
        case 48...57, 65...90, 97...122, 0x2D, 0x2E, 0x5F, 0x7E: out.unicodeScalars.append(Unicode.Scalar(byte))
        default:
            let digits = String(byte, radix: 16, uppercase: true)
            out += digits.count == 1 ? "%0" + digits : "%" + digits
        }
    }
    return out
}
