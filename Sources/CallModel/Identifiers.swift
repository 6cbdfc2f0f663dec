package import ByteCoding

/// The key under which a context waits: where and with which number the call will arrive.
/// ANI is not part of it (DOMAIN.md, translation route).
package struct TranslationRouteKey: Hashable, Comparable, Sendable, CustomStringConvertible {
    package let peripheral: PeripheralName
    package let trunkGroup: TrunkGroupName
    package let dnis: DNIS

    package init(peripheral: PeripheralName, trunkGroup: TrunkGroupName, dnis: DNIS) {
        self.peripheral = peripheral
        self.trunkGroup = trunkGroup
        self.dnis = dnis
    }

    package static func < (left: Self, right: Self) -> Bool {
        (left.peripheral, left.trunkGroup, left.dnis) < (right.peripheral, right.trunkGroup, right.dnis)
    }

    package var description: String { "\(peripheral)/\(trunkGroup)/\(dnis)" }

    package func encode(into writer: inout ByteWriter) {
        writer.string(peripheral.text)
        writer.string(trunkGroup.text)
        writer.string(dnis.text)
    }

    package init(from reader: inout ByteReader) throws(ByteFault) {
        peripheral = try PeripheralName(from: &reader)
        trunkGroup = try TrunkGroupName(from: &reader)
        dnis = try DNIS(from: &reader)
    }
}

/// The number of a record in the ledger's log, from 1 on, without gaps. Zero stands for "before the first".
package struct LogSequence: Hashable, Comparable, Sendable, CustomStringConvertible {
    package let number: UInt64
    package init(_ number: UInt64) { self.number = number }

    package static let zero = LogSequence(0)
    package var next: LogSequence { LogSequence(number + 1) }
    package func advanced(by count: Int) -> LogSequence { LogSequence(number + UInt64(count)) }
    package static func < (left: Self, right: Self) -> Bool { left.number < right.number }
    package var description: String { String(number) }
}

/// A dialog: the sequence of the record that opened it, so it is unique for ever. Text form `D123`.
package struct DialogID: Hashable, Comparable, Sendable, CustomStringConvertible {
    package let sequence: LogSequence
    package init(_ sequence: LogSequence) { self.sequence = sequence }

    package static func < (left: Self, right: Self) -> Bool { left.sequence < right.sequence }
    package var description: String { "D\(sequence)" }

    package init(parsing text: String) throws(FieldFault) {
        sequence = try LogSequence(parsing: text, letter: "D", field: "dialog")
    }
}

/// A reservation: the sequence of the record that made it. It is also the generation of its pool entry, which
/// therefore grows for ever, also when an entry leaves a pool and comes back (DOMAIN.md). Text form `R123`.
package struct ReservationID: Hashable, Comparable, Sendable, CustomStringConvertible {
    package let sequence: LogSequence
    package init(_ sequence: LogSequence) { self.sequence = sequence }

    package static func < (left: Self, right: Self) -> Bool { left.sequence < right.sequence }
    package var description: String { "R\(sequence)" }

    package init(parsing text: String) throws(FieldFault) {
        sequence = try LogSequence(parsing: text, letter: "R", field: "reservation")
    }
}

extension LogSequence {
    fileprivate init(parsing text: String, letter: Character, field: String) throws(FieldFault) {
        guard text.first == letter, let number = UInt64(text.dropFirst()), number > 0 else {
            throw FieldFault(field: field, fault: .wrongShape("is \(letter) and a number, for example \(letter)42"))
        }
        self.init(number)
    }
}

/// One call across both centres: given by the instance where it first asked, it crosses INCRP and comes with the
/// claim's answer. RouterCallKeyDay and RouterCallKeyCallID, with the instance that gave them, since they are unique
/// within an instance only. Text form `bank-20779-17`.
package struct CallKey: Hashable, Comparable, Sendable, CustomStringConvertible {
    package let origin: InstanceName
    /// RouterCallKeyDay: days since 1970-01-01 by the giving instance's wall clock.
    package let day: UInt32
    /// RouterCallKeyCallID: starts anew at 1 each day.
    package let number: UInt32

    package init(origin: InstanceName, day: UInt32, number: UInt32) {
        self.origin = origin
        self.day = day
        self.number = number
    }

    package static func < (left: Self, right: Self) -> Bool {
        (left.day, left.number, left.origin) < (right.day, right.number, right.origin)
    }

    package var description: String { "\(origin)-\(day)-\(number)" }

    package init(parsing text: String) throws(FieldFault) {
        let parts = text.split(separator: "-", omittingEmptySubsequences: false)
        guard parts.count >= 3, let number = UInt32(parts[parts.count - 1]), let day = UInt32(parts[parts.count - 2])
        else {
            throw FieldFault(field: "callKey", fault: .wrongShape("is instance-day-number, for example bank-20779-17"))
        }
        origin = try InstanceName(parts.dropLast(2).joined(separator: "-"), field: "callKey")
        self.day = day
        self.number = number
    }

    package func encode(into writer: inout ByteWriter) {
        writer.string(origin.text)
        writer.u32(day)
        writer.u32(number)
    }

    package init(from reader: inout ByteReader) throws(ByteFault) {
        origin = try InstanceName(from: &reader)
        day = try reader.u32()
        number = try reader.u32()
    }
}

