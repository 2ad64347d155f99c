import Foundation

/// Numbers as sentences and tables show them: three significant digits, and words for counts.
package enum Wording {
  /// `0.0213`, `45.5`, `665,841`, `4.59e8`, `1.5e-6`.
  package static func number(_ value: Double, digits: Int = 3) -> String {
    guard value.isFinite else { return value.isNaN ? "not a number" : "infinity" }
    if value == 0 { return "0" }
    let magnitude = abs(value)
    if magnitude >= 1e6 || magnitude < 1e-3 { return scientific(value, digits: digits) }
    if magnitude >= 1000 { return count(value) }
    let places = max(0, digits - 1 - Int(log10(magnitude).rounded(.down)))
    let text = String(format: "%.\(places)f", value)
    guard text.contains(".") else { return text }
    var trimmed = Substring(text)
    while trimmed.hasSuffix("0") { trimmed.removeLast() }
    if trimmed.hasSuffix(".") { trimmed.removeLast() }
    return String(trimmed)
  }

  /// Three significant digits as C prints them, `0.0213`, `4.59e+08`: the form of the sentences of advice
  /// on iterations and samples.
  package static func short(_ value: Double) -> String { String(format: "%.3g", value) }

  /// A number, or what it is at least where it overflowed.
  package static func orMore(_ value: Double) -> String {
    value.isFinite ? number(value) : "more than \(number(.greatestFiniteMagnitude))"
  }

  /// A number in `0...1` with as many digits as tell it from 1: `0.9`, `0.99995`.
  package static func share(_ value: Double) -> String {
    let rest = 1 - value
    guard rest > 0, rest < 0.1 else { return number(value) }
    var text = String(format: "%.\(1 - Int(log10(rest).rounded(.down)))f", value)
    while text.hasSuffix("0") { text.removeLast() }
    return text
  }

  /// A factor; next to one as its distance from one: `0.9998`, `1 - 2e-7`, `-(1 - 2e-7)`.
  package static func kept(_ factor: Double) -> String {
    let lost = 1 - abs(factor)
    guard lost != 0, abs(lost) < 1e-4 else { return number(factor, digits: 4) }
    let sign = lost > 0 ? "-" : "+"
    return "\(factor < 0 ? "-(" : "")1 \(sign) \(number(abs(lost), digits: 2))"
      + (factor < 0 ? ")" : "")
  }

  /// A whole number with separators: `12,345`; above a billion `4.6e9`.
  package static func count(_ value: Int) -> String {
    abs(value) >= 1_000_000_000 ? scientific(Double(value), digits: 2) : count(Double(value))
  }

  /// `1 step`, `12,345 steps`.
  package static func count(_ value: Int, _ noun: String) -> String {
    "\(count(value)) \(noun)\(value == 1 ? "" : "s")"
  }

  /// `a`, `a and b`, `a, b and c`, or the first few `and 7 more`.
  package static func list(_ items: [String], limit: Int = 4) -> String {
    if items.count > limit {
      return items.prefix(limit - 1).joined(separator: ", ")
        + " and \(items.count - limit + 1) more"
    }
    guard let last = items.last, items.count > 1 else { return items.first ?? "" }
    return items.dropLast().joined(separator: ", ") + " and " + last
  }

  static func count(_ value: Double) -> String {
    let digits = String(format: "%.0f", abs(value))
    var groups: [Substring] = []
    var rest = Substring(digits)
    while rest.count > 3 {
      groups.insert(rest.suffix(3), at: 0)
      rest = rest.dropLast(3)
    }
    groups.insert(rest, at: 0)
    return (value < 0 ? "-" : "") + groups.joined(separator: ",")
  }

  private static func scientific(_ value: Double, digits: Int) -> String {
    let parts = String(format: "%.\(digits - 1)e", value).split(separator: "e")
    var mantissa = parts[0]
    if mantissa.contains(".") {
      while mantissa.hasSuffix("0") { mantissa.removeLast() }
      if mantissa.hasSuffix(".") { mantissa.removeLast() }
    }
    return "\(mantissa)e\(Int(parts[1]) ?? 0)"
  }
}
