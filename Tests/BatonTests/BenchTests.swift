import BatonCLI
import Testing

@Suite("The benchmark's figures")
struct BenchTests {
    @Test(
        "quantiles are exact for small values and at most 1.6 % above for large ones",
        arguments: [1, 100, 127, 128, 5000, 999_999] as [UInt64])
    func quantiles(_ value: UInt64) {
        var histogram = LatencyHistogram()
        for _ in 0..<99 { histogram.record(microseconds: value) }
        histogram.record(microseconds: value * 10)
        #expect(histogram.quantile(0.5) >= value)
        #expect(Double(histogram.quantile(0.5)) <= Double(value) * 1.016)
        #expect(histogram.quantile(1) == value * 10)
        #expect(histogram.maximum == value * 10)
    }

    @Test("quantiles agree with those of the sorted values")
    func againstSorted() {
        var histogram = LatencyHistogram()
        var values: [UInt64] = []
        var state: UInt64 = 42
        for _ in 0..<10_000 {
            state = state &* 6_364_136_223_846_793_005 &+ 1_442_695_040_888_963_407
            let value = (state >> 33) % 3_000_000
            values.append(value)
            histogram.record(microseconds: value)
        }
        values.sort()
        for share in [0.01, 0.5, 0.9, 0.99, 0.999] {
            let exact = values[Int((Double(values.count) * share).rounded(.up)) - 1]
            #expect(histogram.quantile(share) >= exact)
            #expect(Double(histogram.quantile(share)) <= Double(exact) * 1.016 + 1)
        }
    }

    @Test("an hour and more is held, an empty histogram is zero")
    func extremes() {
        var histogram = LatencyHistogram()
        #expect(histogram.quantile(0.99) == 0)
        histogram.record(microseconds: UInt64.max)
        #expect(histogram.quantile(0.5) == UInt64.max || histogram.quantile(0.5) >= 3_600_000_000)
    }

    @Test("histograms of several connections add up")
    func adding() {
        var first = LatencyHistogram()
        var second = LatencyHistogram()
        first.record(microseconds: 10)
        second.record(microseconds: 30)
        first.add(second)
        #expect(first.count == 2)
        #expect(first.maximum == 30)
        #expect(first.quantile(0.5) == 10)
    }

    @Test("the context has as many bytes of values as asked for")
    func contextBytes() throws {
        let fillers = ["user.bench1", "user.bench2", "user.bench3"]
        for bytes in [0, 1, 559, 560, 1024] {
            let bench = Bench(
                route: "bench", connections: 1, seconds: 1, contextBytes: bytes, fillers: fillers, run: "x")
            #expect(valueBytes(try bench.callContext()) == bytes)
        }
        let tooMuch = Bench(route: "bench", connections: 1, seconds: 1, contextBytes: 1024, fillers: [], run: "x")
        #expect(throws: CommandFailure.self) { try tooMuch.callContext() }
    }

    private func valueBytes(_ value: JSONValue) -> Int {
        value.members.reduce(0) { $0 + ($1.value.text?.utf8.count ?? valueBytes($1.value)) }
    }

    @Test("the flush floor is measured and leaves no file")
    func floor() throws {
        let floor = try FlushFloor.measure(in: "/tmp")
        #expect(floor.microseconds4KiB > 0)
        #expect(throws: CommandFailure.self) { try FlushFloor.measure(in: "/nowhere-at-all") }
    }
}
