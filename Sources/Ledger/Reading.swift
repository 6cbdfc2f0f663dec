package import CallModel

// What others may see of a ledger.

extension Ledger {
    /// Translation routes in the order of the configuration.
    package func routeStatus() -> [RouteStatus] { pools.map(\.status) }

    /// The newest life of a pool entry; nil when it was never used.
    package func entry(for key: TranslationRouteKey) -> ReservationRow? {
        families.find(key).flatMap { slots[$0] }.map { row(entries[$0]) }
    }

    /// A reservation until its entry is free again.
    package func reservation(_ id: ReservationID) -> ReservationRow? {
        slotOfReservation[id.sequence.number].map { row(entries[$0]) }
    }

    /// A dialog until its answers are forgotten.
    package func dialog(_ id: DialogID) -> DialogRow? { dialogs[id] }

    /// All dialogs by id. Costly: for inspection and a takeover.
    package func allDialogs() -> [DialogRow] { dialogs.values.sorted { $0.dialog < $1.dialog } }

    package var dialogCount: Int { dialogs.count }

    /// Dialogs that are not closed.
    package var openDialogCount: Int { dialogs.values.count { $0.state != .closed } }

    /// Calls that are remembered as strays.
    package var strayCount: Int { strays.count }

    /// Entries that are not free, in pools or taken out of them.
    package var heldCount: Int { slotOfReservation.count }
}
