internal import CallModel
internal import Foundation
internal import INCRP
internal import Ledger
internal import Routing

/// Configuration files (`Schemas/config.schema.json`) and the scripts they name.
package enum Configuration {
    /// Reads a side's configuration with its scripts, and checks everything in it. All mistakes are told at once.
    ///
    /// - Parameters:
    ///   - path: the YAML file; relative paths in it are relative to its directory.
    ///   - environment: `BATON_SECTION_KEY` overrides a scalar setting, for example `BATON_HTTP_PORT`.
    package static func load(
        path: String, environment: [String: String] = [:]
    ) throws(ConfigurationErrors) -> SideConfiguration {
        let state = LoadState(environment: environment)
        let configuration = YAMLFile.read(path, shown: path, state.problems).flatMap { root in
            let decoder = ConfigurationDecoder(root, path: path, state)
            return decoder.decode()
        }
        guard let configuration, state.problems.errors.isEmpty else {
            throw ConfigurationErrors(state.problems.errors, first: path)
        }
        return configuration
    }
}

/// Decodes a configuration section by section, in an order in which the names that a section refers to are known.
/// Invariant: what is wrong is reported; what is kept then only serves to find more mistakes.
final class ConfigurationDecoder {
    let state: LoadState
    let root: Fields
    let path: String
    /// Of the configuration file, as it was given.
    let directory: String

    var limits = ContextLimits()
    var customers: Set<String> = []
    var peripherals: [PeripheralSettings] = []
    var routingClients: [RoutingClientSettings] = []
    var gateways: [GatewaySettings] = []
    var translationRoutes: [TranslationRoute] = []
    var scripts: [ScriptName: Script] = [:]
    var warnings: [String] = []
    /// As written in the section incrpNIC.
    var customerMapping: [Located<String>] = []
    /// Names that were given, also by entries that are otherwise wrong: who refers to them makes no mistake.
    var peripheralNames: Set<String> = []
    var routingClientNames: Set<String> = []
    var translationRouteNames: Set<String> = []
    var gatewayNames: Set<String> = []
    var scriptNames: Set<String> = []

    init(_ value: Value, path: String, _ state: LoadState) {
        self.state = state
        self.path = path
        directory = path.contains("/") ? String(path[..<(path.lastIndex(of: "/") ?? path.startIndex)]) + "/" : ""
        root = Fields(value, "the configuration", section: "", at: Place(file: path, line: 1, column: 1), state)
    }

    func decode() -> SideConfiguration? {
        let (instance, number) = decodeInstance()
        let side = root.choice("side", Side.allCases.map { ($0.rawValue, $0) }) ?? .a
        let dataDirectory = root.checkedText("dataDirectory", limit: 4096)
        let http = decodeHTTP()
        decodeLimits()
        decodeECC()
        decodeCustomers()
        decodePeripherals()
        let incrpNIC = decodeINCRPNIC(instanceNumber: number, side: side)
        let pair = decodePair()
        decodeRoutingClients()
        applyCustomerMapping()
        decodeTranslationRoutes()
        decodeGateways(instance: instance)
        let callTypeScripts = root.textPairs("callTypes")
        decodeScripts(callTypes: Set(callTypeScripts.map(\.key.value)))
        let callTypes = decodeCallTypes(callTypeScripts)
        let dialedNumbers = decodeDialedNumbers(callTypes: Set(callTypeScripts.map(\.key.value)))
        let (dialogs, store, log, deadlines) = decodeTimesAndSizes()
        root.finish()
        state.reportUnknownVariables()
        guard let instance, let dataDirectory else { return nil }
        return SideConfiguration(
            file: path, instance: instance, instanceNumber: number, side: side,
            dataDirectory: absolute(dataDirectory.value), http: http, limits: limits, peripherals: peripherals,
            translationRoutes: translationRoutes, routingClients: routingClients,
            customers: customers.sorted().map { CustomerName(unchecked: $0) }, dialedNumbers: dialedNumbers,
            callTypes: callTypes, scripts: scripts, gateways: gateways, incrpNIC: incrpNIC, dialogs: dialogs,
            store: store,
            log: log, deadlines: deadlines, pair: pair, warnings: warnings)
    }

    private func decodeInstance() -> (InstanceName?, Int) {
        if !root.has("instance") { root.missing("instance") }
        let fields = root.section("instance")
        let number = fields.integer("number", 0...24, default: 0)
        let name = !root.has("instance") ? fields.optionalText("name") : fields.text("name")
        fields.finish()
        let checked = name.flatMap { name in
            fields.checked(name, "name") { (text) throws(FieldFault) in try InstanceName(text, field: "name") }
        }
        return (checked?.value, number)
    }

