import Curvature
import Foundation
import LinearMaps
import Training

extension DiagnosisSession {
  /// Prescriptions with what was predicted and measured, and how they were measured.
  struct Remedies {
    var prescriptions: [Prescription] = []
    /// The loss that gaps are measured against, and where it comes from.
    var reference: (loss: Double, source: String)?
    var hasFiniteMinimum = true
    var interrupted: (done: Int, planned: Int)?
  }

  /// A prescription that can be run.
  struct Plan {
    var prescription: Prescription
    /// Whether it trains another function anew: that may pass the reference loss at once, and shows
    /// what it is worth only by running on.
    var isAfresh = false
    var run: (TrialBench<Scalar>) throws -> TrialBench<Scalar>.Outcome
  }

  func remedies(
    _ survey: CurvatureSurvey<Scalar>, map: CurvatureMap<Scalar>,
    standardised: StandardisedVariant?
  ) throws -> Remedies {
    var result = Remedies()
    guard survey.largest > survey.zeroThreshold else { return result }
    do {
      try remedies(survey, map: map, standardised: standardised, into: &result)
    } catch is CancellationError {
      // What was measured before the interruption is in the result already.
      result.interrupted = result.interrupted ?? (0, result.prescriptions.count)
    }
    return result
  }

  private func remedies(
    _ survey: CurvatureSurvey<Scalar>, map: CurvatureMap<Scalar>,
    standardised: StandardisedVariant?, into result: inout Remedies
  ) throws {
    let plans = try self.plans(survey, map: map, standardised: standardised)
    let newtonPlan = Prescription(
      .newtonCG, change: "Newton's method, each step solved by conjugate gradients",
      predicted: .init(
        conditionNumber: 1, iterations: problem.isQuadratic ? 1 : nil))
    result.prescriptions = plans.map(\.prescription) + [newtonPlan]
    result.hasFiniteMinimum = !finiteMinimum.isAbsent
    guard request.trials else { return }

    let planned = result.prescriptions.count
    guard budget.affords("Newton's method", products: 300, share: 0.2) else {
      result.prescriptions.removeLast()
      try shortTrials(plans, into: &result)
      return
    }
    progress(DiagnosisProgress(stage: "finding the minimum (newton-cg)"))
    let newton = try NewtonCG(
      minimizing: objective, from: point, diagonal: survey.diagonal,
      tolerance: min(1e-12, 1e-6 * request.tolerance), forcing: problem.isQuadratic ? 1e-8 : 1e-3,
      maxOperations: problem.table == nil ? 2000 * objective.gradientOperations() : .infinity,
      isCancelled: isCancelled)
    guard newton.ending != .cancelled else {
      result.interrupted = (0, planned)
      return
    }
    // Least squares and penalised losses have a minimum, however long the way to it.
    switch finiteMinimum {
    case .exists: result.hasFiniteMinimum = true
    case .none: result.hasFiniteMinimum = false
    case .unknown:
      result.hasFiniteMinimum =
        newton.ending != .noFiniteMinimum || problem.isQuadratic || problem.l2 > 0
    }
    let newtonLoss = newton.path.map(\.loss).filter(\.isFinite).min() ?? loss
    let isSettled = [.converged, .noFiniteMinimum, .stalled].contains(newton.ending)
    let dense = try problem.isQuadratic ? denseMinimum(survey) : nil
    let known = dense.map { min($0, newtonLoss) } ?? (isSettled ? newtonLoss : nil)
    if let known, loss - known <= 4 * Double(Scalar.ulpOfOne) * abs(loss) {
      result.reference = (known, "the start itself, which is the minimum")
      return
    }
    let gradientOperations = try objective.gradientOperations()
    func bench(_ reference: Double?) -> TrialBench<Scalar> {
      TrialBench(
        startLoss: loss, referenceLoss: reference, tolerance: request.tolerance,
        maxIterations: request.maxIterations, gradientOperations: gradientOperations,
        // Small convolutions and attention reach a fraction of the rate of a table's products.
        allowance: problem.table == nil ? 2e10 : 1.5e11, isCancelled: isCancelled)
    }

    var outcomes: [TrialBench<Scalar>.Outcome] = []
    for (index, plan) in plans.enumerated() {
      progress(
        DiagnosisProgress(
          stage: "trial: \(plan.prescription.id)", fraction: Double(index) / Double(planned)))
      let outcome = try plan.run(bench(plan.isAfresh ? nil : known))
      outcomes.append(outcome)
      if outcome.wasCancelled || isCancelled() {
        result.interrupted = (index + (outcome.wasCancelled ? 0 : 1), planned)
        break
      }
    }
    let best = min(newtonLoss, outcomes.compactMap(\.lowestLoss).min() ?? newtonLoss)
    let reference: Double
    if let known, best >= known - request.tolerance * (loss - known) {
      reference = known
      let newtonSource =
        result.hasFiniteMinimum ? "Newton-CG" : "Newton-CG, on its way to the infimum"
      result.reference = (known, dense != nil ? "a dense solve" : newtonSource)
    } else {
      reference = best
      result.reference = (
        best,
        known == nil
          ? "the best trial, since Newton-CG did not converge"
          : "the best trial, which went below the minimum that Newton-CG found"
      )
    }
    let judge = bench(reference)
    for (index, outcome) in outcomes.enumerated() {
      result.prescriptions[index] = plans[index].prescription
        .with(measured: judge.measured(outcome), change: outcome.change)
    }
    result.prescriptions[planned - 1] = newtonPlan.with(
      measured: judge.measured(
        newton.path,
        extraOperations: survey.diagonal == nil ? 0 : try diagonalOperations(survey, map: map)))
  }

