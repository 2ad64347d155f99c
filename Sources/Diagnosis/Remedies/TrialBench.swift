import Curvature
import LinearMaps
import TensorPrograms
import Training

/// Runs optimizers and judges how near they come to the minimum.
struct TrialBench<Scalar: LinearMapScalar> {
  /// The loss at the start of the original problem.
  var startLoss: Double
  /// A minimum or infimum that something certifies; nil where there is none, and trials run to their
  /// budgets to be compared by the loss that each reaches for the same work.
  var referenceLoss: Double?
  let tolerance: Double
  /// Steps that a trial may take; nil for as many as its work budget allows, see `affordableSteps`.
  let maxIterations: Int?
  /// Operations of one gradient of the original problem.
  let gradientOperations: Double
  /// Operations that a trial may take without `maxIterations`, of a thorough diagnosis: a few seconds' worth.
  var allowance = 1.5e11
  /// The share of a thorough diagnosis's work that is spent, see `WorkBudget.thoroughness`.
  var thoroughness = 1.0
  /// Nil where every run goes on to its end.
  var contest: Contest?
  /// Halvings of a rate at which a run diverged that are tried.
  var halvings = 0
  /// Where it is set, optimizers run in these mini-batches, and everything gets the work of as many passes.
  var batches: BatchSetting?
  let context: RunContext

  /// A run that can swing has arrived once the gap has stayed at or below the tolerance for this share of
  /// the steps that it took to get there, and for `watchedSteps` at least.
  static var watchedShare: Double { 0.2 }
  static var watchedSteps: Int { 20 }

  /// The same for runs of so many steps that are judged by nothing but their losses.
  func short(_ steps: Int) -> TrialBench {
    TrialBench(
      startLoss: startLoss, referenceLoss: nil, tolerance: tolerance, maxIterations: steps,
      gradientOperations: gradientOperations, context: context)
  }

  /// The same for runs that only choose something for a later one: few steps beside those of that one.
  func probing(_ steps: Int) -> TrialBench {
    var bench = short(thoroughness < 1 ? min(steps, max(10, leastSteps / 8)) : steps)
    bench.batches = batches
    bench.batches?.passes = max(1, (batches?.passes ?? 0) / 10)
    bench.batches?.orders = 1
    return bench
  }

  /// Steps that a run which can swing is watched for after arriving at this one.
  static func watch(after arrival: Int) -> Int {
    max(watchedSteps, Int((watchedShare * Double(arrival)).rounded(.up)))
  }

  /// What theory knows of a run beforehand.
  struct Theory {
    /// The loss as its quadratic, whose gap at a point is free of the rounding of the loss.
    var modes: LeastSquaresModes?
    /// Whether the gap cannot rise from step to step.
    var isMonotone = false
    /// Whether the run comes back however far a transient throws it.
    var isStable = false
  }

  /// What a trial did.
  struct Outcome {
    /// The loss before each step.
    var losses: [Double]
    /// The first step since which the gap has been at or below the tolerance to the end, watched for long
    /// enough; nil without a reference.
    var arrival: Int?
    /// The gap at the arrival, or at the end, relative to that of the start.
    var relativeGap: Double?
    var isDiverged: Bool
    var wasCancelled: Bool
    /// Whether it was stopped since it could no longer win.
    var wasCut = false
    var operationsPerStep: Double
    var extraOperations: Double
    /// Steps that it could have taken.
    var limit: Int
    /// The rate that the trial itself chose, and the change in words with it.
    var chosenRate: Double?
    var change: String?
    /// Where it was at its arrival, where the loss is known as its quadratic.
    var arrivalPoint: [Double]?
    /// The rates at which it diverged before it came to this run at half of the last of them.
    var divergedRates: [Double] = []
    /// Where the last loss was taken; kept where it was asked for.
    var end: [Scalar]?
    /// The largest eigenvalue found there.
    var sharpnessAtEnd: Double?
    /// How it was trained, as a command takes it; nil where no command does.
    var course: TrainingCourse?
    /// Operations up to each loss, where steps differ in theirs.
    var workPath: [Double]?
    /// The gap at each loss, free of the rounding of the loss, where that is known.
    var exactGaps: [Double]?
    /// Steps that it took, where losses are not before each of them but at the start and the ends of passes.
    var stepsInBatches: Int?
    /// The rate of its last step, where a schedule moved it.
    var lastRate: Double?
    /// Of runs in batches, what each order of them ended at: the losses of the passes that it is judged by, and
    /// the gaps where they are known.
    var orders: [(losses: [Double], gaps: [Double]?)] = []

