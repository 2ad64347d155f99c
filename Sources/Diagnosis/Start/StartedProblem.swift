import Curvature
import LinearMaps
import Presentation
import TensorPrograms
import Training

/// A problem whose data were chosen and that was walked to the point asked for: what every measurement
/// starts from.
struct StartedProblem<Scalar: LinearMapScalar> {
  let problem: DiagnosisProblem
  let request: DiagnosisRequest
  let executor: any Executor
  let context: RunContext
  let objective: any Loss<Scalar>
  /// All samples, where only some of them are diagnosed.
  let whole: SampleChoice?
  let budget: WorkBudget
  /// The optimizer whose rate is judged.
  let optimizer: any Optimizer

  /// The point of diagnosis.
  let point: [Scalar]
  /// What the optimizer divides its steps by there; nil where that is nothing, or not known yet.
  let preconditioner: [Double]?
  let loss: Double
  let gradient: [Scalar]
  /// The step of the run up to the point at which a number stopped being finite.
  let brokenStep: Int?

  /// Chooses the data, walks to the point, and hands the parameters there to whoever wants them.
  ///
  /// - Parameter needsRows: whether something is asked of single samples, so that a table's rows cannot be
  ///   compressed.
  /// - Throws: `DiagnosisFailure`; what the executor and `DiagnosisProblem.atPoint` throw.
  init(
    _ problem: DiagnosisProblem, _ request: DiagnosisRequest, _ executor: any Executor,
    context: RunContext = RunContext(), needsRows: Bool = false
  ) throws {
    if let batch = request.training.batch {
      try BatchSetup.check(batch, of: problem.sampleCount)
    }
    let chosen = try ChosenData<Scalar>(
      problem, request, executor, context, needsRows: needsRows)
    let optimizer = try problem.carried(request.training.optimizer.make())
    let walk = try Walk(chosen.objective, optimizer, request, from: problem.start, context)
    var notes = chosen.problem.notes
    if let save = problem.atPoint {
      if walk.loss.isFinite {
        try save(walk.point.map { Double($0) })
      } else {
        notes.append("The parameters were not saved, since the loss is not finite there.")
      }
    }
    if let batch = request.training.batch, request.training.steps > 0 {
      notes.append(
        "The steps before were on \(Wording.count(batch, "sample")) at a time, drawn by the seed.")
    }
    var started = chosen.problem
    started.notes = notes
    started.readings = started.readings(
      judging: request.training, seed: request.resources.seed)
    self.problem = started
    self.request = request
    self.executor = executor
    self.context = context
    objective = chosen.objective
    whole = chosen.whole
    budget = chosen.budget
    self.optimizer = optimizer
    (point, preconditioner, loss, gradient, brokenStep) = (
      walk.point, walk.preconditioner, walk.loss, walk.gradient, walk.brokenStep
    )
  }

  var gradientNorm: Double { Scalar.nrm2(gradient.count, gradient) }

  /// Whether a product per parameter is within the budget.
  var canSolveDensely: Bool { Double(point.count) * budget.product <= 0.3 * budget.limit }

  /// The share of its last move that the given optimizer repeats; nil where no forecast exists for it.
  var forecastMomentum: Double? {
    optimizer.hasForecast ? optimizer.stability?.momentum : nil
  }

  /// The quadratic at a point from the table itself; nil where there is none, see
  /// `TabularProblem.leastSquaresModes`.
  func modes(
    of table: TabularProblem, at point: [Scalar], scaling: [Double]? = nil
  ) -> LeastSquaresModes? {
    table.leastSquaresModes(
      features: table.compression?.features
        ?? table.data(Scalar.element)[0].doubles.map { DoubleDouble($0) },
      target: table.numericTarget.map { Double(Scalar($0)) },
      at: point.map { Double($0) }, scaling: scaling)
  }

  /// Nil where an operator beside the Hessian cannot be measured, or was interrupted: what is known
  /// already is told all the same.
  func ifMeasurable<R>(_ measure: () throws -> R?) throws -> R? {
    do { return try measure() } catch is LinearMapError { return nil } catch let error
      as CurvatureError
    {
      // A closure of the wrong length is a fault to be told, not a number that is missing.
      if case .wrongLength = error { throw error }
      return nil
    } catch is CancellationError {
      return nil
    }
  }

  var facts: DiagnosisReport.Problem {
    DiagnosisReport.Problem(
      parameters: point.count, samples: problem.sampleCount, features: problem.table?.featureCount,
      loss: loss.isFinite ? loss : nil, gradientNorm: gradientNorm.isFinite ? gradientNorm : nil,
      seed: request.resources.seed, precision: Scalar.precisionName, executor: executor.name,
      name: problem.name, model: problem.modelName, lossName: problem.lossName,
      target: problem.targetName, optimizer: optimizer.name,
      at: request.training.steps, l2: problem.l2, notes: problem.notes, data: problem.dataName,
      layers: problem.table == nil ? problem.parameters.layers.count : nil,
      isQuadratic: problem.isQuadratic, readings: problem.readings)
  }
}
