package import CallModel
package import INCRP
internal import Synchronization

/// Both sides of a Server ICM's duplex pair as one link. A request goes to the preferred side while its link is up, and
/// to the other one when that cannot take it, or has not answered after 500 ms: under the same (dialog, node), so that
/// the server, whose sides share one ledger, answers what it knows already and reserves nothing anew. The first answer
/// counts.
package final class ServerSides: ServerLink {
    /// Which side a request is sent to first.
    package enum Preference: Hashable, Sendable {
        case side(Side)
        /// Dialogs in turn to the one and the other.
        case both
    }

    package struct Way: Sendable {
        let side: Side
        let link: any ServerLink

        package init(side: Side, link: any ServerLink) {
            self.side = side
            self.link = link
        }
    }

    private let ways: [Way]
    private let preference: Preference
    private let resendMilliseconds: UInt32
    private let clock: any RouterClock
    /// The sides that were asked for dialogs whose end the server is still to be told.
    private let asked = Mutex(AskedSides())

    /// - Parameter ways: one or two, of different sides.
    package init(
        _ ways: [Way], preferring preference: Preference, clock: any RouterClock, resendMilliseconds: UInt32 = 500
    ) {
        precondition(!ways.isEmpty && Set(ways.map(\.side)).count == ways.count, "a way for each side, at least one")
        self.ways = ways
        self.preference = preference
        self.clock = clock
        self.resendMilliseconds = resendMilliseconds
    }

    /// Of the first side whose link is up; where none is, of the first side.
    package func status() async -> ServerLinkStatus {
        var first: ServerLinkStatus?
        for way in ways {
            let status = await way.link.status()
            if status.up { return status }
            first = first ?? status
        }
        return first ?? ServerLinkStatus()
    }

    // MARK: Asking

    private enum Event: Sendable {
        case answered(Result<RouteReply, ServerLinkFault>)
        /// So many ways had been tried, and the last of them has not answered in time.
        case waited(tried: Int)
    }

    package func ask(_ ask: RouteAsk) async throws(ServerLinkFault) -> RouteReply {
        let order = order(for: ask.id.dialog)
        let deadline = Deadline(clock, inMilliseconds: ask.deadlineMilliseconds)
        let result = await withTaskGroup(of: Event?.self) { group in
            var tried = 0
            var underWay = 0
            func tryNext() {
                let way = order[tried]
                tried += 1
                underWay += 1
                asked.withLock { $0.note(way.side, for: ask.id.dialog) }
                var asking = ask
                asking.deadlineMilliseconds = deadline.leftMilliseconds
                let (sent, count) = (asking, tried)
                group.addTask { await Self.answer(way.link, sent) }
                guard count < order.count, deadline.leftMilliseconds > resendMilliseconds else { return }
                let resend = Deadline(clock, inMilliseconds: resendMilliseconds)
                group.addTask {
                    // Cancelled: an answer has come.
                    guard (try? await resend.clock.sleep(untilMilliseconds: resend.atMilliseconds)) != nil else {
                        return nil
                    }
                    return .waited(tried: count)
                }
            }
            defer { group.cancelAll() }
            tryNext()
            var fault = ServerLinkFault.late
            for await event in group {
                switch event {
                case nil: break
                case .answered(.success(let reply)): return Result<RouteReply, ServerLinkFault>.success(reply)
                case .answered(.failure(let new)):
                    underWay -= 1
                    fault = new
                    if tried < order.count && new.leavesOtherSide && deadline.leftMilliseconds > 0 {
                        tryNext()
                    } else if underWay == 0 || !new.leavesOtherSide {
                        return .failure(fault)
                    }
                case .waited(let count): if count == tried && tried < order.count { tryNext() }
                }
            }
            return .failure(fault)
        }
        return try result.get()
    }

    private static func answer(_ link: any ServerLink, _ ask: RouteAsk) async -> Event {
        do throws(ServerLinkFault) { return .answered(.success(try await link.ask(ask))) } catch {
            return .answered(.failure(error))
        }
    }

    private func order(for dialog: DialogID) -> [Way] {
        guard ways.count == 2 else { return ways }
        let isSecond =
            switch preference {
            case .side(let side): ways[0].side != side
            case .both: dialog.sequence.number % 2 == 1
            }
        return isSecond ? [ways[1], ways[0]] : ways
    }

    // MARK: Ending

    /// Tells a side that was asked; where its link is down, any side whose link is up, since they share one ledger.
    package func end(_ dialog: DialogID, as end: AskEnd) async {
        let known = asked.withLock { $0.take(dialog) } ?? ways.map(\.side)
        let first = ways.filter { known.contains($0.side) }
        for way in first + ways.filter({ !known.contains($0.side) }) where await way.link.status().up {
            return await way.link.end(dialog, as: end)
        }
        // Kept there until the link is up again.
        await first.first?.link.end(dialog, as: end)
    }
}

extension ServerLinkFault {
    /// The other side of the server may still answer: this one never took the request, or cannot serve now.
    fileprivate var leavesOtherSide: Bool {
        switch self {
        case .offline, .failed(.unavailable, _), .failed(.busy, _): true
        case .late, .failed: false
        }
    }
}

/// Which sides were asked for a dialog. The oldest is forgotten when there are too many: any side is told of its end then.
private struct AskedSides {
    private static let most = 20_000
    private var sides: [DialogID: [Side]] = [:]
    private var order: ArraySlice<DialogID> = []

    mutating func note(_ side: Side, for dialog: DialogID) {
        if sides[dialog] == nil {
            order.append(dialog)
            while order.count > Self.most { sides[order.removeFirst()] = nil }
        }
        if sides[dialog]?.contains(side) != true { sides[dialog, default: []].append(side) }
    }

    mutating func take(_ dialog: DialogID) -> [Side]? { sides.removeValue(forKey: dialog) }
}
