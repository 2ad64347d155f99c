import ArgumentParser
import Diagnosis
import Presentation

/// `eigenstep doctor`.
struct DoctorCommand: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "doctor",
    abstract: "Say what was found where, in which version, and whether it works.",
    discussion: "Exits with 0 if all is well, and with 69 if a library is missing or broken.",
    version: Eigenstep.version)

  @OptionGroup var result: ResultOptions

  func run() throws {
    try reporting {
      let destination = result.json.map(JSONDestination.init)
      try RunFiles(outputs: [("--json", result.json)]).check()
      let examination = Examination()
      let text = try OrderedJSON.string(examination) + "\n"
      LateFailures.noting { try destination?.writeFile(text) }
      StandardOutput.write(
        destination == .standardOutput
          ? text : examination.document.terminalText(StandardOutput.style))
      return examination.isWell ? .done : .unavailable
    }
  }
}
