internal import ByteCoding
package import CallModel

/// The segments that make one log, oldest first, as their headers say; and the files that do not belong to it.
package struct LogLayout: Sendable {
    package struct Segment: Hashable, Sendable {
        package let header: SegmentHeader
        /// Where reading ends: the end its successor names, or the size the header states.
        package let limit: Int
        /// What its successor says stands there; nil for the newest.
        package let namedEnd: Position?

        package var file: String { LogFormat.segmentFile(header.number) }
    }

    package var segments: [Segment] = []
    /// Whole and zero, newer than the newest segment, lowest number first.
    package var spares: [UInt64] = []
    /// Newer than the newest segment, the header bad, no batch behind it: never used.
    package var tornHeaders: [UInt64] = []
    /// Older than the newest segment and named by none: left over from an earlier start.
    package var orphans: [UInt64] = []
    package var highestNumber: UInt64 = 0

    /// Reads all headers. `identity` nil: tools, which take whatever one log is there.
    package static func read<D: Disk>(_ disk: D, identity: LogIdentity?) throws(LogError) -> LogLayout {
        let names = try onDisk { () throws(DiskError) in try disk.list() }
        let numbers = names.compactMap(LogFormat.segmentNumber).sorted()
        var layout = LogLayout()
        layout.highestNumber = numbers.last ?? 0
        var whole: [SegmentHeader] = []
        var others: [(number: UInt64, reading: SegmentHeader.Reading)] = []
        for number in numbers {
            let file = LogFormat.segmentFile(number)
            let block = try onDisk { () throws(DiskError) in try disk.read(file, offset: 0, count: LogFormat.blockBytes)
            }
            switch SegmentHeader.read(block, file: number) {
            case .header(let header):
                let mine = identity ?? whole.first?.identity ?? header.identity
                try check(header, mine, file)
                whole.append(header)
            case .newerVersion(let version): throw .newerVersion(file: file, offset: 0, version: version)
            case .zero: others.append((number, .zero))
            case .bad(let what): others.append((number, .bad(what)))
            }
        }
        try layout.sort(others, named: Set(whole.compactMap { $0.predecessor?.segment }), newest: whole.last, disk)
        try layout.join(whole)
        return layout
    }

    private static func check(_ header: SegmentHeader, _ mine: LogIdentity, _ file: String) throws(LogError) {
        if header.identity.pairID != mine.pairID {
            throw .otherPair(file: file, found: "\(header.identity.pairID)", expected: "\(mine.pairID)")
        }
        if header.identity.side != mine.side {
            throw .otherSide(file: file, found: header.identity.side, expected: mine.side)
        }
    }

    /// Files whose header is no header.
    private mutating func sort<D: Disk>(
        _ others: [(number: UInt64, reading: SegmentHeader.Reading)], named: Set<UInt64>, newest: SegmentHeader?,
        _ disk: D
    ) throws(LogError) {
        for (number, reading) in others {
            let file = LogFormat.segmentFile(number)
            let what = if case .bad(let text) = reading { text } else { "it is zero" }
            let bytes = try onDisk { () throws(DiskError) in try disk.size(file) }
            if bytes < LogFormat.blockBytes {
                // It has its full size, durably, before it has its name: only damage makes it shorter, and what it
                // held nobody can say.
                throw .damaged(
                    LogDamage(
                        file: file, offset: bytes, after: newest?.start ?? .zero,
                        what: "the file ends before its header does", finding: .badKnownDurable))
            }
            let holdsBatches = try SegmentCursor.holdsBatches(disk, number)
            if named.contains(number) || holdsBatches {
                // A header is durable before anything behind it is written.
                throw .damaged(
                    LogDamage(
                        file: file, offset: 0, after: newest?.start ?? .zero,
                        what: "the segment's header is lost: \(what)",
                        finding: .badKnownDurable))
            }
            if let newest, number < newest.number {
                orphans.append(number)
            } else if reading == .zero {
                spares.append(number)
            } else {
                tornHeaders.append(number)
            }
        }
    }

    /// Each segment must follow the one before it.
    private mutating func join(_ headers: [SegmentHeader]) throws(LogError) {
        for (index, header) in headers.enumerated() {
            let file = LogFormat.segmentFile(header.number)
            if index > 0 {
                let before = headers[index - 1]
                guard let predecessor = header.predecessor, predecessor.segment == before.number else {
                    let wanted = header.predecessor.map { LogFormat.segmentFile($0.segment) } ?? "no other segment"
                    throw .gap(
                        file: file,
                        text:
                            "it follows \(wanted), but the segment before it is \(LogFormat.segmentFile(before.number))"
                    )
                }
            }
            let successor = index + 1 < headers.count ? headers[index + 1].predecessor : nil
            segments.append(
                Segment(header: header, limit: successor?.offset ?? header.segmentBytes, namedEnd: successor?.position))
        }
    }
}
