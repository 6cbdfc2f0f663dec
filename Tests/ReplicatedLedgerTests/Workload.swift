import CallModel
import Ledger
import ReplicatedLedger
import Simulation

/// Random requests of a few dozen calls, so that repeats, strays, exhaustion and conflicts are many. Whom to claim,
/// answer or close it takes from what was acknowledged, or guesses.
struct Workload {
    var generator: SeededGenerator
    private var dialogs: [DialogID] = []
    private var reservations: [ReservationID] = []
    private var keys: [TranslationRouteKey] = []

    init(seed: UInt64) { generator = SeededGenerator(seed: seed) }

    mutating func number(_ upTo: Int) -> Int { Int.random(in: 0..<upTo, using: &generator) }

    mutating func learn(_ outcome: Outcome) {
        if let reserved = outcome.reserved {
            reservations.append(reserved.reservation)
            keys.append(reserved.key)
        }
        if let opened = outcome.opened { dialogs.append(opened.dialog) }
    }

    private mutating func recent<Element>(_ elements: [Element]) -> Element? {
        elements.isEmpty ? nil : elements[elements.count - 1 - number(min(8, elements.count))]
    }

    mutating func next() -> Record {
        switch number(20) {
        case 0..<7: .reserve("r\(number(60))", contextBytes: number(4) * 300)
        case 7..<13:
            if let key = recent(keys), number(5) > 0 {
                .claim(key, by: "a\(number(6))")
            } else {
                .claim(dnis: 8001 + number(12), by: "a\(number(6))")
            }
        case 13: recent(reservations).map { .release(Release(reservation: $0)) } ?? .clock
        case 14..<16: .open("d\(number(20))")
        case 16..<18:
            recent(dialogs).map { .answer($0, "\(70 + number(9))", number(2) == 0 ? .handoff : .final) } ?? .clock
        case 18:
            recent(dialogs).map {
                .closeDialog(CloseDialog(dialog: $0, reason: number(2) == 0 ? .handedOver : .abandoned))
            }
                ?? .clock
        default: .clock
        }
    }

    /// Mostly little; now and then so much that leases end, or entries fall free.
    mutating func pause() -> UInt64 {
        switch number(30) {
        case 0: 25_000
        case 1: 61_000
        case 2..<8: UInt64(number(4_000))
        default: UInt64(number(60))
        }
    }
}
