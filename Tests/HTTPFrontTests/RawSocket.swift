import Foundation
import Glibc
import StrictJSON
import Testing

@testable import HTTPFront

/// One blocking exchange over TCP, so that a test can also send what no HTTP library would.
enum RawSocket {
    struct Fault: Error { let call: String }

    static func exchange(_ bytes: [UInt8], port: Int) throws -> [UInt8] {
        let socket = Glibc.socket(AF_INET, Int32(SOCK_STREAM.rawValue), 0)
        guard socket >= 0 else { throw Fault(call: "socket") }
        defer { close(socket) }
        var seconds = timeval(tv_sec: 10, tv_usec: 0)
        setsockopt(socket, SOL_SOCKET, SO_RCVTIMEO, &seconds, socklen_t(MemoryLayout<timeval>.size))
        var address = sockaddr_in()
        address.sin_family = sa_family_t(AF_INET)
        address.sin_port = in_port_t(port).bigEndian
        address.sin_addr.s_addr = inet_addr("127.0.0.1")
        let connected = withUnsafePointer(to: &address) { pointer in
            pointer.withMemoryRebound(to: sockaddr.self, capacity: 1) {
                connect(socket, $0, socklen_t(MemoryLayout<sockaddr_in>.size))
            }
        }
        guard connected == 0 else { throw Fault(call: "connect") }
        var rest = bytes[...]
        while !rest.isEmpty {
            let sent = rest.withUnsafeBytes { Glibc.send(socket, $0.baseAddress, $0.count, Int32(MSG_NOSIGNAL)) }
            // A server that has refused may have closed: what it said is read below.
            if sent <= 0 { break }
            rest = rest.dropFirst(sent)
        }
        var received: [UInt8] = []
        var buffer = [UInt8](repeating: 0, count: 65536)
        while true {
            let count = recv(socket, &buffer, buffer.count, 0)
            if count < 0 && received.isEmpty { throw Fault(call: "recv") }
            if count <= 0 { return received }
            received += buffer[..<count]
        }
    }
}

struct RawAnswer: Sendable {
    let status: Int
    /// Names in lower case.
    let headers: [String: String]
    let body: [UInt8]

    init(_ bytes: [UInt8]) throws {
        let end = try #require(bytes.firstRange(of: Array("\r\n\r\n".utf8)))
        let lines = String(decoding: bytes[..<end.lowerBound], as: UTF8.self).components(separatedBy: "\r\n")
        status = try #require(Int(lines[0].split(separator: " ")[1]))
        var headers: [String: String] = [:]
        for line in lines.dropFirst() {
            let parts = line.split(separator: ":", maxSplits: 1)
            headers[parts[0].lowercased()] = parts[1].trimmingCharacters(in: .whitespaces)
        }
        self.headers = headers
        body = Array(bytes[end.upperBound...])
    }

    var text: String { String(decoding: body, as: UTF8.self) }

    var json: JSONValue { get throws { try JSONValue(parsing: body) } }

    /// A field of the body as text, whatever its kind.
    subscript(_ path: String...) -> String? {
        guard var value = try? JSONValue(parsing: body) else { return nil }
        for name in path {
            guard case .object(let fields) = value, let field = fields.first(where: { $0.name == name }) else {
                return nil
            }
            value = field.value
        }
        switch value {
        case .string(let text), .number(let text): return text
        case .bool(let flag): return String(flag)
        default: return String(decoding: value.bytes, as: UTF8.self)
        }
    }
}
