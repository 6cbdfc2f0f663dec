import ByteCoding
import Foundation
import NIOPosix
import Testing

@testable import Witnesses

@Suite("A register in etcd")
struct EtcdWitnessTests {
    @Test("at one member keeps the contract", arguments: WitnessContract.all.indices)
    func one(_ index: Int) async throws {
        try await WitnessContractTests.run(index, over: try await EtcdUnderTest())
    }

    @Test("at three members keeps the contract", arguments: WitnessContract.all.indices)
    func three(_ index: Int) async throws {
        try await WitnessContractTests.run(index, over: try await EtcdUnderTest(members: 3))
    }

    @Test("in TLS, with certificates of both ends, keeps the contract", arguments: WitnessContract.all.indices)
    func tls(_ index: Int) async throws {
        try await WitnessContractTests.run(index, over: try await EtcdUnderTest(certificates: try EtcdCertificates()))
    }

    @Test("kill -9 of a member in the middle of swaps loses no acknowledged one, and the others go on")
    func killedMember() async throws {
        let etcd = try await EtcdUnderTest(members: 3)
        var present: [UInt8]?
        for round in 0..<6 {
            let driver = etcd.etcd(timeoutMilliseconds: 1_000)
            let killed = etcd.members[round % 3]
            for number in 0..<8 {
                let (old, next) = (present, Array("\(round).\(number)".utf8))
                async let swap: Void = settled(driver, old, next)
                if number == 4 {
                    usleep(UInt32(round * 137))
                    killed.end()
                }
                try await swap
                #expect(try await patiently { try await driver.read() } == next, "an acknowledged swap was lost")
                present = next
            }
            try etcd.start(killed)
        }
        try await etcd.end()
    }

    /// As the pair does (R6): an outcome that is unknown is settled by the same swap again.
    private func settled(
        _ driver: EtcdWitness, _ old: [UInt8]?, _ new: [UInt8], mayBeDone wasUnknown: Bool = false
    ) async throws {
        var mayBeDone = wasUnknown
        let limit = ContinuousClock.now + .seconds(20)
        while ContinuousClock.now < limit {
            do throws(WitnessFault) {
                switch try await driver.swap(expected: old, value: new) {
                case .swapped: return
                case .differs(let current):
                    #expect(mayBeDone && current == new, "a swap that nobody else makes met another value")
                    return
                }
            } catch {
                if case .unknown = error { mayBeDone = true }
            }
        }
        Issue.record("not settled within 20 s")
    }

    private func patiently<Value: Sendable>(_ call: () async throws -> Value) async throws -> Value {
        let limit = ContinuousClock.now + .seconds(20)
        while true {
            do { return try await call() } catch { if ContinuousClock.now > limit { throw error } }
        }
    }

