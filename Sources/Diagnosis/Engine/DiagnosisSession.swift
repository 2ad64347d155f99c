import Curvature
import LinearMaps
import Presentation
import TensorPrograms
import Training

/// One diagnosis in the making: the objective, the point, and what was measured there.
struct DiagnosisSession<Scalar: LinearMapScalar> {
  private(set) var problem: DiagnosisProblem
  let request: DiagnosisRequest
  let executor: any Executor
  let context: RunContext
  let objective: any Loss<Scalar>
  /// All samples, where only some of them are diagnosed.
  let whole: SampleChoice?
  /// The sizes of the table's columns, where there is a table.
  let scaling: FeatureScaling?
  let budget: WorkBudget
  let foundMinimum = FiniteMinimum.Memory()

  /// The point of diagnosis, and how the optimizer's state stands there.
  private(set) var point: [Scalar] = []
  /// What the optimizer divides its steps by there; nil where that is nothing, or not known yet.
  private(set) var preconditioner: [Double]?
  private(set) var loss = Double.nan
  private(set) var gradient: [Scalar] = []
  /// The step of the run up to the point at which a number stopped being finite.
  private(set) var brokenStep: Int?

  init(
    _ problem: DiagnosisProblem, _ request: DiagnosisRequest, _ executor: any Executor,
    context: RunContext = RunContext()
  ) throws {
    var problem = problem
    point = problem.start.map { Scalar($0) }
    if case .traced(var definition, let data) = problem.loss, problem.table == nil,
      definition.fixedBatch == nil, !definition.couplesSamples, problem.sampleCount > 1,
      try !definition.separatesSamples(
        problem.data(Scalar.element), at: point, executor: executor)
    {
      definition.couplesSamples = true
      problem.loss = .traced(definition, data: data)
      problem.notes.append(
        "A sample's loss depends on the others of its batch (as under BatchNormalization while "
          + "training), so all \(Wording.count(problem.sampleCount, "sample")) were measured as one "
          + "batch, as given.")
    }
    self.request = request
    self.executor = executor
    self.context = context
    var objective: any Loss<Scalar> = try problem.loss(
      executor: executor, memory: request.resources.memory, context: context)
    var budget = try WorkBudget(objective, limit: request.resources.workLimit)
    var whole: SampleChoice?
    if problem.table == nil, let definition = problem.definition, !definition.couplesSamples,
      let affordable = budget.affordableSamples(of: problem.sampleCount)
    {
      let chosen = SampleChoice.draw(
        affordable, of: problem.sampleCount, batch: definition.fixedBatch ?? 1,
        seed: request.resources.seed)
      if chosen.count < problem.sampleCount {
        whole = SampleChoice(data: problem.data(Scalar.element))
        problem.loss = .traced(definition, data: problem.data.map { $0.samples(at: chosen) })
        objective = try problem.loss(
          executor: executor, memory: request.resources.memory, context: context)
        budget = try WorkBudget(objective, limit: request.resources.workLimit)
      }
    }
    scaling = problem.table.map(FeatureScaling.init)
    (self.problem, self.objective, self.budget, self.whole) = (problem, objective, budget, whole)
    try approach()
    guard loss.isFinite || problem.atPoint == nil else {
      self.problem.notes.append(
        "The parameters were not saved, since the loss is not finite there.")
      return
    }
    try problem.atPoint?(point.map { Double($0) })
  }

  /// Runs `request.training.steps` steps of the given optimizer, then measures loss and gradient.
  private mutating func approach() throws {
    if request.training.steps > 0 {
      guard let rate = request.training.rate else {
        throw DiagnosisFailure(
          .usage,
          "--at \(request.training.steps) runs the optimizer first, which needs a rate: add --lr.")
      }
      context.report("running \(request.training.steps) steps first", fraction: 0)
      let run = try TrainingRun(
        objective, optimizer, rate: rate, from: point,
        gradients: request.training.batch.map {
          .batches(size: $0, seed: request.resources.probeSeed)
        } ?? .allSamples)
      for step in 0..<request.training.steps {
        let (loss, _) = try run.step()
        guard loss.isFinite else {
          brokenStep = step
          break
        }
        guard !isCancelled() else {
          throw DiagnosisFailure(.interrupted, "Interrupted before anything was measured.")
        }
      }
      point = run.parameters
      preconditioner = optimizer.preconditioner(
        state: { run.state($0).map { Double($0) } }, step: request.training.steps)
      if brokenStep != nil {
        // A step beyond may be finite again, as where a logarithm's argument comes back: it is not the
        // point asked for.
        loss = .nan
        gradient = [Scalar](repeating: .nan, count: point.count)
        return
      }
    }
    (loss, gradient) = try objective.valueAndGradient(at: point)
    if !loss.isFinite || !gradientNorm.isFinite, brokenStep == nil, request.training.steps > 0 {
      brokenStep = request.training.steps
    }
  }

