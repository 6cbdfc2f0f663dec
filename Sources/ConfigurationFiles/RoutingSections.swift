internal import CallModel
internal import INCRP
internal import Ledger
internal import Routing

/// The sections on who asks and where calls arrive: `customers`, `peripherals`, `routingClients`, `translationRoutes`.
extension ConfigurationDecoder {
    func decodeCustomers() {
        for text in root.texts("customers") {
            let name = root.checked(text, "customers") { (text) throws(FieldFault) in try CustomerName(text) }
            if let name, !customers.insert(name.value.text).inserted {
                root.report("two customers are named \(name.value)", at: name.place)
            }
        }
    }

    func decodePeripherals() {
        for value in root.list("peripherals") {
            let one = Fields(value, "a peripheral", at: value.place, state)
            let name = one.name("name", PeripheralName.self)
            if let name { one.what = "peripheral \(name.value)" }
            let defaultRoute = one.checkedText("defaultRoute", limit: 64)
            var trunkGroups: [TrunkGroupName] = []
            for text in one.texts("trunkGroups", required: true) {
                let group = one.checked(text, "trunkGroups") { (text) throws(FieldFault) in try TrunkGroupName(text) }
                guard let group else { continue }
                if trunkGroups.contains(group.value) {
                    one.report("\(one.what) has trunk group \(group.value) twice", at: group.place)
                }
                trunkGroups.append(group.value)
            }
            let numbers = one.texts("postRouteNumbers").compactMap { Pattern($0, state.problems) }
            one.finish()
            if let name, !peripheralNames.insert(name.value.text).inserted {
                one.report("two peripherals are named \(name.value)", at: name.place)
            }
            guard let name else { continue }
            peripherals.append(
                PeripheralSettings(
                    name: name.value, defaultRoute: defaultRoute?.value ?? "", trunkGroups: trunkGroups,
                    postRouteNumbers: numbers))
        }
    }

    func decodeRoutingClients() {
        for value in root.list("routingClients") {
            let one = Fields(value, "a routing client", at: value.place, state)
            guard let name = one.name("name", RoutingClientName.self) else { continue }
            one.what = "routing client \(name.value)"
            if !routingClientNames.insert(name.value.text).inserted {
                one.report("two routing clients are named \(name.value)", at: name.place)
            }
            if !one.has("type") { one.missing("type") }
            guard let type = one.choice("type", RoutingClientType.allCases.map { ($0.rawValue, $0) }) else { continue }
            decodeRoutingClient(name.value, type, one)
        }
    }

    private func decodeRoutingClient(_ name: RoutingClientName, _ type: RoutingClientType, _ one: Fields) {
        var client = RoutingClientSettings(
            name: name, type: type, networkTransfer: false, defaultLabel: nil, labels: [], peripheral: nil,
            deadlineMilliseconds: nil, clientID: nil, instance: nil, customer: nil)
        client.deadlineMilliseconds = one.optionalInteger("deadlineMilliseconds", 1...60_000).map { UInt32($0.value) }
        client.labels = one.texts("labels").compactMap { Pattern($0, state.problems).map { LabelPattern($0) } }
        if type != .incrp && !one.has("defaultLabel") { one.missing("defaultLabel") }
        if let text = one.optionalText("defaultLabel") {
            let label = one.checked(text, "defaultLabel") { (text) throws(FieldFault) in
                try Label(text, type: .default, field: "defaultLabel")
            }
            client.defaultLabel = label?.value
            if let label, let pattern = Pattern.literal(label.value.text) {
                client.labels.append(LabelPattern(pattern))
            }
        }
        switch type {
        case .nic: client.networkTransfer = one.boolean("networkTransfer", default: false)
        case .pg: decodePG(&client, one)
        case .incrp: decodeINCRPClient(&client, one)
        }
        one.finish()
        routingClients.append(client)
    }

    private func decodePG(_ client: inout RoutingClientSettings, _ one: Fields) {
        guard let peripheral = one.name("peripheral", PeripheralName.self) else { return }
        check(Located(peripheral.value.text, at: peripheral.place), "peripheral", among: peripheralNames)
        if let other = routingClients.first(where: { $0.peripheral == peripheral.value }) {
            one.report(
                "routing clients \(other.name) and \(client.name) stand in front of the same peripheral"
                    + " \(peripheral.value)",
                at: peripheral.place)
        }
        client.peripheral = peripheral.value
    }

