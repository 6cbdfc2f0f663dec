/// The name a person probably meant.
package enum NearestName {
    /// The candidate with the fewest edits, if it is at most a third of the name (and at least two edits) away.
    package static func of(_ name: String, among candidates: some Sequence<String>) -> String? {
        let allowed = max(2, name.count / 3)
        return candidates.map { ($0, distance(name, $0)) }.filter { $0.1 <= allowed }.min {
            ($0.1, $0.0) < ($1.1, $1.0)
        }?.0
    }

    /// Levenshtein distance in characters.
    private static func distance(_ left: String, _ right: String) -> Int {
        let target = Array(right)
        var row = Array(0...target.count)
        for (index, character) in left.enumerated() {
            var diagonal = row[0]
            row[0] = index + 1
            for column in target.indices {
                let substituted = diagonal + (target[column] == character ? 0 : 1)
                diagonal = row[column + 1]
                row[column + 1] = min(substituted, row[column] + 1, diagonal + 1)
            }
        }
        return row[target.count]
    }
}