  /// The optimizer whose rate is judged.
  var optimizer: any Optimizer { request.training.optimizer.make() }

  /// The share of its last move that the given optimizer repeats; nil where no forecast exists for it.
  var forecastMomentum: Double? {
    optimizer.hasForecast ? optimizer.stability?.momentum : nil
  }

  func isCancelled() -> Bool { context.isCancelled() }

  var gradientNorm: Double { Scalar.nrm2(gradient.count, gradient) }

  // MARK: The report

  func report() throws -> DiagnosisReport {
    guard loss.isFinite else { return brokenReport("loss") }
    guard gradientNorm.isFinite else { return brokenReport("gradient") }
    guard (gradientNorm * gradientNorm).isFinite else {
      if let failure = unsquarableColumn { throw failure }
      return brokenReport("squared gradient")
    }
    context.report("curvature")
    let map = try objective.hessian(at: point)
    var survey: CurvatureSurvey<Scalar>
    do {
      survey = try CurvatureSurvey(
        of: map, gradient: gradient, seed: request.resources.seed,
        denseLimit: canSolveDensely ? CurvatureSurvey<Scalar>.denseLimit : 0,
        memory: request.resources.memory / 2,
        products: (
          budget.products(share: 0.35, least: 12, most: 300),
          budget.products(share: 0.1, least: 3, most: 150)
        ))
    } catch  where error.isNonFinite {
      if let failure = unsquarableColumn { throw failure }
      return brokenReport("curvature")
    } catch let error as LinearMapError {
      throw DiagnosisFailure(unmeasurable: error)
    }
    if let modes = problem.table.flatMap({ modes(of: $0, at: point) }) { survey.adopt(modes) }
    let gaussNewton = try ifMeasurable { try gaussNewtonConditionNumber(survey) }
    let adamBound = try ifMeasurable { try preconditionedBound(map) }
    let facts = LearningRateFacts(
      survey.curvature, rule: optimizer.stability, given: request.training.rate,
      preconditionedBound: adamBound)
    let standardised = try ifMeasurable { try standardisedVariant() }
    let layers = try ifMeasurable { try layerCurvature() } ?? []
    let onAll = try ifMeasurable { try sharpnessOnAllSamples(survey) }
    let sampling = try ifMeasurable { try samplingError(survey) }
    var outcome = try remedies(survey, map: map, standardised: standardised)
    outcome.prescriptions = outcome.prescriptions.ranked()
    return DiagnosisReport(
      problem: problemFacts,
      curvature: curvatureFacts(
        survey, gaussNewton: gaussNewton, sampling: sampling, onAll: onAll),
      learningRate: .init(facts, note: limitNote(facts)),
      directions: directions(survey),
      prediction: try ifMeasurable { try prediction(survey) }
        ?? .init(rate: request.training.rate, iterations: nil, tolerance: request.trials.tolerance),
      findings: try findings(
        survey, facts: facts, gaussNewton: gaussNewton, standardised: standardised,
        outcome: outcome, layers: layers, sampling: sampling, onAll: onAll),
      prescriptions: outcome.prescriptions, layers: layers)
  }

  /// Whether a product per parameter is within the budget.
  var canSolveDensely: Bool { Double(point.count) * budget.product <= 0.3 * budget.limit }

  /// The quadratic at a point from the table itself; nil where there is none, see
  /// `TabularProblem.leastSquaresModes`.
  func modes(
    of table: TabularProblem, at point: [Scalar], scaling: [Double]? = nil
  ) -> LeastSquaresModes? {
    let data = table.data(Scalar.element)
    return table.leastSquaresModes(
      features: data[0].doubles.map { DoubleDouble($0) },
      target: data[1].element.isFloating ? data[1].doubles : [],
      at: point.map { Double($0) }, scaling: scaling)
  }

