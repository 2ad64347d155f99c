import Curvature
import LinearMaps

/// Newton's method with a damped Hessian, `(H + mu I) d = -g` solved by conjugate gradients under a randomised
/// Nystrom preconditioner that is renewed every `period` steps, and a backtracking search.
///
/// Conjugate gradients that meet negative curvature stop there; without a step so far, the direction of negative
/// curvature is followed.
///
/// Along a direction of curvature `lambda` a step leaves the share `mu / (lambda + mu)` of the error, so that a fixed
/// `mu` holds flat directions back for hundreds of steps. So the damping falls to a tenth where it is what is left
/// to do: after a step of full length whose new gradient is no longer than twice `mu |d|`, which is what
/// damping leaves of it on a quadratic. It rises again, to the damping given at most, where a step had to be
/// shortened or met negative curvature.
///
/// Reference: Rathore, Lei, Frangella, Lu and Udell, "Challenges in training PINNs: a loss landscape
/// perspective", arXiv:2402.01868, algorithms 4 to 7; the change of the damping is this package's own.
public struct NystromNewtonCG: IterativeMethod {
  /// `mu` at the start, and at most.
  public let damping: Double
  /// Columns of the sketch.
  public let rank: Int
  /// Steps from one preconditioner to the next.
  public let period: Int
  /// Relative residual that conjugate gradients stop at.
  public let residual: Double
  /// Products of a step at most, the sketch's aside.
  public let iterations: Int
  public let seed: UInt64
  /// Ends where no entry of the gradient is larger.
  public let tolerance: Double

  public init(
    damping: Double = 1e-4, rank: Int = 60, period: Int = 20, residual: Double = 1e-3,
    iterations: Int = 1000, seed: UInt64 = 0, tolerance: Double = 1e-8
  ) {
    precondition(damping > 0 && rank >= 1 && period >= 1 && iterations >= 1)
    self.damping = damping
    self.rank = rank
    self.period = period
    self.residual = residual
    self.iterations = iterations
    self.seed = seed
    self.tolerance = tolerance
  }

  public static let entry = MethodEntry(
    "nystrom-newton-cg",
    formula: "x += t d, (H + mu I) d = -g by conjugate gradients with a Nystrom preconditioner",
    hyperparameters: [
      Hyperparameter(
        "damping", 1e-4, .above(0), "mu at the start and at most, in the units of the curvature"),
      Hyperparameter(
        "rank", 60, .count(from: 1, to: 1e6), "columns of the preconditioner's sketch"),
      Hyperparameter(
        "period", 20, .count(from: 1, to: 1e9), "steps from one preconditioner to the next"),
      Hyperparameter("residual", 1e-3, .between(0, 1), "relative residual of a step's system"),
      Hyperparameter("iterations", 1000, .count(from: 1, to: 1e9), "products of a step at most"),
      Hyperparameter("seed", 0, .count(from: 0, to: 0x1p53), "of the sketch"),
      .tolerance,
    ]
  ) {
    NystromNewtonCG(
      damping: $0["damping"]!, rank: Int($0["rank"]!), period: Int($0["period"]!),
      residual: $0["residual"]!, iterations: Int($0["iterations"]!), seed: UInt64($0["seed"]!),
      tolerance: $0["tolerance"]!)
  }

  public var name: String { Self.entry.name }
  public var phrase: String { "Newton-CG with a Nystrom preconditioner of rank up to \(rank)" }
  public var hyperparameters: [String: Double] {
    [
      "damping": damping, "rank": Double(rank), "period": Double(period), "residual": residual,
      "iterations": Double(iterations), "seed": Double(seed), "tolerance": tolerance,
    ]
  }

  public func start<Scalar: LinearMapScalar>(
    _ loss: any Loss<Scalar>, from start: [Scalar]
  ) throws -> any TrainingSteps<Scalar> {
    MethodRun(
      self, loss, from: start, tolerance: tolerance, engine: NystromEngine<Scalar>(method: self))
  }

  public func resume<Scalar: LinearMapScalar>(
    _ state: TrainingState<Scalar>, of loss: any Loss<Scalar>
  ) throws -> any TrainingSteps<Scalar> {
    try MethodRun(
      self, resuming: state, of: loss, tolerance: tolerance,
      engine: NystromEngine<Scalar>(method: self))
  }
}

private struct NystromEngine<Scalar: LinearMapScalar>: MethodEngine {
  let method: NystromNewtonCG
  private var preconditioner: NystromPreconditioner<Scalar>?
  /// Where the sketch was taken: a resumed run takes it there again.
  private var sketchPoint: [Scalar] = []
  private var sketches = 0
  private var stepsSince = 0
  /// `mu` of the next step, and that of the preconditioner.
  private var damping: Double
  private var sketchDamping: Double

  init(method: NystromNewtonCG) {
    self.method = method
    damping = method.damping
    sketchDamping = method.damping
  }

