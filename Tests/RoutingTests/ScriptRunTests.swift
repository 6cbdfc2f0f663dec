import CallModel
import Routing
import Testing

func makeFacts(number: UInt32 = 1, overINCRP: Bool = false, times: [String: CivilTime] = [:]) -> ScriptFacts {
    ScriptFacts(
        callKey: CallKey(origin: InstanceName(unchecked: "bank"), day: 20_779, number: number), dialedNumber: "0800555",
        callType: "sales", customer: CustomerName(unchecked: "retail"),
        routingClient: RoutingClientName(unchecked: "carrier"),
        arrivedOverINCRP: overINCRP, civilTimes: times)
}

func makeRun(_ script: Script, _ context: CallContext = CallContext(), _ facts: ScriptFacts = makeFacts()) -> ScriptRun
{
    ScriptRun(script: script, context: context, facts: facts, limits: ContextLimits())
}

@Suite("Runs of scripts")
struct ScriptRunTests {
    let yes = Label(unchecked: "yes", type: .normal)
    let no = Label(unchecked: "no", type: .normal)

    private func chosen(_ subject: Subject, _ match: Match, _ context: CallContext) throws -> Bool {
        let choice = SwitchNode(subject: subject, cases: [.init(match, then: node("yes"))], otherwise: node("no"))
        var run = makeRun(try script("a", ["a": .switch(choice), "yes": label("yes"), "no": label("no")]), context)
        return run.start() == .answer(node("yes"), yes)
    }

