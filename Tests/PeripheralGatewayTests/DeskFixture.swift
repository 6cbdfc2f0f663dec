import CallModel
import Ledger
import LedgerDouble
import PeripheralGateway
import Synchronization

/// An insurance with one translation route of three entries, a desk over it, and time that stands still.
struct DeskFixture {
    let ledger: InMemoryLedger
    let desk: ClaimDesk

    static let route = TranslationRouteName(unchecked: "advice")
    static let account = ECCName(unchecked: "user.account")

    init(entries: Int = 3, aniCheck: ANICheck = .off) throws {
        let configuration = try Self.configuration(entries: entries, aniCheck: aniCheck)
        ledger = InMemoryLedger(configuration)
        let rules = DeskRules(
            limits: configuration.limits,
            routingClients: [RoutingClientName(unchecked: "carrier"), RoutingClientName(unchecked: "voice-bot")])
        desk = ClaimDesk(ledger: ledger) { rules }
    }

    static func configuration(entries: Int, aniCheck: ANICheck) throws -> LedgerConfiguration {
        var route = TranslationRoute(
            name: Self.route, peripheral: PeripheralName(unchecked: "insurance-acd"),
            ranges: [
                try EntryRange(
                    trunkGroup: TrunkGroupName(unchecked: "tg-1"), from: DNIS(unchecked: "8001"),
                    through: DNIS(unchecked: "800\(entries)"))
            ],
            labels: [RoutingClientName(unchecked: "carrier"): LabelTemplate(prefix: "9555")])
        route.aniCheck = aniCheck
        var limits = ContextLimits()
        limits.declare(try ECCDeclaration(name: account, maximumLength: 12, sensitivity: .personal))
        return LedgerConfiguration(
            instance: InstanceName(unchecked: "insurance"), routes: [route],
            peripherals: [Peripheral(name: PeripheralName(unchecked: "insurance-acd"), defaultRoute: "7000")],
            limits: limits)
    }

    static func context() -> CallContext {
        var context = CallContext()
        context.ani = "+4989123456"
        context.ced = "4711"
        context.variables[0] = "gold"
        context.ecc[account] = .scalar("DE44-1")
        return context
    }

    static func reservation(callID: String = "leg-1", client: String? = "carrier") -> ReservationRequest {
        ReservationRequest(
            translationRoute: route, callID: CallID(unchecked: callID),
            routingClient: client.map { RoutingClientName(unchecked: $0) }, context: context(),
            target: UltimateTarget(unchecked: "skill-car"))
    }

    static func claim(dnis: String, callID: String = "acd-1", ani: String? = nil) -> ClaimRequest {
        ClaimRequest(
            key: TranslationRouteKey(
                peripheral: PeripheralName(unchecked: "insurance-acd"), trunkGroup: TrunkGroupName(unchecked: "tg-1"),
                dnis: DNIS(unchecked: dnis)), callID: CallID(unchecked: callID), ani: ani)
    }

    /// What the desk refuses with; nil when it does not.
    func refusal<Value>(_ ask: () async throws(DeskRefusal) -> Value) async -> DeskRefusal? {
        do {
            _ = try await ask()
            return nil
        } catch {
            return error
        }
    }
}
