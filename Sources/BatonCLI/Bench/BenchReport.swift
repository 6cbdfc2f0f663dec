/// The figures of a run, with the machine's flush floor before and after it.
package struct BenchReport: Sendable {
    package let bench: Bench
    package let tally: Bench.Tally
    package let elapsed: Duration
    package let floorBefore: FlushFloor
    package let floorAfter: FlushFloor

    package init(bench: Bench, tally: Bench.Tally, elapsed: Duration, floorBefore: FlushFloor, floorAfter: FlushFloor) {
        self.bench = bench
        self.tally = tally
        self.elapsed = elapsed
        self.floorBefore = floorBefore
        self.floorAfter = floorAfter
    }

    private func perSecond(_ count: UInt64) -> Int {
        let microseconds = max(1, elapsed.wholeMicroseconds)
        return Int(count * 1_000_000 / microseconds)
    }

    package var json: JSONValue {
        func figures(_ histogram: LatencyHistogram) -> JSONValue {
            .object(
                ("count", .integer(histogram.count)), ("perSecond", .integer(perSecond(histogram.count))),
                ("p50Microseconds", .integer(histogram.quantile(0.5))),
                ("p99Microseconds", .integer(histogram.quantile(0.99))),
                ("maxMicroseconds", .integer(histogram.maximum)))
        }
        return .object(
            ("translationRoute", .string(bench.route)), ("connections", .integer(bench.connections)),
            ("contextBytes", .integer(bench.contextBytes)),
            ("elapsedMilliseconds", .integer(elapsed.wholeMicroseconds / 1000)),
            ("operationsPerSecond", .integer(perSecond(tally.reserve.count + tally.claim.count))),
            ("reserve", figures(tally.reserve)), ("claim", figures(tally.claim)),
            ("exhausted", .integer(tally.exhausted)), ("busy", .integer(tally.busy)), ("wrong", .integer(tally.wrong)),
            ("flushFloorBefore", floorBefore.json), ("flushFloorAfter", floorAfter.json))
    }

    package var table: String {
        var operations = Table(
            [
                .init("operation"), .init("count", .right), .init("per second", .right), .init("p50 ms", .right),
                .init("p99 ms", .right), .init("max ms", .right),
            ], empty: "")
        for (name, histogram) in [("reserve", tally.reserve), ("claim", tally.claim)] {
            operations.add([
                name, String(histogram.count), String(perSecond(histogram.count)),
                Self.milliseconds(histogram.quantile(0.5)), Self.milliseconds(histogram.quantile(0.99)),
                Self.milliseconds(histogram.maximum),
            ])
        }
        var floor = Table([.init("flush floor"), .init("4 KiB ms", .right), .init("32 KiB ms", .right)], empty: "")
        for (name, measured) in [("before", floorBefore), ("after", floorAfter)] {
            floor.add([
                name, Self.milliseconds(measured.microseconds4KiB), Self.milliseconds(measured.microseconds32KiB),
            ])
        }
        let total = perSecond(tally.reserve.count + tally.claim.count)
        var lines = [
            "\(bench.connections) connections, \(bench.contextBytes) bytes of context, "
                + "\(elapsed.wholeMicroseconds / 1_000_000) s: \(total) operations per second",
            "", operations.rendered, "", floor.rendered,
        ]
        if tally.exhausted > 0 {
            lines += [
                "", "\(tally.exhausted) reservations met an exhausted pool: use a larger one to measure the side.",
            ]
        }
        if tally.busy > 0 { lines += ["", "\(tally.busy) reservations were refused as busy."] }
        if tally.wrong > 0 { lines += ["", "WRONG: \(tally.wrong) claims did not get the context they should."] }
        return lines.joined(separator: "\n")
    }

    static func milliseconds(_ microseconds: UInt64) -> String {
        let rest = String(microseconds % 1000)
        return "\(microseconds / 1000)." + String(repeating: "0", count: 3 - rest.count) + rest
    }
}
