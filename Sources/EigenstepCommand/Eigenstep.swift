import ArgumentParser
import Diagnosis
import Foundation
import Presentation
import Problems

/// The root of all commands.
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
}
