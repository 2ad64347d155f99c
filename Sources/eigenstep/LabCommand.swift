import ArgumentParser
import Diagnosis
import Labs
import Presentation
import Reports

/// `eigenstep lab NAME`.
struct LabCommand: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "lab", abstract: "Run one of the built-in experiments.",
    discussion: "Labs:\n" + Lab.all.map { "  \($0.name): \($0.summary)" }.joined(separator: "\n"),
    version: Eigenstep.version)

  @Argument(
    help: "Which one. (default: list them)", completion: .list(Lab.all.map(\.name)))
  var name: String?

  @Option(
    parsing: .unconditional,
    help: ArgumentHelp(
      "Write the result as JSON to a file, or - for standard output alone.", valueName: "path"))
  var json: String?

  func validate() throws {
    guard let name else {
      if json != nil { throw ValidationError("--json needs the name of a lab: \(names).") }
      return
    }
    guard Lab.all.contains(where: { $0.name == name }) else {
      throw ValidationError("There is no lab '\(name)': choose one of \(names).")
    }
  }

  func run() throws {
    try reporting {
      guard let lab = Lab.all.first(where: { $0.name == name }) else {
        StandardOutput.write(Lab.all.map { "\($0.name): \($0.summary)\n" }.joined())
        return .done
      }
      let destination = json.map(JSONDestination.init)
      try RunFiles(outputs: [("--json", json)]).check()
      let result = lab.run()
      let text = try OrderedJSON.string(result) + "\n"
      LateFailures.noting { try destination?.writeFile(text) }
      StandardOutput.write(
        destination == .standardOutput ? text : result.terminalText(StandardOutput.style))
      return .done
    }
  }

  private var names: String { Lab.all.map(\.name).joined(separator: ", ") }
}
