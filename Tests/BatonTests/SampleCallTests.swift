import BatonCLI
import Foundation
import Testing

@Suite("The sample calls")
struct SampleCallTests {
    static let header =
        "name,kind,asks,how,client,number,customer,nicCallID,ani,ced,uui,variables,label,type,source,target,changes,arrives,then,after\n"

    @Test("quotes, doubled quotes, commas, line ends and comments are read as in RFC 4180")
    func csv() throws {
        let csv = try CSV(parsing: "# a, \"comment\na,b\r\n1,\"x, \"\"y\"\"\nz\"\n\n2,\n")
        #expect(csv.columns == ["a", "b"])
        #expect(csv.rows.map { $0["a"] } == ["1", "2"])
        #expect(csv.rows[0]["b"] == "x, \"y\"\nz")
        #expect(csv.rows[1].line == 6)
    }

    @Test("a row with too few cells and an open quote are refused with the line")
    func badCSV() {
        #expect(throws: CommandFailure(.usage, "line 2 has 1 cells; the header has 2")) { try CSV(parsing: "a,b\n1\n") }
        #expect(throws: CommandFailure.self) { try CSV(parsing: "a,b\n1,\"2\n") }
    }

    @Test("X in an expected label stands for a digit, everything else for itself")
    func labels() {
        #expect(SampleCall.matches("9555XXXX", "95558001"))
        #expect(!SampleCall.matches("9555XXXX", "9555800a"))
        #expect(!SampleCall.matches("9555XXXX", "955580011"))
        #expect(SampleCall.matches("", ""))
    }

    @Test(
        "a row that cannot be played is refused with its line",
        arguments: [
            "a,k,bank,walk,c,1,,,,,,,1,,script,,,,,", "a,k,bank,route,c,1,,,,,,,1,,script,,,,claim,",
            "a,k,bank,route,c,1,,,,,,,1,,script,,,bank:x/y,,", "a,k,bank,route,c,1,,,,,,,1,,script,,,,jump,",
            "a,k,bank,route,c,1,,,,,,variable11=x,1,,script,,,,,", "a,k,bank,route,c,1,,,,,,,1,,script,,,,,nobody",
        ])
    func refused(_ row: String) {
        #expect {
            try SampleCall.all(in: Self.header + row + "\n")
        } throws: { error in
            (error as? CommandFailure)?.sentence.hasPrefix("line 2") ?? false
        }
    }

    @Test("the file of the sample calls has at least 40 calls, and at least 20 that end in a claim")
    func samples() throws {
        let root = URL(filePath: #filePath).deletingLastPathComponent().deletingLastPathComponent()
            .deletingLastPathComponent()
        let text = String(
            decoding: try Data(contentsOf: root.appending(path: "Tools/samples/calls.csv")), as: UTF8.self)
        let calls = try SampleCall.all(in: text)
        #expect(calls.count >= 40)
        #expect(calls.count { $0.expectsClaim } >= 20)
    }

    @Test("a call that goes as the file says has no faults; a foreign context is lost and wrong")
    func playing() async throws {
        let row = "a,k,bank,reserve,bot,desk,,,+49,12,,variable1=gold,80XX,,,agents,,bank:acd/tg/XXXX,claim again,\n"
        let calls = try SampleCall.all(in: Self.header + row)
        for (context, faults) in [
            (#"{"ani":"+49","ced":"12","variables":{"variable1":"gold"},"ecc":{}}"#, 0), (#"{"ani":"+50"}"#, 2),
        ] {
            let player = Player(sides: ["bank"], run: "x") { _ in ScriptedSide(context: context) }
            let results = try await player.play(calls) { _, _ in }
            #expect(results[0].faults.count == faults)
            let report = PlayReport(results: results, ways: [:])
            #expect(
                report.summary.compact
                    == "{\"calls\":1,\"labels\":1,\"claimed\":1,\"lost\":0,\"wrong\":\(faults > 0 ? 1 : 0)}")
        }
    }

    @Test("a call whose context cannot be claimed though the file says so is lost")
    func lost() async throws {
        let row = "a,k,bank,reserve,bot,desk,,,+49,12,,variable1=gold,80XX,,,agents,,bank:acd/tg/XXXX,claim,\n"
        let player = Player(sides: ["bank"], run: "x") { _ in ScriptedSide(context: nil) }
        let report = PlayReport(
            results: try await player.play(try SampleCall.all(in: Self.header + row)) { _, _ in }, ways: [:])
        #expect(report.lost == 1)
        #expect(!report.succeeded)
        #expect(
            report.faults == [
                "line 2, a: not claimed but stray: nothing waits; the call goes to the default route 5000"
            ])
    }
}

/// Answers each reservation with the same entry and each claim with the same context, or none.
private actor ScriptedSide: SideClient {
    let context: String?
    private var claims = 0

    init(context: String?) { self.context = context }

    func ask(_ method: String, _ path: String, body: [UInt8]?) async throws(CommandFailure) -> SideAnswer {
        if path == "/v1/reservations" {
            let answer =
                #"{"id":"R1","callKey":"bank-1-1","label":"8001","peripheral":"acd","trunkGroup":"tg","dnis":"8001"}"#
            return SideAnswer(status: 201, body: Array(answer.utf8))
        }
        guard let context else {
            let problem = #"{"code":"stray","detail":"nothing waits","defaultRoute":"5000"}"#
            return SideAnswer(status: 404, body: Array(problem.utf8))
        }
        claims += 1
        let answer =
            #"{"outcome":"claimed","repeat":\#(claims > 1),"callKey":"bank-1-1","target":"agents","context":\#(context)}"#
        return SideAnswer(status: 200, body: Array(answer.utf8))
    }

    func close() async {}
}
