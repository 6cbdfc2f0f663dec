package import CallModel

/// What a message must keep to cross a link, whatever the instances declare: checked by the sender before it is
/// numbered, and by the receiver before it is believed. A message that keeps it fits a frame. The limits and ECC
/// declarations of an instance are its CallRouter's to check (``ContextLimits``).
extension RouteAsk {
    package func checkForLink() throws(FieldFault) {
        try id.checkForLink()
        _ = try InstanceName(callKey.origin.text, field: "callKey")
        _ = try CallID(callID.text)
        try FieldFault.check(dialedNumber, field: "dialedNumber", limit: ContextLimits().dialedNumber)
        if let customer { _ = try CustomerName(customer.text) }
        if let nicCallID { try FieldFault.check(nicCallID, field: "nicCallID", limit: INCRPLimits.nicCallIDBytes) }
        guard (1...INCRPLimits.deadlineMilliseconds).contains(deadlineMilliseconds) else {
            throw FieldFault(
                field: "deadlineMilliseconds",
                fault: .outOfRange("is \(deadlineMilliseconds); it may be 1 to \(INCRPLimits.deadlineMilliseconds)"))
        }
        try context.checkForLink()
    }
}

extension RouteReply {
    package func checkForLink() throws(FieldFault) {
        try id.checkForLink()
        _ = try Label(label.text, type: label.type)
        if let key = arrival?.key {
            _ = try PeripheralName(key.peripheral.text)
            _ = try TrunkGroupName(key.trunkGroup.text)
            _ = try DNIS(key.dnis.text)
        }
        try context.checkForLink()
    }
}

extension AskID {
    package func checkForLink() throws(FieldFault) { _ = try NodeName(node.text) }
}

extension CallContext {
    /// Forbidden bytes, names, counts, and 32 KiB in all, as ``encoded()`` would count them or a little more.
    package func checkForLink() throws(FieldFault) {
        var bytes = 0
        func take(_ text: String?, _ field: @autoclosure () -> String) throws(FieldFault) {
            guard let text else { return }
            try FieldFault.check(text, field: field(), limit: INCRPLimits.contextBytes, mayBeEmpty: true)
            // A tag and a length.
            bytes += text.utf8.count + 3
            if bytes > INCRPLimits.contextBytes {
                throw FieldFault(field: "context", fault: .tooLong(bytes: bytes, limit: INCRPLimits.contextBytes))
            }
        }
        try take(ani, "ani")
        try take(ced, "ced")
        try take(uui, "uui")
        try take(dnis, "dnis")
        try take(dialedNumber, "dialedNumber")
        for (index, value) in variables.enumerated() { try take(value, "variable\(index + 1)") }
        for (name, value) in ecc {
            _ = try ECCName(name.text)
            try take(name.text, "ecc \(name)")
            switch value {
            case .scalar(let text): try take(text, "ecc \(name)")
            case .array(let elements):
                guard elements.count <= ECCDeclaration.mostElements else {
                    throw FieldFault(
                        field: "ecc \(name)",
                        fault: .outOfRange(
                            "has \(elements.count) elements; the limit is \(ECCDeclaration.mostElements)"))
                }
                for element in elements { try take(element, "ecc \(name)") }
            }
        }
    }
}
