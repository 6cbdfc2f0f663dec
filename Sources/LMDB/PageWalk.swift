/// Walks every page of an environment that a transaction can reach: page numbers and kinds, the order of keys within
/// and across pages, overflow pages, and the counts that each table states; then the free list. No page is reached twice,
/// or reached and free.
///
/// LMDB itself checks none of this. It would follow a wrong page number, or write over a page in use that the free list
/// names.
struct PageWalk {
    private let file: PageFile
    /// By page number.
    private var seen: [Bool]
    private var counts = Counts()

    private struct Counts: Equatable {
        var branchPages: UInt64 = 0
        var leafPages: UInt64 = 0
        var overflowPages: UInt64 = 0
        var entries: UInt64 = 0
    }

    /// Keys of a table, by their bytes or, in the free list, as numbers.
    private enum KeyOrder {
        case bytes
        case numbers

        func precedes(_ left: ArraySlice<UInt8>, _ right: ArraySlice<UInt8>) -> Bool {
            switch self {
            case .bytes: left.lexicographicallyPrecedes(right)
            case .numbers:
                left.number(at: left.startIndex, as: UInt64.self) < right.number(at: right.startIndex, as: UInt64.self)
            }
        }
    }

    /// What the keys of a subtree lie between.
    private struct Bounds {
        var from: ArraySlice<UInt8>?
        var below: ArraySlice<UInt8>?
    }

    private static let mostDepth = 32

    static func check(_ file: PageFile, mapPages most: UInt64) throws(PageDamage) {
        guard file.meta.lastPage >= 1, file.meta.lastPage < most else {
            throw PageDamage(page: nil, "the last page is \(file.meta.lastPage), of a map of \(most)")
        }
        var walk = PageWalk(file: file, seen: Array(repeating: false, count: Int(file.meta.lastPage) + 1))
        (walk.seen[0], walk.seen[1]) = (true, true)
        try walk.tables()
        try walk.freeList()
    }

    private init(file: PageFile, seen: [Bool]) {
        self.file = file
        self.seen = seen
    }

    /// The table of tables, and each table it names.
    private mutating func tables() throws(PageDamage) {
        var named: [PageFile.Tree] = []
        try walk(file.meta.main, "the table of tables", .bytes) { page, node throws(PageDamage) in
            guard node.isTree, !node.isOnOverflowPages, node.content.count == PageFile.Tree.bytes else {
                throw page.damage("a row of the table of tables names no table")
            }
            named.append(PageFile.Tree(node.content))
        }
        for tree in named {
            guard tree.flags == 0 else { throw PageDamage(page: tree.root, "its table has the flags \(tree.flags)") }
            try walk(tree, "a table", .bytes) { page, node throws(PageDamage) in
                if node.isTree { throw page.damage("a row of a table names a table") }
            }
        }
    }

    /// Rows are (transaction, list of page numbers that begins with their count).
    private mutating func freeList() throws(PageDamage) {
        var free: [(row: UInt64, page: UInt64)] = []
        let file = file
        try walk(file.meta.free, "the free list", .numbers) { page, node throws(PageDamage) in
            var list = Array(node.content)
            if node.isOnOverflowPages {
                let first = try file.page(node.content.number(at: node.content.startIndex), .overflow)
                list = try file.value(first, count: Int(node.number))
            }
            guard !node.isTree, node.key.number(at: node.key.startIndex) <= file.meta.transaction, list.count >= 8,
                list.count % 8 == 0, list.number(at: 0) <= UInt64(list.count / 8 - 1)
            else { throw page.damage("a row of the free list is none") }
            let count = Int(list.number(at: 0, as: UInt64.self))
            for index in 0..<count { free.append((page.number, list.number(at: 8 * (index + 1)))) }
        }
        for (row, page) in free { try see(page, from: row) }
    }

