internal import CallModel
internal import Foundation
internal import INCRP

/// The sections on listeners and links: `http`, `incrpNIC`, `gateways`.
extension ConfigurationDecoder {
    func decodeHTTP() -> HTTPSettings {
        let fields = root.section("http")
        let host = fields.optionalText("host")
        let port = fields.integer("port", 0...65_535, default: 7080)
        let tokenFile = fields.optionalText("tokenFile")
        let allowClearText = fields.boolean("allowClearText", default: false)
        fields.finish()
        if let tokenFile, !FileManager.default.isReadableFile(atPath: absolute(tokenFile.value)) {
            fields.report("tokenFile \(resolved(tokenFile.value)) cannot be read", at: tokenFile.place)
        }
        checkListener("http", host, allowClearText: allowClearText)
        return HTTPSettings(
            host: host?.value ?? "127.0.0.1", port: port, tokenFile: tokenFile.map { absolute($0.value) },
            allowClearText: allowClearText)
    }

    /// Listeners are on loopback unless the operator says that clear text may leave the host.
    private func checkListener(_ section: String, _ host: Located<String>?, allowClearText: Bool) {
        guard let host, !Self.isLoopback(host.value) else { return }
        if host.value.isEmpty {
            state.problems.report("host in \(section) is empty", at: host.place)
        } else if allowClearText {
            warnings.append("\(section) listens on \(host.value) in clear text: call contexts can be read on the way")
        } else {
            state.problems.report(
                "host in \(section) is \(host.value), which is not loopback; without TLS that needs"
                    + " allowClearText: true",
                at: host.place)
        }
    }

    static func isLoopback(_ host: String) -> Bool {
        if host == "localhost" || host == "::1" { return true }
        let parts = host.split(separator: ".", omittingEmptySubsequences: false)
        return parts.count == 4 && parts[0] == "127" && parts.allSatisfy { UInt8($0) != nil }
    }

    func decodeINCRPNIC(instanceNumber: Int, side: Side) -> INCRPNICSettings? {
        guard root.has("incrpNIC") else {
            _ = root.value("incrpNIC")
            return nil
        }
        let fields = root.section("incrpNIC")
        let host = fields.optionalText("host")
        let port = fields.integer("port", 0...65_535, default: Self.defaultPort(instanceNumber, side))
        let allowClearText = fields.boolean("allowClearText", default: false)
        let settings = INCRPNICSettings(
            host: host?.value ?? "127.0.0.1", port: port, allowClearText: allowClearText,
            timeoutThresholdMilliseconds: fields.milliseconds("timeoutThresholdMilliseconds", default: 1500),
            lateThresholdMilliseconds: fields.milliseconds("lateThresholdMilliseconds", default: 500),
            timeoutLimitSeconds: UInt32(fields.integer("timeoutLimitSeconds", 1...3600, default: 10)),
            consecutiveTimeoutLimit: UInt32(fields.integer("consecutiveTimeoutLimit", 1...10_000, default: 10)))
        if settings.lateThresholdMilliseconds > settings.timeoutThresholdMilliseconds {
            fields.report(
                "lateThresholdMilliseconds in incrpNIC is \(settings.lateThresholdMilliseconds), above the timeout"
                    + " threshold of \(settings.timeoutThresholdMilliseconds)",
                at: fields.keyPlace("lateThresholdMilliseconds"))
        }
        customerMapping = fields.texts("customerMapping")
        fields.finish()
        checkListener("incrpNIC", host, allowClearText: allowClearText)
        return settings
    }

    /// 40033 + 40 x instance number for side A, 1000 more for side B (DOMAIN.md).
    static func defaultPort(_ instanceNumber: Int, _ side: Side) -> Int {
        40_033 + 40 * instanceNumber + (side == .b ? 1000 : 0)
    }

