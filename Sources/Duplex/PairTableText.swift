/// The table for people.
extension PairTable {
    /// Why an event changes nothing.
    static func ignored(_ state: PairState, _ event: PairEvent) -> String {
        switch event {
        case .aloneHere, .aloneThere, .pairedHere, .pairedThere, .pairedThereUnreached, .rolledBack:
            state == .promising
                ? "A promise is being made durable; the other side says its register again with each heartbeat."
                : "This side can go alone only when the other is lost; with a session it aligns."
        case .otherAgrees, .otherLags, .otherUnregistered, .bothTailsUndecided:
            "What the other side promises changes nothing here; a later register value would."
        case .linkLost, .otherAbsent, .otherLostTailUndecided:
            "This state does not stand on the session; what waits for one goes on waiting."
        case .promisedAlone, .promisedActive, .promisedStandby, .promisedJoining, .intentDurable, .logAligned:
            "The side moved on while the disk wrote; what is durable binds it all the same."
        case .logsAgree, .logsContradict, .resumed, .joinAsked, .alignmentAnswered, .snapshotNeeded, .otherAligned,
            .otherCaughtUp:
            "Said in a state that has passed; the side that still needs it asks again."
        case .allAcknowledged, .switchOverdue, .stalledOverdue: "No hand-over is under way."
        case .switchAsked: "Only a paired-enabled side can hand over."
        case .forceAsked: "Only an isolated-disabled side can take the other's place."
        case .initAsked: "Only a side that is not part of a pair yet can begin one."
        case .witnessSilent: "No swap is under way."
        }
    }

    /// The whole table as text: first what happens, a row a paragraph, then for each state what it ignores.
    package static func dump() -> String {
        var text = ""
        for state in PairState.allCases {
            text += "== \(state.rawValue) (shown as \(state.shownName)) ==\n"
            var ignored: [String] = []
            for event in PairEvent.allCases {
                let row = row(state, event)
                if row.isIgnored {
                    ignored.append(event.rawValue)
                    continue
                }
                let next = row.next == state ? "stays" : "-> \(row.next.rawValue)"
                let steps = row.steps.isEmpty ? "" : " [" + row.steps.map(\.rawValue).joined(separator: ", ") + "]"
                text += "\(event.rawValue): \(next)\(steps)\n    \(row.sentence)\n"
            }
            text += "ignores: \(ignored.joined(separator: " "))\n\n"
        }
        return text
    }

    /// The changes of state as a Mermaid diagram.
    package static func diagram() -> String {
        var text = "stateDiagram-v2\n"
        for state in PairState.allCases {
            var events: [PairState: [String]] = [:]
            for event in PairEvent.allCases {
                let row = row(state, event)
                if row.next != state { events[row.next, default: []].append(event.rawValue) }
            }
            for next in PairState.allCases {
                guard let names = events[next] else { continue }
                text += "    \(state.rawValue) --> \(next.rawValue): \(names.joined(separator: ", "))\n"
            }
        }
        return text
    }
}
