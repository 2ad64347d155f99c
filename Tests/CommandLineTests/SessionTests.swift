import Diagnosis
import Foundation
import Presentation
import ProgramRuns
import Reports
import TensorPrograms
import Testing
import EigenstepCommand

@Suite struct SessionTests {
  /// A session around `run`, and what it printed.
  static func perform(
    json: JSONDestination? = nil, isCancelled: Bool = false,
    run: @escaping (RunContext) throws -> DiagnosisReport
  ) throws -> (status: ProgramExit, printed: String) {
    var printed = ""
    let status = try AnswerSession(
      json: json, style: TerminalStyle(colours: false),
      context: RunContext(isCancelled: { isCancelled }), finished: {}, print: { printed += $0 }
    ).perform { context in
      let report = try run(context)
      return Answer(json: { try report.json() }, text: report.terminalText)
    }
    return (status, printed)
  }

  static let report = DiagnosisReport(
    problem: .init(
      parameters: 2, samples: 1, features: 1, loss: 1, gradientNorm: 2, seed: 0,
      precision: "float64", executor: "reference"),
    curvature: .init(
      largest: .init(value: 4, residual: 0, upperBound: 4, failureProbability: 0),
      smallest: .init(value: 1, residual: 0), conditionNumber: 4, indefinite: false,
      operatorApplications: 2),
    learningRate: .init(
      LearningRateFacts(.init(largest: 4, upperBound: 4, smallest: 1, zeroThreshold: 0))),
    directions: [], prediction: .init(rate: 0.25, iterations: 20, tolerance: 1e-6),
    findings: [.wellConditioned(conditionNumber: 4)], prescriptions: [])

  @Test func `JSON on standard output stands alone`() throws {
    let outcome = try Self.perform(json: .standardOutput) { _ in Self.report }
    #expect(outcome.status == .done)
    let back = try JSONDecoder().decode(DiagnosisReport.self, from: Data(outcome.printed.utf8))
    #expect(back == Self.report)
  }

  @Test func `JSON in a file comes beside the text`() throws {
    let folder = try TemporaryFolder()
    let path = folder.path("r.json")
    let outcome = try Self.perform(json: .file(path)) { _ in Self.report }
    #expect(outcome.printed == Self.report.terminalText(TerminalStyle(colours: false)))
    let data = try Data(contentsOf: URL(fileURLWithPath: path))
    #expect(try JSONDecoder().decode(DiagnosisReport.self, from: data) == Self.report)
    #expect(folder.contents == ["r.json"])
  }

  @Test func `a link stays a link, and its file gets the JSON`() throws {
    let folder = try TemporaryFolder()
    let (link, file) = (folder.path("link.json"), folder.path("r.json"))
    try Data("old".utf8).write(to: URL(fileURLWithPath: file))
    try FileManager.default.createSymbolicLink(atPath: link, withDestinationPath: "r.json")
    _ = try Self.perform(json: .file(link)) { _ in Self.report }
    #expect(try FileManager.default.destinationOfSymbolicLink(atPath: link) == "r.json")
    let data = try Data(contentsOf: URL(fileURLWithPath: file))
    #expect(try JSONDecoder().decode(DiagnosisReport.self, from: data) == Self.report)
    #expect(JSONDestination("/dev/stdout") == .standardOutput)
  }

  @Test(arguments: ["/no/such/folder/r.json", "/tmp", "", "/proc/r.json"])
  func `a path that cannot be written is refused before the run`(path: String) throws {
    do {
      _ = try Self.perform(json: .file(path)) { _ in
        Issue.record("the run was started")
        return Self.report
      }
      Issue.record("\(path) was accepted")
    } catch let failure as DiagnosisFailure {
      #expect(failure.kind == .cannotCreate && failure.description.contains("'\(path)'"))
    }
  }

  @Test func `a device is written in place`() throws {
    let outcome = try Self.perform(json: .file("/dev/null")) { _ in Self.report }
    #expect(outcome.status == .done)
    #if os(Linux)
      #expect(throws: DiagnosisFailure.self) {
        try Self.perform(json: .file("/dev/full")) { _ in Self.report }
      }
    #endif
  }

  @Test func `an interrupted run prints what was measured`() throws {
    let outcome = try Self.perform(json: .standardOutput, isCancelled: true) { context in
      #expect(context.isCancelled())
      return Self.report
    }
    #expect(outcome.status == .interrupted && outcome.printed.contains("eigenstep.diagnosis/1"))
    do {
      _ = try Self.perform(isCancelled: true) { _ in throw CancellationError() }
      Issue.record("nothing was thrown")
    } catch let failure as DiagnosisFailure {
      #expect(failure.kind == .interrupted && ProgramExit(failure.kind).rawValue == 130)
    }
  }

  @Test func `failures keep their exit codes`() {
    let codes: [(DiagnosisFailure.Kind, Int32)] = [
      (.usage, 64), (.badData, 65), (.noInput, 66), (.unavailable, 69), (.software, 70),
      (.cannotCreate, 73), (.interrupted, 130),
    ]
    for (kind, code) in codes {
      #expect(ProgramExit(of: DiagnosisFailure(kind, "")).rawValue == code)
    }
    #expect(ProgramExit(of: CancellationError()) == .interrupted)
    #expect(ProgramExit(of: CocoaError(.fileReadUnknown)) == .software)
  }
}
