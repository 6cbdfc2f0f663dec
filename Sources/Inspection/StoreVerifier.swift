package import ContextStore

/// What a whole reading of a store says, for the decision whether it may be opened.
package enum StoreVerdict: Hashable, Sendable, CustomStringConvertible {
    case sound(String)
    /// There is no store, or one that nothing was written to.
    case absent(String)
    case damaged(String)
    /// It cannot be read, and rebuilding it would not be right: a newer format, no right to read it.
    case refused(String)

    package var description: String {
        switch self {
        case .sound(let sentence), .absent(let sentence), .damaged(let sentence), .refused(let sentence): sentence
        }
    }

    package init(_ verification: StoreVerification) {
        self = verification.isSound ? .sound(verification.description) : .damaged(verification.description)
    }

    package init(_ error: StoreError) {
        switch error {
        case .missing: self = .absent("\(error)")
        case .damaged, .damagedRow, .damagedSnapshot, .failed, .mapFull: self = .damaged("\(error)")
        case .notWritable, .inUse, .newerFormat, .otherPair, .otherSide, .noSpace, .system, .closed:
            self = .refused("\(error)")
        }
    }
}

/// Reads a store as a whole, of which only the path is given. LMDB trusts what is on the disk, so that a damaged file
/// can kill the reader: a program uses ``VerifierProcess``.
package typealias StoreVerifier = @Sendable (_ storePath: String) -> StoreVerdict

extension StoreVerdict {
    /// In this process: for the child, and for tests.
    package static func reading(_ storePath: String) -> StoreVerdict {
        do throws(StoreError) { return StoreVerdict(try ContextStore.verify(path: storePath)) } catch {
            return StoreVerdict(error)
        }
    }

    /// How the child ends. A child that ends in any other way has met damage.
    package var exitCode: Int32 {
        switch self {
        case .sound: 0
        case .damaged: 1
        case .absent: 20
        case .refused: 21
        }
    }
}