/// How far a log or a store has come. Equal positions mean equal logs: divergence is seen, never guessed.
package struct Position: Hashable, Sendable, CustomStringConvertible {
    package let epoch: UInt64
    package let sequence: LogSequence
    /// 128 bits of SHA-256 over everything up to here (RELIABILITY.md, chain).
    package let chain: Hash128

    package init(epoch: UInt64, sequence: LogSequence, chain: Hash128) {
        self.epoch = epoch
        self.sequence = sequence
        self.chain = chain
    }

    package static let zero = Position(epoch: 0, sequence: .zero, chain: .zero)
    package var description: String { "epoch \(epoch), sequence \(sequence), chain \(chain)" }
}

/// Log time in milliseconds: decides leases, never goes back, stands still while no side runs.
package struct LogTime: Hashable, Comparable, Sendable, CustomStringConvertible {
    package let milliseconds: UInt64
    package init(milliseconds: UInt64) { self.milliseconds = milliseconds }

    package static let zero = LogTime(milliseconds: 0)

    /// Stops at the end of time rather than trap: a log time may have been read from a disk.
    package func adding(seconds: UInt32) -> LogTime {
        let (sum, overflow) = milliseconds.addingReportingOverflow(UInt64(seconds) * 1000)
        return LogTime(milliseconds: overflow ? .max : sum)
    }

    package static func < (left: Self, right: Self) -> Bool { left.milliseconds < right.milliseconds }
    package var description: String { "\(milliseconds) ms" }
}

/// Wall time in milliseconds since 1970-01-01 UTC: for people, and for the day of a call key. Decides nothing else.
package struct WallTime: Hashable, Comparable, Sendable, CustomStringConvertible {
    package let milliseconds: Int64
    package init(milliseconds: Int64) { self.milliseconds = milliseconds }

    package static let zero = WallTime(milliseconds: 0)
    package var day: UInt32 { UInt32(clamping: milliseconds / 86_400_000) }
    package static func < (left: Self, right: Self) -> Bool { left.milliseconds < right.milliseconds }

    /// RFC 3339 in UTC with milliseconds.
    package var description: String {
        let days = milliseconds.floorDivided(by: 86_400_000)
        let date = CivilDate(daysSince1970: days)
        let rest = milliseconds &- days &* 86_400_000
        func padded(_ value: Int64, _ width: Int) -> String {
            let digits = String(value)
            return String(repeating: "0", count: max(0, width - digits.count)) + digits
        }
        return "\(padded(date.year, 4))-\(padded(date.month, 2))-\(padded(date.day, 2))T"
            + "\(padded(rest / 3_600_000, 2)):\(padded(rest / 60_000 % 60, 2)):\(padded(rest / 1000 % 60, 2))"
            + ".\(padded(rest % 1000, 3))Z"
    }
}

/// Both times of a batch: what its records are applied by.
package struct BatchTime: Hashable, Sendable {
    package let log: LogTime
    package let wall: WallTime

    package init(log: LogTime, wall: WallTime) {
        self.log = log
        self.wall = wall
    }

    /// When a deadline of the log will come for a person's clock: wall now and what is left.
    package func wall(at deadline: LogTime) -> WallTime {
        let left = Int64(clamping: deadline.milliseconds).subtractingReportingOverflow(
            Int64(clamping: log.milliseconds))
        let (sum, overflow) = wall.milliseconds.addingReportingOverflow(left.partialValue)
        return WallTime(milliseconds: overflow ? wall.milliseconds : sum)
    }
}

/// A date of the proleptic Gregorian calendar, from a count of days.
package struct CivilDate: Hashable, Sendable {
    package let year: Int64
    package let month: Int64
    package let day: Int64

    package init(daysSince1970 days: Int64) {
        // Count from 0000-03-01, so that the leap day is the last of its year.
        let shifted = days + 719_468
        let era = shifted.floorDivided(by: 146_097)
        let dayOfEra = shifted - era * 146_097
        let yearOfEra = (dayOfEra - dayOfEra / 1460 + dayOfEra / 36_524 - dayOfEra / 146_096) / 365
        let dayOfYear = dayOfEra - (365 * yearOfEra + yearOfEra / 4 - yearOfEra / 100)
        let shiftedMonth = (5 * dayOfYear + 2) / 153
        day = dayOfYear - (153 * shiftedMonth + 2) / 5 + 1
        month = shiftedMonth < 10 ? shiftedMonth + 3 : shiftedMonth - 9
        year = yearOfEra + era * 400 + (month <= 2 ? 1 : 0)
    }
}

extension Int64 {
    fileprivate func floorDivided(by divisor: Int64) -> Int64 {
        let quotient = self / divisor
        return self % divisor < 0 ? quotient - 1 : quotient
    }
}
