import Curvature
import Foundation
import KnownLosses
import LinearMaps
import TensorPrograms
import Testing
import Training

/// Runs of methods with inner iterations that stop after every step, are written as JSON, and go on.
@Suite struct MethodStateTests {
  private func objective<Scalar: LinearMapScalar>(_ name: String) throws -> Objective<Scalar> {
    let problem = try #require(MoreGarbowHillstrom.named(name))
    return try Objective(problem.definition, data: [], executor: ReferenceExecutor())
  }

  private func goesOn<Scalar: LinearMapScalar>(
    _ method: any IterativeMethod, _ problem: String, _ type: Scalar.Type
  ) throws {
    let start = MoreGarbowHillstrom.named(problem)!.start.map { Scalar($0) }
    let loss: Objective<Scalar> = try objective(problem)
    let whole = try method.start(loss, from: start)
    var part = try method.start(loss, from: start)
    let fresh: Objective<Scalar> = try objective(problem)
    for step in 0..<30 {
      let state = part.trainingState
      let read = try JSONDecoder().decode(
        TrainingState<Scalar>.self, from: JSONEncoder().encode(state))
      #expect(read == state)
      part = try MethodCatalogue.entry(read.optimizer).make(read.hyperparameters)
        .resume(read, of: fresh)
      #expect(part.trainingState == state && part.stepCount == whole.stepCount)
      let (a, b) = (try whole.step(), try part.step())
      // A resumed run may have to evaluate what the other still knows, and to sketch again.
      #expect(a.loss == b.loss && a.gradientNorm == b.gradientNorm && a.ending == b.ending)
      #expect(whole.parameters == part.parameters, "\(method.name) after step \(step)")
      if a.ending != nil { break }
    }
    #expect(whole.trainingState == part.trainingState)
    #expect(whole.parameters != start)
  }

  @Test(arguments: MethodCatalogue.all.map(\.name), ["osborne-2", "wood", "penalty-1"])
  func goesOnBitForBit(_ name: String, _ problem: String) throws {
    let method = try MethodCatalogue.entry(name).make()
    try goesOn(method, problem, Double.self)
    try goesOn(method, problem, Float.self)
  }

  /// Conjugate gradients inside, and a sketch that is renewed on the way.
  @Test func goesOnWithOtherHyperparameters() throws {
    try goesOn(LevenbergMarquardt(dense: 0), "osborne-2", Double.self)
    try goesOn(NystromNewtonCG(rank: 4, period: 3, seed: 5), "penalty-1", Double.self)
    try goesOn(LBFGS(pairs: 2), "wood", Double.self)
  }

  @Test func theRateIsKept() throws {
    let loss: Objective<Double> = try objective("wood")
    let run = try LBFGS().start(loss, from: [-3, -1, -3, -1])
    run.rate = 0.25
    try run.step()
    #expect(try LBFGS().resume(run.trainingState, of: loss).rate == 0.25)
  }

