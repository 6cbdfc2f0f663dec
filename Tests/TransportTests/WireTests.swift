import CallModel
import INCRP
import SwiftProtobuf
import Testing

@testable import Transport

@Suite("INCRP wire")
struct WireTests {
    static func hex(_ bytes: [UInt8]) -> String {
        bytes.map { byte in
            let digits = String(byte, radix: 16)
            return digits.count == 1 ? "0" + digits : digits
        }.joined()
    }

    static func bytes(_ hex: String) -> [UInt8] {
        var bytes: [UInt8] = []
        var rest = Substring(hex)
        while !rest.isEmpty {
            bytes.append(UInt8(rest.prefix(2), radix: 16) ?? 0)
            rest = rest.dropFirst(2)
        }
        return bytes
    }

    static func fault(_ bytes: [UInt8]) -> WireFault? {
        do {
            _ = try INCRPWire.decode(bytes)
            return nil
        } catch {
            return error
        }
    }

    static func fault(_ body: WireEnvelope.OneOf_Body) throws -> WireFault? {
        var envelope = WireEnvelope()
        envelope.number = 5
        envelope.body = body
        return fault(try envelope.serializedBytes())
    }

    @Test("every message comes back as it was sent, also at its limits")
    func roundTrip() throws {
        for frame in FrameSample.each.map(\.frame) + FrameSample.limits {
            let bytes = try INCRPWire.encode(frame)
            #expect(bytes.count <= INCRPLimits.frameBytes)
            let decoded = try INCRPWire.decode(bytes)
            #expect(decoded == frame)
        }
    }

    @Test("the bytes of each message do not drift: an old peer's are read, and ours are the same")
    func golden() throws {
        for (name, frame) in FrameSample.each {
            let golden = Self.golden[name] ?? ""
            let bytes = try INCRPWire.encode(frame)
            #expect(Self.hex(bytes) == golden, "\(name)")
            let decoded = try INCRPWire.decode(Self.bytes(golden))
            #expect(decoded == frame, "\(name)")
        }
    }

    static let golden: [String: String] = [
        "OPEN":
            "080112160a040801100110031803220462616e6b28013002380c",
        "OPEN confirmed":
            "08021a1c0a040801100110011a09696e737572616e636520022801300d388020",
        "OPEN refused":
            "0803220a08031206696e20757365",
        "heartbeat":
            "08042a05080710d209",
        "route request":
            "080532b4010a0f0801120b746f496e737572616e6365120e0a0462616e6b10aba201181120021a0663616c6c2d"
            + "31220a383030353535313233342a0672657461696c32056e69632d3938b817426b0a0a2b343933303132333435"
            + "10011a04343731312201752a0435353530320a383030353535313233343a0808011204676f6c643a02080a4214"
            + "0a0c757365722e6163636f756e741204412d3137421c0a0a757365722e6974656d731a0e0a036f6e650a000a05"
            + "7468726565",
        "route response":
            "08063aa3010a0f0801120b746f496e737572616e636512090801120539373030311a18086312036163641a0274"
            + "312204373030312880bcd9f29e34226b0a0a2b34393330313233343510011a04343731312201752a0435353530"
            + "320a383030353535313233343a0808011204676f6c643a02080a42140a0c757365722e6163636f756e74120441"
            + "2d3137421c0a0a757365722e6974656d731a0e0a036f6e650a000a057468726565",
        "route failure":
            "080742190a0f0801120b746f496e737572616e636510071a0466756c6c",
        "end of dialog":
            "08084a0408011003",
        "CLOSE":
            "080952120801120e74686520736964652073746f7073",
    ]

