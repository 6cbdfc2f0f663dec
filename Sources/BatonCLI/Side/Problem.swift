/// A side's refusal (`application/problem+json`), told in one sentence.
package struct Problem: Sendable {
    package let code: String
    package let sentence: String

    package init(_ answer: SideAnswer) {
        let body: JSONValue
        do { body = try JSONValue(parsing: answer.body) } catch {
            // Not from our routes: some proxy's page, or a wrong URL. Its status is all that can be told.
            let detail = "the answer was HTTP \(answer.status) and no problem report; is this the URL of a Baton side?"
            body = .object(("detail", .string(detail)))
        }
        self.init(status: answer.status, body: body)
    }

    package init(status: Int, body: JSONValue) {
        code = body["code"]?.text ?? ""
        var text = body["detail"]?.text ?? body["title"]?.text ?? "HTTP \(status)"
        switch code {
        case "stray":
            if let route = body["defaultRoute"]?.text, !route.isEmpty {
                text += "; the call goes to the default route \(route)"
            }
        case "exhausted":
            if let next = body["nextFreeAt"]?.text { text += "; the next falls free at \(next)" }
        default: break
        }
        sentence = code.isEmpty || text.hasPrefix(code) ? text : "\(code): \(text)"
    }

    package var failure: CommandFailure { CommandFailure(CommandStatus(problemCode: code), sentence) }
}
