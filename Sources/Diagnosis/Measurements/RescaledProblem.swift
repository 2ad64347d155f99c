import Curvature
import LinearMaps
import TensorPrograms
import Training

/// The problem with standardised inputs, a standardised target or both, to be trained and told in the
/// units that it had.
struct RescaledProblem<Scalar: LinearMapScalar> {
  let objective: any Loss<Scalar>
  let start: [Scalar]
  /// What losses of `objective` are multiplied with to be those of the problem as given.
  let lossFactor: Double
  /// Whether it starts as the same function in other variables, and the penalty is the same; else it is
  /// a training anew.
  let isExact: Bool
  /// The loss as its quadratic in the new variables, known from the table.
  let modes: LeastSquaresModes?
  /// Parameters with the target unscaled, of a linear model.
  let unscaled: ([Double]) -> [Double]

  /// Curvature at the start, as far as a tenth of the budget goes; nil where it cannot be measured.
  func survey(_ started: StartedProblem<Scalar>) throws -> CurvatureSurvey<Scalar>? {
    guard started.budget.affords("the curvature of the rescaled problem", products: 60) else {
      return nil
    }
    return try started.ifMeasurable {
      let (_, gradient) = try objective.valueAndGradient(at: start)
      return try CurvatureSurvey(
        of: objective.hessian(at: start), gradient: gradient,
        seed: started.request.resources.seed, denseLimit: started.canSolveDensely ? 300 : 0,
        memory: started.request.resources.memory / 2, products: (60, 40))
    }
  }

  /// A run of some optimizer on it, its losses in the units of the problem as given.
  func run(
    _ train: (TrialBench<Scalar>) throws -> TrialBench<Scalar>.Outcome,
    on bench: TrialBench<Scalar>
  ) throws -> TrialBench<Scalar>.Outcome {
    var scaled = bench
    scaled.startLoss /= lossFactor
    scaled.referenceLoss = bench.referenceLoss.map { $0 / lossFactor }
    var outcome = try train(scaled)
    outcome.losses = outcome.losses.map { $0 * lossFactor }
    outcome.orders = outcome.orders.map { ($0.losses.map { $0 * lossFactor }, $0.gaps) }
    // Gaps are shares, and stay what they are.
    outcome.arrivalPoint = outcome.arrivalPoint.map(unscaled)
    return outcome
  }
}

extension Measurements {
  /// The target's scale, where it is a regression's under a squared error.
  var targetScaling: TargetScaling? { TargetScaling(start.problem) }

  /// Whether the model has yet to come near the target: below half of the best constant's loss, its
  /// outputs have the target's size already.
  func hasToReach(_ target: TargetScaling) -> Bool {
    target.isFarFromOne && start.loss >= 0.5 * target.lossAtBestConstant
  }

  /// The problem with its inputs or target standardised.
  ///
  /// - Parameters:
  ///   - inputs: whether the table's columns, or the inputs of a model's first layers, are standardised.
  ///   - target: the scale that the target is freed of, if any.
  /// - Returns: nil where there is nothing to standardise, or where a model lacks a bias for the mean.
  func rescaled(inputs: Bool, target: TargetScaling?) throws -> RescaledProblem<Scalar>? {
    guard inputs || target != nil else { return nil }
    return start.problem.table == nil
      ? try rescaledModel(inputs: inputs, target: target)
      : try rescaledTable(inputs: inputs, target: target)
  }

  private func rescaledTable(
    inputs: Bool, target: TargetScaling?
  ) throws -> RescaledProblem<Scalar>? {
    guard let table = start.problem.table, let scaling else { return nil }
    if inputs, scaling.isStandard { return nil }
    let isLinear = table.isLinearInParameters
    if isLinear, target != nil, !scaling.isCentred { return nil }
    var variant = inputs ? scaling.applied(to: table) : table
    var point =
      isLinear
      ? (inputs ? scaling.transformed(start.point, outputs: table.outputCount) : start.point)
      : variant.start()
    if let target {
      variant.target = .numeric(target.applied(to: table))
      if isLinear {
        for index in point.indices {
          let isBias = index == point.count - 1
          point[index] = Scalar(
            (Double(point[index]) - (isBias ? target.mean : 0)) / target.deviation)
        }
      } else {
        // In the user's units the penalty is the same one, of the scaled network's weights.
        variant.l2 /= target.lossFactor
      }
    }
    let modes =
      isLinear && table.isQuadratic
      ? variant.leastSquaresModes(
        features: inputs && Scalar.precisionName == "float64"
          ? scaling.exactly(table)
          : table.compression?.features
            ?? variant.data(Scalar.element)[0].doubles.map { DoubleDouble($0) },
        target: variant.numericTarget.map { Double(Scalar($0)) }, at: point.map { Double($0) })
      : nil
    return RescaledProblem(
      objective: try objective(variant.definition, variant.data(Scalar.element)), start: point,
      lossFactor: target?.lossFactor ?? 1, isExact: isLinear, modes: modes,
      unscaled: { point in
        guard let target else { return point }
        return point.indices.map { index in
          point[index] * target.deviation + (index == point.count - 1 ? target.mean : 0)
        }
      })
  }

  private func rescaledModel(
    inputs: Bool, target: TargetScaling?
  ) throws -> RescaledProblem<Scalar>? {
    guard var definition = start.problem.definition else { return nil }
    var data = start.problem.data(Scalar.element)
    if inputs {
      guard let scaling = self.inputs?.scaling, !scaling.isStandard else { return nil }
      data = scaling.applied(to: data)
    }
    if let target {
      let last = data.count - 1
      data[last] = Tensor(target.applied(to: data[last].doubles), type: data[last].type)
      if start.problem.l2 > 0, let composite = definition.composite {
        var changed = LossDefinition(
          parameters: definition.parameters, model: composite.model, loss: composite.loss,
          penalty: LossDefinition.decay(
            start.problem.l2 / target.lossFactor, of: definition.parameters),
          distribution: composite.distribution)
        changed.couplesSamples = definition.couplesSamples
        changed.fixedBatch = definition.fixedBatch
        definition = changed
      }
    }
    return RescaledProblem(
      objective: try objective(definition, data), start: start.point,
      lossFactor: target?.lossFactor ?? 1, isExact: false, modes: nil, unscaled: { $0 })
  }

  private func objective(_ definition: LossDefinition, _ data: [Tensor]) throws -> any Loss<Scalar>
  {
    try Objective<Scalar>(
      definition, data: data, executor: start.executor,
      memoryBudget: start.request.resources.memory, context: start.context)
  }
}
