import Foundation
import Presentation
import Training

/// A sweep in sentences, each true of the runs beside it.
struct SweepWords {
  let optimizer: any Optimizer
  let schedule: any Schedule
  let request: SweepRequest
  /// In the mean over the seeds.
  let startLoss: Double
  /// That it was interrupted, and what of it there is.
  var interruption: String?
  /// Why there is no limit.
  var absence: StepLimit.Absence?
  /// Why `--lr auto` chooses no rate.
  var refusal: String?

  func sentences(_ report: SweepReport) -> [String] {
    var sentences = [report.best?.sentence ?? noBest(report)]
    if let interruption { sentences.append(interruption) }
    if let end = atTheEnd(report) { sentences.append(end) }
    sentences.append(boundary(report))
    if let heldOut = heldOut(report) { sentences.append(heldOut) }
    sentences += report.limits.map(words)
    if report.limits.isEmpty, interruption == nil, let absence {
      sentences.append(absence.sentence(optimizer))
    }
    if let test = report.rangeTest { sentences.append(words(test, report)) }
    if let auto = report.auto {
      sentences.append("By itself, as --lr auto chooses: \(auto.sentence)")
    } else if let refusal {
      sentences.append("No rate is chosen by --lr auto: \(refusal)")
    }
    return sentences
  }

  private func noBest(_ report: SweepReport) -> String {
    if report.rates.allSatisfy(\.isDiverged) {
      let rest = "Every rate that was tried diverged; "
      guard let limit = report.limits.first(where: { $0.place == .start })?.rate,
        limit < report.rates[0].rate
      else { return rest + "widen --lr to smaller ones." }
      return rest
        + "the limit by the curvature at the start is \(Wording.number(limit)), so try --lr "
        + "\(argument(limit / 1000)):\(argument(limit)):16. `eigenstep diagnose` says what makes it so small."
    }
    let least = report.rates.filter { $0.mean != nil }.min { $0.mean! < $1.mean! }
    return
      "No rate that was tried brought the loss down from \(Wording.number(startLoss, digits: 4))"
      + (least.map {
        ": the least at the end is \(Wording.number($0.mean!, digits: 4)), at \(Wording.number($0.rate))"
      } ?? "") + "; look at the start, or widen --lr to smaller ones."
  }

  /// A number as an option takes it.
  private func argument(_ value: Double) -> String {
    Wording.number(value).replacingOccurrences(of: ",", with: "")
  }

  /// That the best lies at an end of the range, or close below where runs diverge.
  private func atTheEnd(_ report: SweepReport) -> String? {
    guard let best = report.best, report.rates.count > 1, interruption == nil else { return nil }
    let spacing = exp(log(report.rates[1].rate) - log(report.rates[0].rate))
    let isTied = best.tied != nil
    if best.rate == report.rates.last!.rate, !isTied {
      if let limit = report.limits.map(\.rate).min(), limit < best.rate * spacing {
        return "The best is the largest rate that was tried; the curvature puts the limit at "
          + "\(Wording.number(limit)), so there is no room above it."
      }
      return
        "The best is the largest rate that was tried, so a larger one may be better; widen --lr."
    }
    if best.rate == report.rates[0].rate, !isTied {
      return
        "The best is the smallest rate that was tried, so a smaller one may be better; widen --lr."
    }
    if let diverged = report.boundary.diverged, report.boundary.stable == best.rate,
      diverged <= 2 * best.rate
    {
      return
        "The next rate that was tried, \(Wording.number(diverged)), diverged: the best is close to the "
        + "edge, and half of it is safer."
    }
    return nil
  }

  private func boundary(_ report: SweepReport) -> String {
    let above = report.rates.filter { $0.isAboveStart && !$0.isDiverged }
    let rest =
      above.isEmpty
      ? ""
      : " \(above.count == 1 ? "One rate" : "\(Wording.count(above.count)) rates") ended above the start "
        + "without diverging."
    switch (report.boundary.stable, report.boundary.diverged) {
    case (let stable?, let diverged?):
      return "The smallest rate at which a run diverged is \(Wording.number(diverged)); at "
        + "\(Wording.number(stable)) and below none did.\(rest)"
    case (nil, let diverged?):
      return "Runs diverged from the smallest rate on, \(Wording.number(diverged)).\(rest)"
    case (_, nil): return "No run diverged.\(rest)"
    }
  }

  private func heldOut(_ report: SweepReport) -> String? {
    let known = report.rates.filter { $0.heldOut != nil && !$0.isDiverged }
    guard let least = known.min(by: { $0.heldOut! < $1.heldOut! }) else { return nil }
    return "The held-out loss is lowest at \(Wording.number(least.rate)), "
      + "\(Wording.number(least.heldOut!, digits: 4)), after the last step of each run."
  }

  private func words(_ limit: SweepReport.Limit) -> String {
    let setting = [
      schedule.name == "constant" && request.warmUp == nil
        ? nil : "the schedule \(schedule.phrase)",
      request.batch.map { "batches of \(Wording.count($0))" },
      request.rules.clipNorm == nil ? nil : "gradients held by --clip-norm",
    ].compactMap { $0 }
    return
      "The curvature \(limit.place == .start ? "at the start" : "where the best run ended") predicts a limit "
      + "of \(Wording.number(limit.rate)): the largest eigenvalue of the "
      + "\(limit.isPreconditioned ? "preconditioned " : "")Hessian is "
      + "\(Wording.number(limit.sharpness)) there. It is that of \(optimizer.phrase) at a constant rate on "
      + "all samples\(setting.isEmpty ? "" : ", and these runs had \(Wording.list(setting))")."
  }

  /// The range test's suggestion beside what the sweep saw there.
  private func words(_ test: RangeTest, _ report: SweepReport) -> String {
    guard let suggestion = test.suggestion else {
      return "The range test suggests no rate: its smoothed loss never fell."
    }
    let text =
      "The range test suggests \(Wording.number(suggestion)), where its smoothed loss fell steepest"
    if let diverged = report.boundary.diverged, suggestion >= diverged {
      return text + "; yet in the sweep runs diverged from \(Wording.number(diverged)) on."
    }
    let nearest = report.rates.min {
      abs(log($0.rate) - log(suggestion)) < abs(log($1.rate) - log(suggestion))
    }!
    let end = nearest.mean.map { "at \(Wording.number($0, digits: 4))" } ?? "not finite"
    return text + "; in the sweep the nearest rate, \(Wording.number(nearest.rate)), ended \(end)"
      + (nearest.isAboveStart && nearest.mean != nil ? ", above its start." : ".")
  }
}
