/// How a side's answers are shown to a person.
package enum Rendering {
    /// One object: a line for each member, those of inner objects under their dotted names.
    package static func record(_ value: JSONValue) -> String {
        let lines = flattened(value)
        guard !lines.isEmpty else { return "The answer is empty." }
        let width = lines.map(\.name.count).max() ?? 0
        return lines.map { line in
            line.name + String(repeating: " ", count: width - line.name.count + 2) + Table.printable(line.text)
        }.joined(separator: "\n")
    }

    /// A list as a table. The rows are the answer itself, or its only (or its first) array.
    package static func list(_ value: JSONValue, _ view: ListView) -> String {
        let rows = rows(of: value)
        var table = Table(view.fields.map { Table.Column($0.header, $0.alignment) }, empty: view.empty)
        for row in rows { table.add(view.fields.map { $0.text(in: row) }) }
        var text = table.rendered
        if let next = value["next"]?.text { text += "\nThere are more: --after \(next)" }
        return text
    }

    package static func rows(of value: JSONValue) -> [JSONValue] {
        if case .array(let elements) = value { return elements }
        for member in value.members { if case .array(let elements) = member.value { return elements } }
        return []
    }

    fileprivate static func flattened(_ value: JSONValue, prefix: String = "") -> [(name: String, text: String)] {
        value.members.flatMap { member -> [(name: String, text: String)] in
            let name = prefix.isEmpty ? member.name : prefix + "." + member.name
            switch member.value {
            case .object: return flattened(member.value, prefix: name)
            case .array(let elements):
                return [(name, elements.map { $0.text ?? $0.compact }.joined(separator: ", "))]
            default: return [(name, member.value.text ?? "-")]
            }
        }
    }
}

/// The columns of a list.
package struct ListView: Sendable {
    package struct Field: Sendable {
        package let header: String
        /// Dotted names; the first that has a value is shown.
        package let names: [String]
        package let alignment: Table.Alignment

        package init(_ header: String, _ names: String..., alignment: Table.Alignment = .left) {
            self.header = header
            self.names = names
            self.alignment = alignment
        }

        package func text(in row: JSONValue) -> String {
            for name in names {
                var value: JSONValue? = row
                for part in name.split(separator: ".") { value = value?[String(part)] }
                switch value {
                case nil, .null: continue
                case .bool(let yes): return yes ? "yes" : "no"
                case .array(let elements): return elements.map { $0.text ?? $0.compact }.joined(separator: ", ")
                case .object?:
                    let lines = Rendering.flattened(value ?? .null)
                    return lines.isEmpty ? "-" : lines.map { "\($0.name)=\($0.text)" }.joined(separator: " ")
                case let scalar?: return scalar.text ?? ""
                }
            }
            return "-"
        }
    }

    package let fields: [Field]
    package let empty: String

    package init(empty: String, _ fields: [Field]) {
        self.fields = fields
        self.empty = empty
    }
}
