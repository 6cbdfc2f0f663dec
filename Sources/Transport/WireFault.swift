package import INCRP

/// Why bytes of the wire are no message.
package enum WireFault: Error, Hashable, Sendable, CustomStringConvertible {
    case oversized(bytes: Int, limit: Int)
    case empty
    /// Not a protobuf envelope (also a string that is not UTF-8).
    case notAnEnvelope
    /// An envelope without a frame that this version knows.
    case unknownFrame
    /// A part of the frame is missing, or holds a value that does not exist.
    case value(String)
    /// A request, response or failure under a readable id breaks a limit: refused alone, the link stays.
    case message(FaultyMessage)

    package var description: String {
        switch self {
        case .oversized(let bytes, let limit): "a frame of \(bytes) bytes; the limit is \(limit)"
        case .empty: "a frame of 0 bytes"
        case .notAnEnvelope: "a frame that is not a protobuf envelope"
        case .unknownFrame: "an envelope without a known frame"
        case .value(let what): what
        case .message(let message): message.reason
        }
    }

    /// The reason to close the link with.
    var closure: INCRPClosure {
        if case .oversized = self {
            INCRPClosure(.oversizedFrame, description)
        } else {
            INCRPClosure(.malformedFrame, description)
        }
    }
}
