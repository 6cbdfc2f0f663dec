import ByteCoding
import CallModel
import Testing

@Suite("Call contexts")
struct ContextTests {
    static func limits() throws -> ContextLimits {
        var limits = ContextLimits()
        limits.declare(try ECCDeclaration(name: ECCName("user.account"), maximumLength: 10))
        limits.declare(try ECCDeclaration(name: ECCName("user.items"), maximumLength: 4, elements: 3))
        return limits
    }

    static func full() throws -> CallContext {
        var context = CallContext()
        context.ani = String(repeating: "1", count: 40)
        context.aniRestricted = true
        context.ced = String(repeating: "2", count: 40)
        context.uui = String(repeating: "3", count: 131)
        context.dnis = String(repeating: "4", count: 32)
        context.dialedNumber = String(repeating: "5", count: 40)
        context.variables = (0..<10).map { String(repeating: "\($0)", count: 40) }
        context.ecc = [try ECCName("user.account"): .scalar("ä"), try ECCName("user.items"): .array(["a", "", "c"])]
        return context
    }

    @Test("a context at every limit is taken")
    func atLimits() throws {
        try Self.limits().check(Self.full())
        try Self.limits().check(CallContext())
    }

    @Test(
        "a field over its limit, or with a forbidden byte, is refused with its name",
        arguments: [
            "ani": 40, "ced": 40, "uui": 131, "dnis": 32, "dialedNumber": 40, "variable1": 40, "variable10": 40,
        ])
    func overLimits(field: String, limit: Int) throws {
        var context = CallContext()
        context.set(try ContextField(parsing: field), to: String(repeating: "x", count: limit + 1))
        #expect(throws: FieldFault(field: field, fault: .tooLong(bytes: limit + 1, limit: limit))) {
            try ContextLimits().check(context)
        }
        for byte: UInt8 in [0, 10, 13] {
            context.set(try ContextField(parsing: field), to: "a" + String(decoding: [byte], as: UTF8.self))
            #expect(throws: FieldFault(field: field, fault: .forbiddenByte(byte))) {
                try ContextLimits().check(context)
            }
        }
    }

    @Test("limits are bytes of UTF-8, not characters")
    func bytes() {
        var context = CallContext()
        context.ced = String(repeating: "ä", count: 21)
        #expect(throws: FieldFault(field: "ced", fault: .tooLong(bytes: 42, limit: 40))) {
            try ContextLimits().check(context)
        }
    }

    @Test("an undeclared ECC variable is refused with the nearest name, a misshapen or too long one with its limit")
    func ecc() throws {
        let limits = try Self.limits()
        func fault(_ name: String, _ value: ECCValue) -> FieldFault.Fault? {
            var context = CallContext()
            context.ecc[ECCName(unchecked: name)] = value
            do throws(FieldFault) {
                try limits.check(context)
                return nil
            } catch { return error.fault }
        }
        #expect(fault("user.acount", .scalar("")) == .undeclared(nearest: "user.account"))
        #expect(fault("user.account", .scalar("12345678901")) == .tooLong(bytes: 11, limit: 10))
        #expect(fault("user.items", .array(["12345"])) == .tooLong(bytes: 5, limit: 4))
        #expect(fault("user.items", .array(["", "", "", ""])) == .outOfRange("has 4 elements; the limit is 3"))
        #expect(fault("user.items", .scalar("")) == .wrongShape("is declared as an array"))
        #expect(fault("user.account", .array([])) == .wrongShape("is declared as a scalar"))
    }

    @Test("raised limits never take a context over its whole limit, and no size of field traps")
    func wholeContext() {
        var limits = ContextLimits()
        limits.uui = 1_000_000
        var context = CallContext()
        context.uui = String(repeating: "x", count: 100_000)
        #expect(throws: FieldFault.self) { try limits.check(context) }
        context.uui = String(repeating: "x", count: 32 * 1024)
        #expect(throws: FieldFault(field: "context", fault: .tooLong(bytes: 32 * 1024 + 3, limit: 32 * 1024))) {
            try limits.check(context)
        }
    }

    @Test(
        "a payload takes 2,000 bytes: a scalar costs 5 + length, an array 5 + (1 + length) x elements"
    )
    func payloadSize() throws {
        let scalar = try ECCDeclaration(name: ECCName("user.s"), maximumLength: 40)
        let array = try ECCDeclaration(name: ECCName("user.a"), maximumLength: 9, elements: 5)
        #expect(scalar.payloadBytes == 45)
        #expect(array.payloadBytes == 55)
        let large = try ECCDeclaration(name: ECCName("user.l"), maximumLength: 209, elements: 9)
        #expect(large.payloadBytes == 1895)
        _ = try ECCPayload(name: "p", declarations: [large, scalar, array])
        #expect(throws: FieldFault(field: "payload p", fault: .tooLong(bytes: 2040, limit: 2000))) {
            try ECCPayload(name: "p", declarations: [large, scalar, array, scalar])
        }
        #expect(throws: FieldFault.self) { try ECCDeclaration(name: ECCName("user.x"), maximumLength: 211) }
        #expect(throws: FieldFault.self) {
            try ECCDeclaration(name: ECCName("user.x"), maximumLength: 1, elements: 256)
        }
    }

    @Test("limits, declarations and payloads are read back as they were written")
    func limitsRoundTrip() throws {
        var limits = try Self.limits()
        limits.uui = 200
        limits.declare(try ECCPayload(name: "p", declarations: Array(limits.declarations.values)))
        var writer = ByteWriter()
        limits.encode(into: &writer)
        var reader = ByteReader(writer.bytes)
        #expect(try ContextLimits(from: &reader) == limits)
        try reader.finish()
    }

    @Test(
        "fields are named as scripts name them",
        arguments: ["ani", "ced", "uui", "dnis", "dialedNumber", "variable3", "user.x", "user.x[2]"])
    func fieldNames(text: String) throws {
        let field = try ContextField(parsing: text)
        #expect(field.description == text)
        var context = CallContext()
        context.set(field, to: "v")
        #expect(context[field] == "v")
    }

    @Test("variable0 and variable11 do not exist", arguments: ["variable0", "variable11", ""])
    func noSuchField(text: String) {
        #expect(throws: FieldFault.self) { try ContextField(parsing: text) }
    }
}

