package import CallModel

/// Which instance a client id belongs to at this server (its configuration).
package protocol INCRPClientDirectory: Sendable {
    /// Nil for a client id that is not configured.
    func instance(of client: ClientID) -> InstanceName?
}

extension Dictionary: INCRPClientDirectory where Key == ClientID, Value == InstanceName {
    package func instance(of client: ClientID) -> InstanceName? { self[client] }
}

/// The links that are open at a server, by their session number: who may open one more.
package struct INCRPRegistry: Sendable {
    package struct Admission: Hashable, Sendable {
        package let session: UInt64
        /// The older link of the same side of the same client, which ends now: its connection may be dead unnoticed.
        package let replaces: UInt64?
    }

    private struct Holder: Sendable {
        let clientID: ClientID
        let instance: InstanceName
        let instanceNumber: UInt32
        let side: Side
    }

    private var holders: [UInt64: Holder] = [:]
    private var lastSession: UInt64 = 0

    package init() {}

    package mutating func admit(
        _ open: INCRPOpen, directory: some INCRPClientDirectory
    ) throws(INCRPOpenRefusal) -> Admission {
        guard let configured = directory.instance(of: open.clientID) else {
            throw INCRPOpenRefusal(code: .unknownClient, reason: "client id \(open.clientID) is not configured here")
        }
        guard configured == open.instance else {
            throw INCRPOpenRefusal(
                code: .clientIDOfAnotherInstance,
                reason: "client id \(open.clientID) belongs to another instance here, not to \(open.instance)")
        }
        var replaces: UInt64?
        for (session, holder) in holders where holder.clientID == open.clientID {
            guard holder.instance == open.instance, holder.instanceNumber == open.instanceNumber else {
                throw INCRPOpenRefusal(
                    code: .clientIDOfAnotherInstance,
                    reason: "client id \(open.clientID) is in use by \(holder.instance) number "
                        + "\(holder.instanceNumber); \(open.instance) number \(open.instanceNumber) needs its own")
            }
            if holder.side == open.side { replaces = session }
        }
        if let replaces { holders[replaces] = nil }
        lastSession += 1
        holders[lastSession] = Holder(
            clientID: open.clientID, instance: open.instance, instanceNumber: open.instanceNumber, side: open.side)
        return Admission(session: lastSession, replaces: replaces)
    }

    package mutating func left(_ session: UInt64) { holders[session] = nil }
}
