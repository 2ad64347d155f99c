import Curvature
import Foundation
import LinearMaps
import OnnxBackend
import TensorPrograms
import Testing

@testable import Training

/// Every optimizer's course beside that of PyTorch, optax or its paper written out.
@Suite struct TrajectoryTests {
  static let trajectories = Trajectories.all

  /// The largest difference of a course from the recorded one, relative to the largest parameter.
  static func deviation(
    _ run: TrainingRun<Double>, _ recorded: Trajectories.Run, upTo last: Int
  ) throws -> Double {
    var worst = 0.0
    for step in 1...last {
      try run.step()
      guard let place = trajectories.steps.firstIndex(of: step) else { continue }
      worst = max(worst, relativeDistance(run.parameters, recorded.parameters[place]))
    }
    return worst
  }

  @Test(arguments: trajectories.runs)
  func equalsOthers(_ recorded: Trajectories.Run) throws {
    let run = try Self.trajectories.trained(recorded, Self.trajectories.objective())
    let deviation = try Self.deviation(run, recorded, upTo: 100)
    #expect(deviation <= 1e-10, "\(recorded): \(deviation)")
    #expect(relativeDistance(run.parameters, Self.trajectories.start) > 1e-4)
  }

  @Test(arguments: trajectories.runs.filter { $0.batched })
  func onOnnxRuntime(_ recorded: Trajectories.Run) throws {
    let run = try Self.trajectories.trained(
      recorded, Self.trajectories.objective(executor: OnnxExecutor()))
    let deviation = try Self.deviation(run, recorded, upTo: 10)
    #expect(deviation <= 1e-10, "\(recorded): \(deviation)")
  }

  @Test func batchesAreTheSame() {
    var order = BatchOrder(sampleCount: 12, Self.trajectories.batches)
    for (step, samples) in Self.trajectories.order.enumerated() {
      #expect(Array(order.samples(of: step)) == samples, "step \(step)")
    }
  }

