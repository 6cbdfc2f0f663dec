/// Rows under headers, aligned, for a terminal.
package struct Table: Sendable {
    package enum Alignment: Sendable {
        case left
        case right
    }

    package struct Column: Sendable {
        package let header: String
        package let alignment: Alignment

        package init(_ header: String, _ alignment: Alignment = .left) {
            self.header = header
            self.alignment = alignment
        }
    }

    package let columns: [Column]
    package private(set) var rows: [[String]] = []
    /// Said instead of a table without rows.
    package let empty: String

    package init(_ columns: [Column], empty: String) {
        self.columns = columns
        self.empty = empty
    }

    /// Missing cells are empty; what would break a line or the terminal is replaced.
    package mutating func add(_ cells: [String]) {
        precondition(cells.count <= columns.count, "more cells than columns")
        let padded = cells + Array(repeating: "", count: columns.count - cells.count)
        rows.append(padded.map(Self.printable))
    }

    package var rendered: String {
        if rows.isEmpty { return empty }
        var widths = columns.map(\.header.count)
        for row in rows { for (index, cell) in row.enumerated() { widths[index] = max(widths[index], cell.count) } }
        var lines = [line(columns.map(\.header), widths)]
        lines.append(widths.map { String(repeating: "-", count: $0) }.joined(separator: "  "))
        lines += rows.map { line($0, widths) }
        return lines.joined(separator: "\n")
    }

    private func line(_ cells: [String], _ widths: [Int]) -> String {
        var text = zip(zip(cells, widths), columns).map { pair, column in
            let padding = String(repeating: " ", count: pair.1 - pair.0.count)
            return column.alignment == .left ? pair.0 + padding : padding + pair.0
        }.joined(separator: "  ")
        while text.last == " " { text.removeLast() }
        return text
    }

    /// Control characters could move the cursor: a context's text comes from outside.
    static func printable(_ text: String) -> String {
        guard text.unicodeScalars.contains(where: { $0.properties.generalCategory == .control }) else { return text }
        var out = ""
        for scalar in text.unicodeScalars {
            if scalar.properties.generalCategory == .control { out += "?" } else { out.unicodeScalars.append(scalar) }
        }
        return out
    }
}
