import Diagnosis
import Foundation
import ProgramRuns
import Testing

@Suite struct InterruptTests {
  /// Trials that would run for minutes.
  static let endless = "a,b,y\n1,2000,0.5\n2,1000,1.5\n4,3000,2.5\n3,1500,0.25\n5,2500,3.5\n"

  /// Starts the program, sends it a signal after so many seconds, and waits for its end.
  static func interrupted(
    after delay: Double, by signal: Int32 = SIGINT, arguments: [String]
  ) throws -> BuiltProgram.Outcome {
    let folder = try TemporaryFolder()
    let (out, err) = (try folder.write("", to: "out"), try folder.write("", to: "err"))
    let process = Process()
    process.executableURL = BuiltProgram.url
    process.arguments = arguments
    process.standardInput = FileHandle.nullDevice
    process.standardOutput = try FileHandle(forWritingTo: URL(fileURLWithPath: out))
    process.standardError = try FileHandle(forWritingTo: URL(fileURLWithPath: err))
    try process.run()
    Thread.sleep(forTimeInterval: delay)
    // Twice, as a terminal and a wrapper would.
    kill(process.processIdentifier, signal)
    Thread.sleep(forTimeInterval: 0.01)
    kill(process.processIdentifier, signal)
    process.waitUntilExit()
    #expect(process.terminationReason == .exit)
    return BuiltProgram.Outcome(
      status: process.terminationStatus, output: try String(contentsOfFile: out, encoding: .utf8),
      errors: try String(contentsOfFile: err, encoding: .utf8))
  }

  @Test(arguments: [["--executor", "reference"], ["--executor", "auto"]])
  func `an interrupt during trials prints what was measured`(options: [String]) throws {
    let folder = try TemporaryFolder()
    let table = try folder.write(Self.endless, to: "t.csv")
    // On a slow machine the first delays may end before there is anything to print.
    for delay in [2.0, 6, 20] {
      let outcome = try Self.interrupted(
        after: delay,
        arguments: [
          "diagnose", table, "--target", "y", "--json", "-", "--tolerance", "1e-12",
          "--max-iterations", "1000000000",
        ] + options)
      #expect(outcome.status == 130)
      if outcome.output.isEmpty {
        // Beside what a long run says every ten seconds.
        let lines = outcome.errors.split(separator: "\n").filter { !$0.hasPrefix("eigenstep: ") }
        #expect(lines.count == 1)
        continue
      }
      let report = try JSONDecoder().decode(
        DiagnosisReport.self, from: Data(outcome.output.utf8))
      #expect(report.findings.contains { $0.id == "interrupted" })
      #expect(report.curvature.conditionNumber != nil)
      #expect(report.prescriptions.count >= 6)
      #expect(report.prescriptions.contains { $0.predicted.iterations != nil })
      return
    }
    Issue.record("nothing was measured in twenty seconds")
  }

  @Test(arguments: [SIGTERM, SIGHUP])
  func `other signals that end a program are an interrupt, and files are whole`(
    signal: Int32
  ) throws {
    let folder = try TemporaryFolder()
    let table = try folder.write(Self.endless, to: "t.csv")
    let path = folder.path("r.json")
    for delay in [2.0, 6, 20] {
      let outcome = try Self.interrupted(
        after: delay, by: signal,
        arguments: [
          "diagnose", table, "--target", "y", "--json", path, "--tolerance", "1e-12",
          "--max-iterations", "1000000000", "--executor", "reference",
        ])
      #expect(outcome.status == 128 + signal)
      #expect(!folder.contents.contains { $0.hasSuffix(".part") || $0.hasSuffix(".tmp") })
      guard folder.contents.contains("r.json") else { continue }
      let report = try JSONDecoder().decode(
        DiagnosisReport.self, from: Data(contentsOf: URL(fileURLWithPath: path)))
      #expect(report.findings.contains { $0.id == "interrupted" })
      #expect(report.stage != .complete)
      #expect(outcome.output.contains("Interrupted"))
      return
    }
    Issue.record("nothing was measured in twenty seconds")
  }
}