    /// Whether the loss ended below its start and was below it for the second half of the run.
    var isSettled: Bool {
      guard !isDiverged, let first = losses.first, let last = losses.last, last < first else {
        return arrival != nil
      }
      return arrival != nil || losses.suffix((losses.count + 1) / 2).allSatisfy { $0 < first }
    }

    /// A run may have passed its lowest point before its end.
    var lowestLoss: Double? { losses.lazy.filter(\.isFinite).min() }

    func operations(after steps: Int) -> Double {
      if let workPath, !workPath.isEmpty {
        return workPath[min(steps, workPath.count - 1)] + extraOperations
      }
      return Double(steps + 1) * operationsPerStep + extraOperations
    }

    /// The lowest loss of the steps that this much work pays for.
    func lowestLoss(within operations: Double) -> Double? {
      if let workPath {
        let count = max(1, workPath.count { $0 + extraOperations <= operations })
        return losses.prefix(count).lazy.filter(\.isFinite).min()
      }
      let steps = min(
        Double(losses.count),
        max(1, ((operations - extraOperations) / operationsPerStep).rounded()))
      return losses.prefix(Int(steps)).lazy.filter(\.isFinite).min()
    }
  }

  /// A gap relative to the start's, and how far off rounding may have put it.
  struct Gap {
    var value: Double
    var uncertainty: Double
  }

  /// Nil without a reference, where it is not below the start, or where the quotient overflows.
  func gap(_ loss: Double) -> Gap? {
    guard let referenceLoss, referenceLoss < startLoss, loss.isFinite else { return nil }
    let span = startLoss - referenceLoss
    let rounding = 8 * Double(Scalar.ulpOfOne) * max(abs(loss), abs(referenceLoss))
    let gap = Gap(value: (loss - referenceLoss) / span, uncertainty: rounding / span)
    return gap.value.isFinite && gap.uncertainty.isFinite ? gap : nil
  }

  /// Whether a point is certainly at or below the tolerance, by the exact gap where the losses alone
  /// leave it open.
  func isWithin(_ loss: Double, _ exactGap: () -> Double?) -> (Bool, gap: Double?) {
    guard let gap = gap(loss) else { return (false, nil) }
    guard gap.value - gap.uncertainty <= tolerance else { return (false, gap.value) }
    if let exact = exactGap() { return (exact <= tolerance, exact) }
    let bound = max(gap.value, 0) + gap.uncertainty
    return (
      bound <= tolerance || gap.uncertainty < 0.1 * tolerance && gap.value <= tolerance,
      bound > tolerance ? bound : max(gap.value, 0)
    )
  }

  /// Steps that a thorough trial of several seconds has time for, from 1,000 to 200,000, and others the share
  /// of them.
  ///
  /// Counted from operations and a price per equation for its dispatch, not from a clock, so that every
  /// run of the same command stops at the same step.
  func affordableSteps(operations: Double, equations: Int) -> Int {
    let steps = thoroughness * allowance / (operations + 3e4 * Double(equations))
    return min(Int(thoroughness * 200_000), max(leastSteps, Int(min(1e9, steps))))
  }

  /// Fewer steps than this show little, so that a large model's trials are not shortened in proportion.
  private var leastSteps: Int { Int(1000 * thoroughness.squareRoot()) }

  /// Runs an optimizer; where it diverges, at half the rate, as often as `halvings` and the work of one run
  /// allow. The first run that does not diverge counts, and where there is none, the first of all.
  func run(
    _ objective: any Loss<Scalar>, _ optimizer: any Optimizer, rate: Double, from start: [Scalar],
    theory: Theory = Theory(), extraOperations: Double = 0, keepsEnd: Bool = false,
    form: TrialForm = TrialForm()
  ) throws -> Outcome {
    let first = try runOnce(
      objective, optimizer, rate: rate, from: start, theory: theory,
      extraOperations: extraOperations, keepsEnd: keepsEnd, form)
    var diverged = [rate]
    var steps = first.losses.count
    while first.isDiverged, diverged.count <= halvings, steps <= first.limit,
      !context.isCancelled()
    {
      let next = diverged[diverged.count - 1] / 2
      var slower = try runOnce(
        objective, optimizer, rate: next, from: start, theory: theory,
        extraOperations: extraOperations, keepsEnd: keepsEnd, form)
      if !slower.isDiverged, !slower.wasCancelled {
        slower.chosenRate = next
        slower.divergedRates = diverged
        return slower
      }
      steps += slower.losses.count
      diverged.append(next)
    }
    var result = first
    if first.isDiverged { result.divergedRates = diverged }
    return result
  }

