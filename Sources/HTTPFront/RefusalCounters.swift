internal import Console
internal import PeripheralGateway
internal import Synchronization

/// How many requests were refused, by stable code: bad input is counted, never silent.
final class RefusalCounters: Sendable {
    private let counts = Mutex<[RefusalCode: UInt64]>([:])

    func count(_ code: RefusalCode) { counts.withLock { $0[code, default: 0] += 1 } }

    var metrics: String {
        let counts = counts.withLock { $0 }
        var text = MetricsText()
        text.family(
            "http_refusals_total", .counter, "HTTP requests that were refused, by code.",
            RefusalCode.allCases.map { (labels: [("code", $0.rawValue)], value: String(counts[$0] ?? 0)) })
        return text.output
    }
}
