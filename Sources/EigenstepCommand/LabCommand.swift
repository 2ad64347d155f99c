import ArgumentParser
import Diagnosis
import Labs
import Presentation
import Reports
import struct TensorPrograms.ReferenceExecutor
import struct TensorPrograms.RunContext

/// `eigenstep lab NAME`.
struct LabCommand: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "lab", abstract: "Run one of the built-in experiments.",
    discussion: "Labs, with the numbers that --set changes:\n"
      + Lab.all.map(Self.description).joined(separator: "\n")
      + "\n\nExits with 0 if all went as predicted, and with 1 if a check failed.",
    version: Eigenstep.version)

  @Argument(
    help: "Which one. (default: list them)", completion: .list(Lab.all.map(\.name)))
  var name: String?

  @Option(
    parsing: .unconditionalSingleValue,
    help: ArgumentHelp("A number of the lab; may be repeated.", valueName: "key=value"))
  var set: [String] = []

  @Option(parsing: .unconditional, help: "The seed of everything random. (default: 0)")
  var seed: Int?

  @Flag(help: "Fewer numbers, as many as show the point.")
  var small = false

  @OptionGroup var result: ResultOptions

  func validate() throws {
    if let seed { try OptionValue.check(seed, "--seed", atLeast: 0) }
    guard let name else {
      for (option, isGiven) in [
        ("--json", result.json != nil), ("--set", !set.isEmpty), ("--small", small),
        ("--seed", seed != nil),
      ] where isGiven {
        throw ValidationError("\(option) needs the name of a lab: \(names).")
      }
      return
    }
    guard let lab = Lab.all.first(where: { $0.name == name }) else {
      throw ValidationError("There is no lab '\(name)': choose one of \(names).")
    }
    do {
      _ = try lab.values(given(), setting)
    } catch let failure as DiagnosisFailure {
      throw ValidationError(failure.message.text(.flags))
    }
  }

  func run() throws {
    try reporting {
      guard let lab = Lab.all.first(where: { $0.name == name }) else {
        StandardOutput.write(Lab.all.map { "\($0.name): \($0.summary)\n" }.joined())
        return .done
      }
      try RunFiles(outputs: [("--json", result.json)]).check()
      return try Run(json: result.json).answer { context, _ in
        let outcome = try lab.run(
          LabContext(
            executor: ReferenceExecutor(), seed: seed ?? 0, setting: setting, values: given(),
            run: context))
        return Answer(
          json: { try OrderedJSON.string(outcome) }, text: outcome.terminalText,
          exit: ProgramExit(outcome))
      }
    }
  }

  private var names: String { Lab.all.map(\.name).joined(separator: ", ") }

  private var setting: LabContext.Setting { small ? .small : .full }

  /// The values of `--set`, the last of each name.
  private func given() throws -> [String: Double] {
    try set.reduce(into: [:]) { values, text in
      let parts = text.split(separator: "=", maxSplits: 1, omittingEmptySubsequences: false)
      guard parts.count == 2, !parts[0].isEmpty, let value = Double(parts[1]), value.isFinite else {
        throw ValidationError(
          "--set takes a name and a number, such as tolerance=1e-4, not '\(text)'.")
      }
      values[String(parts[0])] = value
    }
  }

  private static func description(_ lab: Lab) -> String {
    (["  \(lab.name): \(lab.summary)"] + lab.parameters.map { "    \($0.summary)" })
      .joined(separator: "\n")
  }
}

extension ProgramExit {
  package init(_ outcome: LabOutcome) { self = outcome.isPassed ? .done : .checkFailed }
}
