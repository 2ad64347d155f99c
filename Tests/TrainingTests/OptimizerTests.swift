import Curvature
import Foundation
import LinearMaps
import OnnxBackend
import TensorPrograms
import Testing
import Training

/// Every optimizer against the same update in plain doubles.
@Suite struct OptimizerTests {
  static let problem = Regression()
  static let steps = 20

  static func reference(_ row: OptimizerRow) -> Reference {
    var run = Reference(from: problem.start, rate: row.rate) { problem.valueAndGradient(at: $0) }
    run.take(row.step, times: steps)
    return run
  }

  /// Compares a run step by step.
  static func check<Scalar: LinearMapScalar>(
    _ run: TrainingRun<Scalar>, _ reference: Reference, tolerance: Double, _ name: String = ""
  ) throws {
    for index in reference.losses.indices {
      let report = try run.step()
      let (loss, gradientNorm) = (report.loss, report.gradientNorm)
      #expect(
        abs(loss - reference.losses[index]) <= tolerance * abs(reference.losses[0]),
        "\(name) step \(index): loss \(loss), by hand \(reference.losses[index])")
      #expect(
        abs(gradientNorm - reference.gradientNorms[index])
          <= tolerance * reference.gradientNorms[0], "\(name) step \(index)")
    }
    let parameters = run.parameters.map { Double($0) }
    #expect(relativeDistance(parameters, reference.x) <= tolerance, "\(name)")
    let evaluated = run.evaluatedParameters.map { Double($0) }
    #expect(relativeDistance(evaluated, reference.evaluated) <= tolerance, "\(name)")
    #expect(run.stepCount == reference.count)
  }

  @Test(arguments: OptimizerRow.all)
  func equalsTheReference(_ row: OptimizerRow) throws {
    let entry = try #require(OptimizerCatalogue.named(row.name))
    let optimizer = try entry.make(row.hyperparameters)
    let defaults = Dictionary(
      uniqueKeysWithValues: entry.hyperparameters.map { ($0.name, $0.standard) })
    #expect(optimizer.hyperparameters == defaults.merging(row.hyperparameters) { $1 })
    #expect(optimizer.name == row.name)
    let reference = Self.reference(row)
    #expect(reference.losses.last! < 0.9 * reference.losses[0], "\(reference.losses)")
    let double: Objective<Double> = try Self.problem.objective()
    try Self.check(
      TrainingRun(double, optimizer, rate: row.rate, from: Self.problem.start), reference,
      tolerance: 1e-12)
    let single: Objective<Float> = try Self.problem.objective()
    // Adam's `1 - 0.999^t` keeps four digits in float32.
    try Self.check(
      TrainingRun(
        single, optimizer, rate: row.rate, from: Self.problem.start.map { Float($0) }), reference,
      tolerance: row.name == "adam" ? 3e-4 : 1e-5)
  }

  @Test(arguments: OptimizerCatalogue.all.map(\.name))
  func hasItsRows(_ name: String) throws {
    let entry = try #require(OptimizerCatalogue.named(name))
    let rows = OptimizerRow.all.filter { $0.name == name }
    #expect(rows.contains { $0.hyperparameters.isEmpty }, "no row at the defaults")
    for hyperparameter in entry.hyperparameters {
      #expect(
        rows.contains {
          $0.hyperparameters[hyperparameter.name].map { $0 != hyperparameter.standard } ?? false
        }, "no row with another \(hyperparameter.name)")
      #expect(hyperparameter.range.contains(hyperparameter.standard))
      #expect(!hyperparameter.meaning.isEmpty)
    }
    #expect(OptimizerCatalogue.all.count { $0.name == name } == 1)
    #expect(try entry.make().phrase.isEmpty == false && entry.formula.contains("x <-"))
  }

  /// The stated limit is where a run on a bowl starts to grow, and the stated factor is how it goes on.
  @Test(arguments: OptimizerRow.all)
  func stabilityAndStepFactor(_ row: OptimizerRow) throws {
    let optimizer = try OptimizerSetting(row.name, row.hyperparameters).make()
    guard let rule = optimizer.stability, !rule.isPreconditioned else {
      #expect(row.name == "adam")
      return
    }
    // Where a rate starts to be slow, the steps that momentum adds up are a tenth of the ideal one.
    #expect(
      abs(rule.slowBelow * rule.criticalProduct / (1 - rule.momentum) - 0.1) < 1e-14)
    let eigenvalue = 3.0
    let limit = try #require(rule.limit(curvature: eigenvalue))
    for (times, isStable) in [(0.98, true), (1.02, false)] {
      let run = try TrainingRun(
        quadratic([eigenvalue]), optimizer, rate: times * limit, from: [1.0])
      // Long enough for what shrinks by 1 % of 1 - 0.99 in a step.
      for _ in 0..<40_000 where run.evaluatedParameters[0].magnitude < 1e100 { try run.step() }
      let size = run.evaluatedParameters[0].magnitude
      #expect(isStable ? size < 1e-2 : size > 1e2, "\(row) at \(times) of the limit: \(size)")
    }
    for times in [1e-3, 0.02, 0.1, 0.3, 0.5, 0.7, 0.9, 0.999, 1.1] {
      let rate = times * limit
      let factor = try #require(optimizer.stepFactor(rate: rate, eigenvalue: eigenvalue))
      let run = try TrainingRun(quadratic([eigenvalue]), optimizer, rate: rate, from: [1.0])
      var scale = 1.0
      for step in 0..<60 {
        try run.step()
        let measured = run.evaluatedParameters[0]
        scale = max(measured.magnitude, scale * 0.5)
        #expect(
          abs(factor.value(after: Double(step)) - measured) <= 1e-9 * scale,
          "\(row) at \(times) of the limit, step \(step)")
      }
    }
  }

  /// Adam's preconditioner is what its mean gradient is divided by.
  @Test func preconditioners() throws {
    for optimizer in [Adam(), Adam(beta1: 0.5, beta2: 0.9, epsilon: 0.01)] {
      let run = try TrainingRun(
        Self.problem.objective(), optimizer, rate: 0.1, from: Self.problem.start)
      #expect(optimizer.preconditioner(state: run.state, step: run.stepCount) == nil)
      for _ in 0..<5 {
        let before = run.parameters
        try run.step()
        let diagonal = try #require(
          optimizer.preconditioner(state: run.state, step: run.stepCount))
        let step = zip(run.state("m"), diagonal).map { 0.1 * $0 / $1 }
        #expect(relativeDistance(zip(before, step).map { $0 - $1 }, run.parameters) < 1e-13)
      }
    }
    #expect(Momentum().preconditioner(state: { _ in [] }, step: 3) == nil)
  }

  @Test func diagonalDescent() throws {
    let inverse = (1...10).map { 1 / Double($0) }
    let optimizer = DiagonalDescent(inverse: inverse)
    var reference = Reference(from: Self.problem.start, rate: 0.3) {
      Self.problem.valueAndGradient(at: $0)
    }
    reference.take(
      { run in
        let g = run.gradient(at: run.x)
        for i in g.indices { run.x[i] -= run.rate * inverse[i] * g[i] }
      }, times: Self.steps)
    try Self.check(
      TrainingRun(Self.problem.objective(), optimizer, rate: 0.3, from: Self.problem.start),
      reference, tolerance: 1e-12)
    #expect(
      relativeDistance(
        optimizer.preconditioner(state: { _ in [] }, step: 1)!, (1...10).map { Double($0) })
        < 1e-15)
  }

  // MARK: Other points and other states

  static let unlisted: [(optimizer: any Optimizer, step: @Sendable (inout Reference) -> Void)] = [
    (Ascending(), Ascending.reference), (ScheduleFree(), ScheduleFree.reference),
    (Follower(), Follower.reference),
  ]

  @Test(arguments: unlisted.indices)
  func gradientElsewhere(_ index: Int) throws {
    let (optimizer, step) = Self.unlisted[index]
    var reference = Reference(from: Self.problem.start, rate: 0.2) {
      Self.problem.valueAndGradient(at: $0)
    }
    reference.take(step, times: Self.steps)
    #expect(relativeDistance(reference.evaluated, reference.x) > 1e-4)
    for (name, run) in try TrainingForms.all(optimizer, rate: 0.2) {
      try Self.check(run, reference, tolerance: 1e-12, name)
    }
    let single: Objective<Float> = try Self.problem.objective()
    try Self.check(
      TrainingRun(single, optimizer, rate: 0.2, from: Self.problem.start.map { Float($0) }),
      reference, tolerance: 1e-5)
  }

  @Test func statesOfTheirOwn() throws {
    let run = try TrainingRun(
      Self.problem.objective(), Ascending(), rate: 0.2, from: Self.problem.start)
    #expect(run.evaluatedParameters == Self.problem.start)
    #expect(run.state("norm") == [1] && run.state("schedule") == [1, 0.5, 0.25])
    #expect(run.state("last") == [Double](repeating: 0, count: 10) && run.state("z") == [])
    let norm = try run.step().gradientNorm
    #expect(abs(run.state("norm")[0] - norm) < 1e-14 * norm)
    #expect(run.state("schedule") == [0.5, 0.25, 1])
    let free = try TrainingRun(
      Self.problem.objective(), ScheduleFree(), rate: 0.2, from: Self.problem.start)
    #expect(free.state("z") == Self.problem.start)
  }

  /// Steps by ONNX Runtime, where state passes through and points lie elsewhere.
  @Test func onOnnxRuntime() throws {
    let executor = try OnnxExecutor()
    for row in OptimizerRow.all {
      let objective: Objective<Double> = try Self.problem.objective(executor: executor)
      try Self.check(
        TrainingRun(
          objective, OptimizerSetting(row.name, row.hyperparameters).make(), rate: row.rate,
          from: Self.problem.start), Self.reference(row), tolerance: 1e-11, row.description)
    }
    for (optimizer, step) in Self.unlisted {
      var reference = Reference(from: Self.problem.start, rate: 0.2) {
        Self.problem.valueAndGradient(at: $0)
      }
      reference.take(step, times: Self.steps)
      for (name, run) in try TrainingForms.all(optimizer, rate: 0.2, executor: executor) {
        try Self.check(run, reference, tolerance: 1e-11, name)
      }
    }
  }
}
