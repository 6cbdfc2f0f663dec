package import CallModel
internal import Synchronization

/// What the CallRouter has done since it started.
package struct RouterCounters: Hashable, Sendable {
    /// Answers by their source; repeats and joined requests count apart.
    package var routes: [LabelSource: UInt64] = [:]
    package var repeated: UInt64 = 0
    /// By ``RouteRefusal/code``.
    package var refusals: [String: UInt64] = [:]
    package var abandoned: UInt64 = 0
    /// How often the other side was lost, and its dialogs that got their answer here.
    package var takeovers: UInt64 = 0
    package var takenUp: UInt64 = 0
    package var gateways: [GatewayName: Gateway] = [:]
    package var nic = NIC()

    /// Of one ICM Gateway. Every ask ends in one of the others.
    package struct Gateway: Hashable, Sendable {
        package var asked: UInt64 = 0
        /// With a label, also one that was then found invalid.
        package var answered: UInt64 = 0
        package var late: UInt64 = 0
        package var offline: UInt64 = 0
        /// No label, a limit broken, or another failure that the server told.
        package var failed: UInt64 = 0
        package var abandoned: UInt64 = 0
        package var invalidLabel: UInt64 = 0
    }

    /// Of the INCRP NIC.
    package struct NIC: Hashable, Sendable {
        package var asked: UInt64 = 0
        package var answered: UInt64 = 0
        package var failed: UInt64 = 0
        /// Answered or failed later than the late threshold.
        package var late: UInt64 = 0
    }
}

final class RouterCounting: Sendable {
    private let counters = Mutex(RouterCounters())

    var snapshot: RouterCounters { counters.withLock { $0 } }

    func count(_ change: (inout RouterCounters) -> Void) { counters.withLock { change(&$0) } }

    func gateway(_ name: GatewayName, _ change: (inout RouterCounters.Gateway) -> Void) {
        counters.withLock { change(&$0.gateways[name, default: RouterCounters.Gateway()]) }
    }

    func answered(_ answer: RouteAnswer) {
        counters.withLock {
            if answer.repeated { $0.repeated += 1 } else { $0.routes[answer.source, default: 0] += 1 }
        }
    }

    func refused(_ refusal: RouteRefusal) { counters.withLock { $0.refusals[refusal.code, default: 0] += 1 } }
}