    private mutating func see(_ page: UInt64, from: UInt64) throws(PageDamage) {
        guard page < UInt64(seen.count) else {
            throw PageDamage(page: from, "it names page \(page), which is not there")
        }
        guard !seen[Int(page)] else { throw PageDamage(page: page, "it is in use twice, or in use and free") }
        seen[Int(page)] = true
    }

    private mutating func walk(
        _ tree: PageFile.Tree, _ what: String, _ order: KeyOrder,
        _ row: (Page, Page.Node) throws(PageDamage) -> Void
    ) throws(PageDamage) {
        counts = Counts()
        if let root = tree.root {
            guard (1...Self.mostDepth).contains(tree.depth) else {
                throw PageDamage(page: root, "\(what) states a depth of \(tree.depth)")
            }
            try walk(root, from: root, level: tree.depth, Bounds(), order, row)
        } else if tree.depth != 0 {
            throw PageDamage(page: nil, "\(what) is empty, and states a depth of \(tree.depth)")
        }
        let stated = Counts(
            branchPages: tree.branchPages, leafPages: tree.leafPages, overflowPages: tree.overflowPages,
            entries: tree.entries)
        if counts != stated { throw PageDamage(page: tree.root, "\(what) has \(counts), and states \(stated)") }
    }

    /// `level`: 1 for the leaves.
    private mutating func walk(
        _ number: UInt64, from: UInt64, level: Int, _ bounds: Bounds, _ order: KeyOrder,
        _ row: (Page, Page.Node) throws(PageDamage) -> Void
    ) throws(PageDamage) {
        try see(number, from: from)
        let page = try file.page(number, level > 1 ? .branch : .leaf)
        let nodes = try page.nodes()
        guard nodes.count >= (level > 1 ? 2 : 1) else { throw page.damage("it has \(nodes.count) nodes") }
        try checkKeys(nodes, of: page, bounds, order)
        if level > 1 {
            counts.branchPages += 1
            for (index, node) in nodes.enumerated() {
                let inner = Bounds(
                    from: index == 0 ? bounds.from : node.key,
                    below: index + 1 < nodes.count ? nodes[index + 1].key : bounds.below)
                try walk(node.number, from: number, level: level - 1, inner, order, row)
            }
        } else {
            counts.leafPages += 1
            counts.entries += UInt64(nodes.count)
            for node in nodes {
                if node.isOnOverflowPages { try overflow(node, of: page) }
                try row(page, node)
            }
        }
    }

    /// The first key of a branch stands for whatever is less than the second.
    private func checkKeys(
        _ nodes: [Page.Node], of page: Page, _ bounds: Bounds, _ order: KeyOrder
    ) throws(PageDamage) {
        var last = bounds.from
        var isFirst = true
        for node in nodes.dropFirst(page.kind == .branch ? 1 : 0) {
            guard order == .numbers ? node.key.count == 8 : (1...511).contains(node.key.count) else {
                throw page.damage("a key has \(node.key.count) bytes")
            }
            if let last,
                isFirst && page.kind == .leaf ? order.precedes(node.key, last) : !order.precedes(last, node.key)
            {
                throw page.damage("its keys are out of order")
            }
            (last, isFirst) = (node.key, false)
        }
        if let last, let below = bounds.below, !order.precedes(last, below) {
            throw page.damage("its last key belongs to another page")
        }
    }

    private mutating func overflow(_ node: Page.Node, of page: Page) throws(PageDamage) {
        let number: UInt64 = node.content.number(at: node.content.startIndex)
        let wanted = (node.number + UInt64(PageFile.headerBytes) - 1) / UInt64(file.pageBytes) + 1
        let first = try file.page(number, .overflow)
        guard first.overflowPages == wanted else {
            throw first.damage("it is the first of \(first.overflowPages) overflow pages, not of \(wanted)")
        }
        for index in 0..<wanted { try see(number + index, from: page.number) }
        counts.overflowPages += wanted
    }
}