  /// Nil where an operator beside the Hessian cannot be measured, or was interrupted: what is known
  /// already is told all the same.
  private func ifMeasurable<R>(_ measure: () throws -> R?) throws -> R? {
    do { return try measure() } catch is LinearMapError { return nil } catch is CurvatureError {
      return nil
    } catch is CancellationError {
      return nil
    }
  }

  /// The complaint about the largest column, where its squares overflow.
  private var unsquarableColumn: DiagnosisFailure? {
    guard let scaling, let table = problem.table, let peak = scaling.peaks.max(),
      let column = scaling.peaks.firstIndex(of: peak),
      peak > 0.01 * Double(Scalar.greatestFiniteMagnitude).squareRoot()
    else { return nil }
    let name = table.featureNames[column]
    return DiagnosisFailure(
      .badData,
      "The column '\(name)' reaches \(Wording.number(peak)), too large to be squared in "
        + "\(Scalar.precisionName); give it in a larger unit, or leave it out with --drop \(name).")
  }

  var problemFacts: DiagnosisReport.Problem {
    DiagnosisReport.Problem(
      parameters: point.count, samples: problem.sampleCount, features: problem.table?.featureCount,
      loss: loss.isFinite ? loss : nil, gradientNorm: gradientNorm.isFinite ? gradientNorm : nil,
      seed: request.resources.seed, precision: Scalar.precisionName, executor: executor.name,
      name: problem.name, model: problem.modelName, lossName: problem.lossName,
      target: problem.targetName, optimizer: request.training.optimizer.name,
      at: request.training.steps,
      l2: problem.l2, notes: problem.notes, data: problem.dataName,
      layers: problem.table == nil ? problem.parameters.layers.count : nil)
  }

  private func brokenReport(_ quantity: String) -> DiagnosisReport {
    var learningRate = DiagnosisReport.LearningRate(
      LearningRateFacts(
        .init(largest: 0, upperBound: 0, smallest: 0, zeroThreshold: 0), rule: optimizer.stability,
        given: nil),
      note: "nothing can be said where the \(quantity) is not finite")
    learningRate.given = request.training.rate
    return DiagnosisReport(
      problem: problemFacts,
      curvature: .init(
        largest: .init(value: nil, residual: nil, upperBound: nil, failureProbability: nil),
        smallest: .init(value: nil, residual: nil), indefinite: false, operatorApplications: 0),
      learningRate: learningRate,
      directions: [],
      prediction: .init(
        rate: request.training.rate, iterations: nil, tolerance: request.trials.tolerance),
      findings: [.nonFinite(quantity: quantity, cause: nonFiniteCause)], prescriptions: [])
  }

  private func curvatureFacts(
    _ survey: CurvatureSurvey<Scalar>, gaussNewton: Double?, sampling: SamplingError?,
    onAll: SharpnessOnAllSamples?
  ) -> DiagnosisReport.Curvature {
    let conditionNumber = survey.curvature.conditionNumber
    return DiagnosisReport.Curvature(
      largest: .init(
        value: survey.largest, residual: survey.largestResidual, upperBound: survey.upperBound,
        failureProbability: survey.failureProbability),
      smallest: .init(value: survey.smallest, residual: survey.smallestResidual),
      smallestPositive: survey.smallestPositive, effectiveSmallest: survey.effectiveSmallest,
      conditionNumber: conditionNumber,
      effectiveConditionNumber: survey.effectiveConditionNumber,
      gaussNewtonConditionNumber: gaussNewton, indefinite: survey.curvature.isIndefinite,
      operatorApplications: survey.operatorApplications, zeroThreshold: survey.zeroThreshold,
      severity: survey.curvature.isIndefinite
        ? nil
        : survey.workingConditionNumber.map {
          Conditioning(conditionNumber: $0, epsilon: survey.resolution)
        }, largestOnLargerSample: sampling, largestOnAllSamples: onAll)
  }

