import CallModel
import ContextStore
import Glibc
import LMDB
import Ledger
import Testing

@Suite("ContextStore: what LMDB would follow without a look is looked at")
struct StorePagesTests {
    let directory = TemporaryDirectory()
    var file: String { directory.store + "/data.mdb" }

    /// A store of several levels of pages, with overflow pages and a free list.
    private func filled() throws -> Model {
        let store = try ContextStore.open(path: directory.store, identity: identity, configuration: patient)
        defer { store.close() }
        store.start(onDurable: { _ in }, onFailure: { _ in })
        var model = Model()
        for round in 0..<4 {
            let changes = (0..<400).map { put(.dialogs, $0, "dialog \($0) " + String(repeating: "d", count: 90)) }
            let long = (0..<12).map { put(.contexts, $0 + round, String(repeating: "c", count: 3_000 + 2_000 * $0)) }
            store.take(model.batch(changes + long + (0..<40).map { remove(.dialogs, $0 * 10 + round) }))
            try store.flush()
        }
        return model
    }

    private func bytes() throws -> [UInt8] {
        let descriptor = open(file, O_RDONLY)
        defer { close(descriptor) }
        var status = stat()
        try #require(fstat(descriptor, &status) == 0)
        var bytes = [UInt8](repeating: 0, count: Int(status.st_size))
        try #require(pread(descriptor, &bytes, bytes.count, 0) == bytes.count)
        return bytes
    }

    private func write(_ bytes: [UInt8]) throws {
        let descriptor = open(file, O_WRONLY | O_TRUNC)
        defer { close(descriptor) }
        try #require(pwrite(descriptor, bytes, bytes.count, 0) == bytes.count)
    }

    private func kind(_ bytes: [UInt8], _ page: Int) -> UInt8 { bytes[page * 4096 + 10] }

    private func isFound() -> Bool {
        do throws(StoreError) { return try !ContextStore.verify(path: directory.store).isSound } catch {
            // A file that LMDB cannot even begin with is as good as damaged (`StoreVerdict`).
            switch error {
            case .damaged, .failed: return true
            default: return false
            }
        }
    }

    @Test("a store that was written, rewritten and thinned out is sound")
    func sound() throws {
        let model = try filled()
        let found = try ContextStore.verify(path: directory.store)
        #expect(found.isSound && found.state == model.state)
    }

    /// The page with the root of the free list, by the newer meta page.
    private func freeListRoot(_ bytes: [UInt8]) -> Int {
        let meta = bytes[4096 + 144] > bytes[144] ? 4096 : 0
        return word(bytes, meta + 80)
    }

    private func word(_ bytes: [UInt8], _ offset: Int) -> Int { Int(bytes[offset]) | Int(bytes[offset + 1]) << 8 }

    /// What the free list names; it stands on one page.
    private func freePages(_ bytes: [UInt8]) throws -> Set<Int> {
        let page = freeListRoot(bytes) * 4096
        try #require(kind(bytes, page / 4096) == 2)
        var free: Set<Int> = []
        for slot in stride(from: page + 16, to: page + word(bytes, page + 12), by: 2) {
            let list = page + word(bytes, slot) + 16
            for index in 1...word(bytes, list) { free.insert(word(bytes, list + 8 * index)) }
        }
        return free
    }

    @Test("two pages of the store that changed places are found, unless nothing reads either")
    func swapped() throws {
        _ = try filled()
        let sound = try bytes()
        let free = try freePages(sound)
        let pages = (2..<sound.count / 4096).filter { [1, 2].contains(kind(sound, $0)) }
        var found = 0
        for (one, other) in zip(pages, pages.dropFirst()) {
            var harmed = sound
            for offset in 0..<4096 { harmed.swapAt(one * 4096 + offset, other * 4096 + offset) }
            try write(harmed)
            #expect(isFound() == !(free.contains(one) && free.contains(other)), "\(one) and \(other)")
            if isFound() { found += 1 }
        }
        #expect(found > 20)
    }

    @Test("a page that says it is another one, or of another kind, is found")
    func numbersAndKinds() throws {
        _ = try filled()
        let sound = try bytes()
        for offset in [0, 10] {
            var found = 0
            for page in 2..<sound.count / 4096 {
                var harmed = sound
                harmed[page * 4096 + offset] ^= 1
                try write(harmed)
                if isFound() { found += 1 }
            }
            #expect(found > 20)
        }
    }

    @Test("a free list that names a page in use is found")
    func freePageInUse() throws {
        _ = try filled()
        let sound = try bytes()
        let root = freeListRoot(sound)
        var harmed = sound
        try #require(kind(harmed, root) == 2)
        // The row nearest to the page's beginning: its key, then the count, then the page numbers.
        let count = root * 4096 + word(harmed, root * 4096 + 14) + 16
        try #require(harmed[count] > 0)
        harmed[count + 8] = UInt8(root & 0xff)
        harmed[count + 9] = UInt8(root >> 8)
        try write(harmed)
        #expect(isFound())
    }

    @Test("a file cut anywhere is found")
    func cut() throws {
        _ = try filled()
        let sound = try bytes()
        for size in [0, 100, 4096, 8192, sound.count / 2] {
            try write(Array(sound.prefix(size)))
            #expect(isFound(), "\(size) bytes")
        }
    }

    @Test("a new store is made beside its place; what a cut attempt left is overwritten")
    func created() throws {
        try #require(mkdir(directory.store, 0o700) == 0 && mkdir(directory.store + "/new", 0o700) == 0)
        let left = open(directory.store + "/new/data.mdb", O_WRONLY | O_CREAT, 0o600)
        try #require(Glibc.write(left, "torn", 4) == 4)
        close(left)
        try ContextStore.open(path: directory.store, identity: identity, configuration: patient).close()
        #expect(access(directory.store + "/new", F_OK) != 0)
        #expect(try ContextStore.verify(path: directory.store).identity == identity)
    }
}
