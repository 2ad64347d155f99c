import Curvature
import LinearMaps

/// L-BFGS: steps along `-H g`, with `H` the inverse Hessian that the last steps and changes of the gradient
/// stand for, and a search along it for the strong Wolfe conditions.
///
/// A direction that fails is tried again from the same point with an empty history, along the gradient alone;
/// only if that fails the run ends, at the best point.
///
/// Reference: Liu and Nocedal, "On the limited memory BFGS method for large scale optimization", Mathematical
/// Programming 45 (1989); Nocedal and Wright, "Numerical Optimization" (2006), algorithms 7.4 and 7.5.
public struct LBFGS: IterativeMethod {
  public let pairs: Int
  /// `c1`: the share of the decrease promised by the slope that a step has to bring.
  public let decrease: Double
  /// `c2`: the share of the slope that may be left; 0 for an exact search.
  public let curvature: Double
  /// Ends where no entry of the gradient is larger.
  public let tolerance: Double

  public init(
    pairs: Int = 10, decrease: Double = 1e-4, curvature: Double = 0.9, tolerance: Double = 1e-8
  ) {
    precondition(pairs >= 1, "a history has at least one pair")
    self.pairs = pairs
    self.decrease = decrease
    self.curvature = curvature
    self.tolerance = tolerance
  }

  public static let entry = MethodEntry(
    "lbfgs",
    formula: "x += t d, d = -H g with H from the last pairs; t by a strong Wolfe search",
    hyperparameters: [
      Hyperparameter("pairs", 10, .count(from: 1, to: 1e6), "steps that the history keeps"),
      .decrease, .curvature(0.9), .tolerance,
    ]
  ) {
    LBFGS(
      pairs: Int($0["pairs"]!), decrease: $0["decrease"]!, curvature: $0["curvature"]!,
      tolerance: $0["tolerance"]!)
  }

  public var name: String { Self.entry.name }
  public var phrase: String { "L-BFGS with \(pairs) pair\(pairs == 1 ? "" : "s")" }
  public var hyperparameters: [String: Double] {
    [
      "pairs": Double(pairs), "decrease": decrease, "curvature": curvature, "tolerance": tolerance,
    ]
  }

  public func start<Scalar: LinearMapScalar>(
    _ loss: any Loss<Scalar>, from start: [Scalar]
  ) throws -> any TrainingSteps<Scalar> {
    MethodRun(self, loss, from: start, tolerance: tolerance, engine: engine(start.count))
  }

  public func resume<Scalar: LinearMapScalar>(
    _ state: TrainingState<Scalar>, of loss: any Loss<Scalar>
  ) throws -> any TrainingSteps<Scalar> {
    try MethodRun(
      self, resuming: state, of: loss, tolerance: tolerance, engine: engine(loss.parameterCount))
  }

  private func engine<Scalar>(_ n: Int) -> LimitedMemoryEngine<Scalar> {
    LimitedMemoryEngine(
      history: CurvatureHistory(dimension: n, capacity: pairs),
      search: LineSearch(decrease: decrease, curvature: curvature))
  }
}

extension Hyperparameter {
  static let decrease = Hyperparameter(
    "decrease", 1e-4, .between(0, 0.5), "share of the decrease that the slope promises, c1")

  static func curvature(_ standard: Double) -> Hyperparameter {
    Hyperparameter(
      "curvature", standard, .from(0, below: 1),
      "share of the slope that may be left, c2; 0 for an exact search")
  }

  static let tolerance = Hyperparameter(
    "tolerance", 1e-8, .atLeast(0), "largest entry of the gradient to end at")
}

private struct LimitedMemoryEngine<Scalar: LinearMapScalar>: MethodEngine {
  var history: CurvatureHistory<Scalar>
  let search: LineSearch<Scalar>

  var memory: MethodMemory<Scalar> {
    MethodMemory(vectors: history.numbers, numbers: [Double(history.count)])
  }

  mutating func restore(_ memory: MethodMemory<Scalar>, on problem: CountedLoss<Scalar>) -> Bool {
    guard memory.numbers.count == 1 else { return false }
    return history.restore(memory.vectors, count: memory.numbers[0])
  }

  mutating func step(
    from now: inout Evaluation<Scalar>, on problem: CountedLoss<Scalar>, rate: Double
  ) throws -> StepEnding? {
    while true {
      let isFresh = history.count == 0
      let direction = history.direction(against: now.gradient)
      // Without a history the first trial moves by one, as far as that is below the gradient itself.
      let first = rate * (isFresh ? min(1, 1 / now.gradientNorm) : 1)
      switch try search.run(from: now, along: direction, first: first, on: problem) {
      case .found(let next, _):
        history.append(from: now, to: next)
        now = next
        return nil
      case .failed(let failure):
        if case .unbounded = failure { return .failed(failure, now) }
        guard !isFresh else { return .failed(failure, now) }
        history.removeAll()
      }
    }
  }
}

/// The last steps `s` with the changes `y` of the gradient, and the inverse Hessian they stand for.
struct CurvatureHistory<Scalar: LinearMapScalar> {
  let dimension: Int
  let capacity: Int
  /// Oldest first.
  private var pairs: [(s: [Scalar], y: [Scalar], sy: Double)] = []

  init(dimension: Int, capacity: Int) {
    self.dimension = dimension
    self.capacity = capacity
  }

  var count: Int { pairs.count }

  mutating func removeAll() { pairs.removeAll() }

  /// Keeps a step along which the gradient has grown beyond rounding.
  mutating func append(from before: Evaluation<Scalar>, to after: Evaluation<Scalar>) {
    append(difference(after.point, before.point), difference(after.gradient, before.gradient))
  }

  private mutating func append(_ s: [Scalar], _ y: [Scalar]) {
    let sy = Scalar.dot(dimension, s, y)
    let yy = Scalar.dot(dimension, y, y)
    guard sy > Double(Scalar.ulpOfOne) * yy.squareRoot() * Scalar.nrm2(dimension, s) else { return }
    if pairs.count == capacity { pairs.removeFirst() }
    pairs.append((s, y, sy))
  }

  /// `-H g` by the two loops; `-g` for an empty history.
  func direction(against gradient: [Scalar]) -> [Scalar] {
    let n = dimension
    var d = negated(gradient)
    guard let last = pairs.last else { return d }
    var shares = [Double](repeating: 0, count: pairs.count)
    for index in pairs.indices.reversed() {
      shares[index] = Scalar.dot(n, pairs[index].s, d) / pairs[index].sy
      Scalar.axpy(n, Scalar(-shares[index]), pairs[index].y, &d)
    }
    Scalar.scal(n, Scalar(last.sy / Scalar.dot(n, last.y, last.y)), &d)
    for index in pairs.indices {
      let share = shares[index] - Scalar.dot(n, pairs[index].y, d) / pairs[index].sy
      Scalar.axpy(n, Scalar(share), pairs[index].s, &d)
    }
    return d
  }

  /// All pairs, flat: `s` then `y` of each.
  var numbers: [Scalar] { pairs.flatMap { $0.s + $0.y } }

  /// - Returns: whether the numbers are those of so many pairs.
  mutating func restore(_ numbers: [Scalar], count: Double) -> Bool {
    pairs = []
    guard count >= 0, count <= Double(capacity), count == count.rounded(),
      numbers.count == Int(count) * 2 * dimension
    else { return false }
    for index in 0..<Int(count) {
      let start = index * 2 * dimension
      append(
        Array(numbers[start..<start + dimension]),
        Array(numbers[start + dimension..<start + 2 * dimension]))
    }
    return pairs.count == Int(count)
  }
}
