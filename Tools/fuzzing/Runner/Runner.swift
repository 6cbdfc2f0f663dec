internal import Fuzzing
internal import Glibc

/// libFuzzer's own loop; linked in by `-sanitize=fuzzer`.
@_silgen_name("LLVMFuzzerRunDriver")
private func fuzzerRunDriver(
    _ count: UnsafeMutablePointer<CInt>,
    _ arguments: UnsafeMutablePointer<UnsafeMutablePointer<UnsafeMutablePointer<CChar>?>>,
    _ input: @convention(c) (UnsafePointer<UInt8>?, Int) -> CInt
) -> CInt

/// Named by the environment: libFuzzer reads the command line.
private let target: FuzzTarget = {
    let named = getenv("FUZZ_TARGET").map { String(cString: $0) }
    if let chosen = named.flatMap({ FuzzTarget(rawValue: $0) }) { return chosen }
    print("targets: " + FuzzTarget.allCases.map(\.rawValue).joined(separator: " "))
    exit(2)
}()

/// libFuzzer's own `main`, which is linked in beside ours, asks for it by this name.
@_cdecl("LLVMFuzzerTestOneInput")
package func testOneInput(_ bytes: UnsafePointer<UInt8>?, _ count: Int) -> CInt {
    target.run(Array(UnsafeBufferPointer(start: bytes, count: count)))
    return 0
}

@main
enum Runner {
    static func main() {
        _ = target
        var count = CommandLine.argc
        var arguments = CommandLine.unsafeArgv
        exit(fuzzerRunDriver(&count, &arguments, testOneInput))
    }
}
