import Diagnosis
import Foundation
import OnnxBackend
import Presentation
import Problems
import Reports
import TensorFiles
import TensorPrograms

/// A request carried out, with the outputs that were asked for.
struct Run {
  var json: String?
  var profile: String?
  var diagonal: String?

  func diagnose(_ request: DiagnosisRequest) throws -> ProgramExit {
    try answer { context in
      let report = try Problems.diagnose(request, context: context, profiled: writeProfile)
      return Answer(json: { try report.json() }, text: report.terminalText)
    }
  }

  func spectrum(_ request: SpectrumRequest) throws -> ProgramExit {
    try answer { context in
      let result = try measureSpectrum(request, context: context, profiled: writeProfile)
      return Answer(json: { try result.report.json() }, text: result.report.terminalText) {
        guard let diagonal, let entries = result.diagonal else { return }
        try NumpyArray.write(Tensor(entries, type: .float64(entries.count)), to: diagonal)
      }
    }
  }

  /// Measures with progress and interrupts as on a terminal, and prints.
  func answer(_ measure: @escaping (RunContext) throws -> Answer) throws -> ProgramExit {
    let interruption = Interruption()
    let line = ProgressLine()
    defer { line.clear() }
    return try AnswerSession(
      json: json.map(JSONDestination.init), style: StandardOutput.style,
      context: RunContext(
        progress: { line.show($0) }, isCancelled: { interruption.isRaised }),
      finished: { line.clear() }, print: StandardOutput.write
    ).perform(measure)
  }

  private func writeProfile(_ times: ExecutionProfile) {
    guard let profile else { return }
    LateFailures.noting {
      try JSONDestination.file(profile).write(OrderedJSON.string(times) + "\n")
    }
  }
}
