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
    try answer { context, showEarly in
      var shown: DiagnosisReport.Stage?
      let report = try Problems.diagnose(request, context: context, profiled: writeProfile) {
        report in
        // Before the sharpness is known, the input may yet be refused, with nothing printed.
        guard let stage = report.stage, stage > .start else { return }
        showEarly { report.terminalText($0, after: shown, upTo: stage) }
        shown = stage
      }
      return Answer(json: { try report.json() }) { [shown] in
        report.terminalText(
          $0, after: json.map(JSONDestination.init) == .standardOutput ? nil : shown)
      }
    }
  }

  func spectrum(_ request: SpectrumRequest) throws -> ProgramExit {
    try answer { context, _ in
      let result = try measureSpectrum(request, context: context, profiled: writeProfile)
      return Answer(json: { try result.report.json() }, text: result.report.terminalText) {
        guard let diagonal, let entries = result.diagonal else { return }
        try NumpyArray.write(Tensor(entries, type: .float64(entries.count)), to: diagonal)
      }
    }
  }

  func sweep(_ request: SweepRequest) throws -> ProgramExit {
    try answer { context, _ in
      let report = try measureSweep(request, context: context, profiled: writeProfile)
      return Answer(json: { try report.json() }, text: report.terminalText)
    }
  }

  /// Measures with progress and interrupts as on a terminal, and prints.
  ///
  /// - Parameter measure: is handed what prints a part of the text before the rest is known.
  func answer(
    _ measure: (RunContext, (_ early: (TerminalStyle) -> String) -> Void) throws -> Answer
  ) throws -> ProgramExit {
    let interruption = Interruption()
    let line = ProgressLine()
    defer { line.clear() }
    let session = AnswerSession(
      json: json.map(JSONDestination.init), style: StandardOutput.style,
      context: RunContext(
        progress: { line.show($0) }, isCancelled: { interruption.isRaised }),
      finished: { line.clear() }, print: StandardOutput.write,
      printEarly: StandardOutput.writeEarly)
    return try session.perform { context in try measure(context, session.showEarly) }
  }

  func writeProfile(_ times: ExecutionProfile) {
    guard let profile else { return }
    LateFailures.noting {
      try JSONDestination.file(profile).write(OrderedJSON.string(times) + "\n")
    }
  }
}
