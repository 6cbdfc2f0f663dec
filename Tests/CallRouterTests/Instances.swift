import CallModel
import CallRouter
import ContextStore
import INCRP
import Ledger
import LedgerDouble
import Logging
import ReplicatedLedger
import Routing
import Testing

/// One instance: its router over a ledger in memory, with time in the test's hand.
struct Instance {
    let name: InstanceName
    let ledger: InMemoryLedger
    let router: CallRouter
    let nic: INCRPNIC
    let clock: ManualClock
    let log: Events<String>
    let settings: RouterSettings
    let links: [GatewayName: any ServerLink]

    init(
        _ settings: RouterSettings, _ configuration: LedgerConfiguration, links: [GatewayName: any ServerLink] = [:],
        ledger: InMemoryLedger? = nil
    ) {
        let log = Events<String>()
        let ledger = ledger ?? InMemoryLedger(configuration)
        name = settings.instance
        clock = ManualClock()
        self.ledger = ledger
        self.log = log
        self.settings = settings
        self.links = links
        router = CallRouter(
            settings: settings, links: links, ledger: ledger, civilTimes: { _, _ in [:] }, clock: clock,
            logger: Logger(label: "test") { _ in RecordingLog(lines: log) })
        nic = INCRPNIC(router: router)
    }

    /// The same ledger under a new process.
    func restarted(links: [GatewayName: any ServerLink]? = nil) -> Instance {
        Instance(settings, LedgerConfiguration(instance: name), links: links ?? self.links, ledger: ledger)
    }

    func dialog(_ id: DialogID) -> DialogRow? { ledger.view.ledger.dialog(id) }

    var dialogs: [DialogRow] { ledger.view.ledger.allDialogs() }

    /// Entries of all pools that wait for their call.
    var waiting: Int { ledger.view.rows(.reservations, from: [], limit: 100).count { state(of: $0) == .waiting } }

    private func state(of row: StoredRow) -> EntryState? { try? ReservationRow(key: row.key, value: row.value).state }

    func claim(_ key: TranslationRouteKey, callID: String) async throws -> LedgerAnswer {
        try await ledger.submit(
            .claim(Claim(key: key, callID: CallID(unchecked: callID))), deadlineMilliseconds: 1000)
    }
}

func name<Name: CheckedText>(_ text: String) -> Name { Name(unchecked: text) }

func label(_ text: String, _ type: LabelType = .normal) -> Label { Label(unchecked: text, type: type) }

func pattern(_ text: String) throws -> Pattern { try Pattern(parsing: text) }

func script(_ text: String, start: String, _ nodes: [String: Node]) throws -> Script {
    try Script(
        name: name(text), start: name(start),
        nodes: Dictionary(uniqueKeysWithValues: nodes.map { (NodeName(unchecked: $0.key), $0.value) }))
}

/// A context with some of everything, within the limits of ``limits()``.
func context(ani: String? = "+4930123") -> CallContext {
    var context = CallContext()
    context.ani = ani
    context.ced = "4711"
    context.variables[0] = "gold"
    context.ecc[name("user.account")] = .scalar("A-1")
    context.ecc[name("user.note")] = .scalar("here only")
    return context
}

func limits() throws -> ContextLimits {
    var limits = ContextLimits()
    let account = try ECCDeclaration(name: name("user.account"), maximumLength: 20)
    limits.declare(account)
    limits.declare(try ECCDeclaration(name: name("user.note"), maximumLength: 20))
    limits.declare(try ECCPayload(name: "sale", declarations: [account]))
    return limits
}

let toInsurance: GatewayName = name("to-insurance")

