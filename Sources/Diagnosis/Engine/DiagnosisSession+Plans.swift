import Curvature
import Foundation
import LinearMaps
import Presentation
import Training

extension DiagnosisSession {
  /// The remedies that can be run, with what theory promises of each.
  func plans(
    _ survey: CurvatureSurvey<Scalar>, map: CurvatureMap<Scalar>,
    standardised: StandardisedVariant?
  ) throws -> [Plan] {
    let kappa = survey.workingConditionNumber
    var plans: [Plan] = []
    func add(
      _ kind: Prescription.Kind, _ change: String, _ predicted: Prescription.Predicted,
      note: String? = nil,
      run: @escaping (TrialBench<Scalar>) throws -> TrialBench<Scalar>.Outcome
    ) {
      plans.append(
        Plan(
          prescription: Prescription(kind, change: change, predicted: predicted, note: note),
          run: run))
    }
    func descend(
      _ optimizer: any Optimizer, _ rate: Double
    ) -> (TrialBench<Scalar>) throws -> TrialBench<Scalar>.Outcome {
      let theory = self.theory(survey, rate: rate, by: optimizer)
      return { try $0.run(objective, optimizer, rate: rate, from: point, theory: theory) }
    }

    if let rate = request.training.rate {
      add(
        .asGiven, "as you have it: \(optimizer.phrase) at \(Wording.number(rate))",
        .init(
          conditionNumber: forecastMomentum == nil ? nil : kappa, rate: rate,
          iterations: try optimizer.isPlainDescent
            ? descentIterations(objective, from: point, rate: rate, survey)
            : iterations(survey, rate: rate, by: optimizer), momentum: forecastMomentum,
          peakRelativeGap: peak(survey, rate: rate, by: optimizer)),
        run: descend(optimizer, rate))
    }
    let safe = 1 / survey.upperBound
    add(
      .safeRate,
      "gradient descent at \(Wording.number(safe)), one over the upper bound of the sharpness",
      .init(
        conditionNumber: kappa, rate: safe,
        iterations: try descentIterations(objective, from: point, rate: safe, survey)),
      run: descend(GradientDescent(), safe))
    if let fastest = fastestRate(survey) {
      add(
        .fastestRate,
        "gradient descent at \(Wording.number(fastest)), the rate with the fewest "
          + (problem.isQuadratic ? "predicted steps" : "steps on the bowl that fits the loss here")
          + (survey.curvature.isIndefinite ? " along the directions that curve upwards" : "")
          + ", a margin of 5 % below the stability limit kept",
        .init(
          conditionNumber: kappa, rate: fastest,
          iterations: try descentIterations(objective, from: point, rate: fastest, survey)),
        run: descend(GradientDescent(), fastest))
    }
    if let standardised, standardised.survey.largest > standardised.survey.zeroThreshold {
      let rate = fastestRate(standardised.survey) ?? 1 / standardised.survey.upperBound
      let theory = self.theory(standardised.survey, rate: rate, by: GradientDescent())
      add(
        .standardiseFeatures,
        "subtract each column's mean and divide by its standard deviation, then gradient descent at "
          + Wording.number(rate),
        .init(
          conditionNumber: standardised.survey.workingConditionNumber, rate: rate,
          iterations: hasOtherMinimum(standardised, than: survey)
            ? nil
            : try descentIterations(
              standardised.objective, from: standardised.start, rate: rate, standardised.survey)),
        note: standardised.isExact ? nil : "trained afresh from the same seed"
      ) {
        try $0.run(
          standardised.objective, GradientDescent(), rate: rate, from: standardised.start,
          theory: theory)
      }
      plans[plans.count - 1].isAfresh = !standardised.isExact
    }
    let (rate, beta) = tunedMomentum(survey)
    let heavyBall = Momentum(beta: beta)
    let peak = self.peak(survey, rate: rate, by: heavyBall)
    add(
      .momentum, "\(heavyBall.phrase) at rate \(Wording.number(rate))",
      .init(
        conditionNumber: kappa, rate: rate,
        iterations: iterations(survey, rate: rate, by: heavyBall), momentum: beta,
        peakRelativeGap: peak),
      note: peak.map {
        "on the way the loss gap rises to \(Wording.number($0, digits: 2)) times the start's"
          + (problem.isQuadratic ? "" : ", on the bowl that fits the loss here")
      }, run: descend(heavyBall, rate))
    plans += try diagonalPlan(survey, map: map)
    add(
      .adam, "Adam at the best of the rates 1, 0.1, 0.01 and 0.001 after 100 steps of each",
      .init(),
      // A step of Adam is bounded by its rate: it cannot run away, however high it first jumps.
      run: { try adamTrial($0, .init(modes: exactLoss(survey), isStable: true)) })
    return plans
  }

  /// Predicted steps to the tolerance; nil on an indefinite Hessian, whose quadratic has no minimum.
  func iterations(
    _ survey: CurvatureSurvey<Scalar>, rate: Double, by optimizer: any Optimizer = GradientDescent()
  ) -> Int? {
    survey.curvature.isIndefinite || finiteMinimum.isAbsent
      || survey.hidesGains(tolerance: request.trials.tolerance)
      ? nil
      : survey.model.forecast(rate: rate, by: optimizer)?
        .iterations(toRelativeGap: request.trials.tolerance)
  }

