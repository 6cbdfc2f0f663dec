package import CallModel

/// Gives each batch its log time: the last one logged and what has elapsed since. After a restart nothing has
/// elapsed, so leases can end late by an outage, never early (RELIABILITY.md, "Time").
/// Invariant: the times given never go back.
package struct LogClock: Sendable {
    private var base: LogTime
    private var baseElapsedMilliseconds: UInt64

    package init(last: LogTime, elapsedMilliseconds: UInt64) {
        base = last
        baseElapsedMilliseconds = elapsedMilliseconds
    }

    package func now(elapsedMilliseconds: UInt64) -> LogTime {
        let since = elapsedMilliseconds > baseElapsedMilliseconds ? elapsedMilliseconds - baseElapsedMilliseconds : 0
        return LogTime(milliseconds: base.milliseconds + since)
    }

    /// When the clock will show `time`, as elapsed milliseconds.
    package func elapsedMilliseconds(at time: LogTime) -> UInt64 {
        time <= base ? baseElapsedMilliseconds : baseElapsedMilliseconds + (time.milliseconds - base.milliseconds)
    }
}
