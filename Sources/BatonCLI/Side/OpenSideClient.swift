internal import NIOPosix
internal import Transport

/// A connection to a side, made when it is first used.
func openSideClient(to url: SideURL, token: String?, timeoutMilliseconds: Int) throws(CommandFailure) -> any SideClient
{
    var headers = [("Accept", "application/json"), ("Content-Type", "application/json")]
    if let token { headers.append(("Authorization", "Bearer \(token)")) }
    // The process's own group: it lives as long as the program, so there is nothing to shut down.
    let client = HTTPClient(
        host: url.host, port: url.port, group: MultiThreadedEventLoopGroup.singleton,
        timeoutMilliseconds: Int64(timeoutMilliseconds))
    return HTTPSideClient(url: url, client: client, headers: headers)
}

private struct HTTPSideClient: SideClient {
    let url: SideURL
    let client: HTTPClient
    let headers: [(String, String)]

    func ask(_ method: String, _ path: String, body: [UInt8]?) async throws(CommandFailure) -> SideAnswer {
        do {
            let reply = try await client.request(method, path, headers: headers, body: body ?? [])
            return SideAnswer(status: reply.status, body: reply.body)
        } catch {
            throw failure(error)
        }
    }

    func close() async { await client.close() }

    private func failure(_ fault: HTTPClientFault) -> CommandFailure {
        switch fault {
        case .refused: CommandFailure(.unavailable, "no side answers at \(url) (connection refused); is it running?")
        case .timedOut:
            CommandFailure(
                .unavailable, "the side at \(url) did not answer in time; the same request may be sent again")
        case .closed:
            CommandFailure(.unavailable, "the side at \(url) closed the connection; the same request may be sent again")
        case .tooLarge, .malformed, .other: CommandFailure(.failed, "talking to \(url): \(fault)")
        }
    }
}
