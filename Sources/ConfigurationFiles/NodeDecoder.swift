internal import CallModel
internal import Routing

/// Reads one node of a script file.
struct NodeDecoder {
    let name: NodeName
    let fields: Fields
    private(set) var references: [ScriptReference] = []

    init(name: NodeName, fields: Fields) {
        self.name = name
        self.fields = fields
    }

    private enum NodeType: String, CaseIterable {
        case `switch`, time, percent, set, label, translationRoute, gateway, end
    }

    mutating func decode() -> Node? {
        if !fields.has("type") { fields.missing("type") }
        guard let type = fields.choice("type", NodeType.allCases.map { ($0.rawValue, $0) }) else { return nil }
        defer { fields.finish() }
        switch type {
        case .switch: return decodeSwitch()
        case .time: return decodeTime()
        case .percent: return decodePercent()
        case .set: return decodeSet()
        case .label: return decodeLabel()
        case .translationRoute: return decodeTranslationRoute()
        case .gateway: return decodeGateway()
        case .end: return .end
        }
    }

    private var otherwise: NodeName? { fields.optionalName("else", NodeName.self)?.value }

    private mutating func refer(_ kind: ScriptReference.Kind, _ name: Located<String>) {
        references.append(ScriptReference(kind: kind, name: name, node: self.name))
    }

    private mutating func refer(to subject: Subject, at place: Place) {
        if case .field(let field) = subject {
            refer(.field(field, setting: false), Located(field.description, at: place))
        }
    }

    private mutating func decodeSwitch() -> Node? {
        let subject = fields.text("field").flatMap { text in
            fields.checked(text, "field") { (text) throws(FieldFault) in try Subject(parsing: text) }
        }
        if let subject { refer(to: subject.value, at: subject.place) }
        var cases: [SwitchNode.Case] = []
        for value in fields.list("cases", required: true) {
            if let one = decodeCase(
                Fields(value, "a case of node \(name)", at: value.place, fields.state), subject?.value)
            {
                cases.append(one)
            }
        }
        let otherwise = self.otherwise
        guard let subject else { return nil }
        return .switch(SwitchNode(subject: subject.value, cases: cases, otherwise: otherwise))
    }

    private mutating func decodeCase(_ one: Fields, _ subject: Subject?) -> SwitchNode.Case? {
        let kinds = ["equals", "prefix", "in", "pattern", "from"].filter {
            one.has($0) || ($0 == "from" && one.has("to"))
        }
        let match = decodeMatch(one, subject)
        let then = one.name("then", NodeName.self)
        one.finish()
        if kinds.count != 1 {
            one.report(
                "a case of node \(name) needs one of equals, prefix, in, pattern, or from and to, not \(kinds.count)")
        }
        guard kinds.count == 1, let match, let then else { return nil }
        return SwitchNode.Case(match, then: then.value)
    }

    private mutating func decodeMatch(_ one: Fields, _ subject: Subject?) -> Match? {
        var match: Match?
        if let text = one.optionalText("equals") {
            refer(to: subject, comparedWith: text)
            match = .equals(text.value)
        }
        if let text = one.optionalText("prefix") { match = .prefix(text.value) }
        if one.has("in") {
            let texts = one.texts("in", required: true)
            for text in texts { refer(to: subject, comparedWith: text) }
            match = .oneOf(Set(texts.map(\.value)))
        } else {
            _ = one.value("in")
        }
        if let text = one.optionalText("pattern") {
            match = Pattern(text, one.state.problems).map { .pattern($0) }
        }
        let from = one.optionalText("from")
        let to = one.optionalText("to")
        switch (from, to) {
        case (let from?, let to?):
            if let range = DigitRange(from: from.value, to: to.value) {
                match = .range(range)
            } else {
                one.report(
                    "the range from \(from.value) to \(to.value) must be two whole numbers that do not run backwards",
                    at: from.place)
            }
        case (let from?, nil): one.report("a case with from needs to", at: from.place)
        case (nil, let to?): one.report("a case with to needs from", at: to.place)
        case (nil, nil): break
        }
        return match
    }