  /// Trials of a few steps each, for a model whose minimum is too dear to look for: they are judged by
  /// the lowest loss that one of them reached.
  private func shortTrials(_ plans: [Plan], into result: inout Remedies) throws {
    let gradientOperations = try objective.gradientOperations()
    func bench(_ reference: Double?) -> TrialBench<Scalar> {
      TrialBench(
        startLoss: loss, referenceLoss: reference, tolerance: request.tolerance,
        maxIterations: request.maxIterations ?? shortTrialSteps(plans.count),
        gradientOperations: gradientOperations, isCancelled: isCancelled)
    }
    var outcomes: [TrialBench<Scalar>.Outcome] = []
    for (index, plan) in plans.enumerated() {
      progress(
        DiagnosisProgress(
          stage: "trial: \(plan.prescription.id)",
          fraction: Double(index) / Double(plans.count)))
      let outcome = try plan.run(bench(nil))
      outcomes.append(outcome)
      if outcome.wasCancelled || isCancelled() {
        result.interrupted = (index + (outcome.wasCancelled ? 0 : 1), plans.count)
        break
      }
    }
    guard let best = outcomes.compactMap(\.lowestLoss).min() else { return }
    result.reference = (
      best, "the best trial of a few steps each, since a minimum is too dear here"
    )
    let judge = bench(best)
    for (index, outcome) in outcomes.enumerated() {
      result.prescriptions[index] = plans[index].prescription
        .with(measured: judge.measured(outcome), change: outcome.change)
    }
  }

  private func shortTrialSteps(_ trials: Int) -> Int {
    // Adam tries four rates first.
    budget.trialSteps(1000, trials: trials + 4)
  }

  /// The minimum of a quadratic loss by its dense eigensystem, refined until the loss stops falling.
  private func denseMinimum(_ survey: CurvatureSurvey<Scalar>) throws -> Double? {
    guard let system = survey.dense else { return nil }
    let n = system.dimension
    var x = point
    var best = loss
    for _ in 0..<4 {
      let (_, gradient) = try objective.valueAndGradient(at: x)
      for index in 0..<n where system.values[index] > survey.zeroThreshold {
        let vector = system.vector(index)
        let slope = zip(vector, gradient).reduce(0) { $0 + $1.0 * Double($1.1) }
        Scalar.axpy(
          n, Scalar(-slope / system.values[index]), vector.map { Scalar($0) }, &x)
      }
      let value = try objective.value(at: x)
      guard value < best else { break }
      best = value
    }
    return best
  }

  // MARK: Plans

  private func plans(
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
      { try $0.run(objective, optimizer, rate: rate, from: point) }
    }

