import Curvature
import Foundation
import LinearMaps
import TensorPrograms
import Testing
import Training

/// Runs that stop, are written as JSON, and go on.
@Suite struct TrainingStateTests {
  let problem = Regression()

  private func restored<Scalar>(_ state: TrainingState<Scalar>) throws -> TrainingState<Scalar> {
    try JSONDecoder().decode(TrainingState<Scalar>.self, from: JSONEncoder().encode(state))
  }

  /// Stops after `stops` steps each, and compares every number with a run that does not stop.
  private func goesOn<Scalar: LinearMapScalar>(
    _ type: Scalar.Type, _ optimizer: any Optimizer, _ source: GradientSource<Scalar>,
    isListed: Bool = true, stops: [Int] = [0, 1, 5, 7]
  ) throws {
    let loss: Objective<Scalar> = try problem.objective()
    let start = problem.start.map { Scalar($0) }
    let whole = try TrainingRun(loss, optimizer, rate: 0.05, from: start, gradients: source)
    var part = try TrainingRun(loss, optimizer, rate: 0.05, from: start, gradients: source)
    for (index, steps) in stops.enumerated() {
      let state = part.trainingState
      let read = try restored(state)
      #expect(read == state)
      var again: GradientSource<Scalar>?
      if case .closure = source { again = source }
      let fresh: Objective<Scalar> = try problem.objective()
      part = try TrainingRun(
        resuming: read, of: fresh, optimizer: isListed ? nil : optimizer, gradients: again)
      #expect(part.trainingState == state && part.rate == whole.rate)
      #expect(part.evaluatedParameters == part.parameters)
      for _ in 0..<steps {
        let (a, b) = (try whole.step(), try part.step())
        #expect(a == b, "after stop \(index)")
      }
      // The rate is part of the state.
      whole.rate *= 0.9
      part.rate = whole.rate
    }
    #expect(whole.parameters == part.parameters && whole.stepCount == stops.reduce(0, +))
    #expect(whole.trainingState == part.trainingState)
    #expect(whole.parameters != start)
  }

  @Test(arguments: OptimizerRow.all)
  func everyOptimizerGoesOn(_ row: OptimizerRow) throws {
    let optimizer = try OptimizerSetting(row.name, row.hyperparameters).make()
    try goesOn(Double.self, optimizer, .allSamples)
    try goesOn(Float.self, optimizer, .allSamples)
    try goesOn(Double.self, optimizer, .batches(Batches(size: 3, seed: 5)))
    try goesOn(Float.self, optimizer, .batches(Batches(size: 3, seed: .max)))
  }

  @Test func unlistedOptimizersGoOn() throws {
    for (optimizer, _) in OptimizerTests.unlisted {
      try goesOn(Double.self, optimizer, .batches(Batches(size: 2, seed: 5)), isListed: false)
      try goesOn(Float.self, optimizer, .allSamples, isListed: false)
    }
  }

  @Test func closuresGoOn() throws {
    let source = GradientSource<Double>.closure { [problem] point, step in
      problem.valueAndGradient(at: point, samples: [step % 7])
    }
    try goesOn(Double.self, Adam(), source)
    let run = try TrainingRun(
      problem.objective(), Adam(), rate: 0.1, from: problem.start, gradients: source)
    #expect(run.trainingState.samples == nil)
    #expect(
      refusal { _ = try TrainingRun(resuming: run.trainingState, of: problem.objective()) }
        == sentence("its gradients came from a closure, which has to be given again"))
  }

  /// Every bit of every number survives, and which samples come next.
  @Test func numbersKeepTheirBits() throws {
    let objective: Objective<Double> = try problem.objective()
    let run = try TrainingRun(
      objective, Momentum(beta: 0.1 + 0.2), rate: 0.1 + 0.2, from: problem.start,
      gradients: .batches(Batches(size: 2, seed: .max)))
    try run.step()
    var state = run.trainingState
    state.parameters[0...5] = [.nan, -.infinity, -0.0, .leastNonzeroMagnitude, 1 / 3, .pi]
    let read = try restored(state)
    #expect(read.parameters.map(\.bitPattern) == state.parameters.map(\.bitPattern))
    #expect(read.state == state.state && read.state.count == 10)
    #expect(read.rate == 0.1 + 0.2 && read.hyperparameters == ["momentum": 0.1 + 0.2])
    #expect(read.samples == .batches(Batches(size: 2, seed: .max)))
    #expect(read.optimizer == "momentum" && read.stepCount == 1)
  }

  // MARK: Refusals

  private func refusal(_ make: () throws -> Void) -> String {
    do {
      try make()
      return "none"
    } catch let DecodingError.dataCorrupted(context) {
      return context.debugDescription
    } catch {
      return "\(error)"
    }
  }

  private func sentence(_ reason: String) -> String {
    "The training state does not fit: \(reason); give the state of this loss and optimizer."
  }

  private func adamState() throws -> TrainingState<Double> {
    let run = try TrainingRun(problem.objective(), Adam(), rate: 0.1, from: problem.start)
    try run.step()
    return run.trainingState
  }

  @Test func otherPrecision() throws {
    let data = try JSONEncoder().encode(adamState())
    #expect(
      refusal { _ = try JSONDecoder().decode(TrainingState<Float>.self, from: data) }
        == "the state is of float64, and was read as float32")
  }

  @Test func numbersCutShort() throws {
    var object = try #require(
      JSONSerialization.jsonObject(with: JSONEncoder().encode(adamState())) as? [String: Any])
    for text in ["AAAA", "no base64"] {
      object["parameters"] = text
      let data = try JSONSerialization.data(withJSONObject: object)
      #expect(
        refusal { _ = try JSONDecoder().decode(TrainingState<Double>.self, from: data) }
          == "the numbers are cut short")
    }
  }

  @Test func otherOptimizerOrSize() throws {
    let state = try adamState()
    func refusal(
      _ change: (inout TrainingState<Double>) -> Void, _ optimizer: (any Optimizer)? = nil
    ) -> String {
      var changed = state
      change(&changed)
      return self.refusal {
        let loss: Objective<Double> = try problem.objective()
        _ = try TrainingRun(resuming: changed, of: loss, optimizer: optimizer)
      }
    }
    #expect(refusal { _ in } == "none")
    #expect(refusal({ _ in }, Momentum()).contains("its adam was made with"))
    #expect(refusal({ _ in }, Adam(beta1: 0.5)).contains("its adam was made with"))
    #expect(
      refusal { $0.optimizer = "momentum" }
        == "The optimizer momentum has no 'beta1': it has momentum.")
    #expect(
      refusal { $0.state.removeLast() }
        == sentence("it is of adam with 19 numbers of state, and the optimizer adam keeps 20"))
    #expect(
      refusal { $0.parameters.append(1) }
        == sentence("it has 11 parameters and the loss 10"))
    #expect(refusal { $0.stepCount = -1 } == sentence("it has taken -1 steps"))
    #expect(
      refusal { $0.hyperparameters["beta1"] = 1 }
        == "The beta1 of the optimizer adam is 1.0, but it must be at least 0 and below 1.")
    #expect(
      refusal { $0.samples = .batches(Batches(size: 9, seed: 0)) }
        == "There are no mini-batches of this loss: 9 of 7 samples were asked for; train on all "
        + "samples.")
    let names = OptimizerCatalogue.all.map(\.name).joined(separator: ", ")
    #expect(
      refusal { $0.optimizer = "follower" }
        == "There is no optimizer 'follower': choose one of \(names).")
  }
}