  /// Operations that plain descent on a loss may take here, about.
  func operations(of objective: any Loss<Scalar>) throws -> Double {
    let equations = try objective.objective?.gradientProgram(batch: 0).equations.count ?? 0
    let steps = affordableSteps(operations: gradientOperations, equations: equations)
    return Double(max(steps, maxIterations ?? 0)) * gradientOperations
  }

  private func runOnce(
    _ objective: any Loss<Scalar>, _ optimizer: any Optimizer, rate: Double, from start: [Scalar],
    theory: Theory, extraOperations: Double, keepsEnd: Bool, _ form: TrialForm
  ) throws -> Outcome {
    if let batches {
      return try run(
        in: batches, objective, optimizer, rate: rate, from: start, theory: theory,
        extraOperations: extraOperations, keepsEnd: keepsEnd, form)
    }
    let spent = objective.operations
    let run = try TrainingRun(objective, optimizer, rate: rate, from: start, rules: form.rules)
    var losses: [Double] = []
    var relativeGap: Double?
    // The first step since which the gap has been within the tolerance.
    var arrival: (step: Int, gap: Double?)?
    var arrivalPoint: [Double]?
    let limit =
      maxIterations
      ?? affordableSteps(
        operations: max(run.operationsPerStep, gradientOperations),
        equations: run.equationsPerStep)
    let course = TrainingCourse(optimizer, rate: rate, form, objective.parameters)
    var pace = form.schedule.map {
      TrialPace<Scalar>($0, rate: rate, stepCount: max(1, limit), seed: form.seed)
    }
    let scale = max(abs(startLoss), 1e-300)
    func outcome(
      diverged: Bool = false, cancelled: Bool = false, arrived: Bool = false, cut: Bool = false
    ) -> Outcome {
      Outcome(
        losses: losses, arrival: arrived ? arrival?.step : nil,
        relativeGap: arrived ? arrival?.gap : relativeGap, isDiverged: diverged,
        wasCancelled: cancelled, wasCut: cut,
        operationsPerStep: (objective.operations - spent) / Double(max(1, run.stepCount)),
        extraOperations: extraOperations, limit: limit,
        arrivalPoint: arrived ? arrivalPoint : nil, end: keepsEnd ? run.evaluatedParameters : nil,
        course: course, lastRate: pace == nil ? nil : run.rate)
    }
    func exactGap() -> Double? {
      theory.modes?.relativeGap(at: run.evaluatedParameters.map { Double($0) })
    }
    // The loss at a point is known when the step away from it has run.
    var step = 0
    while true {
      try pace?.setRate(of: run)
      let loss = try run.step().loss
      losses.append(loss)
      // Far beyond any transient of a run that theory does not call stable.
      if !loss.isFinite || !theory.isStable && loss - startLoss > 1e16 * scale {
        relativeGap = self.gap(loss)?.value
        return outcome(diverged: true)
      }
      let (isWithin, gap) = isWithin(loss, exactGap)
      relativeGap = gap
      if isWithin {
        if arrival == nil, theory.modes != nil {
          arrivalPoint = run.evaluatedParameters.map { Double($0) }
        }
        let since = arrival ?? (step, gap)
        arrival = since
        if theory.isMonotone || step - since.step >= Self.watch(after: since.step) {
          return outcome(arrived: true)
        }
      } else {
        arrival = nil
        if step >= limit {
          return outcome(diverged: !theory.isStable && loss - startLoss > 1e8 * scale)
        }
        if let contest, step > 0,
          isLost(
            contest, step,
            (objective.operations - spent)
              / Double(run.stepCount), extraOperations, losses, limit)
        {
          // What has run away is not told as cut.
          return outcome(
            diverged: !theory.isStable && loss - startLoss > 100 * scale, cut: true)
        }
      }
      if context.isCancelled() { return outcome(cancelled: true) }
      step += 1
    }
  }

  /// Whether a run that has not arrived is to be stopped at this step.
  func isLost(
    _ contest: Contest, _ step: Int, _ operationsPerStep: Double, _ extraOperations: Double,
    _ losses: [Double], _ limit: Int
  ) -> Bool {
    let least = Double(max(10, min(limit / 10, 1000))) * operationsPerStep
    if let most = contest.allowance(least: least),
      Double(step) * operationsPerStep + extraOperations >= most,
      Double(step) * operationsPerStep >= least
    {
      return true
    }
    return (step == limit / 4 || step == limit / 2)
      && contest.isLost(
        losses: losses, operationsPerStep: operationsPerStep, limit: limit, floor: referenceLoss)
  }
}
