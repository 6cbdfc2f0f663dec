import Foundation

/// The repository's files, as the house rules look at them.
enum House {
    static let root = URL(filePath: #filePath).resolvingSymlinksInPath()
        .deletingLastPathComponent().deletingLastPathComponent().deletingLastPathComponent()

    struct File {
        /// Relative to the root.
        let path: String
        let text: String

        var lines: [Substring] { text.split(separator: "\n", omittingEmptySubsequences: false) }
    }

    static func file(_ path: String) throws -> File {
        File(path: path, text: String(decoding: try Data(contentsOf: root.appending(path: path)), as: UTF8.self))
    }

    /// Text files under a folder, without what is built or generated.
    static func files(under folder: String, endings: [String]? = nil) throws -> [File] {
        let keys: [URLResourceKey] = [.isRegularFileKey]
        let base = root.appending(path: folder)
        guard let enumerator = FileManager.default.enumerator(at: base, includingPropertiesForKeys: keys) else {
            return []
        }
        var files: [File] = []
        for case let url as URL in enumerator {
            guard try url.resourceValues(forKeys: Set(keys)).isRegularFile == true else { continue }
            let path = folder + url.standardizedFileURL.path.dropFirst(base.standardizedFileURL.path.count)
            if path.contains("/Generated/") || path.contains("/__pycache__/") { continue }
            if let endings, !endings.contains(url.pathExtension) { continue }
            guard let text = String(data: try Data(contentsOf: url), encoding: .utf8) else { continue }
            files.append(File(path: path, text: text))
        }
        return files.sorted { $0.path < $1.path }
    }

    static func swiftFiles() throws -> [File] {
        try files(under: "Sources", endings: ["swift"]) + files(under: "Tests", endings: ["swift"])
    }

    /// Everything that people read or run.
    static func allFiles() throws -> [File] {
        var all = try ["Sources", "Tests", "Tools", "Schemas"].flatMap { try files(under: $0) }
        for path in ["README.md", "ARCHITECTURE.md", "Package.swift", ".swift-format", ".gitignore", ".ci/run"] {
            all.append(try file(path))
        }
        return all
    }

    /// Modules that a file imports, with the line.
    static func imports(of file: File) -> [(line: Int, module: String)] {
        var found: [(line: Int, module: String)] = []
        for (index, line) in file.lines.enumerated() {
            let words = line.split(separator: " ").prefix { !$0.hasPrefix("//") }
            guard let position = words.firstIndex(of: "import"), position <= 2 else { continue }
            let modifiers = words[..<position]
            guard
                modifiers.allSatisfy({ $0.hasPrefix("@") || ["package", "internal", "public", "private"].contains($0) })
            else { continue }
            let kinds: Set<Substring> = ["struct", "class", "enum", "protocol", "func", "typealias", "var", "let"]
            let names = words[(position + 1)...].drop { kinds.contains($0) }
            guard let name = names.first else { continue }
            found.append((index + 1, String(name.prefix { $0 != "." && $0 != ";" })))
        }
        return found
    }

    /// The level of each target, as the comments `// Level N` in Package.swift give them; and of its folder, where
    /// that has another name.
    static func levels() throws -> [String: Int] {
        var levels: [String: Int] = [:]
        var level: Int?
        let token = /\/\/ Level (\d+)|(?:part\(|arget\(name:|Library\(name:|path: "Sources\/)\s*"?(\w+)"/
        for match in try file("Package.swift").text.matches(of: token) {
            if let number = match.1.flatMap({ Int($0) }) { level = number }
            if let name = match.2, let level { levels[String(name)] = level }
        }
        return levels
    }
}
