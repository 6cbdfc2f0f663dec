package import CallModel

/// What apply depends on besides the records: ledger state, changed only by a `configure` record that the orderer
/// makes from its file. Both sides hold the same.
package struct LedgerConfiguration: Hashable, Sendable {
    /// Origin of the call keys that apply gives.
    package var instance: InstanceName
    package var routes: [TranslationRoute]
    package var peripherals: [Peripheral]
    package var limits: ContextLimits
    /// How long an answer is kept for repeats after its dialog closed.
    package var answersKeptSeconds: UInt32 = 120
    /// An open dialog older than this is closed as `aged`.
    package var dialogAgeSeconds: UInt32 = 60

    package init(
        instance: InstanceName, routes: [TranslationRoute] = [], peripherals: [Peripheral] = [],
        limits: ContextLimits = ContextLimits()
    ) {
        self.instance = instance
        self.routes = routes
        self.peripherals = peripherals
        self.limits = limits
    }
}

/// An ACD or VRU that calls arrive at.
package struct Peripheral: Hashable, Sendable {
    package var name: PeripheralName
    /// Where its stray calls go.
    package var defaultRoute: String

    package init(name: PeripheralName, defaultRoute: String) {
        self.name = name
        self.defaultRoute = defaultRoute
    }
}

package enum ANICheck: UInt8, Sendable, CaseIterable, CustomStringConvertible {
    /// Not looked at (the default).
    case off = 0
    /// Another ANI is served, with `aniMatched: false`, and counted.
    case prefer = 1
    /// Another or an absent ANI is a stray.
    case require = 2

    package var description: String {
        switch self {
        case .off: "off"
        case .prefer: "prefer"
        case .require: "require"
        }
    }
}

/// A named pool of peripheral targets, and the rules of its entries' lives.
package struct TranslationRoute: Hashable, Sendable {
    package var name: TranslationRouteName
    package var peripheral: PeripheralName
    /// In the order of the configuration, which is the order of first use.
    package var ranges: [EntryRange]
    /// How an entry's label is made for a routing client.
    package var labels: [RoutingClientName: LabelTemplate]
    /// For routing clients not named in `labels`, and where none is named.
    package var defaultLabel: LabelTemplate
    package var leaseSeconds: UInt32 = 20
    package var repeatSeconds: UInt32 = 10
    package var quarantineSeconds: UInt32 = 60
    package var aniCheck: ANICheck = .off

    package init(
        name: TranslationRouteName, peripheral: PeripheralName, ranges: [EntryRange],
        labels: [RoutingClientName: LabelTemplate] = [:], defaultLabel: LabelTemplate = LabelTemplate(prefix: "")
    ) {
        self.name = name
        self.peripheral = peripheral
        self.ranges = ranges
        self.labels = labels
        self.defaultLabel = defaultLabel
    }
}

/// A run of DNIS of one width on one trunk group: prefix, then `first`...`last` with leading zeros to `digits`.
/// A single DNIS that is no number has `digits` 0 and `first == last == 0`.
package struct EntryRange: Hashable, Sendable {
    package var trunkGroup: TrunkGroupName
    package var prefix: String
    package var first: UInt64
    package var last: UInt64
    package var digits: UInt8

    /// The inclusive range between two DNIS of equal length that differ only in trailing digits, e.g. 8001-8040.
    package init(trunkGroup: TrunkGroupName, from: DNIS, through: DNIS) throws(FieldFault) {
        self.trunkGroup = trunkGroup
        let low = Array(from.text.utf8)
        let high = Array(through.text.utf8)
        let trailing = min(
            18, low.reversed().prefix { (48...57).contains($0) }.count,
            high.reversed().prefix { (48...57).contains($0) }.count)
        guard low.count == high.count, low.dropLast(trailing) == high.dropLast(trailing) else {
            throw FieldFault(
                field: "dnis",
                fault: .wrongShape("range \(from)-\(through) must differ only in trailing digits of equal length"))
        }
        prefix = String(decoding: low.dropLast(trailing), as: UTF8.self)
        digits = UInt8(trailing)
        first = UInt64(String(decoding: low.suffix(trailing), as: UTF8.self)) ?? 0
        last = UInt64(String(decoding: high.suffix(trailing), as: UTF8.self)) ?? 0
        guard first <= last else {
            throw FieldFault(field: "dnis", fault: .wrongShape("range \(from)-\(through) runs backwards"))
        }
    }

    package init(trunkGroup: TrunkGroupName, prefix: String, first: UInt64, last: UInt64, digits: UInt8) {
        self.trunkGroup = trunkGroup
        self.prefix = prefix
        self.first = first
        self.last = last
        self.digits = digits
    }

    package var count: Int { Int(clamping: last - first) + 1 }

    /// The DNIS at 0..<count.
    package func dnis(at offset: Int) -> DNIS {
        if digits == 0 { return DNIS(unchecked: prefix) }
        let number = String(first + UInt64(offset))
        return DNIS(unchecked: prefix + String(repeating: "0", count: max(0, Int(digits) - number.utf8.count)) + number)
    }
}

/// A label per routing client for each entry: a prefix, then (unless the switch wants one number for all) the DNIS.
package struct LabelTemplate: Hashable, Sendable {
    package var prefix: String
    package var appendsDNIS: Bool

    package init(prefix: String, appendsDNIS: Bool = true) {
        self.prefix = prefix
        self.appendsDNIS = appendsDNIS
    }

    package func label(for dnis: DNIS) -> Label {
        Label(unchecked: appendsDNIS ? prefix + dnis.text : prefix, type: .normal)
    }
}
