import Curvature
import LinearMaps
import Presentation

/// The run of a `HybridPlan`: the optimizer, until the criterion says so; then the method, from the best point
/// that was seen; in float64 from where float32 ends it.
///
/// What it measures and decides is in the notes of its steps. After a step that is not finite the method begins
/// anew at the best point with an empty history and a shorter first step.
public final class HybridRun<Scalar: LinearMapScalar>: TrainingSteps {
  /// Which of the three goes.
  enum Phase: Int { case first, then, double }

  public let plan: HybridPlan
  public let loss: any Loss<Scalar>
  /// The learning rate of the optimizer; the method finds the length of its steps by itself.
  public var rate: Double
  public var stepCount: Int { counts.first + counts.then }

  // What the state is made of is `internal` for the file that writes it.
  var phase = Phase.first
  let firstRun: TrainingRun<Scalar>
  public var optimizerRun: TrainingRun<Scalar>? { phase == .first ? firstRun : nil }
  var method: (any TrainingSteps<Scalar>)?
  var double: (any TrainingSteps<Double>)?
  let makeDouble: (() throws -> any Loss<Double>)?
  /// Whether the optimizer's gradients are those of all samples.
  private let isExact: Bool
  private let groups: DrawnGroupGradients<Scalar>?
  var watch: SwitchWatch
  /// The lowest loss that was seen in the checks or by the method, the point and the steps before it.
  var best: (loss: Double, point: [Scalar], step: Int)?
  /// Steps of the optimizer and of the method.
  var counts = (first: 0, then: 0)
  var resets = 0
  private var ending: StepEnding?

  /// A run from a starting point.
  ///
  /// - Parameters:
  ///   - source: of the optimizer's gradients; not a closure.
  ///   - double: the loss in float64, made when it is needed; by default the same program on the same
  ///     samples.
  /// - Throws: `HybridError` for a factor of the rate of 0, which holds a parameter still, where the method would
  ///   move it; `TrainingError` where the loss has not what the source asks for; what tracing and compiling
  ///   throw.
  public convenience init(
    _ plan: HybridPlan, _ loss: any Loss<Scalar>, rate: Double, from start: [Scalar],
    gradients source: GradientSource<Scalar> = .allSamples, rules: StepRules = StepRules(),
    double: (() throws -> any Loss<Double>)? = nil
  ) throws {
    try self.init(
      plan, loss,
      TrainingRun(loss, plan.first, rate: rate, from: start, gradients: source, rules: rules),
      double)
  }

  init(
    _ plan: HybridPlan, _ loss: any Loss<Scalar>, _ run: TrainingRun<Scalar>,
    _ double: (() throws -> any Loss<Double>)?
  ) throws {
    if let factors = run.rules.flatRateFactors(loss.parameters), factors.contains(0) {
      throw HybridError(
        fault:
          "a factor of 0 of the rate holds parameters still, and \(plan.then.name) would move them")
    }
    self.plan = plan
    self.loss = loss
    firstRun = run
    rate = run.rate
    counts.first = run.stepCount
    watch = SwitchWatch(plan.criterion)
    if case .batches(let batches) = run.source {
      isExact = false
      groups = try DrawnGroupGradients(
        loss, groups: plan.criterion.groups, batchSize: batches.size, seed: plan.seed)
    } else {
      isExact = true
      groups = nil
    }
    let canDouble = plan.usesDouble && Scalar.precisionName == "float32"
    makeDouble =
      canDouble ? double ?? loss.objective.map { objective in { try objective.inDouble() } } : nil
  }

  public var parameters: [Scalar] {
    switch phase {
    case .first: firstRun.parameters
    case .then: method!.parameters
    case .double: double!.parameters.map { Scalar($0) }
    }
  }

  /// Whether the method has taken over.
  public var hasChanged: Bool { phase != .first }

  /// The parameters before they are rounded to the run's own precision, once float64 has taken over; nil
  /// before.
  public var doubleParameters: [Double]? { double?.parameters }

  // MARK: Steps

  @discardableResult
  public func step() throws -> StepReport {
    var notes: [StepNote] = []
    var extra = 0
    if phase == .first, watch.isDue(counts.first) {
      try check(&notes)
      extra = 1
    }
    var report = try phase == .first ? firstStep() : methodStep(&notes)
    // A check takes at most one pass over the samples, a loss less than that.
    report.gradients += extra
    report.notes = notes
    return report
  }

  private func firstStep() throws -> StepReport {
    firstRun.rate = rate
    let report = try firstRun.step()
    counts.first += 1
    return report
  }

  /// Looks at the criterion, and changes the method where it says so.
  private func check(_ notes: inout [StepNote]) throws {
    let point = firstRun.parameters
    let noise: NoiseReading
    let value: Double
    if let groups {
      let found = try groups.check(counts.first, at: point)
      noise = .measured(GradientSignal(found.gradients, share: groups.drawn.share))
      value = found.loss
    } else {
      noise = isExact ? .none : .unknown
      value = try loss.value(at: point)
    }
    if value < best?.loss ?? .infinity { best = (value, point, counts.first) }
    let check = watch.check(step: counts.first, noise: noise, loss: value)
    notes.append(check.note)
    guard check.decision != .wait else { return }
    let start = best ?? (value, point, counts.first)
    let from =
      start.step == counts.first
      ? "there"
      : start.step == 0
        ? "the start, the best point of the checks"
        : "where it was after \(Wording.count(start.step, "step")), the best point of the checks"
    notes.append(
      StepNote(
        .change, step: counts.first,
        "\(capital(plan.then.phrase)) takes over from \(plan.first.name) after "
          + "\(Wording.count(counts.first, "step")), on all samples, from \(from), with a loss of "
          + "\(Wording.number(start.loss)).\(left ?? "")", ["loss": start.loss, "lossThere": value])
    )
    method = try plan.then.start(loss, from: start.point)
    best = nil
    phase = .then
  }

