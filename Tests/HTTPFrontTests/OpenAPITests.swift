import CallModel
import CallRouter
import Console
import Foundation
import LedgerDouble
import PeripheralGateway
import Synchronization
import Testing

@testable import HTTPFront

/// `Schemas/openapi.yaml` is what clients are written against: it must say what the router does, no more and no less.
@Suite struct OpenAPITests {
    static let description = URL(filePath: #filePath).deletingLastPathComponent().deletingLastPathComponent()
        .deletingLastPathComponent().appending(path: "Schemas/openapi.yaml")

    /// Runs a Python program with the description as its first argument and `input` as its standard input. A missing
    /// Python, PyYAML or jsonschema fails the test: `Tools/test` installs them.
    static func python(_ program: String, input: String = "") throws -> String {
        let process = Process()
        process.executableURL = URL(filePath: "/usr/bin/env")
        process.arguments = ["python3", "-c", program, description.path()]
        let (standardInput, output) = (Pipe(), Pipe())
        process.standardInput = standardInput
        process.standardOutput = output
        try process.run()
        standardInput.fileHandleForWriting.write(Data(input.utf8))
        try standardInput.fileHandleForWriting.close()
        let text = try output.fileHandleForReading.readToEnd() ?? Data()
        process.waitUntilExit()
        try #require(process.terminationStatus == 0, "python3 with PyYAML and jsonschema is needed")
        return String(decoding: text, as: UTF8.self)
    }

    @Test("every path and method of the router is in the description, and none besides")
    func agreesOnPaths() throws {
        let front = try Self.front()
        let described = try Self.python(
            """
            import sys, yaml
            for path, methods in yaml.safe_load(open(sys.argv[1]))["paths"].items():
                for method in methods:
                    print(method.upper(), path)
            """)
        #expect(
            Set(described.split(separator: "\n").map(String.init))
                == Set(front.endpoints.map { "\($0.method.rawValue) \($0.path)" }))
    }

    @Test("the stable codes of problems and their statuses are those of the description")
    func agreesOnCodes() throws {
        let described = try Self.python(
            """
            import sys, yaml
            components = yaml.safe_load(open(sys.argv[1]))["components"]
            print(" ".join(components["schemas"]["Problem"]["properties"]["code"]["enum"]))
            for row in components["responses"]["Problem"]["description"].splitlines()[2:]:
                cells = [cell.strip() for cell in row.strip("|").split("|")]
                print(cells[0], cells[1].split(" (")[0])
            """
        ).split(separator: "\n").map(String.init)
        #expect(Set(described[0].split(separator: " ").map(String.init)) == Set(RefusalCode.allCases.map(\.rawValue)))
        var statuses: [String: Set<String>] = [:]
        for row in described.dropFirst() {
            let parts = row.split(separator: " ", maxSplits: 1).map(String.init)
            for code in parts[1].split(separator: ",") {
                statuses[code.trimmingCharacters(in: .whitespaces), default: []].insert(parts[0])
            }
        }
        for code in RefusalCode.allCases {
            #expect(statuses[code.rawValue]?.contains(String(Problem.status(of: code))) == true, "\(code)")
        }
    }

    @Test("every example fits its schema")
    func examplesFit() throws {
        let faults = try Self.python(
            Self.validation + """

                for path, methods in document["paths"].items():
                    for method, operation in methods.items():
                        contents = [operation.get("requestBody", {})] + list(operation["responses"].values())
                        for content in map(resolved, contents):
                            for kind, media in content.get("content", {}).items():
                                check(media["schema"], media["example"], method + " " + path)
                """)
        #expect(faults == "")
    }

