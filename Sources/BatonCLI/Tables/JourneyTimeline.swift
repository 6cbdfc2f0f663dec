/// A call's whole way, as a timeline: when, how long after the first event, what, and the particulars.
package enum JourneyTimeline {
    package static func rendered(_ journey: JSONValue, of call: String) -> String {
        let events = Rendering.rows(of: journey)
        guard !events.isEmpty else { return "Nothing is known of \(call)." }
        var table = Table(
            [.init("time"), .init("after", .right), .init("event"), .init("particulars")], empty: "")
        let start = events.first.flatMap(time)
        for event in events {
            table.add([
                event["at"]?.text ?? "-", elapsed(since: start, until: time(of: event)), event["kind"]?.text ?? "-",
                particulars(of: event),
            ])
        }
        var head: [String] = []
        if let key = journey["callKey"]?.text { head.append("call \(key)") }
        let legs = journey["legs"]?.elements.compactMap(\.text) ?? []
        if !legs.isEmpty { head.append("legs " + legs.joined(separator: ", ")) }
        return (head.isEmpty ? "" : head.joined(separator: "; ") + "\n") + table.rendered
    }

    /// Milliseconds within the day of an RFC 3339 time, and its date.
    private static func time(of event: JSONValue) -> (day: Substring, milliseconds: Int)? {
        guard let text = event["at"]?.text, let separator = text.firstIndex(of: "T") else { return nil }
        let clock = text[text.index(after: separator)...].prefix { $0.isNumber || $0 == ":" || $0 == "." }
        let parts = clock.split(whereSeparator: { $0 == ":" || $0 == "." }).map(String.init)
        guard parts.count >= 3, let hours = Int(parts[0]), let minutes = Int(parts[1]), let seconds = Int(parts[2])
        else { return nil }
        let fraction = parts.count > 3 ? Int((parts[3] + "000").prefix(3)) ?? 0 : 0
        return (text[..<separator], ((hours * 60 + minutes) * 60 + seconds) * 1000 + fraction)
    }

    private static func elapsed(
        since start: (day: Substring, milliseconds: Int)?, until end: (day: Substring, milliseconds: Int)?
    ) -> String {
        guard let start, let end else { return "" }
        // Over midnight the difference of the clock alone is wrong by the day; a call does not last two of them.
        let difference = end.milliseconds - start.milliseconds + (start.day == end.day ? 0 : 86_400_000)
        return difference < 1000 ? "+\(difference) ms" : "+\(difference / 1000).\(padded(difference % 1000)) s"
    }

    private static func padded(_ milliseconds: Int) -> String {
        let digits = String(milliseconds)
        return String(repeating: "0", count: 3 - digits.count) + digits
    }

    private static func particulars(of event: JSONValue) -> String {
        var parts: [String] = []
        func add(_ name: String, _ value: JSONValue?) {
            if let text = value?.text, !text.isEmpty { parts.append("\(name) \(text)") }
        }
        add("dialog", event["dialog"])
        add("reservation", event["reservation"])
        switch event["details"] {
        case .object(let members)?: for member in members { add(member.name, member.value) }
        case .array(let elements)?: for element in elements { add(element["name"]?.text ?? "", element["text"]) }
        default: break
        }
        return parts.joined(separator: ", ")
    }
}