    @Test("a cut frame is a fault or another frame, and never traps")
    func truncated() throws {
        for (_, frame) in FrameSample.each {
            let bytes = try INCRPWire.encode(frame)
            for count in 0..<bytes.count {
                if let fault = Self.fault(Array(bytes.prefix(count))) { #expect(!fault.description.isEmpty) }
            }
        }
    }

    @Test("random bytes and flipped bits never trap")
    func random() throws {
        var generator = Xorshift(state: 0x9E37_79B9_7F4A_7C15)
        for _ in 0..<20_000 {
            let count = Int(generator.next() % 96)
            _ = Self.fault((0..<count).map { _ in UInt8(truncatingIfNeeded: generator.next()) })
        }
        for (_, frame) in FrameSample.each {
            let bytes = try INCRPWire.encode(frame)
            for _ in 0..<2_000 {
                var flipped = bytes
                for _ in 0..<(1 + generator.next() % 4) {
                    flipped[Int(generator.next() % UInt64(bytes.count))] ^= 1 << UInt8(generator.next() % 8)
                }
                guard let frame = try? INCRPWire.decode(flipped) else { continue }
                // What is believed keeps every limit, so it can be sent on.
                _ = try INCRPWire.encode(frame)
            }
        }
    }

    @Test("a frame over 64 KiB is refused before it is read")
    func oversized() {
        let fault = Self.fault([UInt8](repeating: 0, count: INCRPLimits.frameBytes + 1))
        #expect(fault == .oversized(bytes: INCRPLimits.frameBytes + 1, limit: INCRPLimits.frameBytes))
        #expect(fault?.closure.code == .oversizedFrame)
    }

    @Test("an empty frame, an envelope without a frame and a string that is not UTF-8 are malformed")
    func malformed() {
        #expect(Self.fault([]) == .empty)
        #expect(Self.fault([0x08, 0x01]) == .unknownFrame)
        // openRefused { reason: <FF> }
        #expect(Self.fault([0x22, 0x03, 0x12, 0x01, 0xFF]) == .notAnEnvelope)
        #expect(Self.fault([])?.closure.code == .malformedFrame)
    }

    @Test("OPEN with a client id over 127, without a version or with an unknown side is malformed and names the field")
    func badOpen() throws {
        let open = WireOpen(FrameSample.open)
        let changes: [(String, @Sendable (inout WireOpen) -> Void)] = [
            ("clientID", { $0.clientID = 128 }), ("clientID", { $0.clientID = .max }),
            ("version", { $0.clearVersion() }), ("side", { $0.side = .unspecified }),
            ("side", { $0.side = .UNRECOGNIZED(9) }), ("instance", { $0.instance = "Bank!" }),
            ("instance", { $0.instance = "" }), ("instance", { $0.instance = FrameSample.text(33) }),
        ]
        for (field, change) in changes {
            var bad = open
            change(&bad)
            let fault = try Self.fault(.open(bad))
            #expect(fault?.description.hasPrefix(field) == true, "\(field): \(String(describing: fault))")
            #expect(fault?.closure.code == .malformedFrame)
        }
    }

    @Test("each limit of a route request refuses that request under its id and names the field")
    func askLimits() throws {
        let changes: [(String, @Sendable (inout WireRouteRequest) -> Void)] = [
            ("callKey", { $0.clearCallKey() }), ("callKey", { $0.callKey.origin = FrameSample.text(33) }),
            ("callID", { $0.callID = "" }), ("callID", { $0.callID = FrameSample.text(129) }),
            ("dialedNumber", { $0.dialedNumber = FrameSample.text(41) }),
            ("dialedNumber", { $0.dialedNumber = "1\r2" }),
            ("customer", { $0.customer = FrameSample.text(33) }),
            ("nicCallID", { $0.nicCallID = FrameSample.text(129) }),
            ("deadlineMilliseconds", { $0.deadlineMilliseconds = 0 }),
            ("deadlineMilliseconds", { $0.deadlineMilliseconds = 60_001 }),
            ("ani", { $0.context.ani = "1\u{0}2" }), ("ced", { $0.context.ced = "\n" }),
            ("context", { $0.context.uui = FrameSample.text(32 * 1024 - 2) }),
            ("variable11", { $0.context.variables.append(.with { $0.number = 11 }) }),
            ("variable0", { $0.context.variables.append(.with { $0.number = 0 }) }),
            ("variable1", { $0.context.variables.append(.with { $0.number = 1 }) }),
            ("ECC name", { $0.context.ecc[0].name = FrameSample.text(33) }),
            ("ecc user.items", { $0.context.ecc[0].name = "user.items" }),
            ("ecc user.account", { $0.context.ecc[0].value = nil }),
            ("ecc user.items", { $0.context.ecc[1].array.elements = Array(repeating: "", count: 256) }),
        ]
        for (field, change) in changes {
            var bad = WireRouteRequest(FrameSample.ask())
            change(&bad)
            guard case .message(let message)? = try Self.fault(.routeRequest(bad)) else {
                Issue.record("\(field) was taken")
                continue
            }
            #expect(message.id == FrameSample.askID(1) && message.kind == .ask && message.number == 5)
            #expect(message.reason.hasPrefix(field), "\(field): \(message.reason)")
        }
    }

    @Test("each limit of a route response refuses it under its id and names the field")
    func replyLimits() throws {
        let changes: [(String, @Sendable (inout WireRouteResponse) -> Void)] = [
            ("label", { $0.clearLabel() }), ("label type", { $0.label.type = 4 }),
            ("label type", { $0.label.type = 256 + 1 }),
            ("label", { $0.label.text = FrameSample.text(65) }), ("label", { $0.label.text = "" }),
            ("reservation", { $0.arrival.reservation = 0 }), ("peripheral", { $0.arrival.peripheral = "" }),
            ("trunkGroup", { $0.arrival.trunkGroup = FrameSample.text(33) }), ("dnis", { $0.arrival.dnis = "\n" }),
            ("uui", { $0.context.uui = "\r" }),
        ]
        for (field, change) in changes {
            var bad = WireRouteResponse(FrameSample.reply())
            change(&bad)
            guard case .message(let message)? = try Self.fault(.routeResponse(bad)) else {
                Issue.record("\(field) was taken")
                continue
            }
            #expect(message.kind == .reply && message.reason.hasPrefix(field), "\(field): \(message.reason)")
        }
    }

    @Test("a message without a readable id is malformed")
    func badID() throws {
        var ask = WireRouteRequest(FrameSample.ask())
        ask.id.dialog = 0
        let noDialog = try Self.fault(.routeRequest(ask))
        #expect(noDialog?.closure.code == .malformedFrame)
        ask = WireRouteRequest(FrameSample.ask())
        ask.id.node = FrameSample.text(33)
        let longNode = try Self.fault(.routeRequest(ask))
        #expect(longNode == .value("node has 33 bytes; the limit is 32"))
        let noEnd = try Self.fault(.dialogEnd(.with { $0.dialog = 1 }))
        #expect(noEnd == .value("an end of dialog with the unknown end 0"))
    }
}

struct Xorshift {
    var state: UInt64

    mutating func next() -> UInt64 {
        state ^= state << 13
        state ^= state >> 7
        state ^= state << 17
        return state
    }
}