  /// What was part of the optimizer's steps and is of no method's, as a sentence; nil for nothing.
  private var left: String? {
    let rules = firstRun.rules
    let decay = rules.decays(plan.first, loss.parameters).max() ?? 0
    var parts: [String] = []
    if decay > 0 { parts.append("the weight decay of \(Wording.number(decay))") }
    if rules.clipValue != nil || rules.clipNorm != nil { parts.append("the clipping of gradients") }
    if rules.rateFactors != nil { parts.append("the factors of the rate") }
    guard !parts.isEmpty else { return nil }
    let isOne = parts.count == 1 && rules.rateFactors == nil
    return
      " From here on without \(Wording.list(parts)), which \(isOne ? "is" : "are") part of the "
      + "optimizer's steps: what is lowered now is the loss alone"
      + (decay > 0
        ? ", whose minimum is another point than the decay would hold the weights at; a penalty in the loss "
          + "would be part of both." : ".")
  }

  private func methodStep(_ notes: inout [StepNote]) throws -> StepReport {
    let before = parameters
    var report: StepReport
    if phase == .double {
      double!.rate = restartRate
      report = try double!.step()
    } else {
      method!.rate = restartRate
      report = try method!.step()
    }
    if report.loss < best?.loss ?? .infinity { best = (report.loss, before, stepCount) }
    if ending == nil { counts.then += 1 }
    if let reason = report.ending {
      report.ending = try goOn(after: reason, &notes)
      ending = report.ending
    }
    return report
  }

  /// The first trial of a step after so many resets.
  var restartRate: Double {
    var rate = 1.0
    for _ in 0..<resets { rate /= 10 }
    return rate
  }

  /// What follows where the method ends: nil where it goes on after all.
  private func goOn(after end: StepEnding, _ notes: inout [StepNote]) throws -> StepEnding? {
    switch end.reason {
    case .rounding, .stalled, .nonFinite:
      if phase == .then, makeDouble != nil, try toDouble(after: end, &notes) { return nil }
      guard end.reason == .nonFinite, resets < plan.resets, let best, best.loss.isFinite else {
        guard phase == .then, Scalar.precisionName == "float32", makeDouble == nil else {
          return end
        }
        return StepEnding(
          end.reason,
          end.sentence + " In float32 rounding may be the cause: let it go on in float64.")
      }
      resets += 1
      notes.append(
        StepNote(
          .reset, step: stepCount,
          "\(end.sentence) \(capital(plan.then.phrase)) begins anew from the best point, whose loss is "
            + "\(Wording.number(best.loss)), without its history and with a first step of "
            + "\(Wording.number(restartRate)) times the usual one (\(resets) of \(plan.resets) times).",
          ["loss": best.loss, "resets": Double(resets)]))
      if phase == .double {
        double = try plan.then.start(double!.loss, from: double!.parameters)
      } else {
        method = try plan.then.start(loss, from: best.point)
      }
      return nil
    case .converged, .unbounded: return end
    }
  }

  /// Goes on in float64 from where float32 ended; false where the loss cannot be had in float64.
  private func toDouble(after end: StepEnding, _ notes: inout [StepNote]) throws -> Bool {
    let point = method!.parameters
    let exact = point.map { Double($0) }
    let double: any Loss<Double>
    do { double = try makeDouble!() } catch is CancellationError {
      throw CancellationError()
    } catch {
      notes.append(
        StepNote(
          .precision, step: stepCount,
          "\(end.sentence) It cannot go on in float64, which this loss does not have: \(error)"))
      return false
    }
    let rounding = try RoundingNoise(loss, double, at: point)
    notes.append(
      StepNote(
        .precision, step: stepCount,
        "\(capital(plan.then.phrase)) finds no lower loss in float32 at step \(Wording.count(stepCount)): there "
          + "rounding alone moves the loss of \(Wording.number(rounding.loss)) by about "
          + "\(Wording.number(rounding.lossNoise)), and the gradient by "
          + "\(Wording.number(100 * rounding.gradientShare)) % of its length. It goes on from this point in "
          + "float64, where the largest entry of the gradient is "
          + "\(Wording.number(rounding.largestEntry)).",
        [
          "loss": rounding.loss, "lossNoise": rounding.lossNoise,
          "gradientError": rounding.gradientShare, "largestEntry": rounding.largestEntry,
        ]))
    self.double = try plan.then.start(double, from: exact)
    best = nil
    phase = .double
    return true
  }
}

/// The text as a sentence begins with it.
private func capital(_ text: String) -> String { text.prefix(1).uppercased() + text.dropFirst() }