/// The bank: a client of the insurance. Dialed numbers 08001... go to the script given, 08009... to a label, 7900...
/// to a translation route of its own.
func bankSettings(_ node: GatewayNode? = nil, script other: Script? = nil) throws -> RouterSettings {
    let ask = node ?? GatewayNode(gateway: toInsurance)
    let forward = try other ?? script("forward", start: "ask", ["ask": .gateway(ask)])
    let fixed = try script("fixed", start: "label", ["label": .label(LabelNode(label("95551234")))])
    let advice = try script(
        "advice", start: "pool",
        [
            "pool": .translationRoute(TranslationRouteNode(route: name("advice"), otherwise: name("full"))),
            "full": .label(LabelNode(label("7099"))),
        ])
    let from = try script("from", start: "label", ["label": .label(LabelNode(label("6000")))])
    return RouterSettings(
        instance: name("bank"), limits: try limits(),
        routingClients: [
            RoutingClient(
                name: name("carrier"), kind: .nic, networkTransfer: true, defaultLabel: label("95550000", .default)),
            RoutingClient(name: name("plain"), kind: .nic, defaultLabel: label("95550009", .default)),
            RoutingClient(
                name: name("bank-pg"), kind: .pg(name("bank-acd"), postRouteNumbers: [try pattern("79XX")]),
                defaultLabel: label("7000", .default)),
            RoutingClient(
                name: name("net-pg"), kind: .pg(name("net-acd"), postRouteNumbers: []), networkTransfer: true,
                defaultLabel: label("7000", .default)),
            RoutingClient(
                name: name("from-insurance"), kind: .incrp(try ClientID(9), instance: name("insurance")),
                customer: name("retail")),
        ],
        customers: [name("retail")],
        dialedNumbers: DialedNumberTable(entries: [
            DialedNumberTable.Entry(pattern: try pattern("08001*"), callType: "forward"),
            DialedNumberTable.Entry(pattern: try pattern("08009*"), callType: "fixed"),
            DialedNumberTable.Entry(pattern: try pattern("08005"), callType: "nowhere"),
            DialedNumberTable.Entry(pattern: try pattern("790X"), callType: "advice"),
            DialedNumberTable.Entry(pattern: try pattern("791X"), callType: "forward"),
            DialedNumberTable.Entry(pattern: try pattern("5X"), callType: "from"),
        ]),
        callTypes: CallTypes(scripts: [
            "forward": forward.name, "fixed": fixed.name, "advice": advice.name, "nowhere": name("missing"),
            "from": from.name,
        ]),
        scripts: [forward.name: forward, fixed.name: fixed, advice.name: advice, from.name: from],
        labels: LabelTable(labels: [
            name("carrier"): [LabelPattern(try pattern("9555XXXX"))],
            name("bank-pg"): [LabelPattern(try pattern("7XXX"))],
        ]),
        gateways: [RouterGateway(name: toInsurance)])
}

func bankLedger() throws -> LedgerConfiguration {
    LedgerConfiguration(
        instance: name("bank"),
        routes: [
            TranslationRoute(
                name: name("advice"), peripheral: name("bank-acd"),
                ranges: [try EntryRange(trunkGroup: name("tg-1"), from: name("8001"), through: name("8002"))])
        ],
        peripherals: [Peripheral(name: name("bank-acd"), defaultRoute: "7000")], limits: try limits())
}

func bank(_ node: GatewayNode? = nil, script: Script? = nil, link: (any ServerLink)?) throws -> Instance {
    Instance(
        try bankSettings(node, script: script), try bankLedger(), links: link.map { [toInsurance: $0] } ?? [:])
}

