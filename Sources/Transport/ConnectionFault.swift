internal import NIOCore
internal import NIOPosix

/// Why a connection was not made, or broke.
package enum ConnectionFault: Error, Hashable, Sendable, CustomStringConvertible {
    case refused
    case timedOut
    case closed
    /// The address is taken by another process.
    case addressInUse
    case other(String)

    package var description: String {
        switch self {
        case .refused: "connection refused"
        case .timedOut: "timed out"
        case .closed: "the connection was closed"
        case .addressInUse: "the address is in use by another process"
        case .other(let what): what
        }
    }

    init(_ error: any Error) {
        switch error {
        case let fault as ConnectionFault: self = fault
        case let error as NIOConnectionError:
            // Several addresses may have been tried; the last failure of a connection says the most.
            if let last = error.connectionErrors.last {
                self = ConnectionFault(last.error)
            } else {
                self = .other("no address found for \(error.host)")
            }
        case let error as IOError: self = ConnectionFault(errno: error)
        case let error as ChannelError:
            switch error {
            case .connectTimeout: self = .timedOut
            case .ioOnClosedChannel, .alreadyClosed, .eof, .inputClosed, .outputClosed: self = .closed
            default: self = .other("\(error)")
            }
        default: self = .other("\(error)")
        }
    }

    private init(errno error: IOError) {
        switch error.errnoCode {
        case Self.connectionRefused: self = .refused
        case Self.timedOutCode: self = .timedOut
        case Self.connectionReset, Self.brokenPipe: self = .closed
        case Self.addressInUseCode: self = .addressInUse
        default: self = .other(error.description)
        }
    }

    // Linux's numbers (errno(3)); the names would need the C library imported.
    private static let brokenPipe: CInt = 32
    private static let addressInUseCode: CInt = 98
    private static let connectionReset: CInt = 104
    private static let timedOutCode: CInt = 110
    private static let connectionRefused: CInt = 111
}
