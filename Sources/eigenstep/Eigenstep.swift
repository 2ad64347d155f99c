import ArgumentParser
import Diagnosis
import Foundation
import Presentation
import Problems

/// The program `eigenstep`.
@main
struct Eigenstep: ParsableCommand {
  static let version = EigenstepVersion.current

  static let configuration = CommandConfiguration(
    commandName: "eigenstep",
    abstract: "Why is training slow, which learning rate is safe, and what should change?",
    discussion: """
      Eigenstep measures the curvature of a loss, explains from it why training is slow or blows \
      up, and runs the remedies it proposes.

      Exit codes: 0 done; 1 a check of a lab failed, or training was lost; 64 a wrong option; 65 a file that cannot be used; 66 no such file; \
      69 a library is missing; 70 a fault of the program; 73 an output cannot be written; \
      130 interrupted (143 by SIGTERM, 129 by a terminal that closed).
      """,
    version: version,
    subcommands: [
      DiagnoseCommand.self, SpectrumCommand.self, TrainCommand.self, SweepCommand.self,
      RunCommand.self, SettingsCommand.self, DoctorCommand.self, LabCommand.self,
    ])
  /// As `ParsableCommand` does it, but what a refusal quotes of the arguments is made printable.
  static func main() {
    StandardStreams.open()
    StandardStreams.outliveFileSizeLimit()
    HeapMemory.keep()
    do {
      var command = try parseAsRoot()
      try command.run()
    } catch {
      let code = exitCode(for: error)
      guard code != .success else { exit(withError: error) }
      let text = fullMessage(for: error)
      if !text.isEmpty { StandardError.write(onOneLine(text, of: error)) }
      exit(withError: code)
    }
  }

  /// The text with a refusal's own words, which may quote an argument, on one line where an argument has
  /// several.
  private static func onOneLine(_ text: String, of error: any Error) -> String {
    let words = message(for: error)
    let hasBreaks = CommandLine.arguments.contains { $0.contains { $0.isNewline } }
    guard hasBreaks, !words.isEmpty, let place = text.range(of: words) else { return text + "\n" }
    return text.replacingCharacters(in: place, with: Printable.line(words)) + "\n"
  }
}
