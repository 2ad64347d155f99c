import Curvature
import Foundation
import LinearMaps
import TensorPrograms
import Testing

@testable import Training

/// What is measured for schedules, against numbers by hand, and that measuring moves nothing.
@Suite struct ScheduleMeasurerTests {
  private static let measurements: [ScheduleMeasurement] = [
    .sharpness(every: 1), .directionalCurvature(every: 1), .criticalRate(every: 1),
  ]

  /// A run that is looked at before every step and one that is not take the same steps.
  private func movesNothing<Scalar: LinearMapScalar>(
    _ type: Scalar.Type, _ optimizer: any Optimizer, _ source: GradientSource<Scalar>
  ) throws {
    let loss: Objective<Scalar> = try Regression().objective()
    let start = Regression().start.map { Scalar($0) }
    let alone = try TrainingRun(loss, optimizer, rate: 0.05, from: start, gradients: source)
    let watched = try TrainingRun(loss, optimizer, rate: 0.05, from: start, gradients: source)
    let measurer = ScheduleMeasurer<Scalar>(sample: loss, seed: 4)
    for _ in 0..<6 {
      for measurement in Self.measurements {
        if case .sharpness = measurement, optimizer.stability == nil { continue }
        _ = try measurer.measure(measurement, watched)
        #expect(watched.trainingState == alone.trainingState)
        #expect(watched.evaluatedParameters == alone.evaluatedParameters)
      }
      #expect(try watched.step() == alone.step())
    }
    #expect(watched.parameters == alone.parameters && watched.parameters != start)
    #expect(loss.operations > 6 * (try loss.gradientOperations()))
  }

  @Test(arguments: OptimizerRow.all)
  func measuringMovesNothing(_ row: OptimizerRow) throws {
    let optimizer = try OptimizerSetting(row.name, row.hyperparameters).make()
    try movesNothing(Double.self, optimizer, .allSamples)
    try movesNothing(Double.self, optimizer, .batches(Batches(size: 3, seed: 5)))
    try movesNothing(Float.self, optimizer, .batches(Batches(size: 3, seed: 5)))
  }

  /// The largest eigenvalue of `D^1/2 H D^1/2`, all of it written out.
  private func largest(_ loss: Objective<Double>, _ point: [Double], _ inverse: [Double]) throws
    -> Double
  {
    let hessian = try loss.hessian(at: point)
    let count = point.count
    var matrix: [Double] = []
    for index in 0..<count {
      var unit = [Double](repeating: 0, count: count)
      unit[index] = inverse[index].squareRoot()
      matrix += zip(try hessian(unit), inverse).map { $0 * $1.squareRoot() }
    }
    // Powers of the matrix shifted to be positive: no library's eigenvalues.
    let shift = 50.0
    var vector = (0..<count).map { 1 + 0.1 * Double($0) }
    var value = 0.0
    for _ in 0..<20_000 {
      let product = (0..<count).map { row in
        (0..<count).reduce(shift * vector[row]) { $0 + matrix[$1 * count + row] * vector[$1] }
      }
      value = norm(product) / norm(vector) - shift
      let size = norm(product)
      vector = product.map { $0 / size }
    }
    return value
  }

  @Test func sharpnessIsThatOfTheOptimizersLimit() throws {
    let problem = Regression()
    let loss: Objective<Double> = try problem.objective()
    let ones = [Double](repeating: 1, count: 10)
    let cases: [(any Optimizer, criticalProduct: Double)] = [
      (GradientDescent(), 2), (Momentum(beta: 0.9), 3.8), (Nesterov(beta: 0.5), 1.5),
    ]
    for (optimizer, product) in cases {
      let run = try TrainingRun(loss, optimizer, rate: 0.05, from: problem.start)
      for _ in 0..<3 { try run.step() }
      let measurer = ScheduleMeasurer<Double>(seed: 1)
      guard case .sharpness(let found) = try measurer.measure(.sharpness(every: 1), run) else {
        Issue.record("another reading")
        return
      }
      let expected = try largest(loss, run.parameters, ones) * 2 / product
      #expect(close(found, expected, 2e-3), "\(optimizer.name): \(found) and \(expected)")
      #expect(measurer.memory.numbers["residual"]! <= 0.03)
    }
  }

