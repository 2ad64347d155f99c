import ArgumentParser

/// The program `eigenstep`.
@main
struct Eigenstep: ParsableCommand {
  static let version = "0.1.0"

  static let configuration = CommandConfiguration(
    commandName: "eigenstep",
    abstract: "Why is training slow, which learning rate is safe, and what should change?",
    discussion: """
      Eigenstep measures the curvature of a loss, explains from it why training is slow or blows \
      up, and runs the remedies it proposes.

      Exit codes: 0 done; 64 a wrong option; 65 a file that cannot be used; 66 no such file; \
      69 a library is missing; 70 a fault of the program; 73 an output cannot be written; \
      130 interrupted.
      """,
    version: version,
    subcommands: [
      DiagnoseCommand.self, SpectrumCommand.self, DoctorCommand.self, LabCommand.self,
    ])
}
