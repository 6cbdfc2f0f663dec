package import ByteCoding

extension CheckedText {
    package func encode(into writer: inout ByteWriter) { writer.string(text) }

    /// Throws also for a text that its type would not take, so that no key grows too long or holds a NUL.
    package init(from reader: inout ByteReader) throws(ByteFault) {
        let at = reader.position
        let text = try reader.string()
        do throws(FieldFault) {
            try FieldFault.check(text, field: Self.fieldName, limit: Self.limit)
        } catch {
            throw .value("\(error)", at: at)
        }
        self.init(unchecked: text)
    }
}

extension ECCPayload {
    package func encode(into writer: inout ByteWriter) {
        writer.string(name)
        writer.list(members) { $1.encode(into: &$0) }
    }

    package init(from reader: inout ByteReader) throws(ByteFault) {
        name = try reader.string()
        members = try reader.list { (reader: inout ByteReader) throws(ByteFault) in try ECCName(from: &reader) }
    }
}

extension ContextLimits {
    /// Declarations and payloads in the order of their names, so that equal limits have equal bytes.
    package func encode(into writer: inout ByteWriter) {
        for limit in [ani, ced, uui, dnis, dialedNumber, variable, context] { writer.u32(UInt32(clamping: limit)) }
        writer.list(declarations.values.sorted { $0.name < $1.name }) { $1.encode(into: &$0) }
        writer.list(payloads.values.sorted { $0.name < $1.name }) { $1.encode(into: &$0) }
    }

    package init(from reader: inout ByteReader) throws(ByteFault) {
        self.init()
        ani = Int(try reader.u32())
        ced = Int(try reader.u32())
        uui = Int(try reader.u32())
        dnis = Int(try reader.u32())
        dialedNumber = Int(try reader.u32())
        variable = Int(try reader.u32())
        context = Int(try reader.u32())
        let at = reader.position
        let declared = try reader.list { (reader: inout ByteReader) throws(ByteFault) in
            try ECCDeclaration(from: &reader)
        }
        for declaration in declared { declare(declaration) }
        let named = try reader.list { (reader: inout ByteReader) throws(ByteFault) in try ECCPayload(from: &reader) }
        for payload in named { declare(payload) }
        guard declarations.count == declared.count, payloads.count == named.count else {
            throw .value("ECC variable or payload declared twice", at: at)
        }
    }
}
