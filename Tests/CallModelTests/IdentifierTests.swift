import ByteCoding
import CallModel
import Testing

@Suite("Names, ids and times")
struct IdentifierTests {
    @Test(
        "a call key is read back from its text, also with hyphens in the instance",
        arguments: ["bank", "bank-west-2", "1"])
    func callKeyText(instance: String) throws {
        let key = CallKey(origin: try InstanceName(instance), day: 20_779, number: 17)
        #expect(key.description == "\(instance)-20779-17")
        #expect(try CallKey(parsing: key.description) == key)
    }

    @Test(
        "what is no call key is refused",
        arguments: ["", "bank", "bank-1", "-1-2", "bank-x-2", "bank-1-", "Bank-1-2", "bank-1-4294967296"])
    func callKeyRejections(text: String) {
        #expect(throws: FieldFault.self) { try CallKey(parsing: text) }
    }

    @Test("dialogs and reservations are read back from their texts, and not from each other's")
    func sequences() throws {
        #expect(try DialogID(parsing: "D42").description == "D42")
        #expect(try ReservationID(parsing: "R42") == ReservationID(LogSequence(42)))
        for text in ["R42", "D", "D0", "D-1", "42", "D4x", ""] {
            #expect(throws: FieldFault.self) { try DialogID(parsing: text) }
        }
    }

    @Test(
        "a wall time is written in RFC 3339 with milliseconds in UTC",
        arguments: [
            (0, "1970-01-01T00:00:00.000Z"), (1_795_351_834_567, "2026-11-22T12:50:34.567Z"),
            (951_782_400_000, "2000-02-29T00:00:00.000Z"), (-1, "1969-12-31T23:59:59.999Z"),
            (4_107_542_399_999, "2100-02-28T23:59:59.999Z"), (4_107_542_400_000, "2100-03-01T00:00:00.000Z"),
        ])
    func wallTimeText(milliseconds: Int64, text: String) {
        #expect(WallTime(milliseconds: milliseconds).description == text)
    }

    @Test("extreme times do not trap")
    func extremeTimes() {
        #expect(LogTime(milliseconds: .max).adding(seconds: .max) == LogTime(milliseconds: .max))
        let time = BatchTime(log: .zero, wall: WallTime(milliseconds: .max))
        #expect(time.wall(at: LogTime(milliseconds: .max)) == WallTime(milliseconds: .max))
        #expect(WallTime(milliseconds: .min).day == 0 && WallTime(milliseconds: .max).day == .max)
        #expect(!WallTime(milliseconds: .min).description.isEmpty && !WallTime(milliseconds: .max).description.isEmpty)
    }

    @Test("a log deadline becomes a wall time by what is left of it")
    func wallOfDeadline() {
        let time = BatchTime(log: LogTime(milliseconds: 5_000), wall: WallTime(milliseconds: 100_000))
        #expect(time.wall(at: LogTime(milliseconds: 7_000)) == WallTime(milliseconds: 102_000))
        #expect(time.wall(at: LogTime(milliseconds: 1_000)) == WallTime(milliseconds: 96_000))
    }

    @Test("a name is refused empty, too long, or with NUL, CR or LF, and the error says which field and limit")
    func names() {
        #expect(throws: FieldFault(field: "callID", fault: .empty)) { try CallID("") }
        #expect(throws: FieldFault(field: "dnis", fault: .tooLong(bytes: 33, limit: 32))) {
            try DNIS(String(repeating: "1", count: 33))
        }
        for byte in ["\0", "\r", "\n"] { #expect(throws: FieldFault.self) { try CallID("a\(byte)b") } }
        #expect(throws: FieldFault.self) { try InstanceName("Bank") }
        #expect(FieldFault(field: "uui", fault: .tooLong(bytes: 132, limit: 131)).description.contains("131"))
    }

    @Test("names read from bytes are checked like those from outside")
    func namesFromBytes() {
        for text in ["", "a\0b", String(repeating: "x", count: 33)] {
            var writer = ByteWriter()
            writer.string(text)
            #expect(throws: ByteFault.self) {
                var reader = ByteReader(writer.bytes)
                _ = try DNIS(from: &reader)
            }
        }
    }

    @Test("the nearest name is a near one, or none")
    func nearest() {
        #expect(NearestName.of("sale", among: ["service", "sales"]) == "sales")
        #expect(NearestName.of("completely-different", among: ["sales"]) == nil)
    }
}