    @Test("a switch looks at any field of the context and any fact of the request")
    func subjects() throws {
        var context = CallContext()
        context.ani = "1"
        context.ced = "2"
        context.uui = "3"
        context.dnis = "4"
        context.variables[9] = "6"
        context.ecc = [ECCName(unchecked: "user.a"): .scalar("7"), ECCName(unchecked: "user.b"): .array(["8", "9"])]
        for (name, text) in [
            ("ani", "1"), ("ced", "2"), ("uui", "3"), ("dnis", "4"), ("dialedNumber", "0800555"), ("variable10", "6"),
            ("user.a", "7"), ("user.b[1]", "9"), ("callType", "sales"), ("customer", "retail"),
            ("routingClient", "carrier"),
            ("aniRestricted", "no"), ("callKey", "bank-20779-1"),
        ] {
            #expect(try chosen(Subject(parsing: name), .equals(text), context), "\(name)")
            #expect(try !chosen(Subject(parsing: name), .equals("other"), context), "\(name)")
        }
        #expect(
            try !chosen(.field(.variable(1)), .pattern(Pattern(parsing: "*")), context), "an unset field meets no case")
    }

    @Test(
        "a switch asks for equality, a prefix, one of a set, a range of numbers or a pattern",
        arguments: [
            ("12", Match.equals("12"), true), ("12", .equals("1"), false), ("12", .prefix("1"), true),
            ("12", .prefix("2"), false),
            ("12", .oneOf(["1", "12"]), true), ("12", .oneOf(["1", "2"]), false),
        ])
    func matches(text: String, match: Match, expected: Bool) throws {
        var context = CallContext()
        context.ced = text
        #expect(try chosen(.field(.ced), match, context) == expected)
    }

    @Test("a range compares whole numbers of any length, without leading zeros, and no other texts")
    func ranges() throws {
        let range = try #require(DigitRange(from: "099", to: "200"))
        for text in ["99", "0000100", "200"] { #expect(range.contains(text)) }
        for text in ["98", "201", "1000", "", "1a", "-100", "١٠٠"] { #expect(!range.contains(text)) }
        let long = String(repeating: "9", count: 60)
        #expect(try #require(DigitRange(from: "1", to: long)).contains(long))
        #expect(DigitRange(from: "2", to: "1") == nil && DigitRange(from: "a", to: "b") == nil)
    }

    @Test("a time window holds on its days, up to its end, and past midnight belongs to the day on which it begins")
    func windows() throws {
        let office = try TimeWindow(days: [.friday], fromMinute: 480, toMinute: 1020)
        let night = try TimeWindow(days: [.friday], fromMinute: 1320, toMinute: 360)
        for day in Weekday.allCases {
            for minute in 0..<1440 {
                let time = CivilTime(weekday: day, minuteOfDay: minute)
                let inOffice = day == .friday && minute >= 480 && minute < 1020
                let inNight = (day == .friday && minute >= 1320) || (day == .saturday && minute < 360)
                if office.contains(time) != inOffice || night.contains(time) != inNight { Issue.record("\(time)") }
            }
        }
    }

    @Test(
        "a time node takes its window's path by the zone's civil time, else its failure path, also when it is not known"
    )
    func time() throws {
        let window = try TimeWindow(days: [.sunday], fromMinute: 0, toMinute: 720)
        let time = Node.time(TimeNode(zone: "UTC", when: [.init(window, then: node("yes"))], otherwise: node("no")))
        let graph = try script("a", ["a": time, "yes": label("yes"), "no": label("no")])
        for (times, expected) in [
            (["UTC": CivilTime(weekday: .sunday, minuteOfDay: 719)], "yes"),
            (["UTC": CivilTime(weekday: .sunday, minuteOfDay: 720)], "no"),
            (["Other": CivilTime(weekday: .sunday, minuteOfDay: 1)], "no"),
        ] {
            var run = makeRun(graph, CallContext(), makeFacts(times: times))
            #expect(run.start() == .answer(node(expected), Label(unchecked: expected, type: .normal)))
        }
    }

    @Test("percent allocation gives each share its part of the calls, and one call the same share for ever")
    func percent() throws {
        let shares = [(3333, "a"), (6000, "b"), (667, "c"), (0, "d")]
        let percent = PercentNode(shares: shares.map { .init(hundredthsOfPercent: $0.0, then: node($0.1)) })
        var nodes = Dictionary(uniqueKeysWithValues: shares.map { ($0.1, label($0.1)) })
        nodes["start"] = .percent(percent)
        let graph = try script("start", nodes)
        var counts: [String: Int] = [:]
        for number in 1...50_000 as ClosedRange<UInt32> {
            var run = makeRun(graph, CallContext(), makeFacts(number: number))
            let step = run.start()
            guard case .answer(let name, _) = step else { throw ScriptFault(node: nil, what: .noNodes) }
            counts[name.text, default: 0] += 1
            if number <= 100 {
                var again = makeRun(graph, CallContext(), makeFacts(number: number))
                #expect(again.start() == step)
            }
        }
        for (share, name) in shares {
            let expected = Double(share) / 10_000 * 50_000
            #expect(abs(Double(counts[name] ?? 0) - expected) <= 4 * expected.squareRoot() + 1, "\(name): \(counts)")
        }
    }

    @Test("a set node sets fields from texts and other fields, in order, and clears them")
    func set() throws {
        let assignments = [
            SetNode.Assignment(.variable(1), to: try ValueTemplate(parsing: "$$${ced}-${callType}")),
            SetNode.Assignment(.variable(2), to: try ValueTemplate(parsing: "${variable1}!${uui}")),
            SetNode.Assignment(.ced, to: nil),
        ]
        let set = Node.set(SetNode(assignments: assignments, then: node("yes"), otherwise: nil))
        var context = CallContext()
        context.ced = "12"
        var run = makeRun(try script("a", ["a": set, "yes": label("yes")]), context)
        #expect(run.start() == .answer(node("yes"), yes))
        #expect(
            run.context.variables[0] == "$12-sales" && run.context.variables[1] == "$12-sales!"
                && run.context.ced == nil)
    }

    @Test("a set node that breaks a limit sets nothing and takes its failure path, naming field and limit but no value")
    func limits() throws {
        let long = String(repeating: "z", count: 41)
        let assignments = [
            SetNode.Assignment(.variable(1), to: try ValueTemplate(parsing: "x")),
            SetNode.Assignment(.variable(2), to: try ValueTemplate(parsing: long)),
        ]
        let set = Node.set(SetNode(assignments: assignments, then: node("yes"), otherwise: node("no")))
        var run = makeRun(try script("a", ["a": set, "yes": label("yes"), "no": label("no")]))
        #expect(run.start() == .answer(node("no"), no))
        #expect(run.context == CallContext())
        #expect(run.failures.map(\.reason) == ["variable2 has 41 bytes; the limit is 40"])
        let undeclared = SetNode.Assignment(.ecc(ECCName(unchecked: "user.x")), to: try ValueTemplate(parsing: "1"))
        var other = makeRun(
            try script("a", ["a": .set(SetNode(assignments: [undeclared], then: node("yes"))), "yes": label("yes")]))
        #expect(other.start() == .end(reason: "node a: ecc user.x is not declared in the configuration"))
    }

    @Test(
        "a translation route node reserves with its target and answers with the label; on failure the failure path"
    )
    func translationRoute() throws {
        let route = TranslationRouteName(unchecked: "advice")
        func graph(_ otherwise: String?) throws -> Script {
            let target = try ValueTemplate(parsing: "skill-${ced}")
            let pool = TranslationRouteNode(route: route, target: target, otherwise: otherwise.map { node($0) })
            var nodes: [String: Node] = ["a": .translationRoute(pool)]
            if otherwise != nil { nodes["no"] = label("no") }
            return try script("a", nodes)
        }
        var context = CallContext()
        context.ced = "7"
        var run = makeRun(try graph("no"), context)
        #expect(run.start() == .reserve(node("a"), route, target: UltimateTarget(unchecked: "skill-7")))
        #expect(run.resume(.reserved(yes)) == .answer(node("a"), yes))
        var exhausted = makeRun(try graph("no"), context)
        _ = exhausted.start()
        #expect(exhausted.resume(.failed(reason: "exhausted")) == .answer(node("no"), no))
        #expect(exhausted.trace == [node("a"), node("no")] && exhausted.failures.map(\.reason) == ["exhausted"])
        var without = makeRun(try graph(nil), context)
        _ = without.start()
        #expect(without.resume(.failed(reason: "exhausted")) == .end(reason: "node a: exhausted"))
        context.ced = String(repeating: "7", count: 40)
        context.uui = context.ced
        let long = TranslationRouteNode(route: route, target: try ValueTemplate(parsing: "${ced}${uui}"))
        var tooLong = makeRun(try script("a", ["a": .translationRoute(long)]), context)
        #expect(tooLong.start() == .end(reason: "node a: target has 80 bytes; the limit is 64"))
    }

    private func gatewayScript(then: String? = nil, else otherwise: String? = nil) throws -> (Script, GatewayNode) {
        let gateway = GatewayNode(
            gateway: GatewayName(unchecked: "to-insurance"), then: then.map { node($0) },
            otherwise: otherwise.map { node($0) })
        var nodes: [String: Node] = ["ask": .gateway(gateway)]
        if then != nil {
            let assignment = SetNode.Assignment(.variable(1), to: try ValueTemplate(parsing: "${variable1}+"))
            nodes["mark"] = .set(SetNode(assignments: [assignment], then: node("hand")))
            nodes["hand"] = .label(LabelNode(returnedOr: nil))
        }
        if otherwise != nil { nodes["no"] = label("no") }
        return (try script("ask", nodes), gateway)
    }

    @Test("a gateway node answers with the returned label and the modified context, or goes on with both")
    func gateway() throws {
        var modified = CallContext()
        modified.variables[0] = "server"
        let (plain, node1) = try gatewayScript(else: "no")
        var run = makeRun(plain)
        #expect(run.start() == .askGateway(node("ask"), node1))
        #expect(run.resume(.answered(yes, modified)) == .gatewayAnswer(node("ask"), yes))
        #expect(run.context == modified)
        var leading = makeRun(try gatewayScript(then: "mark").0)
        _ = leading.start()
        #expect(leading.resume(.answered(yes, modified)) == .gatewayAnswer(node("ask"), yes))
        #expect(leading.context.variables[0] == "server+" && leading.trace.last == node("hand"))
    }

    @Test("a gateway that fails takes the failure path, or ends at the node whose default labels hold")
    func gatewayFails() throws {
        var run = makeRun(try gatewayScript(else: "no").0)
        _ = run.start()
        #expect(run.resume(.failed(reason: "offline")) == .answer(node("no"), no))
        var without = makeRun(try gatewayScript().0)
        _ = without.start()
        #expect(without.resume(.failed(reason: "offline")) == .end(reason: "node ask: offline"))
        #expect(without.trace.last == node("ask"))
    }

    @Test("a request that arrived over INCRP never leaves over a gateway: the failure path is taken and says why")
    func directLinksOnly() throws {
        var run = makeRun(try gatewayScript(else: "no").0, CallContext(), makeFacts(overINCRP: true))
        #expect(run.start() == .answer(node("no"), no))
        #expect(run.failures.count == 1 && run.failures[0].node == node("ask"))
        #expect(run.failures[0].reason.contains("over INCRP is never forwarded"))
    }

    @Test("every kind of node has a failure path or cannot fail, and one that is not written ends the script")
    func unwrittenPaths() throws {
        let empty = SwitchNode(subject: .field(.ced), cases: [.init(.equals("1"), then: node("yes"))])
        var run = makeRun(try script("a", ["a": .switch(empty), "yes": label("yes")]))
        #expect(run.start() == .end(reason: "node a: no case matches ced"))
        var returned = makeRun(try script("a", ["a": .label(LabelNode(returnedOr: nil))]))
        #expect(returned.start() == .end(reason: "node a: no gateway returned a label on this way"))
        var end = makeRun(try script("a", ["a": .end]))
        #expect(end.start() == .end(reason: "node a ends the script without a label"))
    }
}