  /// Predicted steps of plain descent to the tolerance: by the quadratic model where the loss is one,
  /// else by following the model from point to point. Nil where that comes to no end.
  private func descentIterations(
    _ objective: any Loss<Scalar>, from start: [Scalar], rate: Double,
    _ survey: CurvatureSurvey<Scalar>
  ) throws -> Int? {
    guard !finiteMinimum.isAbsent else { return nil }
    guard !problem.isQuadratic else { return iterations(survey, rate: rate) }
    guard !survey.isBlindToGains(tolerance: request.trials.tolerance) else { return nil }
    guard budget.affords("the predicted course", products: 10, share: 0.005) else { return nil }
    do {
      return try piecewiseForecast(objective, from: start, rate: rate, survey).iterations
    } catch is LinearMapError {
      return nil
    } catch is CurvatureError {
      return nil
    }
  }

  /// Nil where no count can be vouched for.
  func fastestRate(_ survey: CurvatureSurvey<Scalar>) -> Double? {
    finiteMinimum.isAbsent || survey.hidesGains(tolerance: request.trials.tolerance)
      ? nil
      : survey.model.fastestRate(
        upperBound: survey.upperBound, tolerance: request.trials.tolerance)?.rate
  }

  /// What is known beforehand of a run.
  private func theory(
    _ survey: CurvatureSurvey<Scalar>, rate: Double, by optimizer: any Optimizer
  ) -> TrialBench<Scalar>.Theory {
    let exact = exactLoss(survey)
    guard let rule = optimizer.stability, optimizer.hasForecast, problem.isQuadratic else {
      return .init(modes: exact, isStable: optimizer.hasBoundedSteps)
    }
    let isStable = rate * survey.upperBound < rule.criticalProduct
    return .init(
      modes: exact, isMonotone: isStable && optimizer.isPlainDescent, isStable: isStable)
  }

  /// How far momentum throws the loss up first, as a multiple of the first gap; nil below twice of it.
  private func peak(
    _ survey: CurvatureSurvey<Scalar>, rate: Double, by optimizer: any Optimizer
  ) -> Double? {
    guard !optimizer.isPlainDescent, let steps = iterations(survey, rate: rate, by: optimizer),
      let peak = survey.model.forecast(rate: rate, by: optimizer)?
        .peakRelativeGap(within: steps), peak >= 2
    else { return nil }
    return peak
  }

  /// Whether rounding of the standardised columns has moved the minimum by more than the tolerance, so
  /// that steps to the one are no steps to the other.
  private func hasOtherMinimum(
    _ variant: StandardisedVariant, than survey: CurvatureSurvey<Scalar>
  ) -> Bool {
    guard let exact = exactLoss(survey) else { return false }
    guard let other = exactLoss(variant.survey) else { return true }
    return abs(other.initialGap - exact.initialGap) > 0.1 * request.trials.tolerance
      * exact.initialGap
  }

  /// One, where conjugate gradients on the diagonally scaled Hessian can solve a quadratic's step far
  /// enough in this precision.
  func newtonIterations(_ plans: [Prescription], _ survey: CurvatureSurvey<Scalar>) -> Int? {
    let diagonal = plans.first { $0.id == Prescription.Kind.diagonalPreconditioner.rawValue }
    guard problem.isQuadratic, let kappa = diagonal?.predicted.conditionNumber else { return nil }
    // Newton-CG divides by no entry below this share of the largest.
    let entries = survey.diagonal?.filter { $0 > 0 } ?? []
    let share = DiagonalPreconditioner<Scalar>.relativeFloor
    guard (entries.min() ?? 1) > share * (entries.max() ?? 1) else { return nil }
    return kappa <= min(1e9, 0.01 / Double(Scalar.ulpOfOne)) ? 1 : nil
  }

  /// Polyak's rate and momentum for curvatures from `mu` to the upper bound or somewhat above it, with
  /// those that need the fewest predicted steps until the gap stays down: weights differ, so the flattest
  /// direction need not decide.
  private func tunedMomentum(
    _ survey: CurvatureSurvey<Scalar>
  ) -> (rate: Double, momentum: Double) {
    // Where the flat directions are unknown, the customary coefficient.
    guard !survey.isMeasureCoarse, !finiteMinimum.isAbsent,
      !survey.hidesGains(tolerance: request.trials.tolerance)
    else {
      return (1 / survey.upperBound, 0.9)
    }
    let modes = survey.model.reachable.map(\.eigenvalue)
    let largest = survey.upperBound
    let smallest = max(modes.min() ?? largest, 1e-30 * largest)
    func steps(_ tuned: (rate: Double, momentum: Double)) -> Int {
      guard tuned.momentum < 1 else { return .max }
      return survey.model.forecast(rate: tuned.rate, momentum: tuned.momentum)
        .boundedIterations(toRelativeGap: request.trials.tolerance) ?? .max
    }
    var best = LearningRateFacts.optimalMomentum(
      smallest: min(survey.effectiveSmallest ?? largest, largest), largest: largest)
    var fewest = steps(best)
    // A largest curvature above the true one keeps the sharpest directions from the edge, where they
    // swing up most.
    for margin in [1, 1.05, 1.2, 1.5, 2] {
      for index in 0...60 {
        let mu = largest * pow(smallest / largest, Double(index) / 60)
        let tuned = LearningRateFacts.optimalMomentum(
          smallest: min(mu, largest), largest: margin * largest)
        let count = steps(tuned)
        if count < fewest { (best, fewest) = (tuned, count) }
      }
    }
    // Beyond condition numbers of 1e32 the coefficient rounds to one.
    return best.momentum < 1 && best.rate.isFinite ? best : (1 / survey.upperBound, 0.9)
  }