  /// The preconditioner is that of the step to come, by hand: `(1 - b1^t) (sqrt(v / (1 - b2^t)) + eps)`; and what is
  /// found is at least the curvature along that step over its slope.
  @Test func adamsSharpnessIsPreconditioned() throws {
    let problem = Regression()
    let loss: Objective<Double> = try problem.objective()
    let run = try TrainingRun(
      loss, Adam(epsilon: 0.1), rate: 0.01, from: problem.start,
      rules: {
        var rules = StepRules()
        rules.rateFactors = [.scalar(0.5), .scalar(1), .tensor([2, 3])]
        return rules
      }())
    for step in 0..<3 {
      let gradient = problem.valueAndGradient(at: run.parameters).gradient
      let second = zip(step == 0 ? [Double](repeating: 0, count: 10) : run.state("v"), gradient)
        .map { 0.999 * $0 + 0.001 * $1 * $1 }
      let (one, two) = (1 - pow(0.9, Double(step + 1)), 1 - pow(0.999, Double(step + 1)))
      let factors = [0.5, 0.5, 0.5, 0.5, 0.5, 0.5, 1, 1, 2, 3]
      let inverse = zip(factors, second).map { $0 / (one * (($1 / two).squareRoot() + 0.1)) }
      let measurer = ScheduleMeasurer<Double>(seed: 1)
      guard case .sharpness(let found) = try measurer.measure(.sharpness(every: 1), run) else {
        Issue.record("another reading")
        return
      }
      let limit = try largest(loss, run.parameters, inverse) * 2 / 38
      let mean = zip(step == 0 ? [Double](repeating: 0, count: 10) : run.state("m"), gradient)
        .map { 0.9 * $0 + 0.1 * $1 }
      let move = zip(inverse, mean).map { -$0 * $1 }
      let product = try loss.hessian(at: run.parameters)(move)
      let slope = zip(gradient, move).reduce(0) { $0 + $1.0 * $1.1 }
      let curvature = zip(product, move).reduce(0) { $0 + $1.0 * $1.1 }
      let expected = max(limit, curvature / -slope)
      #expect(close(found, expected, 2e-3), "step \(step): \(found) and \(expected)")
      try run.step()
    }
  }

  /// Slope and curvature along heavy-ball's update by differences of the loss by hand.
  @Test func directionalCurvatureIsAlongTheUpdate() throws {
    let problem = Regression()
    let loss: Objective<Double> = try problem.objective()
    let cases: [any Optimizer] = [GradientDescent(), Momentum(beta: 0.8), Nesterov(beta: 0.8)]
    for optimizer in cases {
      let run = try TrainingRun(loss, optimizer, rate: 0.05, from: problem.start)
      for _ in 0..<4 { try run.step() }
      let point = run.parameters
      let beta = optimizer.hyperparameters["momentum"] ?? 0
      let velocity = beta == 0 ? [Double](repeating: 0, count: 10) : run.state("velocity")
      let lookahead =
        optimizer is Nesterov ? zip(point, velocity).map { $0 - 0.05 * beta * $1 } : point
      let gradient = problem.valueAndGradient(at: lookahead).gradient
      let update = zip(velocity, gradient).map { -(beta * $0 + $1) }
      guard
        case .directionalCurvature(let slope, let curvature) = try ScheduleMeasurer<Double>()
          .measure(.directionalCurvature(every: 1), run)
      else {
        Issue.record("another reading")
        return
      }
      func value(_ step: Double) -> Double {
        problem.valueAndGradient(at: zip(point, update).map { $0 + step * $1 }).value
      }
      let h = 1e-3 / norm(update)
      #expect(close(slope, (value(h) - value(-h)) / (2 * h), 1e-4), "\(optimizer.name)")
      let second = (value(h) - 2 * value(0) + value(-h)) / (h * h)
      #expect(close(curvature, second, 1e-3), "\(optimizer.name)")
    }
  }

  @Test func criticalRatesAreFoundByFewValues() throws {
    // Of a quadratic exactly, from any guess.
    for guess in [0.01, 0.3, 0.7, 1.1, 40] {
      let search = try CriticalRate(from: guess) { 5 - 3 * $0 + 4 * $0 * $0 }
      #expect(close(search.rate, 0.75, 1e-9) && search.values <= 6, "\(guess): \(search)")
    }
    // Of others within 2 %, by five to six values from a guess within a factor of two.
    let losses: [(@Sendable (Double) -> Double, crossing: Double)] = [
      ({ cosh($0) - 2 * $0 }, 2.4665), ({ $0 * $0 * $0 * $0 - $0 }, 1),
      ({ exp(3 * $0) - 6 * $0 }, 0.4188),
    ]
    for (loss, crossing) in losses {
      // The crossing as printed above is a root indeed.
      #expect(abs(loss(crossing) - loss(0)) < 1e-3)
      for factor in [0.5, 0.8, 1, 1.3, 2] {
        let search = try CriticalRate(from: factor * crossing, loss)
        #expect(close(search.rate, crossing, 0.02), "\(factor): \(search), \(crossing)")
        #expect(search.values <= 6)
      }
    }
    // Beyond a cliff there is no number.
    let cliff = try CriticalRate(from: 1) { $0 > 0.5 ? .nan : -$0 }
    #expect(cliff.rate > 0.3 && cliff.rate <= 0.5)
    #expect(try CriticalRate(from: 1) { $0 }.rate == 0)
    #expect(try CriticalRate(from: 1) { _ in .nan }.rate == 0)
    #expect(try CriticalRate(from: 1) { -$0 }.rate > 1e6)
    // Differences that rounding makes say nothing.
    let flat = try CriticalRate(from: 1) { 1 - 1e-17 * $0 + max(0, $0 - 3) }
    #expect(flat.rate == 0)
  }