/// The insurance: a server. 08001... of customer retail: a translation route, after setting variable2; of customer
/// other: a label; 0800199: no label; 0800177: over a gateway of its own, which INCRP forbids.
func insurance(link: (any ServerLink)? = nil) throws -> Instance {
    let claims = try script(
        "claims", start: "mark",
        [
            "mark": .set(
                SetNode(
                    assignments: [SetNode.Assignment(.variable(2), to: try ValueTemplate(parsing: "seen"))],
                    then: name("pool"))),
            "pool": .translationRoute(
                TranslationRouteNode(route: name("claims"), target: try ValueTemplate(parsing: "skill-9"))),
        ])
    let fixed = try script("fixed", start: "label", ["label": .label(LabelNode(label("95557777")))])
    let none = try script("none", start: "end", ["end": .end])
    let onward = try script("onward", start: "ask", ["ask": .gateway(GatewayNode(gateway: name("to-bank")))])
    let settings = RouterSettings(
        instance: name("insurance"), limits: try limits(),
        routingClients: [
            RoutingClient(
                name: name("bank"), kind: .incrp(try ClientID(5), instance: name("bank")), customer: name("retail")),
            RoutingClient(
                name: name("broker"), kind: .incrp(try ClientID(6), instance: name("broker")), customer: name("other")),
            RoutingClient(name: name("mapless"), kind: .incrp(try ClientID(7), instance: name("mapless"))),
            RoutingClient(
                name: name("insurance-pg"), kind: .pg(name("insurance-acd"), postRouteNumbers: []),
                defaultLabel: label("5000", .default)),
        ],
        customers: [name("retail"), name("other")],
        dialedNumbers: DialedNumberTable(entries: [
            DialedNumberTable.Entry(pattern: try pattern("0800199"), callType: "none"),
            DialedNumberTable.Entry(pattern: try pattern("0800177"), callType: "onward"),
            DialedNumberTable.Entry(pattern: try pattern("5X"), callType: "onward"),
            DialedNumberTable.Entry(pattern: try pattern("08001*"), customer: name("retail"), callType: "claims"),
            DialedNumberTable.Entry(pattern: try pattern("791X"), customer: name("retail"), callType: "claims"),
            DialedNumberTable.Entry(pattern: try pattern("08001*"), customer: name("other"), callType: "fixed"),
        ]),
        callTypes: CallTypes(scripts: [
            "claims": claims.name, "fixed": fixed.name, "none": none.name, "onward": onward.name,
        ]),
        scripts: [claims.name: claims, fixed.name: fixed, none.name: none, onward.name: onward],
        gateways: [RouterGateway(name: name("to-bank"))])
    let configuration = LedgerConfiguration(
        instance: name("insurance"),
        routes: [
            TranslationRoute(
                name: name("claims"), peripheral: name("insurance-acd"),
                ranges: [try EntryRange(trunkGroup: name("tg-9"), from: name("9001"), through: name("9002"))],
                labels: [name("bank"): LabelTemplate(prefix: "9555")])
        ],
        peripherals: [Peripheral(name: name("insurance-acd"), defaultRoute: "5000")], limits: try limits())
    return Instance(settings, configuration, links: link.map { [name("to-bank"): $0] } ?? [:])
}

func peer(_ clientID: Int, _ instance: String) throws -> INCRPPeer {
    INCRPPeer(clientID: try ClientID(clientID), instance: name(instance), side: .a, version: .current)
}

/// Bank and insurance with a link between them.
struct TwoCentres {
    let bank: Instance
    let insurance: Instance
    let link: DirectLink

    init(_ node: GatewayNode? = nil) throws {
        insurance = try CallRouterTests.insurance()
        link = DirectLink(to: insurance.nic, as: try peer(5, "bank"))
        bank = try CallRouterTests.bank(node, link: link)
    }
}

extension RouteRequest {
    /// By the carrier, for the insurance.
    static func forwarded(_ callID: String = "call-1", client: String = "carrier", to number: String = "08001")
        -> RouteRequest
    {
        RouteRequest(
            routingClient: client, dialedNumber: number, callID: name(callID),
            context: CallRouterTests.context())
    }
}

/// The refusal of a request that must be refused.
func refusal(_ body: () async throws(RouteRefusal) -> RouteAnswer) async -> RouteRefusal? {
    do throws(RouteRefusal) {
        _ = try await body()
        return nil
    } catch {
        return error
    }
}
