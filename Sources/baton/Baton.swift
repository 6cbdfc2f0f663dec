internal import BatonCLI
internal import Foundation

@main
struct Baton {
    static func main() async {
        exit(await BatonProgram.main(Array(CommandLine.arguments.dropFirst())))
    }
}