@Suite("Tables of labels and dialed numbers")
struct TableTests {
    let carrier = RoutingClientName(unchecked: "carrier")
    let pg = RoutingClientName(unchecked: "pg")

    @Test(
        "a label is known to the routing clients whose table holds it; busy and ring without a text to all"
    )
    func labels() throws {
        let table = LabelTable(labels: [carrier: [LabelPattern(try Pattern(parsing: "9555XX"), type: .normal)]])
        #expect(table.validates(Label(unchecked: "955512", type: .normal), for: carrier))
        #expect(!table.validates(Label(unchecked: "955512", type: .busy), for: carrier))
        #expect(!table.validates(Label(unchecked: "95551", type: .normal), for: carrier))
        #expect(!table.validates(Label(unchecked: "955512", type: .normal), for: pg))
        #expect(table.validates(Label(unchecked: "", type: .busy), for: pg))
        #expect(!table.validates(Label(unchecked: "", type: .normal), for: pg))
    }

    @Test("the first entry counts that fits dialed number, routing client and customer")
    func dialedNumbers() throws {
        let retail = CustomerName(unchecked: "retail")
        let table = DialedNumberTable(entries: [
            .init(pattern: try Pattern(parsing: "8XX"), routingClient: pg, callType: "inside"),
            .init(pattern: try Pattern(parsing: "8XX"), customer: retail, callType: "retail"),
            .init(pattern: try Pattern(parsing: "*"), callType: "rest"),
        ])
        #expect(table.entry(for: "812", routingClient: pg)?.callType == "inside")
        #expect(table.entry(for: "812", routingClient: carrier)?.customer == retail)
        #expect(table.entry(for: "812", routingClient: carrier, customer: retail)?.callType == "retail")
        #expect(
            table.entry(for: "812", routingClient: carrier, customer: CustomerName(unchecked: "x"))?.callType == "rest")
        #expect(table.entry(for: "9", routingClient: carrier)?.callType == "rest")
    }
}
