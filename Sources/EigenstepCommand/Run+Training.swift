import Diagnosis
import Foundation
import Logging
import Presentation
import Problems
import Reports
import TensorPrograms
import Training

extension Run {
  /// - Parameter isVerbose: whether what is logged is told on standard error.
  func train(_ request: TrainingRequest, isVerbose: Bool = false) throws -> ProgramExit {
    try answer { context, _ in
      let progress = TrainingProgress(context)
      let result = try Problems.train(
        request, context: context,
        logger: isVerbose ? Logger(label: "eigenstep") { _ in StandardErrorLog() } : nil,
        profiled: writeProfile, event: progress.show)
      let report = result.report
      return Answer(
        json: { try report.json() }, text: report.terminalText,
        exit: [.nonFinite, .alarm, .worse].contains(report.ending.reason) ? .checkFailed : .done)
    }
  }
}

/// What is logged, a line each on standard error.
struct StandardErrorLog: LogHandler {
  var logLevel = Logger.Level.info
  var metadata: Logger.Metadata = [:]

  subscript(metadataKey key: String) -> Logger.Metadata.Value? {
    get { metadata[key] }
    set { metadata[key] = newValue }
  }

  func log(event: LogEvent) {
    StandardError.write("eigenstep: \(Printable.line("\(event.message)"))\n")
  }
}

/// The line of progress of a training run: pass, loss, rate, sharpness, and how long it will go on.
final class TrainingProgress {
  private let context: RunContext
  private let start = ContinuousClock.now
  private var shown = ContinuousClock.now - .seconds(1)
  private var stepCount: Int?
  private var firstStep: Int?
  private var sharpness: TrackedValue?

  init(_ context: RunContext) { self.context = context }

  func show(_ event: TrainingEvent) {
    switch event {
    case .started(_, let count, _): stepCount = count
    case .tracked(let record):
      sharpness = record.values.first { $0.name == "sharpness" && $0.part == nil } ?? sharpness
    case .step(let record): show(record)
    case .noted, .alarm, .evaluated, .kept, .ended: break
    }
  }

  private func show(_ record: StepRecord) {
    if firstStep == nil { firstStep = record.step }
    let now = ContinuousClock.now
    guard shown.duration(to: now) > .milliseconds(100) else { return }
    shown = now
    var words =
      "training: pass \(record.pass + 1), step \(Wording.count(record.step + 1)), loss "
      + "\(Wording.number(record.loss)), rate \(Wording.number(record.rate))"
    if let sharpness { words += ", sharpness \(Wording.number(sharpness.value))" }
    guard let stepCount, let firstStep else {
      context.report(words)
      return
    }
    let taken = record.step + 1 - firstStep
    if taken > 10 {
      let passed = start.duration(to: now)
      let seconds =
        Double(passed.components.seconds) + Double(passed.components.attoseconds) * 1e-18
      let left = seconds / Double(taken) * Double(stepCount - record.step - 1)
      words += ", \(Self.time(left)) left,"
    }
    context.report(words, fraction: Double(record.step + 1) / Double(stepCount))
  }

  private static func time(_ seconds: Double) -> String {
    switch seconds {
    case ..<100: "\(Int(seconds.rounded())) s"
    case ..<6000: "\(Int((seconds / 60).rounded())) min"
    default: "\(Int((seconds / 3600).rounded())) h"
    }
  }
}
