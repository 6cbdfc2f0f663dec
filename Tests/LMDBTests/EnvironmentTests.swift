import Glibc
import LMDB
import Testing

@Suite("LMDB: the safe binding")
struct EnvironmentTests {
    let directory = TemporaryDirectory()

    func open(mapBytes: Int = 16 << 20) throws -> Environment {
        try Environment(path: directory.path, options: .init(mapBytes: mapBytes))
    }

    func bytes(_ text: String) -> [UInt8] { Array(text.utf8) }

    func all(_ environment: Environment, _ database: Database, from: [UInt8] = []) throws -> [String] {
        var rows: [String] = []
        try environment.beginRead().scan(database, from: from) { key, value in
            rows.append(
                "\(String(decoding: key.copied, as: UTF8.self))=\(String(decoding: value.copied, as: UTF8.self))")
            return .next
        }
        return rows
    }

    @Test("what was committed is there after the environment was closed and opened again")
    func commitSurvives() throws {
        do {
            let environment = try open()
            let table = try #require(try environment.openDatabase("table", create: true))
            var transaction = try environment.beginWrite()
            try transaction.put(table, key: bytes("b"), value: bytes("2"))
            try transaction.put(table, key: bytes("a"), value: bytes("1"))
            try transaction.put(table, key: bytes("c"), value: [])
            #expect(try transaction.count(table) == 3)
            try transaction.commit()
        }
        let environment = try open()
        let table = try #require(try environment.openDatabase("table", create: false))
        #expect(try all(environment, table) == ["a=1", "b=2", "c="])
        #expect(try all(environment, table, from: bytes("aa")) == ["b=2", "c="])
        #expect(try all(environment, table, from: bytes("d")) == [])
    }

    @Test("a write transaction that is dropped without commit changes nothing, and the next one can begin")
    func dropAborts() throws {
        let environment = try open()
        let table = try #require(try environment.openDatabase("table", create: true))
        do {
            var transaction = try environment.beginWrite()
            try transaction.put(table, key: bytes("a"), value: bytes("1"))
        }
        #expect(try all(environment, table) == [])
        var transaction = try environment.beginWrite()
        try transaction.put(table, key: bytes("a"), value: bytes("2"))
        try transaction.commit()
        #expect(try all(environment, table) == ["a=2"])
    }

    @Test("a reading transaction sees the state of its beginning")
    func readersAreConsistent() throws {
        let environment = try open()
        let table = try #require(try environment.openDatabase("table", create: true))
        let before = try environment.beginRead()
        var transaction = try environment.beginWrite()
        try transaction.put(table, key: bytes("a"), value: bytes("1"))
        try transaction.commit()
        #expect(try before.get(table, key: bytes("a")) { $0.copied } == nil)
        #expect(try environment.beginRead().get(table, key: bytes("a")) { $0.copied } == bytes("1"))
    }

    @Test("deleting says whether the key was there")
    func delete() throws {
        let environment = try open()
        let table = try #require(try environment.openDatabase("table", create: true))
        var transaction = try environment.beginWrite()
        try transaction.put(table, key: bytes("a"), value: bytes("1"))
        #expect(try transaction.delete(table, key: bytes("a")))
        #expect(try !transaction.delete(table, key: bytes("a")))
        #expect(try transaction.get(table, key: bytes("a")) { $0.byteCount } == nil)
        try transaction.commit()
    }

    @Test("a second opening in the same process is refused with a typed error, and allowed after the first is gone")
    func openTwice() throws {
        do {
            let environment = try open()
            #expect(throws: LMDBFault.openTwice(path: directory.path)) { try open() }
            #expect(throws: LMDBFault.openTwice(path: directory.path + "/.")) {
                try Environment(path: directory.path + "/.", options: .init(mapBytes: 1 << 20))
            }
            _ = environment
        }
        _ = try open()
    }

    @Test("an opening that fails leaves the place free for the next one")
    func failedOpening() throws {
        let path = directory.path + "/absent"
        for _ in 0..<2 {
            #expect(throws: LMDBFault.failed(.openEnvironment, code: ENOENT)) {
                try Environment(path: path, options: .init(mapBytes: 1 << 20))
            }
        }
    }

    @Test("a full map is a typed error, and what was committed before stays")
    func mapFull() throws {
        let environment = try open(mapBytes: 256 << 10)
        let table = try #require(try environment.openDatabase("table", create: true))
        var first = try environment.beginWrite()
        try first.put(table, key: bytes("a"), value: bytes("1"))
        try first.commit()
        let fault = #expect(throws: LMDBFault.self) {
            var transaction = try environment.beginWrite()
            for number in 0..<1_000 {
                try transaction.put(table, key: bytes("key \(number)"), value: [UInt8](repeating: 7, count: 1_000))
            }
            try transaction.commit()
        }
        #expect(fault?.isMapFull == true)
        #expect(try all(environment, table) == ["a=1"])
    }

    @Test("a key LMDB cannot take is a typed error")
    func badKey() throws {
        let environment = try open()
        let table = try #require(try environment.openDatabase("table", create: true))
        var transaction = try environment.beginWrite()
        for key in [[], [UInt8](repeating: 1, count: 512)] {
            let fault: LMDBFault?
            do throws(LMDBFault) {
                try transaction.put(table, key: key, value: [])
                fault = nil
            } catch {
                fault = error
            }
            guard case .failed(.put, _) = fault else {
                Issue.record("\(key.count) bytes: \(String(describing: fault))")
                continue
            }
        }
    }

    @Test("pages in use are counted without those on the free list")
    func usage() throws {
        let environment = try open()
        let table = try #require(try environment.openDatabase("table", create: true))
        var full = try environment.beginWrite()
        for number in 0..<500 {
            try full.put(table, key: bytes("key \(number)"), value: [UInt8](repeating: 7, count: 3_000))
        }
        try full.commit()
        let much = try environment.usage()
        #expect(much.usedPages > 500 && much.usedFraction > 0.1)
        var empty = try environment.beginWrite()
        for number in 0..<500 { try empty.delete(table, key: bytes("key \(number)")) }
        try empty.commit()
        let little = try environment.usage()
        #expect(little.usedPages < 50)
        #expect(little.freePages > 450)
        #expect(little.mapPages * little.pageBytes == 16 << 20)
    }

    @Test("many readers at once need no thread each, and none is stale while its process lives")
    func readers() throws {
        let environment = try open()
        let first = try environment.beginRead()
        let second = try environment.beginRead()
        #expect(try environment.clearStaleReaders() == 0)
        _ = consume first
        _ = consume second
    }
}
