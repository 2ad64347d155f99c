import Curvature
import LinearMaps
import TensorPrograms
import Training

/// What was measured at the point of a started problem: findings, remedies and the report are functions
/// of it.
struct Measurements<Scalar: LinearMapScalar> {
  let start: StartedProblem<Scalar>
  /// The sizes of the table's columns, where there is a table.
  let scaling: FeatureScaling?
  /// What is out of the ordinary in the inputs of a model's first layer.
  let inputs: (scaling: InputScaling, remark: InputScaling.Remark)?
  /// The Hessian.
  let map: CurvatureMap<Scalar>
  let survey: CurvatureSurvey<Scalar>
  let facts: LearningRateFacts
  /// The condition number of the Gauss-Newton matrix.
  let gaussNewton: Double?
  let standardised: StandardisedVariant<Scalar>?
  let layers: [LayerCurvature]
  let sharpnessOnAll: SharpnessOnAllSamples?
  let sampling: SamplingError?
  let finiteMinimum: FiniteMinimum
  let courses = Courses()
  let adamRate = AdamSearch<Scalar>.FoundRate()
  /// The mini-batches that remedies are run in; nil for all samples at each step.
  var userBatches: UserBatches<Scalar>?

  /// Why there are no measurements: a quantity that is not finite at the point.
  struct Broken: Error {
    let quantity: String
  }

  /// - Parameter isSharpnessKnown: called with the answer that the largest eigenvalue alone gives, before
  ///   anything else is measured; nil where it gives none.
  /// - Throws: `Broken`; `DiagnosisFailure` where the curvature cannot be told; what the executor and
  ///   `isSharpnessKnown` throw.
  init(
    _ start: StartedProblem<Scalar>, isSharpnessKnown: (FirstAnswer?) throws -> Void = { _ in }
  ) throws {
    let scaling = start.problem.table.map(FeatureScaling.init)
    let norm = start.gradientNorm
    guard start.loss.isFinite else { throw Broken(quantity: "loss") }
    guard norm.isFinite else { throw Broken(quantity: "gradient") }
    guard (norm * norm).isFinite else {
      if let failure = start.unsquarableColumn(scaling) { throw failure }
      throw Broken(quantity: "squared gradient")
    }
    start.context.report("curvature")
    let map = try start.objective.hessian(at: start.point)
    let top: TopEigenpairs<Scalar>
    do { top = try start.sharpness(map) } catch {
      throw start.failure(of: error, scaling)
    }
    // A caller's own optimizer is judged from the first sentence on.
    let early =
      start.problem.standing == nil
      ? nil : try start.ifMeasurable { try start.preconditionedSharpness(map) }
    try isSharpnessKnown(start.firstAnswer(top, ofStep: early))
    let survey: CurvatureSurvey<Scalar>
    do { survey = try start.survey(map, top) } catch {
      throw start.failure(of: error, scaling)
    }
    self.start = start
    self.scaling = scaling
    inputs = InputScaling(start.problem, Scalar.element).flatMap { scaling in
      scaling.remark.map { (scaling, $0) }
    }
    self.map = map
    self.survey = survey
    gaussNewton = try start.ifMeasurable { try start.gaussNewtonConditionNumber(survey) }
    let ofStep = try early ?? start.ifMeasurable { try start.preconditionedSharpness(map) }
    facts = LearningRateFacts(
      survey.curvature, rule: start.optimizer.stability, given: start.request.training.rate,
      preconditionedBound: ofStep?.upperBound)
    standardised = try start.ifMeasurable { try StandardisedVariant(start, scaling) }
    layers = try start.ifMeasurable { try start.layerCurvature() } ?? []
    sharpnessOnAll = try start.ifMeasurable { try start.sharpnessOnAllSamples(survey) }
    sampling = try start.ifMeasurable { try start.samplingError(survey) }
    finiteMinimum = start.finiteMinimum()
  }

  /// The loss as its quadratic, known from the table; nil for another loss.
  func exactLoss(_ survey: CurvatureSurvey<Scalar>) -> LeastSquaresModes? {
    start.problem.isQuadratic ? survey.modes : nil
  }
}

extension StartedProblem {
  /// Parameters up to which the matrix is written out.
  var denseLimit: Int { canSolveDensely ? CurvatureSurvey<Scalar>.denseLimit : 0 }

  /// Products that the search for the outermost eigenvalues may make, and the gradient's spectral measure.
  var surveyProducts: (ends: Int, measure: Int) {
    (
      budget.products(share: 0.35, least: 12, most: 300),
      budget.products(share: 0.1, least: 3, most: 150)
    )
  }

  /// What a failure to measure the curvature is for the user.
  fileprivate func failure(of error: any Error, _ scaling: FeatureScaling?) -> any Error {
    if error.isNonFinite {
      return unsquarableColumn(scaling) ?? Measurements<Scalar>.Broken(quantity: "curvature")
    }
    return (error as? LinearMapError).map { DiagnosisFailure(unmeasurable: $0) } ?? error
  }

  /// The Hessian's extreme eigenvalues and spectral measure, as far as the budget goes; from the table itself
  /// where that is exact.
  fileprivate func survey(
    _ map: CurvatureMap<Scalar>, _ top: TopEigenpairs<Scalar>
  ) throws -> CurvatureSurvey<Scalar> {
    var survey = try CurvatureSurvey(
      of: map, gradient: gradient, seed: request.resources.seed, denseLimit: denseLimit,
      memory: request.resources.memory / 2, products: surveyProducts,
      top: point.count <= denseLimit ? top : nil)
    if let modes = problem.table.flatMap({ modes(of: $0, at: point) }) { survey.adopt(modes) }
    if let exact = try surveyInFloat64(survey) { survey.adopt(inFloat64: exact) }
    return survey
  }

  /// The complaint about the largest column, where its squares overflow.
  fileprivate func unsquarableColumn(_ scaling: FeatureScaling?) -> DiagnosisFailure? {
    scaling.flatMap { problem.unsquarableColumn($0, Scalar.self) }
  }
}