  @Test func statesThatDoNotFit() throws {
    let loss: Objective<Double> = try objective("wood")
    let run = try LBFGS().start(loss, from: [-3, -1, -3, -1])
    try run.step()
    let state = run.trainingState
    func refusal(
      _ method: any IterativeMethod, _ change: (inout TrainingState<Double>) -> Void = { _ in }
    ) -> String {
      var changed = state
      change(&changed)
      do {
        _ = try method.resume(changed, of: loss)
        return "none"
      } catch { return "\(error)" }
    }
    #expect(refusal(LBFGS()) == "none")
    #expect(refusal(LBFGS(pairs: 3)).contains("its lbfgs was made with"))
    #expect(refusal(DenseQuasiNewton(.bfgs)).contains("and this one is bfgs with"))
    for change: (inout TrainingState<Double>) -> Void in [
      { $0.state.removeLast() }, { $0.numbers.removeLast() }, { $0.numbers = [] },
      { $0.numbers[6] = 2 }, { $0.numbers[6] = -1 }, { $0.numbers[6] = .nan }, { $0.state = [] },
    ] {
      #expect(
        refusal(LBFGS(), change).hasSuffix(
          "numbers of state are not those of lbfgs; give the state of this loss and optimizer."))
    }
    #expect(refusal(LBFGS()) { $0.parameters.removeLast() }.contains("it has 3 parameters"))
    #expect(refusal(LBFGS()) { $0.stepCount = -1 }.contains("it has taken -1 steps"))
  }

  @Test func whatAMethodAsksFor() throws {
    let closures = ClosureLoss<Double>(Rosenbrock.closures)
    #expect(throws: CurvatureError.noModelOutput(.gaussNewton)) {
      _ = try LevenbergMarquardt().start(closures, from: Rosenbrock.start)
    }
    let large = ClosureLoss<Double>(
      LossClosures(
        parameters: [.init("x", [10_001])], value: { _ in 0 }, valueAndGradient: { (0, $0) },
        hessianProduct: { $1 }))
    for method: any IterativeMethod in [
      DenseQuasiNewton(.bfgs), DenseQuasiNewton(.selfScaledBroyden),
    ] {
      #expect(throws: TrainingError.tooManyParameters(method.phrase, 10_001, limit: 10_000)) {
        _ = try method.start(large, from: [Double](repeating: 1, count: 10_001))
      }
    }
    #expect(
      TrainingError.tooManyParameters("BFGS", 10_001, limit: 10_000).description
        == "BFGS keeps a dense matrix and takes at most 10000 parameters, but there are 10001: use lbfgs."
    )
  }

  /// A step that is interrupted leaves the run as it was, to be taken again.
  @Test(arguments: ["newton-cg", "levenberg-marquardt", "nystrom-newton-cg"])
  func interruptedSteps(_ name: String) throws {
    let switched = Switch()
    let problem = try #require(MoreGarbowHillstrom.named("osborne-1"))
    let loss = try Objective<Double>(
      problem.definition, data: [], executor: ReferenceExecutor(),
      context: RunContext(isCancelled: { switched.isOn }))
    let method = try MethodCatalogue.entry(name).make()
    let run = try method.start(loss, from: problem.start)
    let whole = try method.start(objective("osborne-1"), from: problem.start)
    for _ in 0..<5 {
      try run.step()
      try whole.step()
    }
    switched.isOn = true
    #expect(throws: CancellationError.self) { try run.step() }
    #expect(run.trainingState == whole.trainingState && run.stepCount == 5)
    switched.isOn = false
    for _ in 0..<5 {
      try run.step()
      try whole.step()
    }
    #expect(run.trainingState == whole.trainingState)
  }

  private final class Switch: @unchecked Sendable {
    private let lock = NSLock()
    private var value = false

    var isOn: Bool {
      get { lock.withLock { value } }
      set { lock.withLock { value = newValue } }
    }
  }

  @Test func hyperparametersBeyondTheirRange() {
    for (name, values) in [
      ("lbfgs", ["pairs": 1e300]), ("lbfgs", ["pairs": 0]), ("lbfgs", ["curvature": 1]),
      ("newton-cg", ["iterations": .infinity]), ("newton-cg", ["radius": 0]),
      ("levenberg-marquardt", ["dense": 1e300]), ("nystrom-newton-cg", ["seed": 1e300]),
      ("bfgs", ["tolerance": .nan]), ("ssbroyden", ["decrease": 0.5]),
    ] {
      #expect(throws: CatalogueError.self) { try MethodCatalogue.entry(name).make(values) }
    }
  }

  @Test func catalogue() throws {
    let names = MethodCatalogue.all.map(\.name)
    #expect(Set(names).count == names.count && names.contains(MethodCatalogue.standard))
    #expect(Set(names).isDisjoint(with: OptimizerCatalogue.all.map(\.name)))
    for entry in MethodCatalogue.all {
      let method = try entry.make()
      #expect(method.name == entry.name)
      #expect(
        method.hyperparameters
          == Dictionary(
            uniqueKeysWithValues: entry.hyperparameters.map { ($0.name, $0.standard) }))
    }
    #expect(LBFGS(pairs: 1).phrase == "L-BFGS with 1 pair")
  }
}
