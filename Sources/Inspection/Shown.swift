/// What an inspection shows: a tree that becomes a table for a person, or a line of JSON.
package enum Shown: Hashable, Sendable {
    case text(String)
    case number(UInt64)
    case flag(Bool)
    case list([Shown])
    case group(ShownGroup)
}

/// Named values in the order in which a person reads them.
package struct ShownGroup: Hashable, Sendable {
    package struct Member: Hashable, Sendable {
        package let name: String
        package let value: Shown
    }

    package private(set) var members: [Member] = []

    init() {}

    package subscript(name: String) -> Shown? { members.first { $0.name == name }?.value }

    mutating func add(_ name: String, _ value: Shown?) {
        if let value { members.append(Member(name: name, value: value)) }
    }

    mutating func add(_ name: String, _ value: (some CustomStringConvertible)?) {
        if let value { add(name, .text(value.description)) }
    }

    mutating func add(_ name: String, number: (some BinaryInteger)?) {
        if let number { add(name, .number(UInt64(clamping: number))) }
    }

    /// Shown only when it is true.
    mutating func add(_ name: String, flag: Bool) {
        if flag { add(name, .flag(true)) }
    }

    mutating func add(_ other: ShownGroup) { members += other.members }
}
