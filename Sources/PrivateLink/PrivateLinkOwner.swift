/// Who uses a private link: hears of its sessions, and judges who may have one. Called on the link's event loop, one call
/// after the other; may call the link from inside.
package protocol PrivateLinkOwner: AnyObject, Sendable {
    /// This side's first frame on a connection: made anew for each one.
    func greeting() -> [UInt8]
    /// Looks at the other end's first frame. Whoever is refused never has a session, and disturbs none.
    func judge(_ theirs: [UInt8]) -> GreetingVerdict
    /// A session begins, over a connection with these first frames. One that was there before was lost just now.
    func connected(mine: [UInt8], theirs: [UInt8])
    func received(_ frame: [UInt8])
    /// All frames that had come by now were handed over: the end of a turn.
    func readsEnded()
    /// The session is gone, other than by ``PrivateLink/endSession(reason:)``.
    func lost(reason: String)
    /// The link was congested and is no longer.
    func congestionEnded()
}

package enum GreetingVerdict: Hashable, Sendable {
    case accepted
    /// The other end is told the reason.
    case refused(String)
}

/// What happened on a link, for status and metrics.
package struct PrivateLinkCounts: Hashable, Sendable {
    package var sessions: UInt64 = 0
    package var attempts: UInt64 = 0
    /// Connections closed because a frame was too long, or empty.
    package var badFrames: UInt64 = 0
    /// First frames that this side refused.
    package var refused: UInt64 = 0
    /// Connections whose first frame did not come in time.
    package var silent: UInt64 = 0
    /// Connections closed because too many had no session.
    package var tooMany: UInt64 = 0
    package var framesSent: UInt64 = 0
    package var framesReceived: UInt64 = 0
    package var bytesSent: UInt64 = 0
    package var bytesReceived: UInt64 = 0
    package var flushes: UInt64 = 0
}
