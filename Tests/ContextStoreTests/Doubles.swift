import CallModel
import ContextStore
import Synchronization

/// A clock that stands still until it is told.
final class ManualClock: Sendable {
    private let now = Mutex<UInt64>(1_000)

    var milliseconds: UInt64 { now.withLock { $0 } }

    func advance(milliseconds: UInt64) { now.withLock { $0 += milliseconds } }
}

/// A number that tests and the store's thread share.
final class SharedNumber: Sendable {
    private let number: Mutex<UInt64>

    init(_ number: UInt64) { self.number = Mutex(number) }

    var value: UInt64 {
        get { number.withLock { $0 } }
        set { number.withLock { $0 = newValue } }
    }
}

/// What a store told its owner.
final class Told: Sendable {
    private let events = Mutex<(positions: [Position], failures: [StoreError])>(([], []))

    func durable(_ position: Position) { events.withLock { $0.positions.append(position) } }

    func failed(_ error: StoreError) { events.withLock { $0.failures.append(error) } }

    var positions: [Position] { events.withLock { $0.positions } }

    var failures: [StoreError] { events.withLock { $0.failures } }
}
