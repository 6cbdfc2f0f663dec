/// What is to happen, in the order of its time; events of one moment in the order in which they were asked for.
/// Time stands still between them, so a simulated minute takes as long as its events do.
package final class VirtualTime {
    private struct Event {
        let at: UInt64
        let number: UInt64
        let body: () -> Void

        func isBefore(_ other: Event) -> Bool { (at, number) < (other.at, other.number) }
    }

    package private(set) var microseconds: UInt64 = 0
    private var lastNumber: UInt64 = 0
    /// A binary heap.
    private var events: [Event] = []

    package init() {}

    package var milliseconds: UInt64 { microseconds / 1000 }

    package func after(microseconds delay: UInt64, _ body: @escaping () -> Void) {
        at(microseconds: microseconds + delay, body)
    }

    package func after(milliseconds delay: UInt64, _ body: @escaping () -> Void) {
        after(microseconds: delay * 1000, body)
    }

    package func at(microseconds moment: UInt64, _ body: @escaping () -> Void) {
        lastNumber += 1
        events.append(Event(at: max(moment, microseconds), number: lastNumber, body: body))
        var child = events.count - 1
        while child > 0 {
            let parent = (child - 1) / 2
            guard events[child].isBefore(events[parent]) else { break }
            events.swapAt(child, parent)
            child = parent
        }
    }

    /// Lets the next event happen, unless it lies behind `end`.
    package func step(until end: UInt64) -> Bool {
        guard let first = events.first, first.at <= end else { return false }
        takeFirst()
        microseconds = first.at
        first.body()
        return true
    }

    package func run(milliseconds: UInt64) {
        let end = microseconds + milliseconds * 1000
        while step(until: end) {}
        microseconds = end
    }

    /// False when it did not come about within the time.
    package func run(atMost milliseconds: UInt64, until isReached: () -> Bool) -> Bool {
        let end = microseconds + milliseconds * 1000
        while !isReached() {
            guard step(until: end) else {
                microseconds = end
                return isReached()
            }
        }
        return true
    }

    /// Nothing more happens; what was waiting to happen lets go of what it holds.
    package func end() { events = [] }

    private func takeFirst() {
        events.swapAt(0, events.count - 1)
        events.removeLast()
        var parent = 0
        while true {
            var least = parent
            for child in [2 * parent + 1, 2 * parent + 2] where child < events.count {
                if events[child].isBefore(events[least]) { least = child }
            }
            if least == parent { return }
            events.swapAt(parent, least)
            parent = least
        }
    }
}
