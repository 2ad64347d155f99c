import Curvature
import LinearMaps
import TensorPrograms

/// The same problem in standardised features, measured at its own start.
struct StandardisedVariant<Scalar: LinearMapScalar> {
  let objective: Objective<Scalar>
  let start: [Scalar]
  let survey: CurvatureSurvey<Scalar>
  /// Whether columns are centred before they are scaled.
  let isCentred: Bool
  /// Whether it is the same function of other variables, or a training anew.
  let isExact: Bool

  /// Nil without a table, and where the features are standardised already.
  init?(_ started: StartedProblem<Scalar>, _ scaling: FeatureScaling?) throws {
    guard let scaling, let table = started.problem.table else { return nil }
    guard !scaling.isStandard else { return nil }
    started.context.report("curvature with standardised features")
    let variant = scaling.applied(to: table)
    let memory = started.request.resources.memory
    objective = try Objective<Scalar>(
      variant.definition, data: variant.data(Scalar.element), executor: started.executor,
      memoryBudget: memory, context: started.context)
    isCentred = scaling.isCentred
    isExact = started.problem.isLinearInParameters
    let start: [Scalar] =
      isExact
      ? scaling.transformed(
        started.point, outputs: table.outputCount)
      : variant.start()
    let (_, gradient) = try objective.valueAndGradient(at: start)
    var survey = try CurvatureSurvey(
      of: objective.hessian(at: start), gradient: gradient,
      seed: started.request.resources.seed, denseLimit: 1500, memory: memory / 2)
    // In float64 from the columns as no double holds them, so that what depends on each other still does.
    let exact =
      Scalar.precisionName == "float64"
      ? variant.leastSquaresModes(
        features: scaling.exactly(table), target: table.numericTarget,
        at: start.map { Double($0) }) : started.modes(of: variant, at: start)
    if let exact { survey.adopt(exact) }
    self.start = start
    self.survey = survey
  }
}
