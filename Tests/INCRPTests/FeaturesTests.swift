import INCRP
import Testing

@Suite("Versions and features")
struct FeaturesTests {
    @Test("within one major version the lower side's version and features hold")
    func lowerHolds() {
        let older = INCRPVersion(major: 1, minor: 0)
        #expect(INCRPVersion.current.common(with: older) == older)
        #expect(older.common(with: .current) == older)
        #expect(older.features == [])
        #expect(INCRPVersion.current.features == [.modifiedArrays, .dialogRecovery])
    }

    @Test("beyond one major version there is no common version")
    func majorApart() {
        #expect(INCRPVersion.current.common(with: INCRPVersion(major: 2, minor: 0)) == nil)
    }
}