    /// `X` for every client, or `clientID:X` for one; a customer of the routing client itself comes first.
    func applyCustomerMapping() {
        var seen: Set<Int> = []
        var fallback: CustomerName?
        for entry in customerMapping {
            let parts = entry.value.split(separator: ":", maxSplits: 1, omittingEmptySubsequences: false).map(
                String.init)
            check(Located(parts[parts.count - 1], at: entry.place), "customer", among: customers)
            let customer = CustomerName(unchecked: parts[parts.count - 1])
            guard parts.count == 2 else {
                if fallback != nil {
                    state.problems.report("customerMapping has two customers for every client", at: entry.place)
                }
                fallback = customer
                continue
            }
            guard let id = Int(parts[0]),
                let index = routingClients.firstIndex(where: { $0.clientID.map { Int($0.number) } == id })
            else {
                state.problems.report(
                    "customerMapping names client id \(parts[0]), which no routing client has", at: entry.place)
                continue
            }
            if !seen.insert(id).inserted {
                state.problems.report("customerMapping names client id \(id) twice", at: entry.place)
            }
            if let own = routingClients[index].customer, own != customer {
                state.problems.report(
                    "customerMapping gives client id \(id) the customer \(customer), but routing client"
                        + " \(routingClients[index].name) has the customer \(own)", at: entry.place)
            }
            routingClients[index].customer = customer
        }
        for index in routingClients.indices where routingClients[index].type == .incrp {
            routingClients[index].customer = routingClients[index].customer ?? fallback
        }
    }

    func decodeGateways(instance: InstanceName?) {
        for value in root.list("gateways") {
            let one = Fields(value, "a gateway", at: value.place, state)
            let name = one.name("name", GatewayName.self)
            if let name { one.what = "gateway \(name.value)" }
            if !one.has("clientID") { one.missing("clientID") }
            let clientID = one.optionalInteger("clientID", 0...127)
            let server = one.text("instance").flatMap { text in
                one.checked(text, "instance") { (text) throws(FieldFault) in try InstanceName(text) }
            }
            let sideA = decodeAddress(one, "sideA", .a)
            let sideB = decodeAddress(one, "sideB", .b)
            let connection = decodeConnection(one, hasA: one.has("sideA"), hasB: one.has("sideB"))
            let preference =
                one.choice("sidePreference", SidePreference.allCases.map { ($0.rawValue, $0) }) ?? SidePreference.none
            let deadline = one.optionalInteger("deadlineMilliseconds", 1...60_000)
            one.finish()
            if let name, !gatewayNames.insert(name.value.text).inserted {
                one.report("two gateways are named \(name.value)", at: name.place)
            }
            if let server, server.value == instance {
                one.report("\(one.what) leads to this instance itself", at: server.place)
            }
            guard let name, let clientID, let server else { continue }
            let settings = GatewaySettings(
                name: name.value, clientID: ClientID(unchecked: clientID.value), instance: server.value,
                connection: connection, sidePreference: preference, sideA: sideA, sideB: sideB,
                deadlineMilliseconds: deadline.map { UInt32($0.value) })
            checkOverlap(settings, one, clientID.place)
            gateways.append(settings)
        }
    }

    /// Two gateways may lead to one server only under client ids of their own: it tells its clients apart by them.
    private func checkOverlap(_ gateway: GatewaySettings, _ one: Fields, _ place: Place) {
        if let other = gateways.first(where: { $0.instance == gateway.instance && $0.clientID == gateway.clientID }) {
            one.report(
                "gateways \(other.name) and \(gateway.name) have the same client id \(gateway.clientID) at instance"
                    + " \(gateway.instance)", at: place)
        }
    }

    private func decodeAddress(_ gateway: Fields, _ key: String, _ side: Side) -> ServerAddress? {
        guard let value = gateway.value(key) else { return nil }
        let fields = Fields(value, "\(key) of \(gateway.what)", at: value.place, state)
        let host = fields.checkedText("host", limit: 255)
        let number = fields.integer("instanceNumber", 0...24, default: 0)
        let port = fields.integer("port", 1...65_535, default: Self.defaultPort(number, side))
        fields.finish()
        return host.map { ServerAddress(side: side, host: $0.value, port: port, instanceNumber: number) }
    }

    private func decodeConnection(_ one: Fields, hasA: Bool, hasB: Bool) -> GatewayConnection {
        let byAddresses: GatewayConnection = hasA && hasB ? .duplex : hasB ? .simplexB : .simplexA
        let connection = one.choice("connection", GatewayConnection.allCases.map { ($0.rawValue, $0) })
        let wanted = connection ?? byAddresses
        if wanted != .simplexB && !hasA { one.missing("sideA") }
        if wanted != .simplexA && !hasB { one.missing("sideB") }
        if let connection, connection != byAddresses, hasA && hasB {
            let unused = connection == .simplexA ? "sideB" : "sideA"
            one.report("\(one.what) is \(connection.rawValue), so it takes no \(unused)", at: one.keyPlace(unused))
        }
        return wanted
    }
}

extension ClientID {
    /// Of a number that is already known to be in range.
    init(unchecked number: Int) {
        do {
            try self.init(number)
        } catch {
            preconditionFailure("client id \(number) was checked before: \(error)")
        }
    }
}
