import Curvature
import Foundation
import LinearMaps
import Presentation
import Training

/// What to do next, by what became of the run.
extension TrainingSession {
  func advice(
    _ ending: TrainingEnding, _ trainer: Trainer<Scalar>, _ before: DataReading,
    _ after: DataReading, _ heldOut: TrainingReport.HeldOut?, _ result: TrainingReport.Result
  ) -> [String] {
    let progress = Progress(trainer.history.evaluations, before: before.loss, after: after.loss)
    let hasEnded = ending.reason == .finished || ending.reason == .earlyStop
    let isLong = hasEnded && trainer.run.stepCount >= Self.leastSteps
    let constant = isLong ? data.training.lossAtBestConstant : nil
    var next: [String] = []
    var isStuck = false
    switch ending.reason {
    case .nonFinite:
      next.append(
        "Lower --lr, or hold the gradient with --clip-norm; \(diagnosis) says where the limit is at the "
          + "start.")
      if let folder = request.files.checkpoints {
        next.append(
          "The checkpoints in '\(Printable.line(folder))' are from before; no parameters were saved."
        )
      }
    case .interrupted:
      next.append(
        request.files.checkpoints == nil
          ? "Nothing was kept to go on from; --checkpoint FOLDER keeps it."
          : "Add --resume to go on.")
    case .worse:
      next.append(
        "Lower --lr, or let --lr auto choose it; \(diagnosis) says where the limit is at the start."
      )
    case .alarm:
      next.append("Lower --lr, or let --guard lower-rate do it.")
    case .method:
      if let words = float64Words(ending) { next.append(words) }
    case .earlyStop, .finished: break
    }
    if let then = request.then, ending.reason == .finished,
      (trainer.run as? HybridRun<Scalar>)?.hasChanged == false
    {
      next.append(
        "\(then.name) has not taken over, since its criterion never held; --switch with patience or progress "
          + "makes it hold sooner, and --switch \(SwitchCatalogue.standard):latest="
          + "\(max(1, stepCount / 2)) makes the change at that step whatever it says.")
    }
    if request.guarding == .lowerRate, ending.reason == .finished, !trainer.endsBack, rate > 0,
      parts.schedule.measurement == nil, trainer.rateFactor < 1
    {
      next.append(
        "The guard lowered the rate, in the end from \(Wording.number(rate)) to "
          + "\(Wording.number(trainer.rateFactor * rate)): begin with that, or see "
          + "what the limit comes from with \(diagnosis).")
    }
    if let best = bestPoint(ending, trainer, heldOut, result) {
      next.append(best)
    } else if ending.reason == .finished, let progress, progress.isStillFalling {
      isStuck = true
      next.append(
        "The loss still fell when the steps were over, from "
          + "\(Wording.number(progress.late, digits: 4)) after step \(Wording.count(progress.lateStep)) to "
          + "\(Wording.number(progress.last, digits: 4)): take more steps, or see "
          + "what slows it down with \(diagnosis).")
    }
    if !isStuck, let constant, let loss = after.loss, loss >= 0.999 * constant {
      isStuck = true
      next.append(
        "The loss, \(Wording.number(loss, digits: 4)), is no better than the "
          + "\(Wording.number(constant, digits: 4)) of the best constant answer: nothing is learned of the inputs. "
          + (request.rate == .automatic || factorWords != nil || parts.schedule.measurement != nil
            ? "See why with \(diagnosis)."
            : "Let --lr auto choose the rate, or see why with \(diagnosis)."))
    }
    if let factor = factorWords, isStuck || ending.reason == .worse { next.append(factor) }
    let isLost = [.nonFinite, .worse, .alarm].contains(ending.reason)
    if isStuck || isLost || trainer.history.alarmCount > 0 || request.rate == .automatic,
      let words = sizesWords
    {
      next.append(words)
    }
    return next
  }

  /// What a method goes on by that float32 has ended; nil where it has not, or has gone on in float64 already.
  private func float64Words(_ ending: TrainingEnding) -> String? {
    guard Scalar.precisionName == "float32", request.then == nil,
      case .method(let setting) = request.optimizer,
      [.rounding, .stalled, .nonFinite].contains(ending.method)
    else { return nil }
    return
      "In float64 \(setting.name) has digits left to go on by: add --precision float64; or begin with an "
      + "optimizer and --then \(setting.name), which goes on in float64 by itself."
  }

