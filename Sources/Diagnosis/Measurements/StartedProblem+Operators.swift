import Curvature
import LinearMaps
import TensorPrograms
import Training

/// Operators beside the Hessian.
extension StartedProblem {
  /// `lambda_max / lambda_min` of the Gauss-Newton matrix; where it is singular, over the directions
  /// that a thousand steps reach.
  func gaussNewtonConditionNumber(_ survey: CurvatureSurvey<Scalar>) throws -> Double? {
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
  func layerCurvature() throws -> [LayerCurvature] {
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

  /// What the largest eigenvalue would be on a larger sample, from ten groups of this one; nil where losses
  /// are added up, since it grows with the sample then.
  func samplingError(_ survey: CurvatureSurvey<Scalar>) throws -> SamplingError? {
    guard problem.table?.reduction != .sum else { return nil }
    if let table = problem.table, let groups = table.compression?.groups {
      var options = TopEigenpairs<Double>.Options()
      options.seed = request.resources.probeSeed
      options.tolerance = 1e-4
      return survey.largest > survey.zeroThreshold
        ? try table.samplingError(groups, options: options) : nil
    }
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

  /// The largest eigenvalue of `P^-1/2 H P^-1/2`, and an upper bound on it, for the `P` that the optimizer
  /// divides its steps by.
  func preconditionedSharpness(
    _ map: CurvatureMap<Scalar>
  ) throws -> (value: Double, upperBound: Double)? {
    guard let preconditioner, optimizer.stability?.isPreconditioned == true,
      budget.affords("the optimizer's stability limit", products: 30, share: 0.3)
    else { return nil }
    // What a group's rate of zero holds is divided by infinity.
    let factor =
      try preconditioner.allSatisfy(\.isFinite)
      ? DiagonalPreconditioner<Scalar>(preconditioner, relativeFloor: .leastNormalMagnitude)
      : DiagonalPreconditioner<Scalar>(inverse: preconditioner.map { 1 / $0 })
    var options = TopEigenpairs<Scalar>.Options()
    options.seed = request.resources.probeSeed
    options.tolerance = Scalar.precisionName == "float64" ? 1e-8 : 1e-4
    let top = try TopEigenpairs<Scalar>(of: PreconditionedMap(map, by: factor), options: options)
    return top.upperBound.map { (top.largest[0].value, $0) }
  }

  /// Lanczos on the Hessian over all samples, from the eigenvector that some of them gave.
  func sharpnessOnAllSamples(
    _ survey: CurvatureSurvey<Scalar>
  ) throws -> SharpnessOnAllSamples? {
    guard let whole, let definition = problem.definition, let chosen = objective.objective,
      survey.largest > survey.zeroThreshold
    else { return nil }
    let all = try Objective<Scalar>(
      definition, data: whole.data, executor: executor, memoryBudget: request.resources.memory,
      maxBatchSize: chosen.batchSize, context: context)
    var options = TopEigenpairs<Scalar>.Options()
    options.start = survey.sharpest
    options.tolerance = 0.01
    let work = try WorkBudget(all, limit: request.resources.workLimit)
    // Worth more than all else, but not hours.
    guard budget.affords("the sharpness on all samples", work: work.product, share: 5) else {
      return nil
    }
    context.report("sharpness on all \(whole.count) samples")
    options.maxApplications = work.products(share: 0.3, least: 2, most: 10)
    let top = try TopEigenpairs<Scalar>(of: all.hessian(at: point), options: options)
    return SharpnessOnAllSamples(
      samples: whole.count, value: top.largest[0].value, residual: top.largest[0].residual,
      operatorApplications: top.convergence.operatorApplications)
  }
}
