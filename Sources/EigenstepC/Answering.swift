import CEigenstep
import Diagnosis
import Foundation
import Problems
import Reports
import Synchronization
import TensorFiles
import TensorPrograms

/// A request as JSON, answered.
func answer(
  _ request: String, _ arrays: CallerArrays, loss: eigenstep_loss?, watch: eigenstep_watch?
) throws -> Answered {
  let context = RunContext(watch)
  if let lab = try LabRequest(request) { return try lab.answer(context) }
  let stored = try StoredRequest(json: Data(request.utf8), name: "the request")
  let state = arrays.files["optimizer"]?.tensors.mapValues(\.doubles) ?? [:]
  let problem = try loss.map { try CallbackLoss($0).problem(state: state) }
  return try HeldFile.with(arrays.files) {
    try ReportLanguage.current.used {
      try answer(stored, problem, context)
    }
  }
}

private func answer(
  _ stored: StoredRequest, _ problem: DiagnosisProblem?, _ context: RunContext
) throws -> Answered {
  switch stored {
  case .diagnosis(let request):
    let report =
      try problem.map { try diagnose($0, request: request, context: context) }
      ?? diagnose(request, context: context)
    return Answered(
      status: context.isCancelled() ? Int32(EIGENSTEP_INTERRUPTED) : 0,
      json: try report.json(), text: { report.terminalText($0) })
  case .spectrum(let request):
    let result =
      try problem.map { try measureSpectrum(of: $0, request: request, context: context) }
      ?? measureSpectrum(request, context: context)
    var arrays: [String: [Double]] = [:]
    arrays["diagonal"] = result.diagonal
    return Answered(
      json: try result.report.json(), text: { result.report.terminalText($0) }, arrays: arrays)
  case .training(let request):
    let result =
      try problem.map { try train($0, request: request, context: context) }
      ?? train(request, context: context)
    let isLost = [.nonFinite, .alarm, .worse].contains(result.report.ending.reason)
    var (arrays, shapes): ([String: [Double]], [String: [Int]]) = ([:], [:])
    for (group, named) in [("parameters/", result.parameters), ("given/", result.ofGivenColumns)] {
      for parameter in named {
        arrays[group + parameter.name] = parameter.values
        shapes[group + parameter.name] = parameter.shape
      }
    }
    return Answered(
      status: isLost ? Int32(EIGENSTEP_LOST) : 0, json: try result.report.json(),
      text: { result.report.terminalText($0) }, arrays: arrays, shapes: shapes)
  case .sweep(let request):
    let report =
      try problem.map { try measureSweep(of: $0, request: request, context: context) }
      ?? measureSweep(request, context: context)
    return Answered(json: try report.json(), text: { report.terminalText($0) })
  }
}

/// The language that a caller has chosen for what reports name to do next.
enum ReportLanguage {
  private static let chosen = Mutex(CommandLanguage.shell)

  static var current: CommandLanguage { chosen.withLock { $0 } }

  static func set(_ language: CommandLanguage) { chosen.withLock { $0 = language } }
}

extension RunContext {
  /// A caller's callbacks; they come from the threads that the work runs on.
  init(_ watch: eigenstep_watch?) {
    guard let watch else {
      self.init()
      return
    }
    let caller = Caller(watch: watch)
    self.init(progress: caller.show, isCancelled: caller.isCancelled)
  }

  private struct Caller: @unchecked Sendable {
    let watch: eigenstep_watch

    func show(_ progress: RunProgress) {
      watch.progress?(watch.context, progress.stage, progress.fraction ?? -1)
    }

    func isCancelled() -> Bool { watch.is_cancelled.map { $0(watch.context) != 0 } ?? false }
  }
}
