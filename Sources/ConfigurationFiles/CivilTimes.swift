package import CallModel
internal import Foundation
package import Routing

/// Civil time of named zones, for scripts: the pure parts know no time zones.
package enum CivilTimes {
    /// Whether the tz database knows the zone.
    package static func knows(_ zone: String) -> Bool { TimeZone(identifier: zone) != nil }

    static func nearest(to zone: String) -> String? {
        NearestName.of(zone, among: TimeZone.knownTimeZoneIdentifiers + ["UTC"])
    }

    /// What the wall clocks of the zones show at that time. Unknown zones are absent; loading a script refuses them.
    package static func at(_ time: WallTime, zones: some Sequence<String>) -> [String: CivilTime] {
        var times: [String: CivilTime] = [:]
        let date = Date(timeIntervalSince1970: Double(time.milliseconds) / 1000)
        for zone in zones {
            guard let timeZone = TimeZone(identifier: zone) else { continue }
            let seconds = Int((Double(time.milliseconds) / 1000).rounded(.down)) + timeZone.secondsFromGMT(for: date)
            let days = (Double(seconds) / 86_400).rounded(.down)
            let minute = (seconds - Int(days) * 86_400) / 60
            // 1970-01-01 was a Thursday, three days after a Monday.
            let sinceMonday = ((Int(days) + 3) % 7 + 7) % 7
            guard let weekday = Weekday(rawValue: sinceMonday + 1) else { continue }
            times[zone] = CivilTime(weekday: weekday, minuteOfDay: minute)
        }
        return times
    }
}