    private func decodeINCRPClient(_ client: inout RoutingClientSettings, _ one: Fields) {
        if !root.has("incrpNIC") { one.report("\(one.what) is of type INCRP, but there is no section incrpNIC") }
        client.networkTransfer = one.boolean("networkTransfer", default: false)
        if !one.has("clientID") { one.missing("clientID") }
        if let number = one.optionalInteger("clientID", 0...127) {
            let id = ClientID(unchecked: number.value)
            if let other = routingClients.first(where: { $0.clientID == id }) {
                one.report(
                    "routing clients \(other.name) and \(client.name) have the same client id \(id)", at: number.place)
            }
            client.clientID = id
        }
        let instance = one.text("instance").flatMap { text in
            one.checked(text, "instance") { (text) throws(FieldFault) in try InstanceName(text) }
        }
        client.instance = instance?.value
        if let customer = one.optionalName("customer", CustomerName.self) {
            check(Located(customer.value.text, at: customer.place), "customer", among: customers)
            client.customer = customer.value
        }
    }

    func decodeTranslationRoutes() {
        var keys = PoolKeys()
        for value in root.list("translationRoutes") {
            let one = Fields(value, "a translation route", at: value.place, state)
            let name = one.name("name", TranslationRouteName.self)
            if let name { one.what = "translation route \(name.value)" }
            if let name, !translationRouteNames.insert(name.value.text).inserted {
                one.report("two translation routes are named \(name.value)", at: name.place)
            }
            let peripheral = one.name("peripheral", PeripheralName.self)
            if let peripheral {
                check(Located(peripheral.value.text, at: peripheral.place), "peripheral", among: peripheralNames)
            }
            let ranges = decodeEntries(one, peripheral?.value)
            let labels = decodeLabels(one, ranges.map(\.value))
            let fallback = one.optionalText("defaultLabel").flatMap { template($0, one, ranges.map(\.value)) }
            var route = TranslationRoute(
                name: name?.value ?? TranslationRouteName(unchecked: ""),
                peripheral: peripheral?.value ?? PeripheralName(unchecked: ""), ranges: ranges.map(\.value),
                labels: labels,
                defaultLabel: fallback ?? LabelTemplate(prefix: ""))
            route.leaseSeconds = UInt32(one.integer("leaseSeconds", 1...3600, default: Int(route.leaseSeconds)))
            route.repeatSeconds = UInt32(one.integer("repeatSeconds", 0...3600, default: Int(route.repeatSeconds)))
            route.quarantineSeconds = UInt32(
                one.integer("quarantineSeconds", 0...86_400, default: Int(route.quarantineSeconds)))
            route.aniCheck = one.choice("aniCheck", ANICheck.allCases.map { ($0.description, $0) }) ?? .off
            one.finish()
            guard name != nil, let peripheral else { continue }
            keys.add(ranges, route: route.name, peripheral: peripheral.value)
            translationRoutes.append(route)
        }
        keys.reportOverlaps(state.problems)
    }

    private func decodeEntries(_ route: Fields, _ peripheral: PeripheralName?) -> [Located<EntryRange>] {
        let settings = peripherals.first { $0.name == peripheral }
        var ranges: [Located<EntryRange>] = []
        for value in route.list("entries", required: true) {
            let one = Fields(value, "entries of \(route.what)", at: value.place, state)
            let group = one.name("trunkGroup", TrunkGroupName.self)
            if let group, let settings, !settings.trunkGroups.contains(group.value) {
                state.problems.reportUnknown(
                    "trunk group of peripheral \(settings.name)", group.value.text,
                    among: settings.trunkGroups.map(\.text),
                    at: group.place)
            }
            let isList = one.value("dnis")?.kind == .list
            let texts = isList ? one.texts("dnis", required: true) : one.text("dnis").map { [$0] } ?? []
            one.finish()
            for text in texts {
                let range = one.checked(text, "dnis") { (text) throws(FieldFault) in
                    try Self.range(text, group?.value ?? TrunkGroupName(unchecked: ""))
                }
                if let range { ranges.append(range) }
            }
        }
        let count = ranges.reduce(0) { $0.addingReportingOverflow($1.value.count).partialValue }
        if count > PoolKeys.mostEntries || ranges.contains(where: { $0.value.count > PoolKeys.mostEntries }) {
            route.report("\(route.what) has more than \(PoolKeys.mostEntries) entries")
            return []
        }
        return ranges
    }