  private func directions(_ survey: CurvatureSurvey<Scalar>) -> [EigenDirection] {
    let values = survey.eigenvalues
    let shown = values.count <= 20 ? values : Array(values.prefix(5) + values.suffix(5))
    // Adam's rate acts on its preconditioned curvature: along these directions it means nothing.
    return shown.map {
      EigenDirection(
        eigenvalue: $0, zeroThreshold: survey.zeroThreshold,
        rate: request.training.rate ?? safeRate(survey),
        optimizer: request.training.rate == nil ? GradientDescent() : optimizer,
        tolerance: request.trials.tolerance)
    }
  }

  private func prediction(_ survey: CurvatureSurvey<Scalar>) throws -> DiagnosisReport.Prediction {
    let rate = request.training.rate ?? safeRate(survey)
    guard !finiteMinimum.isAbsent else {
      return .init(rate: rate, iterations: nil, tolerance: request.trials.tolerance)
    }
    let optimizer: any Optimizer = request.training.rate == nil ? GradientDescent() : self.optimizer
    let steps = [1, 10, 100, 1_000, 10_000, 100_000, 1_000_000]
    func curve(_ relativeGap: (Int) -> Double?) -> [DiagnosisReport.CurvePoint] {
      steps.compactMap { step in
        relativeGap(step).flatMap { $0.isFinite ? .init(step: step, relativeGap: $0) : nil }
      }
    }
    if let rate, optimizer.isPlainDescent, !problem.isQuadratic,
      !survey.isBlindToGains(tolerance: request.trials.tolerance),
      budget.affords("the predicted course", products: 10, share: 0.005)
    {
      let forecast = try piecewiseForecast(objective, from: point, rate: rate, survey)
      return .init(
        rate: rate, iterations: forecast.iterations, tolerance: request.trials.tolerance,
        curve: curve(forecast.relativeGap(after:)))
    }
    // What cannot be followed from point to point is not foretold by the bowl at the start.
    guard let rate, problem.isQuadratic || !optimizer.isPlainDescent,
      let forecast = survey.model.forecast(rate: rate, by: optimizer),
      !survey.curvature.isIndefinite,
      !survey.hidesGains(tolerance: request.trials.tolerance)
    else {
      return .init(rate: rate, iterations: nil, tolerance: request.trials.tolerance)
    }
    let momentum = optimizer.stability?.momentum ?? 0
    return .init(
      rate: rate, iterations: forecast.iterations(toRelativeGap: request.trials.tolerance),
      tolerance: request.trials.tolerance, momentum: momentum == 0 ? nil : momentum,
      curve: curve(forecast.relativeGap(after:)))
  }

  /// The course of plain descent on a loss that is no quadratic, within a tenth of what a trial may
  /// cost.
  func piecewiseForecast(
    _ objective: any Loss<Scalar>, from start: [Scalar], rate: Double,
    _ survey: CurvatureSurvey<Scalar>
  ) throws -> PiecewiseForecast<Scalar> {
    try PiecewiseForecast(
      objective, from: start, rate: rate, to: .relativeGap(request.trials.tolerance),
      zeroThreshold: survey.rounding,
      maxOperations: min(1.5e10, 1000 * objective.gradientOperations()))
  }

  /// `1 / upperBound`; nil without positive curvature.
  func safeRate(_ survey: CurvatureSurvey<Scalar>) -> Double? {
    survey.largest > survey.zeroThreshold ? 1 / survey.upperBound : nil
  }

  private func limitNote(_ facts: LearningRateFacts) -> String? {
    guard facts.stabilityLimit == nil else { return nil }
    return optimizer.stability?.isPreconditioned == true && preconditioner == nil
      ? "Adam's limit depends on its second moments: run at least one step first with --at N"
      : "there is no positive curvature to limit the rate"
  }

  // MARK: More operators

  /// `lambda_max / lambda_min` of the Gauss-Newton matrix; where it is singular, over the directions
  /// that a thousand steps reach.
  private func gaussNewtonConditionNumber(_ survey: CurvatureSurvey<Scalar>) throws -> Double? {
    if problem.isLinearInParameters { return survey.workingConditionNumber }
    guard objective.hasModelOutput,
      budget.affords("the Gauss-Newton matrix", products: 300),
      let map = try objective.gaussNewton(at: point)
    else { return nil }
    return try CurvatureSurvey(
      of: map, gradient: gradient, seed: request.resources.seed, denseLimit: 0,
      memory: request.resources.memory / 2
    ).effectiveConditionNumber
  }

