package import CallModel

/// What a ledger did since its process started, for metrics. Not state: the two sides' counters may differ.
package struct LedgerCounters: Hashable, Sendable {
    package internal(set) var claimed: UInt64 = 0
    package internal(set) var late: UInt64 = 0
    package internal(set) var repeats: UInt64 = 0
    package internal(set) var strays: [Stray.Why: UInt64] = [:]
    package internal(set) var reserved: UInt64 = 0
    package internal(set) var reserveRepeats: UInt64 = 0
    package internal(set) var exhausted: [TranslationRouteName: UInt64] = [:]
    package internal(set) var released: UInt64 = 0
    package internal(set) var expired: UInt64 = 0
    package internal(set) var freed: UInt64 = 0
    package internal(set) var conflicts: UInt64 = 0
    /// Claims served although their ANI was another one (check `prefer`).
    package internal(set) var aniMismatched: UInt64 = 0
    package internal(set) var dialogsOpened: UInt64 = 0
    package internal(set) var dialogsClosed: [CloseReason: UInt64] = [:]

    package init() {}
}
