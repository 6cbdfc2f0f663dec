import ArgumentParser
import ByteCoding
@main struct Baton: ParsableCommand { func run() {} }
