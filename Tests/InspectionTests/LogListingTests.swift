import ByteCoding
import CallModel
import Foundation
import Inspection
import Ledger
import Testing
import WriteAheadLog

@Suite("Looking into a log")
struct LogListingTests {
    private func shown(
        _ files: SideFiles, _ filter: RecordFilter = RecordFilter(), personal: PersonalValues = .masked
    ) throws -> [ShownRecord] {
        var records: [ShownRecord] = []
        _ = try LogListing.show(files, filter, personal: personal) { records.append($0) }
        return records
    }

    @Test("the segments of a log are listed with their sequences, beside the side that writes it")
    func list() throws {
        let data = try DataDirectory()
        let side = try WrittenSide(data.files)
        try side.serve(0..<40)
        let list = try LogListing.list(data.files)
        #expect(list.segments.count > 2)
        #expect(list.segments.first?.first == LogSequence(1))
        #expect(list.segments.last?.last == nil)
        for (before, after) in zip(list.segments, list.segments.dropFirst()) {
            #expect(before.last?.next == after.first)
        }
        #expect(list.identity?.pairID == WrittenSide.pairID)
        try side.stop()
    }

    @Test("records are shown in order, with personal, payment and undeclared fields masked unless asked for")
    func masked() throws {
        let data = try DataDirectory()
        let side = try WrittenSide(data.files)
        try side.serve(1..<2)
        try side.stop()
        let records = try shown(data.files)
        #expect(records.map(\.sequence) == [LogSequence(1), LogSequence(2), LogSequence(3)])
        #expect(records.map(\.kind) == ["configure", "reserve", "claim"])
        guard case .group(let context)? = records[1].fields["context"] else { throw NoContext() }
        for field in ["ani", "ced", "user.card", "user.unknown"] { #expect(context[field] == .text("***"), "\(field)") }
        #expect(context["user.tier"] == .text("platinum"))
        #expect(context["variable1"] == .text("gold-1"))
        #expect(records[2].fields["ani"] == .text("***"))
        let open = try shown(data.files, personal: .shown)
        guard case .group(let whole)? = open[1].fields["context"] else { throw NoContext() }
        #expect(whole["user.card"] == .text("5500"))
        #expect(whole["ani"] == .text("+49891"))
    }

    private struct NoContext: Error {}

    @Test("records are filtered by sequence, time, call and translation-route key")
    func filters() throws {
        let data = try DataDirectory()
        let side = try WrittenSide(data.files)
        let reserved = try side.serve(1..<6)
        try side.stop()
        var filter = RecordFilter()
        (filter.from, filter.through) = (LogSequence(3), LogSequence(5))
        #expect(try shown(data.files, filter).map(\.sequence.number) == [3, 4, 5])
        filter = RecordFilter()
        filter.since = WallTime(milliseconds: WrittenSide.noon.milliseconds + 4000)
        filter.until = WallTime(milliseconds: WrittenSide.noon.milliseconds + 6000)
        #expect(try shown(data.files, filter).map(\.sequence.number) == [4, 5, 6])
        filter = RecordFilter()
        filter.call = "arrival-2"
        #expect(try shown(data.files, filter).map(\.kind) == ["reserve", "claim"])
        filter.call = reserved[1].callKey.description
        #expect(try shown(data.files, filter).map(\.sequence.number) == [4, 5])
        filter = RecordFilter()
        filter.key = reserved[3].key
        #expect(try shown(data.files, filter).map(\.kind) == ["reserve", "claim"])
    }

    @Test("a whole log is verified to its end")
    func sound() throws {
        let data = try DataDirectory()
        let side = try WrittenSide(data.files)
        try side.serve(0..<40)
        let end = side.log.end
        try side.stop()
        let verdict = try LogListing.verify(data.files)
        #expect(verdict.report.end == end)
        #expect(verdict.report.records == end.sequence.number)
    }

    @Test("a flipped byte of a durable record is called rot, with file, position and next step")
    func rot() throws {
        let data = try DataDirectory()
        let side = try WrittenSide(data.files)
        try side.serve(0..<40)
        try side.stop()
        let first = try #require(try data.segments().first)
        try data.flip(byte: 3 * 4096 + 200, of: first)
        let sentence = try refusal { () throws(InspectionFault) in try LogListing.verify(data.files) }
        #expect(sentence.contains("at byte 12288") && sentence.contains("segment-"), "\(sentence)")
        #expect(sentence.contains("rot") && sentence.contains("newest good snapshot"), "\(sentence)")
    }

    @Test("a torn tail that nothing says was durable is told, and would be cut")
    func tail() throws {
        let data = try DataDirectory()
        let side = try WrittenSide(data.files, segmentBytes: 1 << 20)
        try side.serve(0..<3)
        let batches = side.log.end.sequence.number
        try side.stop(cleanly: false)
        let last = try #require(try shown(data.files).last)
        try data.flip(byte: last.offset + 170, of: data.files.log + "/" + last.file)
        let verdict = try LogListing.verify(data.files)
        #expect(verdict.report.end.sequence.number == batches - 1)
        #expect(verdict.report.notes.contains { $0.finding == .badAlone })
    }

    @Test("a removed segment, another pair's files and a newer version are named")
    func strange() throws {
        let data = try DataDirectory()
        let side = try WrittenSide(data.files)
        try side.serve(0..<60)
        try side.stop()
        let segments = try data.segments()
        let other = try DataDirectory()
        let stranger = try WrittenSide(other.files, pairID: .init(high: 1, low: 2))
        try stranger.serve(0..<60)
        try stranger.stop()
        let second = segments[1]
        let kept = second + ".kept"
        try FileManager.default.moveItem(atPath: second, toPath: kept)
        #expect(
            try refusal { () throws(InspectionFault) in try LogListing.verify(data.files) }.contains(
                "Put the missing segments back"))
        try FileManager.default.copyItem(atPath: try other.segments()[1], toPath: second)
        let sentence = try refusal { () throws(InspectionFault) in try LogListing.verify(data.files) }
        #expect(sentence.contains("belongs to pair"), "\(sentence)")
    }

    private func refusal<Value>(_ body: () throws(InspectionFault) -> Value) throws -> String {
        do throws(InspectionFault) {
            _ = try body()
        } catch {
            return "\(error)"
        }
        Issue.record("it was not refused")
        return ""
    }
}
