/// A comma-separated file with a header line: RFC 4180, and lines that begin with `#` are comments.
package struct CSV: Sendable {
    package struct Row: Sendable {
        /// Of the file, from 1.
        package let line: Int
        private let cells: [String: String]

        init(line: Int, cells: [String: String]) {
            self.line = line
            self.cells = cells
        }

        /// Empty when the cell is.
        package subscript(column: String) -> String { cells[column] ?? "" }
    }

    package let columns: [String]
    package let rows: [Row]

    /// Throws for an open quote, no header, or a row with another number of cells than the header.
    package init(parsing text: String) throws(CommandFailure) {
        var records = try Self.records(text)
        guard !records.isEmpty else { throw CommandFailure(.usage, "the file has no header line") }
        let columns = records.removeFirst().cells
        self.columns = columns
        var rows: [Row] = []
        for record in records {
            guard record.cells.count == columns.count else {
                throw CommandFailure(
                    .usage, "line \(record.line) has \(record.cells.count) cells; the header has \(columns.count)")
            }
            rows.append(Row(line: record.line, cells: Dictionary(zip(columns, record.cells)) { first, _ in first }))
        }
        self.rows = rows
    }

    private static func records(_ text: String) throws(CommandFailure) -> [(line: Int, cells: [String])] {
        var records: [(line: Int, cells: [String])] = []
        var cells: [String] = []
        var cell = ""
        var quoted = false
        var line = 1
        var start = 1
        var previousWasQuote = false
        func end() {
            cells.append(cell)
            let isComment = cells[0].hasPrefix("#")
            if !isComment, cells != [""] { records.append((start, cells)) }
            cells = []
            cell = ""
        }
        for character in text {
            defer { if character.isNewline { line += 1 } }
            if quoted {
                if character == "\"" {
                    quoted = false
                    previousWasQuote = true
                } else {
                    cell.append(character)
                }
                continue
            }
            switch character {
            case "\"" where !(cells.isEmpty && cell.hasPrefix("#")):
                if previousWasQuote { cell.append("\"") }
                quoted = true
            case "," where !(cells.isEmpty && cell.hasPrefix("#")):
                cells.append(cell)
                cell = ""
            case _ where character.isNewline:
                end()
                start = line + 1
            default: cell.append(character)
            }
            previousWasQuote = false
        }
        if quoted { throw CommandFailure(.usage, "the quote opened in line \(start) or later is never closed") }
        if !cells.isEmpty || !cell.isEmpty { end() }
        return records
    }
}
