internal import StrictJSON

/// Encodes `Encodable` values with their fields in the order in which they are encoded, which for synthesized
/// conformances is the order of declaration: answers then read the same each time. (Foundation's encoder gives either
/// hash order or the alphabet.) Only what bodies are made of is supported: texts, whole numbers, flags, lists, objects.
struct OrderedEncoder {
    static func encode(_ value: some Encodable) throws -> JSONValue {
        let node = Node()
        try value.encode(to: NodeEncoder(node: node, codingPath: []))
        return node.value
    }
}

/// A place in the document that is being built. A class, since containers fill it after they were handed out.
private final class Node {
    enum Content {
        case empty
        case leaf(JSONValue)
        case list([Node])
        case fields([(String, Node)])
    }

    var content = Content.empty

    func field(_ name: String) -> Node {
        let child = Node()
        var fields: [(String, Node)] = []
        if case .fields(let existing) = content { fields = existing }
        content = .empty
        fields.append((name, child))
        content = .fields(fields)
        return child
    }

    func element() -> Node {
        let child = Node()
        var elements: [Node] = []
        if case .list(let existing) = content { elements = existing }
        content = .empty
        elements.append(child)
        content = .list(elements)
        return child
    }

    var value: JSONValue {
        switch content {
        case .empty: .null
        case .leaf(let value): value
        case .list(let elements): .array(elements.map(\.value))
        case .fields(let fields): .object(fields.map { JSONMember($0.0, $0.1.value) })
        }
    }

    func encode(_ value: some Encodable, codingPath: [any CodingKey]) throws {
        switch value {
        case let text as String: content = .leaf(.string(text))
        case let flag as Bool: content = .leaf(.bool(flag))
        case let number as any FixedWidthInteger: content = .leaf(.number(number.description))
        default: try value.encode(to: NodeEncoder(node: self, codingPath: codingPath))
        }
    }
}

private struct NodeEncoder: Encoder {
    let node: Node
    let codingPath: [any CodingKey]
    var userInfo: [CodingUserInfoKey: Any] { [:] }

    func container<Key: CodingKey>(keyedBy type: Key.Type) -> KeyedEncodingContainer<Key> {
        if case .empty = node.content { node.content = .fields([]) }
        return KeyedEncodingContainer(FieldsContainer<Key>(node: node, codingPath: codingPath))
    }

    func unkeyedContainer() -> any UnkeyedEncodingContainer {
        if case .empty = node.content { node.content = .list([]) }
        return ListContainer(node: node, codingPath: codingPath)
    }

    func singleValueContainer() -> any SingleValueEncodingContainer {
        LeafContainer(node: node, codingPath: codingPath)
    }
}

private struct FieldsContainer<Key: CodingKey>: KeyedEncodingContainerProtocol {
    let node: Node
    let codingPath: [any CodingKey]

    mutating func encodeNil(forKey key: Key) { node.field(key.stringValue).content = .leaf(.null) }

    mutating func encode<T: Encodable>(_ value: T, forKey key: Key) throws {
        try node.field(key.stringValue).encode(value, codingPath: codingPath + [key])
    }

    mutating func nestedContainer<Nested: CodingKey>(
        keyedBy keyType: Nested.Type, forKey key: Key
    ) -> KeyedEncodingContainer<Nested> {
        NodeEncoder(node: node.field(key.stringValue), codingPath: codingPath + [key]).container(keyedBy: keyType)
    }

    mutating func nestedUnkeyedContainer(forKey key: Key) -> any UnkeyedEncodingContainer {
        NodeEncoder(node: node.field(key.stringValue), codingPath: codingPath + [key]).unkeyedContainer()
    }

    mutating func superEncoder() -> any Encoder { NodeEncoder(node: node.field("super"), codingPath: codingPath) }

    mutating func superEncoder(forKey key: Key) -> any Encoder {
        NodeEncoder(node: node.field(key.stringValue), codingPath: codingPath + [key])
    }
}

private struct ListContainer: UnkeyedEncodingContainer {
    let node: Node
    let codingPath: [any CodingKey]

    var count: Int {
        if case .list(let elements) = node.content { elements.count } else { 0 }
    }

    mutating func encodeNil() { node.element().content = .leaf(.null) }

    mutating func encode<T: Encodable>(_ value: T) throws { try node.element().encode(value, codingPath: codingPath) }

    mutating func nestedContainer<Nested: CodingKey>(keyedBy keyType: Nested.Type) -> KeyedEncodingContainer<Nested> {
        NodeEncoder(node: node.element(), codingPath: codingPath).container(keyedBy: keyType)
    }

    mutating func nestedUnkeyedContainer() -> any UnkeyedEncodingContainer {
        NodeEncoder(node: node.element(), codingPath: codingPath).unkeyedContainer()
    }

    mutating func superEncoder() -> any Encoder { NodeEncoder(node: node.element(), codingPath: codingPath) }
}

private struct LeafContainer: SingleValueEncodingContainer {
    let node: Node
    let codingPath: [any CodingKey]

    mutating func encodeNil() { node.content = .leaf(.null) }

    mutating func encode<T: Encodable>(_ value: T) throws {
        // A floating-point number would come back here for ever: none of the bodies has one.
        if value is any BinaryFloatingPoint {
            throw EncodingError.invalidValue(
                value, EncodingError.Context(codingPath: codingPath, debugDescription: "no body holds a fraction"))
        }
        try node.encode(value, codingPath: codingPath)
    }
}