  /// Steps from which on a run is long enough to have learned something.
  static var leastSteps: Int { 30 }

  /// The command that diagnoses the same loss with the same optimizer.
  private var diagnosis: String {
    var optimizer: OptimizerSetting?
    if case .optimizer(let setting) = request.optimizer { optimizer = setting }
    guard
      let command = request.problem.diagnoseCommand(
        optimizer, rate: optimizer == nil || rate == 0 ? nil : rate, batch: batches?.size)
    else { return "a diagnosis" }
    return "`\(command)`"
  }

  /// Where the held-out loss was lowest, if that is not the end.
  private func bestPoint(
    _ ending: TrainingEnding, _ trainer: Trainer<Scalar>, _ heldOut: TrainingReport.HeldOut?,
    _ result: TrainingReport.Result
  ) -> String? {
    if result == .best, let stopping = trainer.stopping, let best = stopping.best {
      return
        "The parameters are those of step \(Wording.count(stopping.bestStep)), where the held-out loss was "
        + "lowest, \(Wording.number(best))."
    }
    guard let heldOut, let lowest = heldOut.lowest, let step = heldOut.lowestStep,
      let last = heldOut.after.loss, last > lowest + 0.02 * abs(lowest),
      step < trainer.run.stepCount, ending.reason == .finished
    else { return nil }
    return
      "The held-out loss was lowest after step \(Wording.count(step)), \(Wording.number(lowest)), and is "
      + "\(Wording.number(last)) now; --patience stops there."
  }

  /// That a rate is a factor of steps whose length the optimizer finds.
  private var factorWords: String? {
    guard case .optimizer(let setting) = request.optimizer, setting.make().findsItsRate,
      rate < 0.5 || rate > 2
    else { return nil }
    return "\(setting.make().phrase) finds the length of its steps by itself, and --lr "
      + "\(Wording.number(rate)) is a factor of that: 1 is meant."
  }

  /// That columns differ in size by a hundred times or more.
  private var sizesWords: String? {
    guard let table = data.training.table, table.scaling == nil else { return nil }
    let scaling = FeatureScaling(table)
    let sizes = scaling.sizes.indices.filter { scaling.sizes[$0] > 0 }
    guard let largest = sizes.max(by: { scaling.sizes[$0] < scaling.sizes[$1] }),
      let smallest = sizes.min(by: { scaling.sizes[$0] < scaling.sizes[$1] })
    else { return nil }
    func words(_ column: Int) -> String {
      "`\(Printable.line(table.featureNames[column]))` (about \(Wording.number(scaling.sizes[column])))"
    }
    let ratio = scaling.sizes[largest] / scaling.sizes[smallest]
    let compared =
      ratio >= 100
      ? "The columns differ in size, \(words(largest)) and \(words(smallest))"
      : scaling.sizes[largest] >= 100 || scaling.sizes[largest] <= 0.01
        ? "The columns are far from 1 in size, such as \(words(largest))" : nil
    return compared.map {
      "\($0): add --standardise, which evens them out, and another rate suits them then."
    }
  }
}

/// How the loss over all samples went.
private struct Progress {
  /// After about three quarters of the steps, and at the end.
  let late: Double
  let lateStep: Int
  let last: Double
  private let first: Double

  /// Nil for a run of few steps, and where a loss is not known.
  init?(_ evaluations: [TrainingEvaluation], before: Double?, after: Double?) {
    guard let first = before, let last = after, let steps = evaluations.last?.step, steps >= 10,
      let middle = evaluations.min(by: {
        abs(Double($0.step) - 0.75 * Double(steps)) < abs(Double($1.step) - 0.75 * Double(steps))
      }), middle.step > 0, middle.step < steps, let late = middle.training.loss
    else { return nil }
    (self.first, self.late, lateStep, self.last) = (first, late, middle.step, last)
  }

  /// Whether the last quarter brought more than a twentieth of all that was gained, and something that counts.
  var isStillFalling: Bool {
    late - last > 0.05 * (first - last) && first > last && late - last > 1e-3 * abs(last)
  }
}
