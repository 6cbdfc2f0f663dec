internal import StrictJSON

/// The register's key as etcd keeps it.
struct EtcdEntry: Equatable {
    /// Of the whole key space, at the last change of this key.
    var revision: Int64
    var bytes: [UInt8]
}

/// One transaction over one key (`POST /v3/kv/txn`). It compares, and either puts or tells what is there; both happen
/// at one moment of etcd's own log. A bare range request would do for a look, but a transaction is what the pair trusts.
struct EtcdTransaction {
    enum Condition: Equatable {
        case absent
        /// Exactly these bytes; and no change since, when the revision is known.
        case holds([UInt8], revision: Int64?)
        /// Exactly this change, whatever its bytes are.
        case revision(Int64)
    }

    enum Answer: Equatable {
        /// Put, at this revision.
        case put(revision: Int64)
        /// Nothing was changed; nil: the key is absent.
        case found(EtcdEntry?)
    }

    private let key: String
    private let condition: Condition?
    private let value: [UInt8]?

    /// Puts `value` if the condition holds, else tells what is there.
    static func put(_ value: [UInt8], at key: [UInt8], if condition: Condition) -> EtcdTransaction {
        EtcdTransaction(key: Base64.encode(key), condition: condition, value: value)
    }

    /// Tells what is there.
    static func look(at key: [UInt8]) -> EtcdTransaction {
        EtcdTransaction(key: Base64.encode(key), condition: nil, value: nil)
    }

    // MARK: - The question

    var body: [UInt8] {
        let range: JSONValue = .array([.object(("request_range", .object(("key", .string(key)))))])
        guard let condition, let value else { return JSONValue.object(("success", range)).bytes }
        let put: JSONValue = .object(("key", .string(key)), ("value", .string(Base64.encode(value))))
        return JSONValue.object(
            ("compare", .array(comparisons(condition))), ("success", .array([.object(("request_put", put))])),
            ("failure", range)
        ).bytes
    }

    private func comparisons(_ condition: Condition) -> [JSONValue] {
        switch condition {
        case .absent: [comparison("MOD", "mod_revision", "0")]
        case .revision(let revision): [comparison("MOD", "mod_revision", String(revision))]
        case .holds(let bytes, let revision):
            // The bytes always: an etcd restored from a snapshot gives the same revisions to other changes.
            [comparison("VALUE", "value", Base64.encode(bytes))]
                + (revision.map { [comparison("MOD", "mod_revision", String($0))] } ?? [])
        }
    }

    private func comparison(_ target: String, _ member: String, _ text: String) -> JSONValue {
        .object(
            ("key", .string(key)), ("target", .string(target)), ("result", "EQUAL"), (member, .string(text)))
    }

    // MARK: - The answer

    /// What the gateway's reply says. Whatever is not exactly an answer to this transaction leaves its outcome unknown.
    func answer(_ reply: EtcdReply) throws(WitnessFault) -> Answer {
        let document: JSONValue
        do throws(JSONFault) {
            document = try JSONValue(parsing: reply.body, called: "the answer", mostLevels: 16)
        } catch {
            if reply.status == 404 { throw .notApplied("it has no etcd v3 gateway (HTTP status 404)") }
            throw .unknown("HTTP status \(reply.status), and its body is \(error)")
        }
        guard reply.status == 200 else { throw Self.refusal(reply.status, document) }
        guard let revision = Self.revision(document["header"]?["revision"]) else {
            throw .unknown("its answer has no revision")
        }
        guard let responses = document["responses"]?.elements, responses.count == 1, let response = responses.first
        else { throw .unknown("its answer does not tell of one request") }
        // What is false is left out.
        let succeeded = document["succeeded"] ?? false
        guard case .bool(let succeeded) = succeeded else { throw .unknown("its answer's succeeded is no truth value") }
        if succeeded, condition != nil {
            guard response["response_put"] != nil else { throw .unknown("its answer tells of no put") }
            return .put(revision: revision)
        }
        guard let range = response["response_range"], case .object = range else {
            throw .unknown("its answer does not tell what the key holds")
        }
        return .found(try entry(range))
    }

    private func entry(_ range: JSONValue) throws(WitnessFault) -> EtcdEntry? {
        guard let list = range["kvs"] else { return nil }
        guard case .array(let entries) = list, entries.count <= 1 else {
            throw .unknown("its answer tells of more than one key")
        }
        guard let entry = entries.first else { return nil }
        guard entry["key"] == .string(key) else { throw .unknown("its answer tells of another key") }
        guard let revision = Self.revision(entry["mod_revision"]) else {
            throw .unknown("its answer has no revision of the key")
        }
        guard case .string(let text) = entry["value"] ?? "", let bytes = Base64.decode(text) else {
            throw .unknown("its answer's value is not base64")
        }
        return EtcdEntry(revision: revision, bytes: bytes)
    }

    private static func revision(_ value: JSONValue?) -> Int64? {
        guard case .string(let digits) = value, let revision = Int64(digits), revision > 0 else { return nil }
        return revision
    }

    /// An error of etcd. Certain to have done nothing are only those that are found before a transaction is carried out;
    /// "database space exceeded", for one, may come after it.
    private static func refusal(_ status: Int, _ document: JSONValue) -> WitnessFault {
        let text = (document["message"] ?? document["error"])?.text.map { " (\($0.prefix(200)))" } ?? ""
        let reason = "it answered with HTTP status \(status)\(text)"
        let invalid = 3
        let denied = 7
        let unimplemented = 12
        let unauthenticated = 16
        guard let code = document["code"]?.integer,
            [invalid, denied, unimplemented, unauthenticated].contains(code)
        else { return .unknown(reason) }
        return .notApplied(reason)
    }
}
