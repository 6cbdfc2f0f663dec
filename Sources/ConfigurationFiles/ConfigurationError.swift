internal import CallModel

/// Where something stands in a file. Lines and columns count from 1; line 0 stands for the file as a whole.
package struct Place: Hashable, Sendable, Comparable {
    package let file: String
    package let line: Int
    package let column: Int

    package init(file: String, line: Int = 0, column: Int = 0) {
        self.file = file
        self.line = line
        self.column = column
    }

    package static func < (left: Self, right: Self) -> Bool {
        (left.file, left.line, left.column) < (right.file, right.line, right.column)
    }
}

/// One mistake in a configuration or script file, or in an environment variable that overrides a setting.
package struct ConfigurationError: Error, Hashable, Sendable, CustomStringConvertible {
    package let place: Place
    /// What is wrong, with the nearest name where one was probably meant.
    package let sentence: String

    package init(_ sentence: String, at place: Place) {
        self.place = place
        self.sentence = sentence
    }

    /// `FILE:LINE:COL: sentence`; without line and column when the file as a whole is meant.
    package var description: String {
        place.line == 0 ? "\(place.file): \(sentence)" : "\(place.file):\(place.line):\(place.column): \(sentence)"
    }
}

/// Everything that is wrong, at once. Never empty.
package struct ConfigurationErrors: Error, Hashable, Sendable, CustomStringConvertible {
    package let errors: [ConfigurationError]

    /// The errors of the configuration file first, then those of other files; each file's in the order of its lines.
    package init(_ errors: [ConfigurationError], first file: String = "") {
        var seen: Set<ConfigurationError> = []
        self.errors = errors.filter { seen.insert($0).inserted }.enumerated().sorted { left, right in
            let (leftLater, rightLater) = (left.element.place.file != file, right.element.place.file != file)
            if leftLater != rightLater { return rightLater }
            if left.element.place != right.element.place { return left.element.place < right.element.place }
            return left.offset < right.offset
        }.map(\.element)
    }

    /// Each error on a line of its own, as `baton check` prints them.
    package var description: String { errors.map(\.description).joined(separator: "\n") }
}

/// Gathers mistakes while files are read, so that all are told at once.
final class Problems {
    private(set) var errors: [ConfigurationError] = []

    func report(_ sentence: String, at place: Place) { errors.append(ConfigurationError(sentence, at: place)) }

    /// `unknown ...` with the nearest name, or the names there are when they are few.
    func reportUnknown(_ what: String, _ name: String, among names: some Collection<String>, at place: Place) {
        report("unknown \(what) \(name)" + Self.hint(name, among: names), at: place)
    }

    static func hint(_ name: String, among names: some Collection<String>) -> String {
        if let nearest = NearestName.of(name, among: names) { return "; the nearest name is \(nearest)" }
        if names.isEmpty { return "; there are none" }
        return names.count <= 8 ? "; there are \(names.sorted().joined(separator: ", "))" : ""
    }
}