  @Test func sourcesAreOfOthersWhereTheyHaveIt() {
    let written = Set(Self.trajectories.runs.filter { $0.source == "numpy" }.map(\.optimizer))
    #expect(
      written == ["adam", "prodigy", "sophia-h", "sophia-g", "adahessian", "soap"],
      "\(written.sorted())")
    #expect(Set(Self.trajectories.runs.map(\.optimizer)) == Set(OptimizerCatalogue.all.map(\.name)))
  }

  /// Runs go on from a state bit for bit: with probes, renewals, averages and small batches.
  @Test(arguments: trajectories.runs.filter { $0.batched })
  func goesOn(_ recorded: Trajectories.Run) throws {
    try check(recorded, Double.self, Self.trajectories.rules)
    try check(recorded, Float.self, Self.trajectories.rules)
  }

  private func check<Scalar: LinearMapScalar>(
    _ recorded: Trajectories.Run, _ type: Scalar.Type, _ rules: StepRules
  ) throws {
    let loss: Objective<Scalar> = try Self.trajectories.objective()
    let start = Self.trajectories.start.map { Scalar($0) }
    let source = GradientSource<Scalar>.batches(Self.trajectories.batches)
    func fresh() throws -> TrainingRun<Scalar> {
      try TrainingRun(
        loss, recorded.make(), rate: recorded.rate, from: start, gradients: source, rules: rules)
    }
    let whole = try fresh()
    var part = try fresh()
    for stop in [1, 10, 4] {
      for _ in 0..<stop {
        let (a, b) = (try whole.step(), try part.step())
        #expect(a == b, "\(recorded)")
      }
      part = try TrainingRun(resuming: part.trainingState, of: loss, rules: rules)
    }
    let after = (try whole.step(), try part.step())
    #expect(after.0 == after.1 && whole.trainingState == part.trainingState, "\(recorded)")
  }

  // MARK: Accumulation

  /// A batch cut into pieces takes the step of the whole.
  @Test(arguments: ["adamw", "soap", "sophia-h", "adahessian", "schedule-free-adamw", "polyak"])
  func accumulates(_ name: String) throws {
    let recorded = try #require(
      Self.trajectories.runs.first { $0.batched && $0.optimizer == name })
    for pieces in [2, 3, 5] {
      var rules = Self.trajectories.rules
      rules.accumulation = pieces
      let run = try Self.trajectories.trained(recorded, Self.trajectories.objective(), rules: rules)
      let deviation = try Self.deviation(run, recorded, upTo: 100)
      #expect(deviation <= 1e-9, "\(recorded) in \(pieces) pieces: \(deviation)")
      try check(recorded, Double.self, rules)
    }
    var rules = StepRules()
    rules.accumulation = 6
    #expect(
      throws: TrainingError.noBatches(
        "a batch of 5 samples cannot be gathered from 6 smaller ones")
    ) {
      try Self.trajectories.trained(recorded, Self.trajectories.objective(), rules: rules)
    }
  }

  // MARK: Probes

  /// In the mean over many draws the probes are the diagonals that they estimate.
  @Test(arguments: [true, false])
  func probesAreTheDiagonal(_ isHessian: Bool) throws {
    let objective: Objective<Double> = try Self.trajectories.objective()
    let start = Self.trajectories.start
    let map = try objective.curvature(
      isHessian ? .hessian : .gaussNewton, at: start, parameters: nil, seed: 0)
    let exact = try exactDiagonal(of: map)
    for (name, objective) in [
      ("whole", objective), ("cut", try Self.trajectories.objective(maxBatchSize: 5)),
    ] {
      let memory = TrainingMemory<Double>(
        objective.parameters.map { TensorType(.float64, $0.shape) }, [], hasProbe: true)
      let probing = try DiagonalProbing(
        isHessian ? .hutchinson(every: 1) : .gaussNewton(every: 1), objective, memory, seed: 3)
      let draws = 2000
      var (sum, squares) = (exact.map { _ in 0.0 }, exact.map { _ in 0.0 })
      for step in 0..<draws {
        try start.withUnsafeBufferPointer { try probing.fill(at: $0.baseAddress!, step: step) }
        for index in sum.indices {
          sum[index] += memory.probe[index]
          squares[index] += memory.probe[index] * memory.probe[index]
        }
      }
      for index in sum.indices {
        let mean = sum[index] / Double(draws)
        let deviation = (squares[index] / Double(draws) - mean * mean).squareRoot()
        let error = 5 * deviation / Double(draws).squareRoot()
        #expect(
          abs(mean - exact[index]) <= error + 1e-12, "\(name) \(index): \(mean), \(exact[index])")
      }
    }
  }

  /// Closures have products with the Hessian, and no targets to draw.
  @Test func probesOfClosures() throws {
    nonisolated(unsafe) let objective: Objective<Double> = try Self.trajectories.objective()
    let closures = LossClosures(
      parameters: objective.parameters, value: { try objective.value(at: $0) },
      valueAndGradient: { try objective.valueAndGradient(at: $0) },
      hessianProduct: { point, direction in
        let map = try objective.hessian(at: point)
        var product = direction
        try direction.withUnsafeBufferPointer { x in
          try product.withUnsafeMutableBufferPointer { y in
            try map.apply(x.baseAddress!, into: y.baseAddress!)
          }
        }
        return product
      }, sampleCount: 12)
    let loss = ClosureLoss<Double>(closures, executor: ReferenceExecutor())
    let recorded = try #require(
      Self.trajectories.runs.first { !$0.batched && $0.optimizer == "sophia-h" })
    let run = try TrainingRun<Double>(
      loss, recorded.make(), rate: recorded.rate, from: Self.trajectories.start,
      rules: Self.trajectories.rules)
    #expect(try Self.deviation(run, recorded, upTo: 40) <= 1e-10)
    #expect(throws: TrainingError.noProbe("it is no tensor program")) {
      try TrainingRun<Double>(
        loss, OptimizerSetting("sophia-g").make(), rate: 0.1, from: Self.trajectories.start)
    }
    let bare = LossDefinition(parameters: [.init("x", [2])]) { p, _ in p[0].square().sum() }
    let unnamed = try Objective<Double>(bare, data: [], executor: ReferenceExecutor())
    let error = try #require(throws: TrainingError.self) {
      try TrainingRun(unnamed, OptimizerSetting("sophia-g").make(), rate: 0.1, from: [1, 1])
    }
    #expect("\(error)".hasPrefix("No targets can be drawn from this loss: "), "\(error)")
    #expect("\(error)".contains("sophia-h"), "\(error)")
  }
}