    @Test("without a majority nothing is swapped, and with it again the same swap settles what became of it")
    func noMajority() async throws {
        let etcd = try await EtcdUnderTest(members: 3)
        let driver = etcd.etcd(timeoutMilliseconds: 700)
        #expect(try await patiently { try await driver.swap(expected: nil, value: [1]) } == .swapped)
        for member in etcd.members[1...] { member.end() }
        for _ in 0..<3 { await #expect(throws: WitnessFault.self) { try await driver.swap(expected: [1], value: [2]) } }
        for member in etcd.members[1...] { try etcd.start(member) }
        try await settled(driver, [1], [2], mayBeDone: true)
        #expect(try await patiently { try await driver.read() } == [2])
        try await etcd.end()
    }

    @Test("a key of another pair is refused with both ids, is not changed and is not set anew")
    func otherPair() async throws {
        let etcd = try await EtcdUnderTest()
        let other = Hash128(high: 1, low: 2)
        #expect(try await etcd.etcd().swap(expected: nil, value: [1]) == .swapped)
        let fault = WitnessFault.notApplied(
            "etcd's key baton/test belongs to pair \(somePair), not to \(other); give each pair a key of its own")
        let stranger = etcd.etcd(of: other)
        await #expect(throws: fault) { try await stranger.swap(expected: nil, value: [2]) }
        await #expect(throws: fault) { try await stranger.swap(expected: [1], value: [2]) }
        await #expect(throws: fault) { try await stranger.read() }
        await #expect(throws: fault) { try await stranger.seed([2]) }
        #expect(try await etcd.etcd().read() == [1])
        // Without a key of its own choice each pair has another one.
        #expect(try await etcd.etcd(key: nil).swap(expected: nil, value: [7]) == .swapped)
        #expect(try await etcd.etcd(of: other, key: nil).swap(expected: nil, value: [8]) == .swapped)
        #expect(try await etcd.etcd(key: nil).read() == [7])
        try await etcd.end()
    }

    @Test("the same bytes written again by somebody else are still what is expected")
    func writtenAgain() async throws {
        let etcd = try await EtcdUnderTest()
        let (one, other) = (etcd.etcd(), etcd.etcd())
        #expect(try await one.swap(expected: nil, value: [1]) == .swapped)
        #expect(try await other.swap(expected: [1], value: [1]) == .swapped)
        #expect(try await one.swap(expected: [1], value: [2]) == .swapped)
        #expect(try await other.swap(expected: [1], value: [3]) == .differs(current: [2]))
        try await etcd.end()
    }

    @Test("members that are not there are passed over, in time, and all of them are named when none is there")
    func absentMembers() async throws {
        let etcd = try await EtcdUnderTest()
        let ports = try EtcdUnderTest.freePorts(2)
        func driver(_ ports: [Int]) -> EtcdWitness {
            EtcdWitness(
                members: ports.map { WitnessMember(host: "127.0.0.1", port: $0) }, pair: somePair,
                group: MultiThreadedEventLoopGroup.singleton)
        }
        #expect(
            try await driver(ports + [etcd.members[0].clientPort]).swap(expected: nil, value: [1]) == .swapped)
        let fault = await #expect(throws: WitnessFault.self) {
            try await driver(ports).swap(expected: nil, value: [1])
        }
        guard case .notApplied(let reason) = fault else {
            Issue.record("\(String(describing: fault))")
            return
        }
        for port in ports { #expect(reason.contains("127.0.0.1:\(port): Connection refused")) }
        try await etcd.end()
    }

    @Test("a member whose certificate another authority gave is not asked")
    func wrongAuthority() async throws {
        let (right, wrong) = (try EtcdCertificates(), try EtcdCertificates())
        let etcd = try await EtcdUnderTest(certificates: right)
        let stranger = etcd.etcd(tls: wrong.side)
        let fault = await #expect(throws: WitnessFault.self) { try await stranger.swap(expected: nil, value: [1]) }
        guard case .notApplied = fault else {
            Issue.record("\(String(describing: fault))")
            return
        }
        // A side that shows no certificate is not let in by the member.
        let silent = etcd.etcd(
            tls: try EtcdTLS(trust: right.folder.path + "/authority.pem", certificate: nil, key: nil))
        await #expect(throws: WitnessFault.self) { try await silent.swap(expected: nil, value: [1]) }
        #expect(try await etcd.etcd().read() == nil)
        try await etcd.end()
    }

    @Test("files that hold no certificates or keys are named, and a key of another certificate too")
    func certificateFiles() throws {
        let certificates = try EtcdCertificates()
        let at = certificates.folder.path
        let wrong: [(trust: String, certificate: String, key: String, named: String)] = [
            ("\(at)/none", "\(at)/side.pem", "\(at)/side.key", "\(at)/none"),
            ("\(at)/names", "\(at)/side.pem", "\(at)/side.key", "\(at)/names"),
            ("\(at)/authority.pem", "\(at)/names", "\(at)/side.key", "\(at)/names"),
            ("\(at)/authority.pem", "\(at)/side.pem", "\(at)/side.pem", "\(at)/side.pem"),
            ("\(at)/authority.pem", "\(at)/side.pem", "\(at)/member.key", "\(at)/member.key"),
        ]
        for files in wrong {
            let fault = #expect(throws: EtcdTLS.Fault.self) {
                try EtcdTLS(trust: files.trust, certificate: files.certificate, key: files.key)
            }
            #expect(fault.map { $0.description.contains(files.named) } == true, "\(files)")
        }
    }
}