    private func decodeTimesAndSizes() -> (DialogSettings, StoreSettings, LogSettings, DeadlineSettings) {
        let dialogs = root.section("dialogs")
        let dialogSettings = DialogSettings(
            answersKeptSeconds: UInt32(dialogs.integer("answersKeptSeconds", 1...86_400, default: 120)),
            ageSeconds: UInt32(dialogs.integer("ageSeconds", 1...86_400, default: 60)))
        dialogs.finish()
        let store = root.section("store")
        let storeSettings = StoreSettings(
            mapBytes: UInt64(store.bytes("mapBytes", (64 << 20)...(16 << 40), default: 16 << 30)),
            journeysKept: store.integer("journeysKept", 0...100_000_000, default: 100_000))
        store.finish()
        let log = root.section("log")
        let logSettings = LogSettings(
            retentionHours: log.integer("retentionHours", 1...8760, default: 24),
            retentionBytes: UInt64(log.bytes("retentionBytes", (256 << 20)...(16 << 40), default: 4 << 30)))
        log.finish()
        let deadlines = root.section("deadlines")
        let deadlineSettings = DeadlineSettings(
            claimMilliseconds: deadlines.milliseconds("claimMilliseconds", default: 1000),
            reservationMilliseconds: deadlines.milliseconds("reservationMilliseconds", default: 1000),
            routeMilliseconds: deadlines.milliseconds("routeMilliseconds", default: 3000))
        deadlines.finish()
        return (dialogSettings, storeSettings, logSettings, deadlineSettings)
    }

    /// Limits can be raised, never lowered: a peer may send what is published.
    private func decodeLimits() {
        let fields = root.section("limits")
        let most = 32 * 1024
        limits.ani = fields.integer("ani", limits.ani...most, default: limits.ani)
        limits.ced = fields.integer("ced", limits.ced...most, default: limits.ced)
        limits.uui = fields.integer("uui", limits.uui...most, default: limits.uui)
        limits.dnis = fields.integer("dnis", limits.dnis...most, default: limits.dnis)
        limits.dialedNumber = fields.integer("dialedNumber", limits.dialedNumber...most, default: limits.dialedNumber)
        limits.variable = fields.integer("variable", limits.variable...most, default: limits.variable)
        limits.context = fields.integer("context", 4096...most, default: limits.context)
        eccLengthLimit = fields.integer("eccLength", ECCDeclaration.longest...most, default: ECCDeclaration.longest)
        payloadBytesLimit = fields.integer("payload", ECCPayload.mostBytes...most, default: ECCPayload.mostBytes)
        fields.finish()
    }

    private var eccLengthLimit = ECCDeclaration.longest
    private var payloadBytesLimit = ECCPayload.mostBytes

    private func decodeECC() {
        let fields = Fields(root.value("ecc"), "ecc", at: root.place, state)
        for value in fields.list("variables") {
            let one = Fields(value, "an ECC variable", at: value.place, state)
            let name = one.name("name", ECCName.self)
            if !one.has("maximumLength") { one.missing("maximumLength") }
            let length = one.optionalInteger("maximumLength", 1...eccLengthLimit)
            let elements = one.optionalInteger("elements", 1...ECCDeclaration.mostElements)
            let sensitivity = one.choice(
                "sensitivity", [("none", Sensitivity.none), ("personal", .personal), ("payment", .payment)])
            one.finish()
            guard let name, let length else { continue }
            if isPlainField(name.value) {
                one.report("ECC variable \(name.value) has the name of another field of the context", at: name.place)
            }
            if limits.declarations[name.value] != nil {
                one.report("ECC variable \(name.value) is declared twice", at: name.place)
            }
            do {
                limits.declare(
                    try ECCDeclaration(
                        name: name.value, maximumLength: length.value, elements: elements?.value,
                        sensitivity: sensitivity ?? .none, lengthLimit: eccLengthLimit))
            } catch {
                one.report(error.description)
            }
        }
        for value in fields.list("payloads") {
            decodePayload(Fields(value, "a payload", at: value.place, state))
        }
        fields.finish()
    }

    /// A script or a request could not name such an ECC variable.
    private func isPlainField(_ name: ECCName) -> Bool {
        if Subject.factNames.contains(name.text) { return true }
        do {
            if case .ecc = try ContextField(parsing: name.text) { return false }
            return true
        } catch {
            return true
        }
    }

    private func decodePayload(_ one: Fields) {
        let name = one.checkedText("name", limit: 32)
        let members = one.texts("members", required: true)
        one.finish()
        guard let name else { return }
        if limits.payloads[name.value] != nil { one.report("payload \(name.value) is declared twice", at: name.place) }
        var declarations: [ECCDeclaration] = []
        for member in members {
            guard let declaration = limits.declarations[ECCName(unchecked: member.value)] else {
                let names = limits.declarations.keys.map(\.text)
                state.problems.reportUnknown("ECC variable", member.value, among: names, at: member.place)
                continue
            }
            if declarations.contains(where: { $0.name == declaration.name }) {
                one.report("payload \(name.value) holds \(member.value) twice", at: member.place)
            }
            declarations.append(declaration)
        }
        do {
            limits.declare(try ECCPayload(name: name.value, declarations: declarations, bytesLimit: payloadBytesLimit))
        } catch {
            one.report(error.description, at: name.place)
        }
    }

    /// A path of the file, seen from the process.
    func resolved(_ written: String) -> String { written.hasPrefix("/") ? written : directory + written }

    func absolute(_ written: String) -> String {
        URL(fileURLWithPath: resolved(written)).standardizedFileURL.path
    }

    func check(_ name: Located<String>, _ what: String, among names: some Collection<String>) {
        if !names.contains(name.value) {
            state.problems.reportUnknown(what, name.value, among: names, at: name.place)
        }
    }
}
