import INCRP
import Testing

@Suite("Faults as they are logged")
struct FaultTextTests {
    @Test("a request without an answer is told in words, never as a dump of an enum")
    func tellsFaults() {
        let faults: [(ServerLinkFault, String)] = [
            (.offline(reason: "cannot connect"), "offline: cannot connect"),
            (.late, "no answer by the deadline"),
            (
                .failed(.noLabel, reason: "no label: node closed ends the script"),
                "no label: node closed ends the script"
            ),
            (
                .failed(.unknownDialedNumber, reason: "dialedNumber 0800 is not known"),
                "unknown dialed number: dialedNumber 0800 is not known"
            ),
            (.failed(.busy, reason: ""), "busy"),
        ]
        for (fault, text) in faults { #expect("\(fault)" == text) }
    }

    @Test("every code of a failure has words of its own")
    func tellsCodes() {
        let words = RouteFailure.Code.allCases.map { "\($0)" }
        #expect(Set(words).count == words.count)
        for word in words { #expect(word.wholeMatch(of: /[a-z ]+/) != nil, "\(word)") }
    }
}
