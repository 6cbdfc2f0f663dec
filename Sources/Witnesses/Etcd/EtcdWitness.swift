package import ByteCoding
package import NIOCore
internal import Synchronization

/// A register under one key of an etcd v3, reached through its JSON gateway.
///
/// A swap is one transaction that compares the key's bytes, and its revision where this side knows it, and tells what is
/// there when the comparison fails. Nothing rests on a lease or on a bare read. The members are asked in turn as long as
/// it is certain that none has acted; after an answer that was lost the next call begins at the next member, since the
/// last one may be cut off from the others.
package final class EtcdWitness: SeedableWitness, Sendable {
    private struct State {
        /// Asked first.
        var member = 0
        /// The register as this side last saw it.
        var seen: EtcdEntry?
    }

    private let members: [WitnessMember]
    private let key: [UInt8]
    private let pair: Hash128
    private let tls: EtcdTLS?
    private let group: any EventLoopGroup
    private let timeout: TimeAmount
    private let state = Mutex(State())

    /// `key` nil: one made of the pair's id. `members` are of one cluster, and not none.
    package init(
        members: [WitnessMember], key: String? = nil, pair: Hash128, tls: EtcdTLS? = nil, group: any EventLoopGroup,
        timeoutMilliseconds: Int64 = WitnessLimits.timeoutMilliseconds
    ) {
        precondition(!members.isEmpty, "an etcd without members")
        self.members = members
        self.key = Array((key ?? "baton/pair/\(pair)").utf8)
        self.pair = pair
        self.tls = tls
        self.group = group
        timeout = .milliseconds(timeoutMilliseconds)
    }

    package func swap(expected: [UInt8]?, value: [UInt8]) async throws(WitnessFault) -> SwapOutcome {
        WitnessLimits.check(value)
        let deadline = NIODeadline.now() + timeout
        let new = image(value)
        for _ in 1...2 {
            let condition = condition(expected.map { image($0) })
            let found: EtcdEntry?
            switch try await ask(.put(new, at: key, if: condition), before: deadline) {
            case .put(let revision):
                saw(EtcdEntry(revision: revision, bytes: new))
                return .swapped
            case .found(let entry): found = entry
            }
            saw(found)
            let current = try found.map(registerValue)
            if current != expected { return .differs(current: current) }
            // The bytes are those expected, so it was the revision: somebody wrote the same bytes again. Nothing was
            // done, and the revision is known now.
            guard case .holds(_, revision: .some) = condition else {
                throw .unknown("etcd's answer says that the comparison failed, and shows what was expected")
            }
        }
        throw .notApplied("the register's key \(keyText) changes while it is compared")
    }

    package func read() async throws(WitnessFault) -> [UInt8]? {
        let found = try await look(before: .now() + timeout)
        return try found.map(registerValue)
    }

    package func seed(_ value: [UInt8]) async throws(WitnessFault) {
        WitnessLimits.check(value)
        let deadline = NIODeadline.now() + timeout
        let found = try await look(before: deadline)
        // What cannot be read is nobody's register, and is set anew.
        if let found, let image = try? RegisterImage.decode(found.bytes), image.pair != pair {
            throw otherPair(image.pair)
        }
        let condition = found.map { EtcdTransaction.Condition.revision($0.revision) } ?? .absent
        switch try await ask(.put(image(value), at: key, if: condition), before: deadline) {
        case .put(let revision): saw(EtcdEntry(revision: revision, bytes: image(value)))
        case .found: throw .notApplied("the register's key \(keyText) was changed meanwhile; try again")
        }
    }

    private func look(before deadline: NIODeadline) async throws(WitnessFault) -> EtcdEntry? {
        guard case .found(let entry) = try await ask(.look(at: key), before: deadline) else {
            throw .unknown("etcd answered a look as if it were a swap")
        }
        saw(entry)
        return entry
    }

    // MARK: - The key's bytes

    private var keyText: String { String(decoding: key, as: UTF8.self) }

    /// The same value gives the same bytes: etcd itself counts the changes, and there is no inode.
    private func image(_ value: [UInt8]) -> [UInt8] {
        RegisterImage(pair: pair, inode: 0, changes: 0, value: value).encoded()
    }

    private func registerValue(_ entry: EtcdEntry) throws(WitnessFault) -> [UInt8] {
        let image: RegisterImage
        do throws(RegisterImage.Fault) {
            image = try RegisterImage.decode(entry.bytes)
        } catch {
            switch error {
            case .damaged(let what):
                throw .notApplied(
                    "etcd's key \(keyText) holds no register: \(what); if it is nobody else's, set it anew with"
                        + " `baton pair witness reset`")
            case .otherFormat(let format):
                throw .notApplied(
                    "etcd's key \(keyText) has format \(format), which this version does not know; use the version that"
                        + " wrote it")
            }
        }
        guard image.pair == pair else { throw otherPair(image.pair) }
        return image.value
    }

    private func otherPair(_ found: Hash128) -> WitnessFault {
        .notApplied("etcd's key \(keyText) belongs to pair \(found), not to \(pair); give each pair a key of its own")
    }

    private func saw(_ entry: EtcdEntry?) { state.withLock { $0.seen = entry } }

    private func condition(_ expected: [UInt8]?) -> EtcdTransaction.Condition {
        guard let expected else { return .absent }
        let seen = state.withLock { $0.seen }
        return .holds(expected, revision: seen?.bytes == expected ? seen?.revision : nil)
    }

    // MARK: - The members

    private func ask(
        _ transaction: EtcdTransaction, before deadline: NIODeadline
    ) async throws(WitnessFault) -> EtcdTransaction.Answer {
        let first = state.withLock { $0.member }
        var refusals: [String] = []
        for turn in members.indices {
            let index = (first + turn) % members.count
            let left = deadline - .now()
            guard left > .zero else { break }
            do throws(WitnessFault) {
                // A member that cannot be reached leaves the others their share of the time.
                let answer = try await ask(
                    transaction, of: members[index],
                    within: .nanoseconds(left.nanoseconds / Int64(members.count - turn)), before: deadline)
                state.withLock { $0.member = index }
                return answer
            } catch {
                if case .unknown = error {
                    state.withLock { $0.member = (index + 1) % members.count }
                    throw error
                }
                refusals.append(error.reason)
            }
        }
        throw .notApplied(refusals.isEmpty ? "no time was left to ask etcd" : refusals.joined(separator: "; "))
    }

    private func ask(
        _ transaction: EtcdTransaction, of member: WitnessMember, within connectTimeout: TimeAmount,
        before deadline: NIODeadline
    ) async throws(WitnessFault) -> EtcdTransaction.Answer {
        let reply = try await Exchange(
            form: EtcdForm(member: member, body: transaction.body, tls: tls), member: member,
            connectTimeout: connectTimeout, deadline: deadline
        ).run(on: group.next())
        do throws(WitnessFault) {
            return try transaction.answer(reply)
        } catch {
            throw error.naming(member)
        }
    }
}