    @Test("what the server really answers fits the description, and the description names no field that is missing")
    func answersFit() async throws {
        let samples = SampleAnswers()
        try await TestFront.run(entries: 2, token: TestFront.token) { front in
            let headers = ["Authorization": "Bearer \(TestFront.token)"]
            func ask(_ method: String, _ template: String, _ path: String? = nil, _ body: String? = nil) async throws
                -> RawAnswer
            {
                let answer = try await front.send(
                    method, path ?? template, headers: headers, body: body.map { Array($0.utf8) })
                samples.add(method, template, answer)
                return answer
            }
            let reserved = try await ask("POST", "/v1/reservations", nil, TestFront.reservation())
            _ = try await ask("POST", "/v1/reservations", nil, TestFront.reservation())
            _ = try await ask("POST", "/v1/reservations", nil, TestFront.reservation(extra: ",\"leaseSeconds\":3"))
            let second = try await ask("POST", "/v1/reservations", nil, TestFront.reservation(callID: "leg-2"))
            _ = try await ask("POST", "/v1/reservations", nil, TestFront.reservation(callID: "leg-3"))
            _ = try await ask("POST", "/v1/claims", nil, TestFront.claim())
            _ = try await ask("POST", "/v1/claims", nil, TestFront.claim(callID: "acd-2"))
            _ = try await ask(
                "GET", "/v1/claims", "/v1/claims?peripheral=insurance-acd&trunkGroup=tg-1&dnis=8001&callID=acd-1")
            _ = try await ask("GET", "/v1/contexts", "/v1/contexts?state=any&limit=1&personal=true")
            _ = try await ask("GET", "/v1/contexts", "/v1/contexts?limit=0")
            _ = try await ask("DELETE", "/v1/reservations/{id}", "/v1/reservations/\(second["id"] ?? "")")
            _ = try await ask("DELETE", "/v1/reservations/{id}", "/v1/reservations/\(second["id"] ?? "")")
            _ = try await ask("GET", "/v1/journeys/{call}", "/v1/journeys/\(reserved["callKey"] ?? "")")
            _ = try await ask("POST", "/v1/routes", nil, RouteContractTests.request)
            for path in ["/v1/translation-routes", "/v1/dialogs", "/v1/gateways", "/v1/pair", "/healthz", "/readyz"] {
                _ = try await ask("GET", path)
            }
        }
        let faults = try Self.python(
            Self.validation + """

                for line in sys.stdin:
                    sample = json.loads(line)
                    responses = document["paths"][sample["path"]][sample["method"].lower()]["responses"]
                    response = resolved(responses.get(str(sample["status"]), responses["default"]))
                    media = response["content"].get(sample["type"])
                    if media is None:
                        print(sample["method"], sample["path"], sample["status"], "has no", sample["type"])
                    else:
                        check(media["schema"], sample["body"], sample["method"] + " " + sample["path"])
                """, input: samples.lines)
        #expect(faults == "")
    }

    private static let validation = """
        import sys, json, yaml, jsonschema
        document = yaml.safe_load(open(sys.argv[1]))
        def resolved(node):
            if "$ref" not in node:
                return node
            found = document
            for part in node["$ref"].removeprefix("#/").split("/"):
                found = found[part]
            return found
        def check(schema, value, where):
            whole = {"components": document["components"], **schema}
            for fault in jsonschema.Draft202012Validator(whole).iter_errors(value):
                print(where + ":", fault.json_path, fault.message)
        """

    private static func front() throws -> HTTPFront {
        let ledger = InMemoryLedger(try TestFront.configuration(entries: 1))
        return HTTPFront(
            routes: ScriptedRoutes(), desk: ClaimDesk(ledger: ledger) { DeskRules(limits: ContextLimits()) },
            console: Console(ledger: ledger), gateways: { [] }, settings: HTTPSettings(port: 0))
    }
}

/// What the server answered, a line of JSON each.
private final class SampleAnswers: Sendable {
    private let gathered = Mutex<[String]>([])

    var lines: String { gathered.withLock { $0.joined(separator: "\n") } }

    func add(_ method: String, _ path: String, _ answer: RawAnswer) {
        let type = answer.headers["content-type"] ?? ""
        let line = """
            {"method":"\(method)","path":"\(path)","status":\(answer.status),"type":"\(type)","body":\(answer.text)}
            """
        gathered.withLock { $0.append(line) }
    }
}
