package import ContextStore
package import Ledger

/// A table of the store, where `Table` means another one.
package typealias StoreTable = Table

/// Looks into a store, of a stopped side or beside a running one. A damaged file may kill the process that reads it, so
/// `verify` comes first.
package enum StoreInspection {
    package static func verify(_ files: SideFiles, with verifier: StoreVerifier = VerifierProcess.verify)
        -> StoreVerdict
    {
        verifier(files.store)
    }

    /// In this process, with everything it found. For the child of ``VerifierProcess``, and for stores known to be sound.
    package static func verification(_ files: SideFiles) throws(InspectionFault) -> StoreVerification {
        try inStore { () throws(StoreError) in try ContextStore.verify(path: files.store) }
    }

    /// What the store says of itself: whose it is, where it stands, and the digest there.
    package static func state(
        _ files: SideFiles
    ) throws(InspectionFault) -> (identity: StoreIdentity, state: StoreState, usage: StoreUsage) {
        try inStore { () throws(StoreError) in
            let reader = try StoreReader.open(path: files.store)
            return (reader.identity, try reader.state(), try reader.usage())
        }
    }

    /// All rows of the tables, sorted by table and key.
    package static func dump(
        _ files: SideFiles, tables: [Table] = Table.allCases, personal: PersonalValues, _ body: (ShownGroup) -> Void
    ) throws(InspectionFault) {
        try inStore { () throws(StoreError) in
            let reader = try StoreReader.open(path: files.store)
            var shower = RowShower(records: RecordShower(contexts: ContextShower(personal: personal)))
            try reader.forEachRow(.pools) { (key, value) throws(Never) in
                shower.records.pass(Change(table: .pools, key: key, value: value))
            }
            for table in Table.allCases where tables.contains(table) {
                try reader.forEachRow(table) { (key, value) throws(Never) in
                    body(shower.shown(table, key: key, value: value))
                }
            }
        }
    }

    /// Writes a snapshot of what the store holds durably into the data directory; the two newest are kept.
    package static func snapshot(_ files: SideFiles) throws(InspectionFault) -> SnapshotSummary {
        try files.prepareSnapshots()
        return try inStore { () throws(StoreError) in
            try StoreReader.open(path: files.store).writeSnapshot(into: files.snapshots)
        }
    }
}