  /// The sharpness of each layer of a network by itself.
  private func layerCurvature() throws -> [LayerCurvature] {
    guard !problem.isLinearInParameters,
      budget.affords("each layer by itself", products: 15 * problem.parameters.layers.count)
    else { return [] }
    context.report("layers")
    var options = TopEigenpairs<Scalar>.Options()
    options.seed = request.resources.probeSeed
    options.tolerance = 1e-4
    return try objective.layerCurvature(
      .hessian, at: point, options: options, exactTraceLimit: 0, seed: options.seed)
  }

  /// What the largest eigenvalue would be on a larger sample, from ten groups of this one.
  private func samplingError(_ survey: CurvatureSurvey<Scalar>) throws -> SamplingError? {
    guard survey.largest > survey.zeroThreshold, problem.sampleCount >= 10,
      let traced = objective.objective, !traced.definition.couplesSamples,
      problem.sampleCount >= 10 * (traced.definition.fixedBatch ?? 1),
      budget.affords("the interval for a larger sample", products: 20)
    else { return nil }
    context.report("sampling error")
    var options = TopEigenpairs<Scalar>.Options()
    options.seed = request.resources.probeSeed
    options.tolerance = 1e-4
    let groups = try traced.sampleGroups(.hessian, at: point, count: 10, seed: options.seed)
    return try SamplingError.eigenvalue(.largest, of: groups, options: options)
  }

  /// An upper bound on the largest eigenvalue of `P^-1/2 H P^-1/2` for the `P` that the optimizer divides
  /// its steps by.
  private func preconditionedBound(_ map: CurvatureMap<Scalar>) throws -> Double? {
    guard let preconditioner, optimizer.stability?.isPreconditioned == true,
      budget.affords("Adam's stability limit", products: 30, share: 0.3)
    else { return nil }
    let factor = try DiagonalPreconditioner<Scalar>(
      preconditioner, relativeFloor: .leastNormalMagnitude)
    var options = TopEigenpairs<Scalar>.Options()
    options.seed = request.resources.probeSeed
    options.tolerance = Scalar.precisionName == "float64" ? 1e-8 : 1e-4
    return try TopEigenpairs<Scalar>(of: PreconditionedMap(map, by: factor), options: options)
      .upperBound
  }

  /// The same problem in standardised features, measured at its own start.
  struct StandardisedVariant {
    var objective: Objective<Scalar>
    var start: [Scalar]
    var survey: CurvatureSurvey<Scalar>
    /// Whether it is the same function of other variables, or a training anew.
    var isExact: Bool
  }

  /// Nil where the features are standardised already.
  private func standardisedVariant() throws -> StandardisedVariant? {
    guard let scaling, let table = problem.table else { return nil }
    let isStandard = scaling.sizes.indices.allSatisfy {
      scaling.constantColumns.contains($0)
        || abs(scaling.means[$0]) < 1e-6 && abs(scaling.deviations[$0] - 1) < 1e-6
    }
    guard !isStandard else { return nil }
    context.report("curvature with standardised features")
    let variant = scaling.applied(to: table)
    let objective = try Objective<Scalar>(
      variant.definition, data: variant.data(Scalar.element), executor: executor,
      memoryBudget: request.resources.memory, context: context)
    let isExact = problem.isLinearInParameters
    let start =
      isExact
      ? scaling.transformed(point, outputs: problem.parameters[1].shape.count)
      : variant.start()
    let (_, gradient) = try objective.valueAndGradient(at: start)
    var survey = try CurvatureSurvey(
      of: objective.hessian(at: start), gradient: gradient, seed: request.resources.seed,
      denseLimit: 1500,
      memory: request.resources.memory / 2)
    // In float64 from the columns as no double holds them, so that what depends on each other still does.
    let exact =
      Scalar.precisionName == "float64"
      ? variant.leastSquaresModes(
        features: scaling.exactly(table), target: table.numericTarget,
        at: start.map { Double($0) }) : modes(of: variant, at: start)
    if let exact { survey.adopt(exact) }
    return StandardisedVariant(
      objective: objective, start: start, survey: survey, isExact: isExact)
  }
}
