import BatonCLI
import Testing

@Suite("JSON as the command line reads and writes it")
struct JSONTests {
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
            "1 2", "{1:2}", "\"\\u12\"", String(repeating: "[", count: 100),
        ])
    func refused(_ text: String) {
        #expect(throws: JSONFault.self) { try JSONValue(parsing: text) }
    }

    @Test("a string that is not UTF-8 is refused")
    func notUTF8() {
        #expect(throws: JSONFault.self) { try JSONValue(parsing: [0x22, 0xFF, 0x22] as [UInt8]) }
    }

    @Test("pretty text is indented, and empty lists stay short")
    func pretty() {
        let value = JSONValue.object(("a", .array([])), ("b", .array([1, "x"])), ("c", nil))
        #expect(value.pretty == "{\n  \"a\": [],\n  \"b\": [\n    1,\n    \"x\"\n  ]\n}")
    }
}