    /// A name that a switch compares with must exist, else its case could never be met.
    private mutating func refer(to subject: Subject?, comparedWith text: Located<String>) {
        switch subject {
        case .callType: refer(.callType, text)
        case .customer: refer(.customer, text)
        case .routingClient: refer(.routingClient, text)
        case .aniRestricted where text.value != "yes" && text.value != "no":
            fields.report("aniRestricted is yes or no, never \(text.value)", at: text.place)
        case .aniRestricted, .callKey, .field, nil: break
        }
    }

    private func decodeTime() -> Node? {
        let zone = fields.text("zone")
        if let zone, !CivilTimes.knows(zone.value) {
            let nearest = CivilTimes.nearest(to: zone.value).map { "; the nearest name is \($0)" } ?? ""
            fields.report("unknown time zone \(zone.value)\(nearest)", at: zone.place)
        }
        let when = fields.list("when", required: true).compactMap { value in
            decodeWhen(Fields(value, "a time window of node \(name)", at: value.place, fields.state))
        }
        let otherwise = self.otherwise
        guard let zone else { return nil }
        return .time(TimeNode(zone: zone.value, when: when, otherwise: otherwise))
    }

    private func decodeWhen(_ one: Fields) -> TimeNode.When? {
        var days = one.has("days") ? Set<Weekday>() : Set(Weekday.allCases)
        for text in one.texts("days", required: one.has("days")) {
            if let day = Weekday(name: text.value) {
                days.insert(day)
            } else {
                one.state.problems.reportUnknown(
                    "day", text.value, among: Weekday.allCases.map(\.description), at: text.place)
            }
        }
        let from = one.text("from").flatMap { minute($0, "from", one) }
        let to = one.text("to").flatMap { minute($0, "to", one) }
        let then = one.name("then", NodeName.self)
        one.finish()
        guard !days.isEmpty, let from, let to, let then else { return nil }
        do {
            return TimeNode.When(try TimeWindow(days: days, fromMinute: from, toMinute: to), then: then.value)
        } catch {
            one.report(error.description)
            return nil
        }
    }

    /// `HH:MM`, up to 24:00 for an end.
    private func minute(_ text: Located<String>, _ key: String, _ one: Fields) -> Int? {
        let bytes = Array(text.value.utf8)
        let digits = bytes.enumerated().allSatisfy {
            $0.offset == 2 ? $0.element == 58 : (48...57).contains($0.element)
        }
        if bytes.count == 5, digits {
            let hour = Int(bytes[0] - 48) * 10 + Int(bytes[1] - 48)
            let minute = Int(bytes[3] - 48) * 10 + Int(bytes[4] - 48)
            let last = key == "to" ? 1440 : 1439
            if minute < 60, hour * 60 + minute <= last { return hour * 60 + minute }
        }
        let range = key == "to" ? "00:00 to 24:00" : "00:00 to 23:59"
        one.report("\(key) is \(text.value); it must be a time of day as HH:MM, \(range)", at: text.place)
        return nil
    }

    private func decodePercent() -> Node? {
        let shares = fields.list("shares", required: true).compactMap { value -> PercentNode.Share? in
            let one = Fields(value, "a share of node \(name)", at: value.place, fields.state)
            let share = one.value("share")
            let then = one.name("then", NodeName.self)
            one.finish()
            guard let share else {
                one.missing("share")
                return nil
            }
            guard let hundredths = hundredths(share), let then else { return nil }
            return PercentNode.Share(hundredthsOfPercent: hundredths, then: then.value)
        }
        return .percent(PercentNode(shares: shares))
    }

    /// A percentage with at most two decimals, exactly.
    private func hundredths(_ value: Value) -> Int? {
        let parts = value.text.split(separator: ".", omittingEmptySubsequences: false)
        let decimals = parts.count == 2 ? parts[1] : ""
        let isNumber = value.kind == .integer || value.kind == .decimal
        guard isNumber, parts.count <= 2, decimals.utf8.count <= 2, let whole = Int(parts[0]),
            (0...100).contains(whole),
            let rest = Int((decimals + "00").prefix(2)), whole * 100 + rest <= PercentNode.whole
        else {
            let written = isNumber ? value.text : value.kind.name
            fields.report(
                "a share is \(written); it must be a number from 0 to 100 with at most two decimals", at: value.place)
            return nil
        }
        return whole * 100 + rest
    }

