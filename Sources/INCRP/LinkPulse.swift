/// What both sessions share: the numbers of frames, heartbeats, silence, and the round trip.
struct LinkPulse: Sendable {
    private var lastSent: UInt64 = 0
    private var lastReceived: UInt64 = 0
    private var lastHeardAt: LinkTime
    private var heartbeatDueAt: LinkTime
    private var heartbeatHeard: (number: UInt64, at: LinkTime)?
    /// Own heartbeats that the other side has not spoken of yet; at most as many as may be missed.
    private var heartbeatsSent: [(number: UInt64, at: LinkTime)] = []
    private(set) var roundTripMicroseconds: UInt64?

    init(at now: LinkTime) {
        lastHeardAt = now
        heartbeatDueAt = now.adding(milliseconds: INCRPLimits.heartbeatIntervalMilliseconds)
    }

    /// When a heartbeat is to be sent, or the silence is too long.
    var nextDeadline: LinkTime { min(heartbeatDueAt, lostAt) }

    private var lostAt: LinkTime { lastHeardAt.adding(milliseconds: INCRPLimits.silenceMilliseconds) }

    mutating func frame(_ body: INCRPFrame.Body) -> INCRPFrame {
        lastSent += 1
        return INCRPFrame(number: lastSent, body: body)
    }

    /// Takes the number of a received frame; the reason to close when it does not follow the last one.
    mutating func accept(_ number: UInt64, at now: LinkTime) -> INCRPClosure? {
        guard number == lastReceived &+ 1 else {
            return INCRPClosure(.frameOutOfOrder, "frame \(number) came after frame \(lastReceived)")
        }
        lastReceived = number
        lastHeardAt = now
        return nil
    }

    mutating func heard(_ heartbeat: INCRPHeartbeat, number: UInt64, at now: LinkTime) {
        heartbeatHeard = (number, now)
        guard let sent = heartbeatsSent.first(where: { $0.number == heartbeat.heard }) else { return }
        heartbeatsSent.removeAll { $0.number <= heartbeat.heard }
        let passed = now.microseconds(since: sent.at)
        // A peer that claims to have held it longer than it was away tells nothing.
        if passed >= heartbeat.heldMicroseconds { roundTripMicroseconds = passed - heartbeat.heldMicroseconds }
    }

    /// The heartbeat, when it is due.
    mutating func heartbeat(at now: LinkTime) -> INCRPFrame? {
        guard now >= heartbeatDueAt else { return nil }
        heartbeatDueAt = now.adding(milliseconds: INCRPLimits.heartbeatIntervalMilliseconds)
        let frame = frame(
            .heartbeat(
                INCRPHeartbeat(
                    heard: heartbeatHeard?.number ?? 0,
                    heldMicroseconds: heartbeatHeard.map { now.microseconds(since: $0.at) } ?? 0)))
        heartbeatsSent.append((frame.number, now))
        if heartbeatsSent.count > Int(INCRPLimits.heartbeatsMissed) { heartbeatsSent.removeFirst() }
        return frame
    }

    func lost(at now: LinkTime) -> INCRPClosure? {
        guard now >= lostAt else { return nil }
        return INCRPClosure(
            .heartbeatsMissed,
            "\(INCRPLimits.heartbeatsMissed) heartbeats missed: nothing came for \(INCRPLimits.silenceMilliseconds) ms")
    }
}
