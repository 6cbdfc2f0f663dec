internal import CallModel
internal import CallRouter
package import Console
internal import Ledger
internal import PeripheralGateway

/// Answer of `POST /v1/routes` and `POST /v1/transfers`.
package struct RouteBody: Codable, Hashable, Sendable {
    /// Where the call will arrive.
    package struct Reservation: Codable, Hashable, Sendable {
        package var id: String
        package var peripheral: String
        package var trunkGroup: String
        package var dnis: String
        package var generation: UInt64
        package var expiresAt: String
    }

    package var label: String
    package var labelType: String
    package var dialog: String
    package var callKey: String
    /// `script`, `gateway` or `default`.
    package var source: String
    /// Why a default label was taken.
    package var reason: String?
    package var context: ContextValues
    package var reservation: Reservation?
    /// True or left out.
    package var repeated: Bool?

    private enum CodingKeys: String, CodingKey {
        case label, labelType, dialog, callKey, source, reason, context, reservation
        case repeated = "repeat"
    }

    init(_ answer: RouteAnswer) {
        label = answer.label.text
        labelType = answer.label.type.description
        dialog = answer.dialog.description
        callKey = answer.callKey.description
        source = answer.source.description
        reason = answer.reason
        context = ContextValues(answer.context)
        reservation = answer.reservation.map { arrival in
            Reservation(
                id: arrival.reservation.description, peripheral: arrival.key.peripheral.text,
                trunkGroup: arrival.key.trunkGroup.text, dnis: arrival.key.dnis.text,
                generation: arrival.reservation.sequence.number, expiresAt: arrival.expiresAt.description)
        }
        repeated = answer.repeated ? true : nil
    }
}

/// Answer of `DELETE /v1/dialogs/ID`.
package struct AbandonBody: Codable, Hashable, Sendable {
    package var dialog: String
    /// False when the dialog was closed before; `reason` is then the earlier one.
    package var closed: Bool
    package var reason: String
    /// The waiting reservation of this instance that was released.
    package var released: String?

    init(_ answer: AbandonAnswer) {
        dialog = answer.dialog.description
        closed = answer.closed
        reason = answer.reason.description
        released = answer.released?.description
    }
}

/// Answer of `POST /v1/reservations`.
package struct ReservationBody: Codable, Hashable, Sendable {
    package var id: String
    package var callKey: String
    package var label: String
    package var peripheral: String
    package var trunkGroup: String
    package var dnis: String
    package var generation: UInt64
    package var expiresAt: String
    /// True or left out.
    package var repeated: Bool?

    private enum CodingKeys: String, CodingKey {
        case id, callKey, label, peripheral, trunkGroup, dnis, generation, expiresAt
        case repeated = "repeat"
    }

    init(_ answer: ReservationAnswer) {
        id = answer.id.description
        callKey = answer.callKey.description
        label = answer.label.text
        peripheral = answer.key.peripheral.text
        trunkGroup = answer.key.trunkGroup.text
        dnis = answer.key.dnis.text
        generation = answer.generation
        expiresAt = answer.expiresAt.description
        repeated = answer.repeated ? true : nil
    }
}

/// Answer of `/v1/claims`.
package struct ClaimBody: Codable, Hashable, Sendable {
    package var outcome: String
    package var repeated: Bool
    package var aniMatched: Bool
    package var callKey: String
    package var target: String?
    package var context: ContextValues

    private enum CodingKeys: String, CodingKey {
        case outcome
        case repeated = "repeat"
        case aniMatched, callKey, target, context
    }

    init(_ answer: ClaimAnswer) {
        outcome = answer.outcome.rawValue
        repeated = answer.repeated
        aniMatched = answer.aniMatched
        callKey = answer.callKey.description
        target = answer.target?.text
        context = ContextValues(answer.context)
    }
}

/// Answer of `DELETE /v1/reservations/ID`.
package struct ReleaseBody: Codable, Hashable, Sendable {
    package var id: String
    package var released: Bool
    package var state: String
    /// True or left out.
    package var repeated: Bool?

    private enum CodingKeys: String, CodingKey {
        case id, released, state
        case repeated = "repeat"
    }

    init(_ answer: ReleaseAnswer) {
        id = answer.id.description
        released = answer.released
        state = answer.state.description
        repeated = answer.repeated ? true : nil
    }
}