    private mutating func decodeSet() -> Node? {
        var assignments: [SetNode.Assignment] = []
        for (key, value) in fields.valuePairs("fields", required: true) {
            let field = fields.checked(key, "fields") { (text) throws(FieldFault) in try ContextField(parsing: text) }
            guard let field else { continue }
            refer(.field(field.value, setting: true), key)
            if value.kind == .null {
                assignments.append(SetNode.Assignment(field.value, to: nil))
            } else if let text = Fields.text(value), let template = template(Located(text, at: value.place), key.value)
            {
                assignments.append(SetNode.Assignment(field.value, to: template))
            } else if Fields.text(value) == nil {
                fields.report(
                    "\(key.value) must be set to a text or to nothing, not \(value.kind.name)", at: value.place)
            }
        }
        let then = fields.name("then", NodeName.self)
        let otherwise = self.otherwise
        guard let then else { return nil }
        return .set(SetNode(assignments: assignments, then: then.value, otherwise: otherwise))
    }

    private mutating func template(_ text: Located<String>, _ key: String) -> ValueTemplate? {
        let template = fields.checked(text, key) { (text) throws(FieldFault) in try ValueTemplate(parsing: text) }
        for subject in template?.value.subjects ?? [] { refer(to: subject, at: text.place) }
        return template?.value
    }

    private func decodeLabel() -> Node? {
        if fields.has("returned") {
            let returned = fields.boolean("returned", default: true)
            if !returned { fields.report("returned is true or absent", at: fields.keyPlace("returned")) }
            for key in ["label", "labelType"] where fields.has(key) {
                fields.report("a label node with returned takes no \(key)", at: fields.keyPlace(key))
                _ = fields.value(key)
            }
            return .label(LabelNode(returnedOr: otherwise))
        }
        _ = fields.value("returned")
        let type =
            fields.choice("labelType", [("normal", LabelType.normal), ("busy", .busy), ("ring", .ring)]) ?? .normal
        let text =
            type == .normal ? fields.text("label") : fields.optionalText("label") ?? Located("", at: fields.place)
        guard let text else { return nil }
        return fields.checked(text, "label") { (text) throws(FieldFault) in try Label(text, type: type) }
            .map { .label(LabelNode($0.value)) }
    }

    private mutating func decodeTranslationRoute() -> Node? {
        let route = fields.name("route", TranslationRouteName.self)
        if let route { refer(.translationRoute, Located(route.value.text, at: route.place)) }
        var target: ValueTemplate?
        if let text = fields.optionalText("target") {
            target = template(text, "target")
            if let literal = target?.literal {
                _ = fields.checked(Located(literal, at: text.place), "target") { (text) throws(FieldFault) in
                    try UltimateTarget(text)
                }
            }
        }
        let otherwise = self.otherwise
        return route.map {
            .translationRoute(TranslationRouteNode(route: $0.value, target: target, otherwise: otherwise))
        }
    }

    private mutating func decodeGateway() -> Node? {
        let gateway = fields.name("gateway", GatewayName.self)
        if let gateway { refer(.gateway, Located(gateway.value.text, at: gateway.place)) }
        let validate = fields.boolean("validateLabel", default: false)
        let masking = fields.choice("clidMasking", CLIDMasking.allCases.map { ($0.description, $0) }) ?? .never
        var labels: [RoutingClientName: Label] = [:]
        for (key, text) in fields.textPairs("defaultLabels") {
            refer(.routingClient, key)
            let label = fields.checked(text, "defaultLabels") { (text) throws(FieldFault) in
                try Label(text, type: .default)
            }
            let client = fields.checked(key, "defaultLabels") { (text) throws(FieldFault) in try RoutingClientName(text)
            }
            if let label, let client { labels[client.value] = label.value }
        }
        let payload = fields.optionalText("payload")
        if let payload { refer(.payload, payload) }
        let deadline = fields.optionalInteger("deadlineMilliseconds", 1...60_000)
        let then = fields.optionalName("then", NodeName.self)
        let otherwise = self.otherwise
        return gateway.map {
            .gateway(
                GatewayNode(
                    gateway: $0.value, validateLabel: validate, clidMasking: masking, defaultLabels: labels,
                    payload: payload?.value, deadlineMilliseconds: deadline.map { UInt32($0.value) }, then: then?.value,
                    otherwise: otherwise))
        }
    }
}