  var memory: MethodMemory<Scalar> {
    MethodMemory(
      vectors: sketchPoint,
      numbers: [Double(sketches), Double(stepsSince), damping, sketchDamping])
  }

  mutating func restore(
    _ memory: MethodMemory<Scalar>, on problem: CountedLoss<Scalar>
  ) throws -> Bool {
    guard memory.numbers.count == 4, memory.numbers[..<2].allSatisfy({ $0 >= 0 && $0 < 1e9 }),
      memory.numbers[2...].allSatisfy({ $0 > 0 && $0 <= method.damping }),
      [0, problem.loss.parameterCount].contains(memory.vectors.count),
      memory.vectors.isEmpty == (memory.numbers[0] == 0)
    else { return false }
    (sketches, stepsSince) = (Int(memory.numbers[0]), Int(memory.numbers[1]))
    (damping, sketchDamping) = (memory.numbers[2], memory.numbers[3])
    sketchPoint = memory.vectors
    guard !sketchPoint.isEmpty else { return true }
    sketches -= 1
    return try sketch(problem.curvature(.hessian, at: sketchPoint))
  }

  /// - Returns: whether there was a curvature to sketch.
  private mutating func sketch(_ hessian: CountedProducts<Scalar>?) throws -> Bool {
    guard let hessian else { return false }
    preconditioner = try NystromPreconditioner(
      of: hessian, columns: min(method.rank, hessian.dimension), damping: sketchDamping,
      seed: method.seed &+ UInt64(sketches))
    sketches += 1
    return true
  }

  mutating func step(
    from now: inout Evaluation<Scalar>, on problem: CountedLoss<Scalar>, rate: Double
  ) throws -> StepEnding? {
    guard let hessian = try problem.curvature(.hessian, at: now.point) else {
      return .nonFiniteCurvature(now)
    }
    let solved: ConjugateGradientsResult<Scalar>
    do {
      if preconditioner == nil || stepsSince >= method.period {
        sketchDamping = damping
        _ = try sketch(hessian)
        sketchPoint = now.point
        stepsSince = 0
      }
      stepsSince += 1
      solved = try conjugateGradients(
        ShiftedMap(hessian, shift: Scalar(damping)), rhs: negated(now.gradient),
        preconditioner: preconditioner, tolerance: method.residual,
        maxIterations: method.iterations)
    } catch  where error.isNonFinite {
      return .nonFiniteCurvature(now)
    }
    let n = now.point.count
    if let (next, step) = try backtrack(
      from: now, along: solved.solution, first: rate, problem)
    {
      adapt(
        isWhole: step == 1 && solved.negativeCurvature == nil,
        left: damping * Scalar.nrm2(n, solved.solution), gradientNorm: next.gradientNorm)
      now = next
      return nil
    }
    damping = min(method.damping, 10 * damping)
    var direction = negated(now.gradient)
    var first = min(1, 1 / now.gradientNorm)
    if let curved = solved.negativeCurvature, Scalar.nrm2(n, solved.solution) == 0 {
      let isUp = Scalar.dot(n, curved.direction, now.gradient) > 0
      direction = isUp ? negated(curved.direction) : curved.direction
      first = 1
    }
    let search = LineSearch<Scalar>(decrease: 1e-4, curvature: 0.9)
    switch try search.run(from: now, along: direction, first: rate * first, on: problem) {
    case .found(let next, _):
      now = next
      return nil
    case .failed(let failure): return .failed(failure, now)
    }
  }

  /// - Parameters:
  ///   - isWhole: whether the step was neither shortened nor stopped by negative curvature.
  ///   - left: `mu |d|`, what the damping leaves of the gradient on a quadratic.
  private mutating func adapt(isWhole: Bool, left: Double, gradientNorm: Double) {
    if !isWhole {
      damping = min(method.damping, 10 * damping)
    } else if gradientNorm <= 2 * left {
      damping = max(damping / 10, 1e-12 * method.damping, .leastNormalMagnitude)
    }
  }

  /// Halves the step until `f(x + t d) <= f(x) + 0.1 t g'd`, or until that is below rounding: then a smaller
  /// gradient is all that can be asked for.
  private func backtrack(
    from now: Evaluation<Scalar>, along direction: [Scalar], first: Double,
    _ problem: CountedLoss<Scalar>
  ) throws -> (Evaluation<Scalar>, step: Double)? {
    let slope = Scalar.dot(direction.count, direction, now.gradient)
    guard slope < 0 else { return nil }
    var step = first
    for _ in 0..<30 {
      let trial = try problem.evaluate(now.point(step, along: direction))
      if trial.isFinite {
        var gone = direction
        Scalar.scal(gone.count, Scalar(step), &gone)
        let (decrease, isBlurred) = now.decrease(
          to: trial, along: gone, foretold: -step * slope)
        if isBlurred, now.isBelowRounding(-step * slope) {
          return trial.gradientNorm < now.gradientNorm ? (trial, step) : nil
        }
        if decrease >= -0.1 * step * slope { return (trial, step) }
      }
      step /= 2
    }
    return nil
  }
}
