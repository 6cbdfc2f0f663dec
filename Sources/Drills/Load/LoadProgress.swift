internal import Synchronization

/// What the connections of one load share.
final class LoadProgress: Sendable {
    private let tickets: Atomic<Int>
    private let acknowledgements = Atomic<Int>(0)
    private let claims = Atomic<Int>(0)
    private let refusals = Atomic<Int>(0)
    private let over = Atomic<Bool>(false)

    init(firstTicket: Int) { tickets = Atomic(firstTicket) }

    func nextTicket() -> Int { tickets.add(1, ordering: .relaxed).oldValue }
    var ticketsDrawn: Int { tickets.load(ordering: .relaxed) }

    func acknowledge() { acknowledgements.add(1, ordering: .relaxed) }
    var acknowledged: Int { acknowledgements.load(ordering: .relaxed) }

    /// Of the acknowledgements those of claims.
    func claim() { claims.add(1, ordering: .relaxed) }
    var claimed: Int { claims.load(ordering: .relaxed) }

    /// A reservation was refused as busy.
    func refuse() { refusals.add(1, ordering: .relaxed) }
    var refused: Int { refusals.load(ordering: .relaxed) }

    var isOver: Bool { over.load(ordering: .relaxed) }
    func end() { over.store(true, ordering: .relaxed) }
}
