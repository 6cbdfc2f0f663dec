internal import CallModel
internal import INCRP
internal import Synchronization

/// Which client ICMs the INCRP NIC takes, as the configuration in force says: a reload replaces it under running links.
final class ClientDirectory: INCRPClientDirectory {
    private let clients: Mutex<[ClientID: InstanceName]>

    init(_ clients: [ClientID: InstanceName]) { self.clients = Mutex(clients) }

    func replace(_ clients: [ClientID: InstanceName]) { self.clients.withLock { $0 = clients } }

    func instance(of client: ClientID) -> InstanceName? { clients.withLock { $0[client] } }
}