  private func diagonalPlan(
    _ survey: CurvatureSurvey<Scalar>, map: CurvatureMap<Scalar>
  ) throws -> [Plan] {
    guard
      survey.diagonal != nil
        || budget.affords("the diagonal preconditioner", products: 500, share: 0.2)
    else { return [] }
    let diagonal =
      try survey.diagonal
      ?? hutchinsonDiagonal(
        of: map, probes: Self.probes, seed: UInt64(bitPattern: Int64(request.resources.seed)) &+ 1)
    // An entry within the zero threshold is rounding, and so is what it would be divided into; those of a
    // table's matrix are sums of squares, right to the last digits.
    let peak = diagonal.map(abs).max() ?? 0
    let floor =
      survey.modes == nil
      ? max(DiagonalPreconditioner<Scalar>.relativeFloor * peak, survey.zeroThreshold)
      : Double.leastNormalMagnitude
    guard peak > floor else { return [] }
    let inverse = diagonal.map { abs($0) > 0 ? 1 / max(abs($0), floor) : 1 / peak }
    guard inverse.allSatisfy({ Scalar($0).isFinite && Scalar($0) > 0 }) else { return [] }
    var scaled: CurvatureSurvey<Scalar>
    do {
      scaled = try CurvatureSurvey(
        of: PreconditionedMap(map, by: DiagonalPreconditioner(inverse: inverse)),
        gradient: zip(gradient, inverse).map { Scalar(Double($0) * $1.squareRoot()) },
        seed: request.resources.seed, denseLimit: 1500, memory: request.resources.memory / 2)
    } catch is LinearMapError {
      return []
    } catch is CurvatureError {
      return []
    }
    if survey.modes != nil, let table = problem.table,
      let modes = modes(of: table, at: point, scaling: inverse.map { $0.squareRoot() })
    {
      scaled.adopt(modes)
    }
    guard scaled.largest > scaled.zeroThreshold else { return [] }
    let rate = fastestRate(scaled) ?? 1 / scaled.upperBound
    var theory = self.theory(scaled, rate: rate, by: GradientDescent())
    theory.modes = exactLoss(survey)
    let extra = try diagonalOperations(survey, map: map)
    return [
      Plan(
        prescription: Prescription(
          .diagonalPreconditioner,
          change:
            "gradient descent at \(Wording.number(rate)) with each entry of the gradient divided "
            + "by the Hessian's diagonal entry",
          predicted: .init(
            conditionNumber: scaled.workingConditionNumber, rate: rate,
            iterations: iterations(scaled, rate: rate)))
      ) {
        try $0.run(
          objective, DiagonalDescent(inverse: inverse), rate: rate, from: point, theory: theory,
          extraOperations: extra)
      }
    ]
  }

  /// What the Hessian's diagonal cost: a product per column where the matrix was written out.
  func diagonalOperations(
    _ survey: CurvatureSurvey<Scalar>, map: CurvatureMap<Scalar>
  ) throws -> Double {
    try Double(survey.diagonal?.count ?? Self.probes) * map.productOperations()
  }

  /// Sign vectors that a diagonal is estimated from.
  private static var probes: Int { 32 }

  private func adamTrial(
    _ bench: TrialBench<Scalar>, _ theory: TrialBench<Scalar>.Theory
  ) throws -> TrialBench<Scalar>.Outcome {
    let before = objective.operations
    var chosen = (rate: 1e-3, loss: Double.infinity)
    let steps = budget.trialSteps(100, trials: 40)
    for rate in [1, 0.1, 0.01, 0.001] {
      let run = try TrainingRun(objective, Adam(), rate: rate, from: point)
      var last = Double.infinity
      for _ in 0...steps where !isCancelled() { last = try run.step().loss }
      if last < chosen.loss { chosen = (rate, last) }
    }
    let extra = objective.operations - before
    var outcome = try bench.run(
      objective, Adam(), rate: chosen.rate, from: point, theory: theory, extraOperations: extra)
    outcome.change =
      "Adam at \(Wording.number(chosen.rate)), the best of 1, 0.1, 0.01 and 0.001 after \(steps) "
      + "steps of each"
    return outcome
  }
}
