import BatonCLI
import Testing

@Suite("What a person sees")
struct RenderingTests {
    @Test("a table is aligned under its headers, numbers to the right")
    func table() {
        var table = Table([.init("name"), .init("entries", .right)], empty: "none")
        table.add(["claims-desk", "60"])
        table.add(["x"])
        #expect(table.rendered == "name         entries\n-----------  -------\nclaims-desk       60\nx")
    }

    @Test("an empty table says in words that there is nothing")
    func emptyTable() {
        #expect(
            Rendering.list(.array([]), ListView(empty: "No context waits.", [.init("a", "a")])) == "No context waits.")
    }

    @Test("control characters of a context never reach the terminal")
    func controlCharacters() {
        #expect(Rendering.record(.object(("ced", "1\u{1B}[2J"))) == "ced  1?[2J")
    }

    @Test("a list shows the first name that has a value, and a dash where none has")
    func listFields() {
        let view = ListView(empty: "", [.init("a", "x", "key.y"), .init("b", "z")])
        let rows = JSONValue.object(("items", .array([.object(("key", .object(("y", true))))])))
        #expect(Rendering.list(rows, view).hasSuffix("\nyes  -"))
    }

    @Test("a record shows inner objects under dotted names")
    func record() {
        let answer = JSONValue.object(
            ("label", "95558001"), ("context", .object(("ani", "+49"), ("list", .array(["a", "b"])))))
        #expect(Rendering.record(answer) == "label         95558001\ncontext.ani   +49\ncontext.list  a, b")
    }

    @Test("a journey is a timeline with the time since its first event, also over midnight")
    func journey() {
        func event(_ at: String, _ kind: String, _ details: JSONValue) -> JSONValue {
            .object(("at", .string(at)), ("kind", .string(kind)), ("details", details))
        }
        let journey = JSONValue.object(
            ("callKey", "bank-20779-17"),
            (
                "events",
                .array([
                    event("2026-11-22T23:59:59.900Z", "requested", .object(("routingClient", "carrier"))),
                    event(
                        "2026-11-22T23:59:59.903Z", "reserved", .array([.object(("name", "key"), ("text", "a/b/8001"))])
                    ),
                    event("2026-11-23T00:00:04.000Z", "claimed", .object([])),
                ])
            ))
        let lines = JourneyTimeline.rendered(journey, of: "x").split(separator: "\n").map(String.init)
        #expect(lines[0] == "call bank-20779-17")
        #expect(lines[3].contains("+0 ms  requested  routingClient carrier"))
        #expect(lines[4].contains("+3 ms  reserved   key a/b/8001"))
        #expect(lines[5].contains("+4.100 s  claimed"))
    }

    @Test("a call nobody knows is told in words")
    func unknownJourney() {
        #expect(JourneyTimeline.rendered(.object(("events", .array([]))), of: "x-1") == "Nothing is known of x-1.")
    }
}

@Suite("Refusals on the command line")
struct ProblemTests {
    @Test(
        "each problem code has its documented exit code",
        arguments: [
            ("stray", CommandStatus.stray), ("exhausted", .exhausted), ("unavailable", .unavailable),
            ("busy", .unavailable),
            ("conflict", .refused), ("limit", .refused), ("unknown", .refused), ("refused", .refused),
            ("syntax", .refused),
            ("", .failed),
        ])
    func exitCodes(_ code: String, _ status: CommandStatus) {
        #expect(CommandStatus(problemCode: code) == status)
    }

    @Test("the exit codes' numbers do not change")
    func numbers() {
        #expect(CommandStatus.allCases.map(\.rawValue) == [0, 1, 2, 3, 4, 5, 6])
    }

    @Test("an exhausted pool is told with counts and the next free time in one sentence")
    func exhausted() {
        let body =
            #"{"code":"exhausted","detail":"all 1 entries are held","held":1,"nextFreeAt":"2026-11-22T10:00:00.000Z"}"#
        let failure = Problem(SideAnswer(status: 503, body: Array(body.utf8))).failure
        #expect(failure.status == .exhausted)
        #expect(
            failure.sentence
                == "exhausted: all 1 entries are held; the next falls free at 2026-11-22T10:00:00.000Z"
        )
    }

    @Test("an answer that is no problem report is told as such")
    func notAProblem() {
        let failure = Problem(SideAnswer(status: 502, body: Array("<html>".utf8))).failure
        #expect(failure.status == .failed)
        #expect(failure.sentence.contains("HTTP 502"))
    }

    @Test("a URL without http://, with a bad port or a path is refused as usage")
    func urls() throws {
        #expect(try SideURL(parsing: "http://127.0.0.1:7080/").port == 7080)
        #expect(try SideURL(parsing: "http://[::1]:7081").host == "::1")
        #expect(try SideURL(parsing: "http://side").port == 80)
        for wrong in ["127.0.0.1:7080", "http://a:0", "http://a:70800", "http://a/b", "http://:80"] {
            #expect(throws: CommandFailure.self) { try SideURL(parsing: wrong) }
        }
    }

    @Test("the program ends with 2 for a wrong command line")
    func usage() async {
        #expect(await BatonProgram.main(["claim", "only-one"]) == 2)
        #expect(await BatonProgram.main(["release", "X1"]) == 2)
        #expect(await BatonProgram.main(["bench", "--connections", "0"]) == 2)
    }

    @Test("the program ends with 6 when no side answers")
    func nobody() async {
        // Port 1 (tcpmux) is not listened on.
        #expect(await BatonProgram.main(["status", "--url", "http://127.0.0.1:1"]) == 6)
    }
}
