import CallModel
import Ledger

extension LedgerConfiguration {
    /// `sales`: so many entries from 8001 on of the ACD's trunk group T1; lease 20 s, repeat 10, quarantine 60.
    static func sample(entries: UInt64 = 400) -> LedgerConfiguration {
        let acd = PeripheralName(unchecked: "acd")
        let sales = TranslationRoute(
            name: .sales, peripheral: acd,
            ranges: [
                EntryRange(
                    trunkGroup: TrunkGroupName(unchecked: "T1"), prefix: "", first: 8001, last: 8000 + entries,
                    digits: 4)
            ])
        return LedgerConfiguration(
            instance: InstanceName(unchecked: "bank"), routes: [sales],
            peripherals: [Peripheral(name: acd, defaultRoute: "queue")])
    }
}

extension TranslationRouteName {
    static let sales = TranslationRouteName(unchecked: "sales")
}

extension EncodedContext {
    static func sample(_ mark: String, bytes: Int = 0) -> EncodedContext {
        var context = CallContext()
        context.ani = "0201"
        context.variables[2] = mark
        context.uui = bytes > 0 ? String(repeating: "u", count: bytes) : nil
        return context.encoded()
    }
}

extension Record {
    /// A reservation whose context bears the request's name.
    static func reserve(_ request: String, contextBytes: Int = 0) -> Record {
        .reserve(
            Reserve(
                route: .sales, identity: .request(RequestID(unchecked: request)),
                callID: CallID(unchecked: "leg-\(request)"), target: UltimateTarget(unchecked: "agent-\(request)"),
                context: .sample(request, bytes: contextBytes)))
    }

    static func claim(_ key: TranslationRouteKey, by call: String) -> Record {
        .claim(Claim(key: key, callID: CallID(unchecked: call)))
    }

    static func claim(dnis: Int, by call: String) -> Record {
        .claim(
            TranslationRouteKey(
                peripheral: PeripheralName(unchecked: "acd"), trunkGroup: TrunkGroupName(unchecked: "T1"),
                dnis: DNIS(unchecked: String(dnis))), by: call)
    }

    static func open(_ request: String) -> Record {
        .openDialog(
            OpenDialog(
                routingClient: RoutingClientName(unchecked: "nic"), requestID: RequestID(unchecked: request),
                callID: CallID(unchecked: "leg-\(request)"), dialedNumber: "0800", side: .a, context: .sample(request)))
    }

    static func answer(_ dialog: DialogID, _ label: String, _ kind: RecordAnswer.Kind = .final) -> Record {
        .recordAnswer(
            RecordAnswer(
                dialog: dialog, node: NodeName(unchecked: "n"), kind: kind,
                label: Label(unchecked: label, type: .normal), source: .script, context: .sample(label)))
    }
}

extension Outcome {
    var reserved: Reserved? { if case .reserved(let reserved) = self { reserved } else { nil } }
    var claimed: Claimed? { if case .claimed(let claimed) = self { claimed } else { nil } }
    var opened: DialogOpened? { if case .dialogOpened(let opened) = self { opened } else { nil } }
}
