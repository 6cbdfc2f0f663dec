import StrictJSON
import Testing

@Suite("JSON as it is read and written here")
struct StrictJSONTests {
    @Test("what was read is written again, members in their order and numbers with their digits")
    func roundTrip() throws {
        let text = #"{"b":[1,-2.50,1e3],"a":{"x":null,"y":true},"c":"\"\\\n\u0001é😀"}"#
        #expect(try JSONValue(parsing: text).compact == text)
    }

    @Test("escapes and surrogate pairs become their characters")
    func escapes() throws {
        #expect(try JSONValue(parsing: #""\u00e9\ud83d\ude00\/\b\f\r\t""#).text == "é😀/\u{8}\u{C}\r\t")
    }

    @Test(
        "what is not JSON is refused with the place, never trapped",
        arguments: [
            "", "{", "[1,]", "{\"a\"}", "{\"a\":1,}", "tru", "01", "1.", "1e", "-", "\"\\x\"", "\"\\ud800\"", "\"a",
            "\"\n\"",
            "1 2", "{1:2}", #"{"a":1,"a":2}"#, #"{"a":{"b":1,"\u0062":2}}"#, "+1", ".5", "[1 2]", "\u{FEFF}1",
            "\"\\u12\"", String(repeating: "[", count: 100),
        ])
    func refused(_ text: String) {
        #expect(throws: JSONFault.self) { try JSONValue(parsing: text) }
    }

    @Test("a string that is not UTF-8 is refused")
    func notUTF8() {
        #expect(throws: JSONFault.self) { try JSONValue(parsing: [0x22, 0xFF, 0x22] as [UInt8]) }
    }

    @Test("a fault says what is wrong and at which byte, and names the whole as the caller does")
    func tellsPlace() {
        #expect(throws: JSONFault(reason: "field \"a\" stands twice", offset: 7)) {
            try JSONValue(parsing: #"{"a":1,"a":2}"#)
        }
        #expect(throws: JSONFault(reason: "the body is not UTF-8", offset: 3)) {
            try JSONValue(parsing: [0x22, 0xC3, 0xA9, 0xFF, 0x22] as [UInt8], called: "the body")
        }
        #expect(JSONFault(reason: "no such escape", offset: 4).description == "not JSON: no such escape, at byte 4")
    }

    @Test("a text may have as many levels as the caller allows, and not one more")
    func levels() throws {
        for levels in [1, 16, 64] {
            let text = String(repeating: "[", count: levels) + String(repeating: "]", count: levels)
            #expect(try JSONValue(parsing: text.utf8, mostLevels: levels).compact == text)
            #expect(throws: JSONFault.self) { try JSONValue(parsing: "[\(text)]".utf8, mostLevels: levels) }
        }
    }

    @Test("any bytes are a value or a fault, never a trap; a value written is read back the same")
    func anyBytes() throws {
        let seed = Array(#"{"a":[1,-2.5e3,"\u00e9\\"],"b":{"c":null,"d":true}}"#.utf8)
        for index in seed.indices {
            for byte in UInt8.min...UInt8.max {
                var bytes = seed
                bytes[index] = byte
                guard let value = try? JSONValue(parsing: bytes) else { continue }  // a fault is as good
                #expect(try JSONValue(parsing: value.bytes) == value)
            }
            #expect(throws: JSONFault.self) { try JSONValue(parsing: seed[..<index]) }
        }
    }

    @Test("pretty text is indented, and empty lists stay short")
    func pretty() {
        let value = JSONValue.object(("a", .array([])), ("b", .array([1, "x"])), ("c", nil))
        #expect(value.pretty == "{\n  \"a\": [],\n  \"b\": [\n    1,\n    \"x\"\n  ]\n}")
    }
}
