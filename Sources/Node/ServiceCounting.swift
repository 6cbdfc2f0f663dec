internal import CallModel
internal import CallRouter
internal import Console
internal import INCRP
internal import Transport

extension ServiceCounters {
    /// `server` is nil when this instance is no server. Sources and codes that did not occur count 0.
    init(_ router: RouterCounters, _ server: INCRPServerStatus?) {
        self.init()
        for source in LabelSource.allCases { routes["\(source)"] = router.routes[source] ?? 0 }
        routeRepeats = router.repeated
        dialogsTakenUp = router.takenUp
        routeRefusals = router.refusals
        gateways = Dictionary(uniqueKeysWithValues: router.gateways.map { ($0.key.text, Gateway($0.value)) })
        nic = server.map { NIC(router.nic, $0) }
    }
}

extension ServiceCounters.Gateway {
    fileprivate init(_ gateway: RouterCounters.Gateway) {
        self.init()
        asked = gateway.asked
        invalidLabels = gateway.invalidLabel
        outcomes = [
            "answered": gateway.answered, "late": gateway.late, "offline": gateway.offline, "failed": gateway.failed,
            "abandoned": gateway.abandoned,
        ]
    }
}

extension ServiceCounters.NIC {
    fileprivate init(_ nic: RouterCounters.NIC, _ server: INCRPServerStatus) {
        self.init()
        asked = nic.asked
        answered = nic.answered
        failed = nic.failed
        late = nic.late
        links = server.links.count
        for code in INCRPOpenRefusal.Code.allCases { opensRefused["\(code)"] = server.opensRefused[code] ?? 0 }
    }
}
