import Curvature
import LinearMaps

/// A point with its loss and gradient.
struct Evaluation<Scalar: LinearMapScalar> {
  var point: [Scalar]
  var loss: Double
  var gradient: [Scalar]

  var gradientNorm: Double { Scalar.nrm2(gradient.count, gradient) }
  var largestEntry: Double { gradient.reduce(0) { max($0, Double(abs($1))) } }
  var isFinite: Bool { loss.isFinite && Scalar.firstNonFinite(gradient.count, gradient) == nil }

  /// What a difference of losses here may be for rounding alone: ten units in the last place.
  var noise: Double { 10 * Double(Scalar.ulpOfOne) * abs(loss) }

  /// `x + t d`.
  func point(_ t: Double, along direction: [Scalar]) -> [Scalar] {
    var moved = point
    Scalar.axpy(moved.count, Scalar(t), direction, &moved)
    return moved
  }
}

/// A loss of which the calls are counted.
final class CountedLoss<Scalar: LinearMapScalar> {
  let loss: any Loss<Scalar>
  var gradients = 0
  var products = 0

  init(_ loss: any Loss<Scalar>) { self.loss = loss }

  func evaluate(_ point: [Scalar]) throws -> Evaluation<Scalar> {
    gradients += 1
    let (value, gradient) = try loss.valueAndGradient(at: point)
    return Evaluation(point: point, loss: value, gradient: gradient)
  }

  /// The curvature at a point, its products counted; nil where a number of it is not finite.
  func curvature(_ kind: CurvatureKind, at point: [Scalar]) throws -> CountedProducts<Scalar>? {
    do {
      return CountedProducts(try loss.curvature(kind, at: point), self)
    } catch  where error.isNonFinite {
      return nil
    }
  }
}

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
  /// - Parameter rate: what the first trial of a length is scaled by.
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
  var rate = 1.0
  private(set) var stepCount = 0

  var loss: any Loss<Scalar> { problem.loss }
  var parameters: [Scalar] { now.point }

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
    now = Evaluation(point: start, loss: .nan, gradient: [])
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
    guard state.numbers.count >= 2, state.state.count >= count,
      try self.engine.restore(
        MethodMemory(
          vectors: Array(state.state.dropFirst(count)), numbers: Array(state.numbers.dropFirst(2))),
        on: problem)
    else {
      throw TrainingError.wrongState(
        "\(state.state.count) and \(state.numbers.count) numbers of state are not those of "
          + "\(method.name)")
    }
    self.isEvaluated = isEvaluated
    if isEvaluated {
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
      numbers: (isEvaluated ? [1, now.loss] : [0, 0]) + memory.numbers)
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
      ending = try engine.step(from: &now, on: problem, rate: rate)
      stepCount += 1
    }
    report.gradients = problem.gradients
    report.products = problem.products
    report.ending = ending
    return report
  }

  /// The end that the point itself is.
  private var endingAtOnce: StepEnding? {
    guard now.isFinite else { return .nonFinitePoint(now, in: loss, step: stepCount) }
    guard now.largestEntry > tolerance else {
      return .stationary(now, tolerance: tolerance, isStart: stepCount == 0)
    }
    return nil
  }
}
