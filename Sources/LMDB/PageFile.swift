internal import Glibc

/// The pages of an environment's file as one transaction sees them, read past LMDB, which trusts what is on the disk.
/// Form of LMDB 0.9's file on a little-endian machine with 64-bit page numbers.
struct PageFile {
    /// Of a table, 48 bytes in a meta page or in the row of the table that names it.
    struct Tree: Equatable {
        static let bytes = 48
        let pageBytes: UInt32
        let flags: UInt16
        let depth: Int
        let branchPages, leafPages, overflowPages, entries: UInt64
        /// Nil for an empty table.
        let root: UInt64?

        init(_ bytes: ArraySlice<UInt8>) {
            let at = bytes.startIndex
            pageBytes = bytes.number(at: at)
            flags = bytes.number(at: at + 4)
            depth = Int(bytes.number(at: at + 6, as: UInt16.self))
            branchPages = bytes.number(at: at + 8)
            leafPages = bytes.number(at: at + 16)
            overflowPages = bytes.number(at: at + 24)
            entries = bytes.number(at: at + 32)
            let page: UInt64 = bytes.number(at: at + 40)
            root = page == .max ? nil : page
        }
    }

    struct Meta: Equatable {
        let transaction: UInt64
        let lastPage: UInt64
        let free: Tree
        let main: Tree
    }

    static let headerBytes = 16

    let pageBytes: Int
    let meta: Meta
    private let descriptor: CInt
    private let pages: UInt64

    /// Finds the meta page of that transaction. A writer of another process may pass by while it is read, so it is
    /// looked at again before the file is called damaged.
    init(descriptor: CInt, pageBytes: Int, transaction: UInt64) throws(PageDamage) {
        self.descriptor = descriptor
        self.pageBytes = pageBytes
        var tries = 0
        while true {
            do throws(PageDamage) {
                meta = try Self.meta(descriptor, pageBytes, transaction)
                break
            } catch {
                tries += 1
                if tries == 10 { throw error }
            }
        }
        var status = stat()
        guard unsafe fstat(descriptor, &status) == 0 else {
            throw PageDamage(page: nil, "the file cannot be looked at")
        }
        pages = UInt64(status.st_size) / UInt64(pageBytes)
    }

    private static func meta(
        _ descriptor: CInt, _ pageBytes: Int, _ transaction: UInt64
    ) throws(PageDamage) -> Meta {
        let both = try bytes(descriptor, at: 0, count: 2 * pageBytes, page: 0)
        let metas = [
            try meta(both[..<pageBytes], page: 0, pageBytes), try meta(both[pageBytes...], page: 1, pageBytes),
        ]
        let (first, second) = (metas[0].transaction, metas[1].transaction)
        // Each commit writes the page that the last but one wrote; a new file has two of transaction 0.
        let isNew = first == 0 && second == 0
        guard isNew || (first % 2 == 0 && (first == second + 1 || second == first + 1)) else {
            throw PageDamage(page: 0, "the meta pages are of the transactions \(first) and \(second)")
        }
        let mine = metas[Int(transaction % 2)]
        guard mine.transaction == transaction, transaction == max(first, second) else {
            throw PageDamage(page: transaction % 2, "the meta page is not of transaction \(transaction)")
        }
        return mine
    }

    private static func meta(_ page: ArraySlice<UInt8>, page number: UInt64, _ pageBytes: Int) throws(PageDamage)
        -> Meta
    {
        let at = page.startIndex + headerBytes
        guard page.number(at: page.startIndex) == number,
            page.number(at: page.startIndex + 10) == PageKind.meta.rawValue,
            page.number(at: at) == 0xbeef_c0de as UInt32, page.number(at: at + 4) == 1 as UInt32
        else { throw PageDamage(page: number, "it is no meta page") }
        let free = Tree(page[(at + 24)...])
        guard Int(free.pageBytes) == pageBytes else {
            throw PageDamage(page: number, "it says that pages have \(free.pageBytes) bytes")
        }
        let ends = at + 24 + 2 * Tree.bytes
        return Meta(
            transaction: page.number(at: ends + 8), lastPage: page.number(at: ends), free: free,
            main: Tree(page[(at + 24 + Tree.bytes)...]))
    }

    /// The page, whose own number and kind are as they should be.
    func page(_ number: UInt64, _ kind: PageKind?) throws(PageDamage) -> Page {
        guard number >= 2, number <= meta.lastPage, number < pages else {
            throw PageDamage(page: number, "it lies outside of the file")
        }
        let bytes = try Self.bytes(descriptor, at: number * UInt64(pageBytes), count: pageBytes, page: number)
        guard bytes.number(at: 0) == number else {
            throw PageDamage(page: number, "it says that it is page \(bytes.number(at: 0, as: UInt64.self))")
        }
        let flags: UInt16 = bytes.number(at: 10)
        guard let found = PageKind(rawValue: flags), kind == nil || found == kind else {
            throw PageDamage(page: number, "its kind is \(flags)")
        }
        return Page(number: number, kind: found, bytes: bytes)
    }

