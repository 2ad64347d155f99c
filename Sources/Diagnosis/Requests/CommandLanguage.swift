import Foundation
import Presentation

/// In which language advice names what to do next.
public enum CommandLanguage: String, Sendable {
  /// `eigenstep train table.csv --target y --lr 0.1`.
  case shell
  /// `eigenstep.train("table.csv", target="y", lr=0.1)`.
  case python

  @TaskLocal private static var chosen = CommandLanguage.shell

  static var current: CommandLanguage { chosen }

  /// Carries out `work`, whose advice is in this language.
  public func used<Result>(_ work: () throws -> Result) rethrows -> Result {
    try Self.$chosen.withValue(self, operation: work)
  }

  /// The call of a function of the package that a command's words stand for; arrays in memory are called what
  /// their file is.
  static func pythonCall(_ function: String, _ words: [String]) -> String {
    var arguments: [(name: String?, value: String)] = []
    var index = 0
    while index < words.count {
      let word = words[index]
      index += 1
      guard word.hasPrefix("--") else {
        arguments.append((nil, literal(word)))
        continue
      }
      let flag = String(word.dropFirst(2))
      if let (name, value) = switches[flag] {
        arguments.append((name, value))
        continue
      }
      guard index < words.count else { break }
      let value = words[index]
      index += 1
      arguments.append(
        (
          flag.replacing("-", with: "_"),
          numeric.contains(flag) && Double(value) != nil ? value : literal(value)
        ))
    }
    // An option that may be repeated is a list.
    var parts: [String] = []
    for (place, argument) in arguments.enumerated() {
      guard let name = argument.name else {
        parts.append(argument.value)
        continue
      }
      let same = arguments.filter { $0.name == name }.map(\.value)
      guard arguments.firstIndex(where: { $0.name == name }) == place else { continue }
      parts.append(
        "\(name)=" + (same.count > 1 ? "[\(same.joined(separator: ", "))]" : argument.value))
    }
    return "eigenstep.\(function)(\(parts.joined(separator: ", ")))"
  }

  /// Options that are given without a value.
  private static let switches = [
    "no-intercept": ("intercept", "False"), "standardise": ("standardise", "True"),
    "training": ("training", "True"), "as-logits": ("as_logits", "True"),
  ]

  /// Options that are numbers, so that others are texts whatever they look like.
  private static let numeric: Set = [
    "lr", "warm-up", "batch", "epochs", "steps", "seed", "l2", "samples", "batch-axis",
  ]

  private static func literal(_ text: String) -> String {
    if ProblemSource.isInMemory(text) {
      return String(text.dropFirst(ProblemSource.memoryPrefix.count))
    }
    return "\""
      + Printable.line(text).replacing("\\", with: "\\\\").replacing("\"", with: "\\\"") + "\""
  }
}
