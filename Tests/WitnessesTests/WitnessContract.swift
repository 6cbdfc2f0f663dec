import ByteCoding
import Foundation
import Synchronization
import Testing
import Witnesses

/// What every witness driver must do, over a witness that the test owns.
protocol WitnessUnderTest: Sendable {
    /// A driver of the same register each time, as the two sides have one each.
    func driver() -> any SeedableWitness
    /// Ends the witness and starts it again over what it kept.
    func restart() async throws
    func end() async throws
}

/// The requirements, each run over every driver by ``WitnessContractTests``.
enum WitnessContract {
    static let all: [(name: String, run: @Sendable (any WitnessUnderTest) async throws -> Void)] = [
        ("a swap from absent makes the register, and makes it once", fromAbsent),
        (
            "a swap from the present value changes it, from any other value it changes nothing and says what is there",
            fromValue
        ),
        (
            "of two swaps that race from the same value exactly one wins, and the other one is told the winner's value",
            racing
        ),
        ("a restart of the witness keeps the register", restart),
        ("an unknown outcome is settled by the same swap again: swapped now, or differs by one's own value", settling),
        ("values of any bytes and of the greatest length come back as they were", anyBytes),
        ("an operator can set the register anew, whatever it holds", seeding),
    ]

    static func value(_ text: String) -> [UInt8] { Array(text.utf8) }

    static func fromAbsent(_ witness: any WitnessUnderTest) async throws {
        let driver = witness.driver()
        #expect(try await driver.read() == nil)
        #expect(try await driver.swap(expected: value("x"), value: value("1")) == .differs(current: nil))
        #expect(try await driver.swap(expected: nil, value: value("1")) == .swapped)
        #expect(try await driver.swap(expected: nil, value: value("2")) == .differs(current: value("1")))
        #expect(try await driver.read() == value("1"))
    }

    static func fromValue(_ witness: any WitnessUnderTest) async throws {
        let (a, b) = (witness.driver(), witness.driver())
        #expect(try await a.swap(expected: nil, value: value("1")) == .swapped)
        #expect(try await b.swap(expected: value("1"), value: value("2")) == .swapped)
        #expect(try await a.swap(expected: value("1"), value: value("3")) == .differs(current: value("2")))
        // A part of the value, or more than it, is another value.
        #expect(try await a.swap(expected: value("2 "), value: value("3")) == .differs(current: value("2")))
        #expect(try await a.read() == value("2"))
        #expect(try await a.swap(expected: value("2"), value: value("2")) == .swapped)
        #expect(try await b.read() == value("2"))
    }

    static func racing(_ witness: any WitnessUnderTest) async throws {
        let (a, b) = (witness.driver(), witness.driver())
        var present: [UInt8]?
        for round in 0..<20 {
            let old = present
            let (first, second) = (value("\(round) of A"), value("\(round) of B"))
            async let ofA = a.swap(expected: old, value: first)
            async let ofB = b.swap(expected: old, value: second)
            let outcomes = try await (ofA, ofB)
            switch outcomes {
            case (.swapped, .differs(let current)):
                #expect(current == first)
                present = first
            case (.differs(let current), .swapped):
                #expect(current == second)
                present = second
            default: Issue.record("round \(round): \(outcomes)")
            }
            #expect(try await a.read() == present)
        }
    }

    static func restart(_ witness: any WitnessUnderTest) async throws {
        #expect(try await witness.driver().swap(expected: nil, value: value("kept")) == .swapped)
        try await witness.restart()
        #expect(try await witness.driver().read() == value("kept"))
        #expect(try await witness.driver().swap(expected: value("kept"), value: value("later")) == .swapped)
        try await witness.restart()
        #expect(
            try await witness.driver().swap(expected: value("kept"), value: value("x"))
                == .differs(current: value("later")))
    }

    /// Both histories that a lost answer can hide, and one of them once more: repeating is harmless.
    static func settling(_ witness: any WitnessUnderTest) async throws {
        let driver = witness.driver()
        let (old, new) = (value("old"), value("new, nonce 7"))
        #expect(try await driver.swap(expected: nil, value: old) == .swapped)
        #expect(try await driver.swap(expected: old, value: new) == .swapped)
        #expect(try await driver.swap(expected: old, value: new) == .differs(current: new))
        #expect(try await driver.swap(expected: old, value: new) == .differs(current: new))
        #expect(try await driver.read() == new)
    }

    static func anyBytes(_ witness: any WitnessUnderTest) async throws {
        let driver = witness.driver()
        var present: [UInt8]?
        for bytes in [
            Array(0...255), [0], [0, 0], [255], Array(repeating: 0, count: WitnessLimits.valueBytes),
            Array(repeating: 250, count: WitnessLimits.valueBytes), value("\"\\u0000{}"),
        ] as [[UInt8]] {
            #expect(try await driver.swap(expected: present, value: bytes) == .swapped)
            #expect(try await driver.read() == bytes)
            present = bytes
        }
    }

    static func seeding(_ witness: any WitnessUnderTest) async throws {
        let driver = witness.driver()
        try await driver.seed(value("first"))
        #expect(try await driver.read() == value("first"))
        try await driver.seed(value("second"))
        #expect(try await driver.swap(expected: value("second"), value: value("third")) == .swapped)
    }
}

/// A folder of one test's own, gone with it.
final class TemporaryFolder: Sendable {
    let path: String

    init() throws {
        path = FileManager.default.temporaryDirectory.appending(path: "witness-\(UUID().uuidString)").path
        try FileManager.default.createDirectory(atPath: path, withIntermediateDirectories: true)
    }

    deinit {
        // Only temporary files are left behind.
        try? FileManager.default.removeItem(atPath: path)
    }
}

/// Looks again each 5 ms until the condition holds; gives up, and fails the test, after ten seconds.
func until(
    _ what: Comment, location: SourceLocation = #_sourceLocation, _ holds: () async throws -> Bool
) async throws {
    let limit = ContinuousClock.now + .seconds(10)
    while try await !holds() {
        guard ContinuousClock.now < limit else {
            Issue.record("not within 10 s: \(what)", sourceLocation: location)
            return
        }
        try await Task.sleep(for: .milliseconds(5))
    }
}
