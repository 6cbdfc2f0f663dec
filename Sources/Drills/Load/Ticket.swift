/// One call's way through a drilled side, as far as the drill was told of it.
struct Ticket: Sendable {
    enum Knowledge: Sendable {
        case notAsked
        /// Asked, and the side died before it answered: it may have happened or not.
        case unknown
        case acknowledged
    }

    let number: Int
    /// Nil while the reservation is not acknowledged.
    var reservation: DrillClient.Reservation?
    /// Who claimed it, or asked to.
    var claimCall: String?
    var claim = Knowledge.notAsked
    var release = Knowledge.notAsked

    init(number: Int) { self.number = number }

    var isWaiting: Bool { reservation != nil && claim == .notAsked && release == .notAsked }
}

/// What a drill found; three zeros are the point.
struct Findings: Sendable {
    private(set) var acknowledged = 0
    private(set) var lost = 0
    private(set) var doubled = 0
    private(set) var wrong = 0
    private(set) var sentences: [String] = []

    static let mostSentences = 50

    mutating func acknowledge() { acknowledged += 1 }

    mutating func lost(_ sentence: String, count: Int = 1) {
        lost += count
        say("lost: " + sentence)
    }

    mutating func doubled(_ sentence: String) {
        doubled += 1
        say("doubled: " + sentence)
    }

    mutating func wrong(_ sentence: String) {
        wrong += 1
        say("wrong: " + sentence)
    }

    var areClean: Bool { lost == 0 && doubled == 0 && wrong == 0 }

    mutating func add(_ other: Findings) {
        acknowledged += other.acknowledged
        lost += other.lost
        doubled += other.doubled
        wrong += other.wrong
        for sentence in other.sentences { say(sentence) }
    }

    private mutating func say(_ sentence: String) {
        if sentences.count < Self.mostSentences { sentences.append(sentence) }
    }
}