    if let rate = request.rate {
      add(
        .asGiven, "as you have it: \(givenOptimizer) at \(Wording.number(rate))",
        .init(
          conditionNumber: forecastMomentum == nil ? nil : kappa, rate: rate,
          iterations: try forecastMomentum.flatMap {
            try $0 == 0
              ? descentIterations(objective, from: point, rate: rate, survey)
              : iterations(survey, rate: rate, momentum: $0)
          }), run: descend(optimizer, rate))
    }
    let safe = 1 / survey.upperBound
    add(
      .safeRate,
      "gradient descent at \(Wording.number(safe)), one over the upper bound of the sharpness",
      .init(
        conditionNumber: kappa, rate: safe,
        iterations: try descentIterations(objective, from: point, rate: safe, survey)),
      run: descend(GradientDescent(), safe))
    let fastest = fastestRate(survey)
    add(
      .fastestRate,
      "gradient descent at \(Wording.number(fastest)), the rate with the fewest predicted steps"
        + (survey.curvature.isIndefinite ? " along the directions that curve upwards" : ""),
      .init(
        conditionNumber: kappa, rate: fastest,
        iterations: try descentIterations(objective, from: point, rate: fastest, survey)),
      run: descend(GradientDescent(), fastest))
    if let standardised, standardised.survey.largest > standardised.survey.zeroThreshold {
      let rate = fastestRate(standardised.survey)
      add(
        .standardiseFeatures,
        "subtract each column's mean and divide by its standard deviation, then gradient descent at "
          + Wording.number(rate),
        .init(
          conditionNumber: standardised.survey.workingConditionNumber, rate: rate,
          iterations: try descentIterations(
            standardised.objective, from: standardised.start, rate: rate, standardised.survey)),
        note: standardised.isExact ? nil : "trained afresh from the same seed"
      ) {
        try $0.run(
          standardised.objective, GradientDescent(), rate: rate, from: standardised.start)
      }
      plans[plans.count - 1].isAfresh = !standardised.isExact
    }
    let (rate, beta) = tunedMomentum(survey)
    add(
      .momentum, "heavy-ball momentum \(Wording.share(beta)) at rate \(Wording.number(rate))",
      .init(
        conditionNumber: kappa, rate: rate,
        iterations: iterations(survey, rate: rate, momentum: beta)),
      run: descend(Momentum(beta: beta), rate))
    plans += try diagonalPlan(survey, map: map)
    add(
      .adam, "Adam at the best of the rates 1, 0.1, 0.01 and 0.001 after 100 steps of each",
      .init(), run: adamTrial)
    return plans
  }

  private var givenOptimizer: String {
    switch request.optimizer {
    case .gradientDescent: "gradient descent"
    case .momentum: "heavy-ball momentum \(Wording.share(request.momentum))"
    case .adam: "Adam"
    }
  }

  /// Predicted steps to the tolerance; nil on an indefinite Hessian, whose quadratic has no minimum.
  private func iterations(
    _ survey: CurvatureSurvey<Scalar>, rate: Double, momentum: Double = 0
  ) -> Int? {
    survey.curvature.isIndefinite || finiteMinimum.isAbsent
      ? nil
      : survey.model.forecast(rate: rate, momentum: momentum)
        .iterations(toRelativeGap: request.tolerance)
  }

  /// Predicted steps of plain descent to the tolerance: by the quadratic model where the loss is one,
  /// else by following the model from point to point. Nil where that comes to no end.
  private func descentIterations(
    _ objective: Objective<Scalar>, from start: [Scalar], rate: Double,
    _ survey: CurvatureSurvey<Scalar>
  ) throws -> Int? {
    guard !finiteMinimum.isAbsent else { return nil }
    guard !problem.isQuadratic else { return iterations(survey, rate: rate) }
    guard budget.affords("the predicted course", products: 10, share: 0.005) else { return nil }
    do {
      return try piecewiseForecast(objective, from: start, rate: rate, survey).iterations
    } catch is LinearMapError {
      return nil
    } catch is CurvatureError {
      return nil
    }
  }

  func fastestRate(_ survey: CurvatureSurvey<Scalar>) -> Double {
    survey.model.fastestRate(upperBound: survey.upperBound, tolerance: request.tolerance)?.rate
      ?? 1 / survey.upperBound
  }

  /// Polyak's rate and momentum for curvatures from `mu` to the upper bound, with the `mu` that needs
  /// the fewest predicted steps: weights differ, so the flattest direction need not decide.
  private func tunedMomentum(
    _ survey: CurvatureSurvey<Scalar>
  ) -> (rate: Double, momentum: Double) {
    // Where the flat directions are unknown, the customary coefficient.
    guard !survey.isMeasureCoarse else { return (1 / survey.upperBound, 0.9) }
    let modes = survey.model.reachable.map(\.eigenvalue)
    let largest = survey.upperBound
    let smallest = max(modes.min() ?? largest, 1e-14 * largest)
    let candidates = (0...60).map { largest * pow(smallest / largest, Double($0) / 60) }
    var best = LearningRateFacts.optimalMomentum(
      smallest: min(survey.effectiveSmallest ?? largest, largest), largest: largest)
    var fewest =
      iterations(survey, rate: best.rate, momentum: best.momentum) ?? .max
    for mu in candidates {
      let tuned = LearningRateFacts.optimalMomentum(smallest: min(mu, largest), largest: largest)
      if let count = iterations(survey, rate: tuned.rate, momentum: tuned.momentum),
        count < fewest
      {
        (best, fewest) = (tuned, count)
      }
    }
    return best
  }

  private func diagonalPlan(
    _ survey: CurvatureSurvey<Scalar>, map: CurvatureMap<Scalar>
  ) throws -> [Plan] {
    guard
      survey.diagonal != nil
        || budget.affords("the diagonal preconditioner", products: 500, share: 0.2)
    else { return [] }
    let diagonal = try survey.diagonal ?? estimatedDiagonal(map)
    // An entry within the zero threshold is rounding, and so is what it would be divided into.
    let floor = max(1e-12 * (diagonal.map(abs).max() ?? 0), survey.zeroThreshold)
    guard floor > 0 else { return [] }
    let inverse = diagonal.map { 1 / max(abs($0), floor) }
    let scaled: CurvatureSurvey<Scalar>
    do {
      scaled = try CurvatureSurvey(
        of: ScaledMap(map, diagonal: inverse.map { Scalar($0) }),
        gradient: zip(gradient, inverse).map { Scalar(Double($0) * $1.squareRoot()) },
        seed: request.seed, denseLimit: 1500, memory: request.memory / 2)
    } catch is LinearMapError {
      return []
    } catch is CurvatureError {
      return []
    }
    guard scaled.largest > scaled.zeroThreshold else { return [] }
    let rate = fastestRate(scaled)
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
          objective, DiagonalDescent(), rate: rate, from: point,
          state: [inverse.map { Scalar($0) }], extraOperations: extra)
      }
    ]
  }

  /// What the Hessian's diagonal cost: a product per column where the matrix was written out.
  private func diagonalOperations(
    _ survey: CurvatureSurvey<Scalar>, map: CurvatureMap<Scalar>
  ) throws -> Double {
    try Double(survey.diagonal?.count ?? Self.probes) * map.productOperations()
  }

  /// Sign vectors that a diagonal is estimated from.
  private static var probes: Int { 32 }

  /// Hutchinson's estimate `mean of v * (H v)` over sign vectors.
  ///
  /// Reference: Bekas, Kokiopoulou and Saad, "An estimator for the diagonal of a matrix" (2007).
  private func estimatedDiagonal(_ map: CurvatureMap<Scalar>) throws -> [Double] {
    var generator = SeededGenerator(seed: UInt64(bitPattern: Int64(request.seed)) &+ 1)
    var total = [Double](repeating: 0, count: map.dimension)
    for _ in 0..<Self.probes {
      let signs: [Scalar] = generator.rademacher(map.dimension)
      let product = try map(signs)
      for index in total.indices {
        total[index] += Double(signs[index] * product[index]) / Double(Self.probes)
      }
    }
    return total
  }

  private func adamTrial(_ bench: TrialBench<Scalar>) throws -> TrialBench<Scalar>.Outcome {
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
      objective, Adam(), rate: chosen.rate, from: point, extraOperations: extra)
    outcome.change =
      "Adam at \(Wording.number(chosen.rate)), the best of 1, 0.1, 0.01 and 0.001 after \(steps) "
      + "steps of each"
    return outcome
  }
}
