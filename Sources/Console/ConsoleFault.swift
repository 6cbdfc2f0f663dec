internal import ByteCoding
package import CallModel
internal import ReplicatedLedger

/// Why an inspection has no answer.
package enum ConsoleFault: Error, Equatable, Sendable {
    case unavailable(reason: String)
    /// Nothing of that name or id stands here (any more).
    case unknown(field: String, name: String)
    /// The question is wrongly formed.
    case field(FieldFault)
    /// A row of the store could not be read: for the operator.
    case broken(reason: String)

    init(_ refusal: LedgerRefusal) {
        switch refusal {
        case .unavailable(let reason), .busy(let reason): self = .unavailable(reason: reason)
        case .tooLarge: self = .unavailable(reason: refusal.description)
        }
    }

    static func unreadable(_ what: String, _ fault: ByteFault) -> ConsoleFault {
        .broken(reason: "\(what) cannot be read: \(fault)")
    }
}
