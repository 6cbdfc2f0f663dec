/// (stand-in until the ledger lands)
package struct Ledger: Sendable { package init() {} }
