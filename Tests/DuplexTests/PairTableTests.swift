import Duplex
import Foundation
import Testing

@Suite("The failover is a table")
struct PairTableTests {
    private static let schemas = URL(filePath: #filePath).deletingLastPathComponent().deletingLastPathComponent()
        .deletingLastPathComponent().appending(path: "Schemas")

    /// With BATON_REWRITE_GOLDEN set, writes the file instead.
    private func expect(_ text: String, in file: String) throws {
        let url = Self.schemas.appending(path: file)
        if ProcessInfo.processInfo.environment["BATON_REWRITE_GOLDEN"] != nil {
            try Data(text.utf8).write(to: url)
        } else {
            #expect(try String(contentsOf: url, encoding: .utf8) == text)
        }
    }

    @Test("every state has one row for every event, with a sentence; an ignored one changes nothing")
    func everyPair() {
        for state in PairState.allCases {
            for event in PairEvent.allCases {
                let row = PairTable.row(state, event)
                #expect(row.sentence.hasSuffix("."), "\(state) \(event)")
                if row.isIgnored { #expect(row.next == state && row.steps.isEmpty) }
            }
        }
    }

    @Test("every state is reached by some row, and every state but the serving ones is left by some")
    func connected() {
        var reached: Set<PairState> = [.connecting, .settling, .isolatedDisabled, .isolatedEnabled]
        for state in PairState.allCases {
            let next = Set(PairEvent.allCases.map { PairTable.row(state, $0).next }).subtracting([state])
            #expect(!next.isEmpty, "\(state) is never left")
            reached.formUnion(next)
        }
        #expect(reached == Set(PairState.allCases))
    }

    @Test("the table and its diagram are what Schemas/duplex.txt and Schemas/duplex.mmd say")
    func golden() throws {
        try expect(PairTable.dump(), in: "duplex.txt")
        try expect(PairTable.diagram(), in: "duplex.mmd")
    }
}
