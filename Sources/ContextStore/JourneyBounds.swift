internal import LMDB
internal import Ledger

/// Keeps `journeys` and `legs` within their bounds, oldest calls first: a journey's key begins with its day.
///
/// A transaction removes only so many rows that it stays short; when more have to go, the next ones do it.
struct JourneyBounds {
    let tables: StoreTables
    let configuration: StoreConfiguration

    func trim(today: UInt32, added: Int, in transaction: inout WriteTransaction) throws(LMDBFault) {
        let most = max(configuration.trimRowsMost, 2 * added)
        let oldestDay = today > configuration.journeyDaysMost ? today - configuration.journeyDaysMost : 0
        let excess = max(0, try transaction.count(tables.database(.journeys)) - configuration.journeyRowsMost)
        var leaving: [[UInt8]] = []
        var firstKept: [UInt8]?
        try transaction.scan(tables.database(.journeys)) { keySpan, _ in
            let key = keySpan.copied
            guard leaving.count < excess || Self.day(key) < oldestDay, leaving.count < most else {
                firstKept = key
                return .stop
            }
            leaving.append(key)
            return .next
        }
        for key in leaving { try transaction.delete(tables.database(.journeys), key: key) }
        try trimLegs(before: firstKept, oldestDay: oldestDay, most: most, in: &transaction)
    }

    /// Removes the legs of calls older than the one whose journey is the first kept, or, when no journey is left, of
    /// days out of bounds.
    private func trimLegs(
        before firstKept: [UInt8]?, oldestDay: UInt32, most: Int, in transaction: inout WriteTransaction
    ) throws(LMDBFault) {
        var leaving: [(indexKey: [UInt8], call: [UInt8], leg: [UInt8])] = []
        try transaction.scan(tables.legsByCall) { keySpan, stored in
            let indexKey = keySpan.copied
            let call = Array(indexKey.dropLast(LegIndex.hashBytes))
            let isPast =
                firstKept.map { Bytes.precedes(call, $0) && !$0.starts(with: call) }
                ?? (Self.day(call) < oldestDay)
            guard isPast, leaving.count < most else { return .stop }
            // A damaged row of the index goes too; its leg stays until it is written anew.
            if case .success(let leg) = StoredValue.unwrap(
                table: StoreTables.legsByCallMark, key: indexKey, stored: stored)
            {
                leaving.append((indexKey, call, leg))
            } else {
                leaving.append((indexKey, call, []))
            }
            return .next
        }
        let index = LegIndex(tables: tables)
        for (indexKey, call, leg) in leaving {
            try transaction.delete(tables.legsByCall, key: indexKey)
            guard !leg.isEmpty, try index.call(ofLeg: leg, in: transaction) == call else { continue }
            try transaction.delete(tables.database(.legs), key: leg)
        }
    }

    /// The first four bytes, big-endian: RouterCallKeyDay.
    static func day(_ key: [UInt8]) -> UInt32 {
        key.prefix(4).reduce(0) { $0 << 8 | UInt32($1) }
    }
}
