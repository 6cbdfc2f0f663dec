internal import CallModel
internal import Synchronization

/// The dialogs whose scripts run here, and for a while the gateways that ended ones had asked. A request that comes
/// again meanwhile joins the running one.
final class RunningDialogs: Sendable {
    typealias Result = Swift.Result<RouteAnswer, RouteRefusal>

    private struct State {
        var running: [DialogID: (dialog: RunningDialog, task: Task<Result, Never>)] = [:]
        var asked: [DialogID: [GatewayName]] = [:]
        /// Of `asked`, the oldest first, as a ring.
        var order: [DialogID] = []
        var oldest = 0
    }

    /// Enough for a caller to hang up while its call is under way: half a minute of the rate the link is built for.
    static let mostRemembered = 65_536

    private let state = Mutex(State())

    /// The running script of the dialog, started by `body` if there is none.
    func join(_ id: DialogID, _ body: @escaping @Sendable (RunningDialog) async -> Result) -> (
        task: Task<Result, Never>, started: Bool
    ) {
        state.withLock { state in
            if let running = state.running[id] { return (running.task, false) }
            let dialog = RunningDialog()
            let task = Task {
                let result = await body(dialog)
                ended(id, dialog)
                return result
            }
            state.running[id] = (dialog, task)
            return (task, true)
        }
    }

    private func ended(_ id: DialogID, _ dialog: RunningDialog) {
        let asked = dialog.askedGateways
        state.withLock { state in
            state.running[id] = nil
            if state.asked.updateValue(asked, forKey: id) == nil { Self.remember(id, &state) }
        }
    }

    private static func remember(_ id: DialogID, _ state: inout State) {
        if state.order.count < mostRemembered {
            state.order.append(id)
            return
        }
        state.asked[state.order[state.oldest]] = nil
        state.order[state.oldest] = id
        state.oldest = (state.oldest + 1) % mostRemembered
    }

    /// Stops the running script of the dialog, if there is one.
    func abandon(_ id: DialogID) {
        state.withLock { $0.running[id]?.dialog }?.abandon()
    }

    /// The gateways that the dialog has asked; nil when that is not known (any more).
    func askedGateways(_ id: DialogID) -> [GatewayName]? {
        state.withLock { state in state.running[id]?.dialog.askedGateways ?? state.asked[id] }
    }
}

/// One running script, as seen from outside: it can be told that its caller hung up.
final class RunningDialog: Sendable {
    private struct State {
        var abandoned = false
        var asked: [GatewayName] = []
        var onAbandon: (@Sendable () -> Void)?
    }

    private let state = Mutex(State())

    var abandoned: Bool { state.withLock { $0.abandoned } }
    /// Each once, in the order of their first asks.
    var askedGateways: [GatewayName] { state.withLock { $0.asked } }

    /// False when the caller hung up: then nothing may be asked any more. `onAbandon` is called when it does so before
    /// ``asked()``.
    func willAsk(_ gateway: GatewayName, onAbandon: @escaping @Sendable () -> Void) -> Bool {
        state.withLock { state in
            if state.abandoned { return false }
            if !state.asked.contains(gateway) { state.asked.append(gateway) }
            state.onAbandon = onAbandon
            return true
        }
    }

    /// The gateway was asked before a restart; its server waits to hear how the dialog ends.
    func askedBefore(_ gateway: GatewayName) {
        state.withLock { if !$0.asked.contains(gateway) { $0.asked.append(gateway) } }
    }

    func asked() { state.withLock { $0.onAbandon = nil } }

    func abandon() {
        let stop = state.withLock { state in
            state.abandoned = true
            defer { state.onAbandon = nil }
            return state.onAbandon
        }
        stop?()
    }
}
