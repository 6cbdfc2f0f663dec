/// The register of one pair, as a driver reaches it: one value, changed only by compare-and-swap (RELIABILITY.md,
/// "The pair"). A value is 1 to ``WitnessLimits/valueBytes`` opaque bytes; nil means that the register is absent.
///
/// Every call ends within the driver's time limit. The members of a witness are tried in turn as long as it is certain
/// that none has acted; what may have been done is never repeated inside. Whoever meets ``WitnessFault/unknown(_:)``
/// settles it by another swap from the same old value (R6): at most one of the two can succeed.
package protocol WitnessDriver: Sendable {
    /// Replaces `expected` by `value` if the register holds exactly `expected` at that moment. When ``SwapOutcome/swapped``
    /// comes back, the value is durable.
    func swap(expected: [UInt8]?, value: [UInt8]) async throws(WitnessFault) -> SwapOutcome
    /// The value now. For people and for a start: no decision may rest on it (R6).
    func read() async throws(WitnessFault) -> [UInt8]?
}

/// A witness that an operator can set anew after it was lost, damaged or restored from a copy (R12).
package protocol SeedableWitness: WitnessDriver {
    /// Writes `value` whatever the register holds. Never part of the pair's own decisions.
    func seed(_ value: [UInt8]) async throws(WitnessFault)
}

package enum SwapOutcome: Hashable, Sendable {
    case swapped
    /// Nothing was changed; this is what the register held. After an unknown outcome it may be one's own value.
    case differs(current: [UInt8]?)
}

/// Why a call of a witness has no answer, told apart by what it may have done.
package enum WitnessFault: Error, Hashable, Sendable, CustomStringConvertible {
    /// The register is as it was: nobody took the request, or the witness refused it.
    case notApplied(String)
    /// The request may have been carried out, or may yet be.
    case unknown(String)

    package var reason: String {
        switch self {
        case .notApplied(let reason), .unknown(let reason): reason
        }
    }

    package var description: String {
        switch self {
        case .notApplied(let reason): "the witness did nothing: \(reason)"
        case .unknown(let reason): "what the witness did is unknown: \(reason)"
        }
    }
}

package enum WitnessLimits {
    /// Longest value.
    package static let valueBytes = 1023
    package static let timeoutMilliseconds: Int64 = 1_000

    /// A value that the pair wrote keeps the limit; anything else is our bug.
    static func check(_ value: [UInt8]) {
        precondition((1...valueBytes).contains(value.count), "a register value of \(value.count) bytes")
    }
}