    /// `8001`, or `8001-8040` for a range with both ends.
    private static func range(_ text: String, _ group: TrunkGroupName) throws(FieldFault) -> EntryRange {
        let ends = text.split(separator: "-", omittingEmptySubsequences: false).map(String.init)
        guard ends.count <= 2 else {
            throw FieldFault(field: "dnis", fault: .wrongShape("\(text) is neither a DNIS nor a range like 8001-8040"))
        }
        let from = try DNIS(ends[0])
        return try EntryRange(trunkGroup: group, from: from, through: ends.count == 2 ? try DNIS(ends[1]) : from)
    }

    private func decodeLabels(_ one: Fields, _ ranges: [EntryRange]) -> [RoutingClientName: LabelTemplate] {
        var labels: [RoutingClientName: LabelTemplate] = [:]
        for (key, text) in one.textPairs("labels") {
            check(key, "routing client", among: routingClientNames)
            labels[RoutingClientName(unchecked: key.value)] = template(text, one, ranges)
        }
        return labels
    }

    /// `prefix{dnis}`, or one label for all entries.
    private func template(_ text: Located<String>, _ one: Fields, _ ranges: [EntryRange]) -> LabelTemplate? {
        let appends = text.value.hasSuffix("{dnis}")
        let prefix = appends ? String(text.value.dropLast(6)) : text.value
        if prefix.contains("{") || prefix.contains("}") {
            one.report("label \(text.value) may hold {dnis} only at its end", at: text.place)
            return nil
        }
        let template = LabelTemplate(prefix: prefix, appendsDNIS: appends)
        let longest =
            ranges.map { $0.dnis(at: 0) }.max { $0.text.utf8.count < $1.text.utf8.count } ?? DNIS(unchecked: "0")
        let checked = one.checked(Located(template.label(for: longest).text, at: text.place), "label") {
            (text) throws(FieldFault) in try Label(text)
        }
        return checked == nil ? nil : template
    }
}

extension Pattern {
    /// Matches exactly this text; nil when that is too long for a pattern, which no label is.
    static func literal(_ text: String) -> Pattern? {
        var escaped = ""
        for character in text {
            if "X?[]*\\".contains(character) { escaped.append("\\") }
            escaped.append(character)
        }
        do {
            return try Pattern(parsing: escaped)
        } catch {
            return nil
        }
    }
}

/// Which keys belong to which translation route: a key belongs to one only, whether it stands in a range or alone.
struct PoolKeys {
    static let mostEntries = 1_000_000

    private struct Family: Hashable {
        let peripheral: PeripheralName
        let trunkGroup: TrunkGroupName
        let prefix: String
        let digits: UInt8
    }

    private struct Run {
        let range: Located<EntryRange>
        let route: TranslationRouteName
    }

    private var families: [Family: [Run]] = [:]

    mutating func add(_ ranges: [Located<EntryRange>], route: TranslationRouteName, peripheral: PeripheralName) {
        for range in ranges {
            let family = Family(
                peripheral: peripheral, trunkGroup: range.value.trunkGroup, prefix: range.value.prefix,
                digits: range.value.digits)
            families[family, default: []].append(Run(range: range, route: route))
        }
    }

    func reportOverlaps(_ problems: Problems) {
        for (family, runs) in families {
            let sorted = runs.sorted { $0.range.value.first < $1.range.value.first }
            guard var reaching = sorted.first else { continue }
            for run in sorted.dropFirst() {
                if run.range.value.first <= reaching.range.value.last {
                    report(reaching, run, family, problems)
                }
                if run.range.value.last > reaching.range.value.last { reaching = run }
            }
        }
    }

    private func report(_ one: Run, _ other: Run, _ family: Family, _ problems: Problems) {
        let dnis = other.range.value.dnis(at: 0)
        let key = TranslationRouteKey(peripheral: family.peripheral, trunkGroup: family.trunkGroup, dnis: dnis)
        let (earlier, later) = one.range.place < other.range.place ? (one, other) : (other, one)
        let sentence =
            one.route == other.route
            ? "translation route \(one.route) holds the key \(key) twice"
            : "translation routes \(earlier.route) and \(later.route) both hold the key \(key);"
                + " a key belongs to one pool only"
        problems.report("\(sentence) (first in line \(earlier.range.place.line))", at: later.range.place)
    }
}