  @Test(arguments: ["sharpness-following", "curvature-dynamics-aware", "critical-sharpness"])
  func resumesBitForBit(_ name: String) throws {
    let problem = Regression()
    let loss: Objective<Double> = try problem.objective()
    let setting = try ScheduleSetting(name, ["every": 3])
    func trainer(
      _ run: TrainingRun<Double>, _ schedule: any Schedule, _ measurer: ScheduleMeasurer<Double>,
      _ steps: Int
    ) -> Trainer<Double> {
      Trainer(run, rate: 0.05, steps: steps, schedule: schedule, measure: measurer.measure)
    }
    let whole = try TrainingRun(loss, Momentum(), rate: 0.05, from: problem.start)
    _ = try trainer(whole, setting.make(), ScheduleMeasurer(seed: 2), 20).train()
    for stop in [1, 3, 8] {
      let first = try TrainingRun(loss, Momentum(), rate: 0.05, from: problem.start)
      let measurer = ScheduleMeasurer<Double>(seed: 2)
      let begun = trainer(first, setting.make(), measurer, stop)
      _ = try begun.train()
      let kept = try JSONEncoder().encode(measurer.memory)
      let fresh = ScheduleMeasurer<Double>(seed: 2)
      fresh.memory = try JSONDecoder().decode(TrackerMemory.self, from: kept)
      let second = try TrainingRun(resuming: first.trainingState, of: loss)
      let resumed = trainer(second, setting.make(), fresh, 20)
      resumed.restore(begun.state)
      _ = try resumed.train()
      #expect(second.parameters == whole.parameters, "stopped at \(stop)")
      #expect(second.rate == whole.rate)
    }
  }

  /// A hybrid's optimizer is measured while it steps, and nothing is once the method has taken over.
  @Test func hybridsAreMeasuredWhileTheyStep() throws {
    let problem = Regression()
    let loss: Objective<Double> = try problem.objective()
    var criterion = SwitchCriterion()
    criterion.latest = 50
    let plan = HybridPlan(
      GradientDescent(), then: try CatalogueSetting<MethodCatalogue>("lbfgs").make(),
      criterion: criterion)
    let run = try HybridRun(plan, loss, rate: 0, from: problem.start)
    let measurer = ScheduleMeasurer<Double>(seed: 1)
    var calls: [Int] = []
    let trainer = Trainer(
      run, rate: 0, steps: 80, schedule: SharpnessFollowing(every: 10)
    ) { measurement, run in
      calls.append(run.stepCount)
      return try measurer.measure(measurement, run)
    }
    var rates: [Double] = []
    _ = try trainer.train { if case .step(let record) = $0 { rates.append(record.rate) } }
    #expect(calls == [0, 10, 20, 30, 40, 50] && rates[0] > 0 && Set(rates).count > 1)
    #expect(trainer.history.measuringGradients > 0)
    #expect(throws: ScheduleError.noUpdate(method: plan.name)) {
      try measurer.measure(.criticalRate(every: 1), run)
    }
  }

  @Test func whatCannotBeMeasuredIsRefused() throws {
    let problem = Regression()
    let loss: Objective<Double> = try problem.objective()
    let run = try TrainingRun(
      loss, DiagonalDescent(inverse: [Double](repeating: 1, count: 10)), rate: 0.05,
      from: problem.start)
    let error = #expect(throws: ScheduleError.self) {
      try ScheduleMeasurer<Double>().measure(.sharpness(every: 1), run)
    }
    #expect(error?.description.contains("diagonal-preconditioner") == true)
    // A run that has left the numbers keeps its rate.
    let lost = try TrainingRun(
      loss, GradientDescent(), rate: 0.05, from: problem.start.map { $0 * 1e200 })
    try lost.step()
    for measurement in Self.measurements {
      let reading = try ScheduleMeasurer<Double>().measure(measurement, lost)
      var schedule: any Schedule =
        switch measurement {
        case .sharpness: SharpnessFollowing()
        case .directionalCurvature: CurvatureDynamicsAware()
        case .criticalRate: CriticalSharpness()
        }
      let moment = ScheduleMoment(step: 0, stepCount: 9, rate: 0.3, measured: reading)
      #expect(schedule.rate(moment) == 0.3)
    }
  }
}
