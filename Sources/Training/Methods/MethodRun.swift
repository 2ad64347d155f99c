import Curvature
import LinearMaps

/// A curvature map whose products are counted by the loss.
struct CountedProducts<Scalar: LinearMapScalar>: LinearMap {
  private let map: CurvatureMap<Scalar>
  private let counter: CountedLoss<Scalar>

  init(_ map: CurvatureMap<Scalar>, _ counter: CountedLoss<Scalar>) {
    self.map = map
    self.counter = counter
  }

  var dimension: Int { map.dimension }

  func apply(_ x: UnsafePointer<Scalar>, into y: UnsafeMutablePointer<Scalar>) throws {
    counter.products += 1
    try map.apply(x, into: y)
  }

  func apply(
    columns: Int, _ x: UnsafePointer<Scalar>, into y: UnsafeMutablePointer<Scalar>
  ) throws {
    counter.products += columns
    try map.apply(columns: columns, x, into: y)
  }
}

/// What a method keeps between two steps beside the point, in the form of a `TrainingState`.
struct MethodMemory<Scalar: LinearMapScalar> {
  var vectors: [Scalar] = []
  var numbers: [Double] = []
}

/// How a method takes a step, and what it keeps from one to the next.
protocol MethodEngine<Scalar> {
  associatedtype Scalar: LinearMapScalar

  var memory: MethodMemory<Scalar> { get }

  /// Takes back what was kept.
  ///
  /// - Returns: whether it fits.
  mutating func restore(_ memory: MethodMemory<Scalar>, on problem: CountedLoss<Scalar>) throws
    -> Bool

  /// Takes one step from a finite point whose gradient is not zero; a step that is not taken leaves `now` alone.
  ///
  /// - Parameter rate: what the first trial of a length is scaled by; not far below 1e-6.
  /// - Returns: why no further step follows, or nil.
  mutating func step(
    from now: inout Evaluation<Scalar>, on problem: CountedLoss<Scalar>, rate: Double
  ) throws -> StepEnding?
}

/// The run of a method with inner iterations: what all of them have in common.
final class MethodRun<Scalar: LinearMapScalar>: TrainingSteps {
  private let method: any IterativeMethod
  private let tolerance: Double
  private let problem: CountedLoss<Scalar>
  private var engine: any MethodEngine<Scalar>
  private var now: Evaluation<Scalar>
  /// Whether loss and gradient of the point are known.
  private var isEvaluated = false
  private var ending: StepEnding?
  private var progress = Progress()
  var rate = 1.0
  private(set) var stepCount = 0

  var loss: any Loss<Scalar> { problem.loss }
  var parameters: [Scalar] { now.point }

  private static var leastRate: Double { 1e-6 }

  /// - Parameter tolerance: of the largest entry of the gradient.
  /// - Precondition: as many numbers as the loss has parameters.
  init(
    _ method: any IterativeMethod, _ loss: any Loss<Scalar>, from start: [Scalar],
    tolerance: Double, engine: any MethodEngine<Scalar>
  ) {
    precondition(start.count == loss.parameterCount, "the start does not fit the loss")
    self.method = method
    self.tolerance = tolerance
    problem = CountedLoss(loss)
    self.engine = engine
    now = Evaluation(point: start, loss: .nan, gradient: [], noise: 0)
  }