@Suite("Encoded contexts")
struct EncodedContextTests {
    @Test("a context is read back from its bytes, and equal contexts have equal bytes")
    func roundTrip() throws {
        let full = try ContextTests.full()
        #expect(try full.encoded().decoded() == full)
        #expect(try ContextTests.full().encoded() == full.encoded())
        #expect(try CallContext().encoded() == .empty && EncodedContext.empty.decoded() == CallContext())
        #expect(full.encoded().hash != CallContext().encoded().hash)
    }

    @Test("the ANI is found without decoding the rest")
    func ani() throws {
        let full = try ContextTests.full()
        #expect(full.encoded().aniBytes.map { String(decoding: $0, as: UTF8.self) } == full.ani)
        #expect(EncodedContext.empty.aniBytes == nil)
        #expect(EncodedContext(bytes: [1, 9, 0, 1]).aniBytes == nil)
    }

    @Test(
        "bytes that no context has are refused",
        arguments: [
            [1], [1, 1, 0], [0, 0, 0], [7, 0, 0], [21, 0, 0], [32, 0, 0], [3, 0, 0, 1, 0, 0], [1, 0, 0, 1, 0, 0],
            [2, 0, 0], [2, 1, 0, 0], [2, 1, 0, 2], [1, 1, 0, 0xff], [30, 0, 0], [30, 3, 0, 1, 0, 97],
            // A scalar with a byte too many; a name twice, once as an array; names out of order; an empty name.
            [30, 6, 0, 1, 0, 97, 0, 0, 9], [30, 5, 0, 1, 0, 97, 0, 0, 31, 4, 0, 1, 0, 97, 0],
            [30, 5, 0, 1, 0, 98, 0, 0, 30, 5, 0, 1, 0, 97, 0, 0], [30, 4, 0, 0, 0, 0, 0],
            // An array that has fewer elements than it says.
            [31, 4, 0, 1, 0, 97, 1],
        ] as [[UInt8]])
    func rejections(bytes: [UInt8]) {
        #expect(throws: ByteFault.self) { try EncodedContext(bytes: bytes).decoded() }
    }

    @Test("random bytes never trap the decoder, and what it takes it writes again in the same bytes")
    func fuzz() throws {
        var state: UInt64 = 1
        func random() -> UInt64 {
            state = state &* 6_364_136_223_846_793_005 &+ 1_442_695_040_888_963_407
            return state >> 33
        }
        let sample = try ContextTests.full().encoded().bytes
        for round in 0..<20_000 {
            var bytes = round % 2 == 0 ? (0..<random() % 40).map { _ in UInt8(random() % 40) } : sample
            if round % 2 == 1 { bytes[Int(random() % UInt64(bytes.count))] = UInt8(random() & 0xff) }
            if let context = try? EncodedContext(bytes: bytes).decoded() { #expect(context.encoded().bytes == bytes) }
        }
    }
}