    /// What begins on an overflow page and goes on over those behind it.
    func value(_ first: Page, count: Int) throws(PageDamage) -> [UInt8] {
        try Self.bytes(
            descriptor, at: first.number * UInt64(pageBytes) + UInt64(Self.headerBytes), count: count,
            page: first.number)
    }

    private static func bytes(
        _ descriptor: CInt, at offset: UInt64, count: Int, page: UInt64
    ) throws(PageDamage) -> [UInt8] {
        guard let begin = off_t(exactly: offset) else { throw PageDamage(page: page, "it lies outside of the file") }
        var got = 0
        let bytes = unsafe [UInt8](unsafeUninitializedCapacity: count) { buffer, filled in
            while filled < count {
                got = unsafe pread(descriptor, buffer.baseAddress! + filled, count - filled, begin + off_t(filled))
                if got < 0 && errno == EINTR { continue }
                if got <= 0 { break }
                filled += got
            }
        }
        guard bytes.count == count else {
            throw PageDamage(page: page, got < 0 ? "it cannot be read: error \(errno)" : "the file ends within it")
        }
        return bytes
    }
}

enum PageKind: UInt16 {
    case branch = 1
    case leaf = 2
    case overflow = 4
    case meta = 8
}

/// Where the pages of an environment contradict each other.
package struct PageDamage: Error, Hashable, Sendable, CustomStringConvertible {
    package let page: UInt64?
    package let reason: String

    init(page: UInt64?, _ reason: String) {
        self.page = page
        self.reason = reason
    }

    package var description: String { page.map { "page \($0): \(reason)" } ?? reason }
}

/// A branch or leaf page: its nodes with their keys.
struct Page {
    struct Node {
        static let headerBytes = 8
        let flags: UInt16
        let key: ArraySlice<UInt8>
        /// Of a leaf: bytes of the value. Of a branch: the child.
        let number: UInt64
        /// Of a leaf: what stands on the page, a page number of 8 bytes when the value is on overflow pages.
        let content: ArraySlice<UInt8>

        var isOnOverflowPages: Bool { flags & 1 != 0 }
        var isTree: Bool { flags & 2 != 0 }
    }

    let number: UInt64
    let kind: PageKind
    let bytes: [UInt8]

    /// Of the first overflow page: how many there are.
    var overflowPages: UInt64 { UInt64(bytes.number(at: 12, as: UInt32.self)) }

    func nodes() throws(PageDamage) -> [Node] {
        let lower = Int(bytes.number(at: 12, as: UInt16.self))
        let upper = Int(bytes.number(at: 14, as: UInt16.self))
        guard lower >= PageFile.headerBytes, lower % 2 == 0, lower <= upper, upper <= bytes.count else {
            throw damage("its bounds are \(lower) and \(upper)")
        }
        var nodes: [Node] = []
        var room = bytes.count - upper
        for offset in stride(from: PageFile.headerBytes, to: lower, by: 2) {
            let node = try node(at: Int(bytes.number(at: offset, as: UInt16.self)), upper: upper)
            let size = Node.headerBytes + node.key.count + node.content.count
            room -= size + size % 2
            nodes.append(node)
        }
        guard room >= 0 else { throw damage("its nodes overlap") }
        return nodes
    }

    private func node(at offset: Int, upper: Int) throws(PageDamage) -> Node {
        guard offset >= upper, offset % 2 == 0, offset + Node.headerBytes <= bytes.count else {
            throw damage("a node is at \(offset)")
        }
        let flags: UInt16 = bytes.number(at: offset + 4)
        let low = UInt64(bytes.number(at: offset, as: UInt32.self))
        let isBranch = kind == .branch
        let keyEnd = offset + Node.headerBytes + Int(bytes.number(at: offset + 6, as: UInt16.self))
        let onOverflow = flags & 1 != 0
        let end = isBranch ? keyEnd : onOverflow ? keyEnd + 8 : keyEnd + Int(low)
        guard isBranch || flags & ~3 == 0, keyEnd <= bytes.count, end <= bytes.count else {
            throw damage("the node at \(offset) is none")
        }
        return Node(
            flags: isBranch ? 0 : flags, key: bytes[(offset + Node.headerBytes)..<keyEnd],
            number: isBranch ? low | UInt64(flags) << 32 : low, content: bytes[keyEnd..<end])
    }

    func damage(_ reason: String) -> PageDamage { PageDamage(page: number, reason) }
}

extension RandomAccessCollection<UInt8> where Index == Int {
    /// A little-endian number; the bytes are there.
    func number<Value: FixedWidthInteger>(at offset: Int, as type: Value.Type = Value.self) -> Value {
        var value: Value = 0
        for index in 0..<MemoryLayout<Value>.size {
            value |= Value(truncatingIfNeeded: self[offset + index]) << (8 * index)
        }
        return value
    }
}
