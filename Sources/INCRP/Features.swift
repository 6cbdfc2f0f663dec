/// What a link can do beyond the first version. Both sides name theirs in OPEN; what both name holds.
package struct INCRPFeatures: OptionSet, Hashable, Sendable, CustomStringConvertible {
    package let rawValue: UInt32
    package init(rawValue: UInt32) { self.rawValue = rawValue }

    /// Answers may carry ECC arrays that the server changed. Without it answers hold no arrays, and the client
    /// keeps those it sent.
    package static let modifiedArrays = INCRPFeatures(rawValue: 1)
    /// A request may come again under its (dialog, node) on another link and meets its first answer.
    package static let dialogRecovery = INCRPFeatures(rawValue: 2)

    package var description: String {
        var names: [String] = []
        if contains(.modifiedArrays) { names.append("modifiedArrays") }
        if contains(.dialogRecovery) { names.append("dialogRecovery") }
        return names.isEmpty ? "basic" : names.joined(separator: ", ")
    }
}

extension INCRPVersion {
    /// The features of this version: 1.0 is basic, 1.1 adds modified arrays and dialog recovery.
    package var features: INCRPFeatures { minor >= 1 ? [.modifiedArrays, .dialogRecovery] : [] }

    /// The version that holds between two sides: the lower one; nil when the major versions differ.
    package func common(with other: INCRPVersion) -> INCRPVersion? { major == other.major ? min(self, other) : nil }
}
