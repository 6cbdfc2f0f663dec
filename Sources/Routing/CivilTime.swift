package enum Weekday: Int, Hashable, Sendable, CaseIterable, CustomStringConvertible {
    case monday = 1
    case tuesday, wednesday, thursday, friday, saturday, sunday

    package var description: String {
        switch self {
        case .monday: "monday"
        case .tuesday: "tuesday"
        case .wednesday: "wednesday"
        case .thursday: "thursday"
        case .friday: "friday"
        case .saturday: "saturday"
        case .sunday: "sunday"
        }
    }

    package init?(name: String) {
        guard let day = Self.allCases.first(where: { $0.description == name }) else { return nil }
        self = day
    }

    package var before: Weekday { self == .monday ? .sunday : Weekday(rawValue: rawValue - 1) ?? .monday }
}

/// What the clock on the wall of a time zone shows.
package struct CivilTime: Hashable, Sendable {
    package let weekday: Weekday
    /// 0...1439.
    package let minuteOfDay: Int

    package init(weekday: Weekday, minuteOfDay: Int) {
        precondition((0..<1440).contains(minuteOfDay), "minute of day \(minuteOfDay)")
        self.weekday = weekday
        self.minuteOfDay = minuteOfDay
    }
}

/// Some days of the week, from one minute until before another. When it runs backwards it goes past midnight, and
/// the days are those on which it begins.
package struct TimeWindow: Hashable, Sendable {
    package let days: Set<Weekday>
    /// 0...1439.
    package let fromMinute: Int
    /// 1...1440, not part of the window.
    package let toMinute: Int

    /// Throws when a minute is out of range or the window is empty.
    package init(days: Set<Weekday>, fromMinute: Int, toMinute: Int) throws(TimeWindowFault) {
        guard !days.isEmpty else { throw .noDays }
        guard (0..<1440).contains(fromMinute), (0...1440).contains(toMinute) else { throw .outOfRange }
        guard fromMinute != toMinute else { throw .empty }
        self.days = days
        self.fromMinute = fromMinute
        self.toMinute = toMinute
    }

    package func contains(_ time: CivilTime) -> Bool {
        if fromMinute < toMinute {
            return days.contains(time.weekday) && (fromMinute..<toMinute).contains(time.minuteOfDay)
        }
        return (days.contains(time.weekday) && time.minuteOfDay >= fromMinute)
            || (days.contains(time.weekday.before) && time.minuteOfDay < toMinute)
    }
}

package enum TimeWindowFault: Error, Hashable, Sendable, CustomStringConvertible {
    case noDays
    case outOfRange
    case empty

    package var description: String {
        switch self {
        case .noDays: "the time window names no days"
        case .outOfRange: "a time of day lies between 00:00 and 24:00"
        case .empty: "the time window is empty: from and to are the same"
        }
    }
}