  /// - Throws: `TrainingError.wrongState`.
  convenience init(
    _ method: any IterativeMethod, resuming state: TrainingState<Scalar>, of loss: any Loss<Scalar>,
    tolerance: Double, engine: any MethodEngine<Scalar>
  ) throws {
    let n = loss.parameterCount
    guard state.parameters.count == n else {
      throw TrainingError.wrongState(
        "it has \(state.parameters.count) parameters and the loss \(n)")
    }
    guard state.stepCount >= 0 else {
      throw TrainingError.wrongState("it has taken \(state.stepCount) steps")
    }
    guard method.name == state.optimizer, method.hyperparameters == state.hyperparameters else {
      throw TrainingError.wrongState(
        "its \(state.optimizer) was made with \(state.hyperparameters), and this one is "
          + "\(method.name) with \(method.hyperparameters)")
    }
    self.init(method, loss, from: state.parameters, tolerance: tolerance, engine: engine)
    rate = state.rate
    stepCount = state.stepCount
    let isEvaluated = state.numbers.first == 1
    let count = isEvaluated ? n : 0
    guard state.numbers.count >= 6, state.state.count >= count,
      try self.engine.restore(
        MethodMemory(
          vectors: Array(state.state.dropFirst(count)), numbers: Array(state.numbers.dropFirst(6))),
        on: problem)
    else {
      throw TrainingError.wrongState(
        "\(state.state.count) and \(state.numbers.count) numbers of state are not those of "
          + "\(method.name)")
    }
    self.isEvaluated = isEvaluated
    progress = Progress(
      loss: state.numbers[2], gradientNorm: state.numbers[3], idleSteps: state.numbers[4])
    problem.relativeNoise = state.numbers[5]
    if isEvaluated {
      now.noise = problem.relativeNoise * abs(state.numbers[1])
      now.loss = state.numbers[1]
      now.gradient = Array(state.state.prefix(n))
    }
  }

  var trainingState: TrainingState<Scalar> {
    let memory = engine.memory
    return TrainingState(
      optimizer: method.name, hyperparameters: method.hyperparameters, rate: rate,
      stepCount: stepCount, samples: .all, parameters: now.point,
      state: (isEvaluated ? now.gradient : []) + memory.vectors,
      numbers: (isEvaluated ? [1, now.loss] : [0, 0])
        + [progress.loss, progress.gradientNorm, progress.idleSteps, problem.relativeNoise]
        + memory.numbers)
  }

  @discardableResult
  func step() throws -> StepReport {
    problem.gradients = 0
    problem.products = 0
    if !isEvaluated {
      now = try problem.evaluate(now.point)
      isEvaluated = true
    }
    var report = StepReport(loss: now.loss, gradientNorm: now.gradientNorm)
    if ending == nil { ending = endingAtOnce }
    if ending == nil {
      // On a copy, so that a step which is interrupted has not happened.
      var moved = engine
      // A first trial too short to move anything would be taken for the end of the descent.
      ending = try moved.step(from: &now, on: problem, rate: max(rate, Self.leastRate))
      engine = moved
      stepCount += 1
      if ending == nil, progress.isOver(at: now) { ending = .idle(now, steps: Progress.patience) }
    }
    report.gradients = problem.gradients
    report.products = problem.products
    report.ending = ending
    return report
  }

  /// What was reached so far, to tell when rounding lets nothing more happen.
  private struct Progress {
    static var patience: Int { 20 }

    /// The lowest, each until the last step that brought more than rounding.
    var loss = Double.infinity
    var gradientNorm = Double.infinity
    var idleSteps = 0.0

    /// Whether for so many steps neither the loss has fallen by more than ten units in its last place nor the
    /// gradient's norm by a tenth.
    mutating func isOver(at now: Evaluation<Scalar>) -> Bool {
      let norm = now.gradientNorm
      if now.loss < loss - 10 * Double(Scalar.ulpOfOne) * abs(loss) || norm < 0.9 * gradientNorm
        || loss == .infinity
      {
        idleSteps = 0
        loss = min(loss, now.loss)
        gradientNorm = min(gradientNorm, norm)
      } else {
        idleSteps += 1
      }
      return idleSteps >= Double(Self.patience)
    }
  }

  /// The end that the point itself is.
  private var endingAtOnce: StepEnding? {
    guard now.isFinite else { return .nonFinitePoint(now, in: loss, step: stepCount) }
    guard now.largestEntry > tolerance else {
      return .stationary(
        now, tolerance: tolerance, method: method.name, isStart: stepCount == 0)
    }
    return nil
  }
}
