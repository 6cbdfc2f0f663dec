internal import ByteCoding
internal import CallModel
internal import LMDB
package import Ledger

/// Reads a snapshot. A row is handed over when its own checksum holds; that the snapshot is whole is known only at its
/// end, so nothing made of the rows counts before `readAll` returns.
package enum SnapshotReader {
    /// Checks the whole snapshot.
    package static func verify(path: String) throws(StoreError) -> SnapshotSummary {
        try readAll(path: path) { _, _, _ in }
    }

    /// What the header says, without looking at the rows.
    package static func header(path: String) throws(StoreError) -> (identity: StoreIdentity, state: StoreState) {
        var file = try SequentialFileReader(path: path)
        return try readHeader(&file)
    }

    package static func readAll(
        path: String, _ body: (_ table: Table, _ key: [UInt8], _ value: [UInt8]) throws(StoreError) -> Void
    ) throws(StoreError) -> SnapshotSummary {
        var file = try SequentialFileReader(path: path)
        let (identity, state) = try readHeader(&file)
        var rows: UInt64 = 0
        var digest = Digest.empty
        var last: (table: UInt8, key: [UInt8]) = (0, [])
        while true {
            let at = file.offset
            guard let mark = try file.read(1)?.first else { throw damaged(file, at: at, "it ends without a trailer") }
            if mark == SnapshotFormat.trailerMark { break }
            guard let table = Table(rawValue: mark) else { throw damaged(file, at: at, "there is no table \(mark)") }
            let (key, value) = try readRow(table, from: &file, at: at)
            guard last.table < mark || last.table == mark && Bytes.precedes(last.key, key) else {
                throw damaged(file, at: at, "a row of \(table) is out of order")
            }
            last = (mark, key)
            digest.add(table, key: key, value: value)
            rows += 1
            try body(table, key, value)
        }
        try readTrailer(&file, rows: rows, digest: digest)
        if let table = state.digest.firstDifference(from: digest) {
            throw damaged(file, at: 0, "the rows of \(table) do not add up to the digest in its header")
        }
        return SnapshotSummary(path: path, identity: identity, state: state, rows: rows)
    }

    private static func readHeader(
        _ file: inout SequentialFileReader
    ) throws(StoreError) -> (identity: StoreIdentity, state: StoreState) {
        guard let start = try file.read(SnapshotFormat.magic.count + 2 + 4),
            start.starts(with: SnapshotFormat.magic)
        else { throw damaged(file, at: 0, "it does not begin as a snapshot does") }
        let format = UInt16(start[8]) | UInt16(start[9]) << 8
        guard format <= SnapshotFormat.format else {
            throw .newerFormat(path: file.path, found: Int(format), known: Int(SnapshotFormat.format))
        }
        let length = start[10...].reversed().reduce(0) { $0 << 8 | Int($1) }
        guard length <= SnapshotFormat.mostHeaderBytes, let payload = try file.read(length),
            let checksum = try file.read(4), holds(checksum, over: start + payload)
        else { throw damaged(file, at: 0, "its header's checksum is wrong") }
        do throws(ByteFault) {
            var reader = ByteReader(payload)
            let identity = try MetaRows.identity(try reader.long())
            let state = try MetaRows.state(try reader.long())
            try reader.finish()
            return (identity, state)
        } catch {
            throw damaged(file, at: 0, "its header: \(error)")
        }
    }

    private static func readRow(
        _ table: Table, from file: inout SequentialFileReader, at: Int
    ) throws(StoreError) -> (key: [UInt8], value: [UInt8]) {
        guard let lengths = try file.read(6) else { throw damaged(file, at: at, "it ends within a row") }
        let keyBytes = Int(lengths[0]) | Int(lengths[1]) << 8
        let valueBytes = lengths[2...].reversed().reduce(0) { $0 << 8 | Int($1) }
        guard (1...SnapshotFormat.mostKeyBytes).contains(keyBytes), valueBytes <= SnapshotFormat.mostValueBytes else {
            throw damaged(file, at: at, "a row of \(table) has impossible lengths")
        }
        guard let content = try file.read(keyBytes + valueBytes), let checksum = try file.read(4) else {
            throw damaged(file, at: at, "it ends within a row")
        }
        guard holds(checksum, over: [table.rawValue] + lengths + content) else {
            throw damaged(file, at: at, "the checksum of a row of \(table) is wrong")
        }
        return (Array(content[..<keyBytes]), Array(content[keyBytes...]))
    }

    private static func readTrailer(
        _ file: inout SequentialFileReader, rows: UInt64, digest: Digest
    ) throws(StoreError) {
        let at = file.offset - 1
        let expected = SnapshotFormat.trailer(rows: rows, digest: digest)
        guard let rest = try file.read(expected.count - 1), rest == Array(expected.dropFirst()) else {
            throw damaged(file, at: at, "its trailer does not fit its \(rows) rows")
        }
        if try file.read(1) != nil { throw damaged(file, at: file.offset - 1, "something follows its trailer") }
    }

    private static func holds(_ checksum: [UInt8], over bytes: [UInt8]) -> Bool {
        checksum.reversed().reduce(0) { $0 << 8 | UInt32($1) } == CRC32C.checksum(bytes)
    }

    private static func damaged(
        _ file: borrowing SequentialFileReader, at offset: Int, _ reason: String
    ) -> StoreError {
        .damagedSnapshot(path: file.path, offset: offset, reason: reason)
    }
}
