import Curvature
import LinearMaps
import Presentation

/// Levenberg's and Marquardt's method: steps `(G + lambda I) d = -g` with the Gauss-Newton matrix `G` of a loss
/// of a model's outputs; the damping falls by how well the model foretold the loss, and grows faster and faster
/// where it did not.
///
/// Up to `dense` parameters `G` is written out, one product for each, and solved by Cholesky; above, conjugate
/// gradients solve to a relative residual of 1e-3.
///
/// Reference: Nielsen, "Damping parameter in Marquardt's method", report IMM-REP-1999-05, Technical University
/// of Denmark; Madsen, Nielsen and Tingleff, "Methods for non-linear least squares problems" (2004),
/// algorithm 3.16.
public struct LevenbergMarquardt: IterativeMethod {
  /// The damping at the start as a share of the largest diagonal entry of `G`, or of an estimate of its size.
  public let damping: Double
  /// Parameters up to which the matrix is written out.
  public let dense: Int
  /// Ends where no entry of the gradient is larger.
  public let tolerance: Double

  public init(damping: Double = 1e-3, dense: Int = 300, tolerance: Double = 1e-8) {
    precondition(damping > 0, "a damping is positive")
    self.damping = damping
    self.dense = dense
    self.tolerance = tolerance
  }

  public static let entry = MethodEntry(
    "levenberg-marquardt",
    formula: "x += d, (G + lambda I) d = -g with the Gauss-Newton matrix G; lambda by the gain",
    hyperparameters: [
      Hyperparameter("damping", 1e-3, .above(0), "at the start, as a share of the matrix's size"),
      Hyperparameter(
        "dense", 300, .count(from: 0, to: 1e5), "parameters up to which the matrix is written out"),
      .tolerance,
    ]
  ) {
    LevenbergMarquardt(
      damping: $0["damping"]!, dense: Int($0["dense"]!), tolerance: $0["tolerance"]!)
  }

  public var name: String { Self.entry.name }
  public var phrase: String { "Levenberg-Marquardt" }
  public var hyperparameters: [String: Double] {
    ["damping": damping, "dense": Double(dense), "tolerance": tolerance]
  }

  /// - Throws: `CurvatureError.noModelOutput`; what the executor throws.
  public func start<Scalar: LinearMapScalar>(
    _ loss: any Loss<Scalar>, from start: [Scalar]
  ) throws -> any TrainingSteps<Scalar> {
    MethodRun(self, loss, from: start, tolerance: tolerance, engine: try engine(loss))
  }

  /// - Throws: `CurvatureError.noModelOutput`, `TrainingError.wrongState`.
  public func resume<Scalar: LinearMapScalar>(
    _ state: TrainingState<Scalar>, of loss: any Loss<Scalar>
  ) throws -> any TrainingSteps<Scalar> {
    try MethodRun(self, resuming: state, of: loss, tolerance: tolerance, engine: engine(loss))
  }

  private func engine<Scalar>(_ loss: any Loss<Scalar>) throws -> DampedEngine<Scalar> {
    guard loss.hasModelOutput else { throw CurvatureError.noModelOutput(.gaussNewton) }
    return DampedEngine(share: damping, isDense: loss.parameterCount <= dense)
  }
}

private struct DampedEngine<Scalar: LinearMapScalar>: MethodEngine {
  let share: Double
  let isDense: Bool
  /// `lambda`; 0 before the first step.
  var damping = 0.0
  /// `nu`: what the damping grows by where a step fails.
  var growth = 2.0

  init(share: Double, isDense: Bool) {
    self.share = share
    self.isDense = isDense
  }

  var memory: MethodMemory<Scalar> { MethodMemory(numbers: [damping, growth]) }

  mutating func restore(_ memory: MethodMemory<Scalar>, on problem: CountedLoss<Scalar>) -> Bool {
    guard memory.vectors.isEmpty, memory.numbers.count == 2 else { return false }
    (damping, growth) = (memory.numbers[0], memory.numbers[1])
    return damping >= 0 && growth >= 2
  }

  /// The matrix in the form that it is solved in.
  private enum System {
    case dense([Double])
    case products(CountedProducts<Scalar>)
  }

  mutating func step(
    from now: inout Evaluation<Scalar>, on problem: CountedLoss<Scalar>, rate: Double
  ) throws -> StepEnding? {
    let n = now.point.count
    guard let map = try problem.curvature(.gaussNewton, at: now.point) else {
      return .nonFiniteCurvature(now)
    }
    let system: System
    do {
      system = isDense ? .dense(try assembleDense(map).columns) : .products(map)
      if damping == 0 { damping = try max(share * size(system, now), .leastNormalMagnitude) }
    } catch  where error.isNonFinite {
      return .nonFiniteCurvature(now)
    }
    let first = (damping, growth)
    var (isTried, hasSeenFinite) = (false, false)
    var misfit = Misfit()
    while true {
      let direction: [Scalar]?
      do {
        direction = try solve(system, now)
      } catch  where error.isNonFinite {
        return .nonFiniteCurvature(now)
      }
      if let direction {
        let length = Scalar.nrm2(n, direction)
        // By the model: (lambda d'd - g'd) / 2.
        let foretold = (damping * length * length - Scalar.dot(n, now.gradient, direction)) / 2
        let point = now.point(1, along: direction)
        guard point != now.point else {
          guard hasSeenFinite || !isTried else { return .failed(.nonFinite, now) }
          if !isTried, let ending = try heldBack(system, now) { return ending }
          let (spread, isHigher) = try problem.measureNoise(at: &now)
          guard isHigher else { return .failed(misfit.failure(spread: spread), now) }
          (damping, growth) = first
          continue
        }
        let trial = try problem.evaluate(point)
        isTried = true
        if trial.loss == -.infinity {
          return .failed(.unbounded(loss: trial.loss, distance: length), now)
        }
        if trial.isFinite {
          let (decrease, isBlurred) = now.decrease(to: trial, along: direction, foretold: foretold)
          hasSeenFinite = true
          misfit.note(
            rise: trial.loss - now.loss, before: Scalar.dot(n, now.gradient, direction),
            after: Scalar.dot(n, trial.gradient, direction))
          if now.isBelowRounding(foretold), isBlurred, trial.gradientNorm >= now.gradientNorm {
            return try heldBack(system, now) ?? .rounding(now)
          }
          let gain = decrease / foretold
          if gain > 0 {
            let cube = (2 * gain - 1) * (2 * gain - 1) * (2 * gain - 1)
            damping = max(damping * max(1.0 / 3, 1 - cube), .leastNormalMagnitude)
            growth = 2
            now = trial
            return nil
          }
        }
      }
      damping *= growth
      growth *= 2
      guard damping.isFinite else { return .failed(.rounding, now) }
    }
  }

  /// The end of a step that the damping given has cut to nothing: far above the matrix it leaves the gradient alone.
  private func heldBack(_ system: System, _ now: Evaluation<Scalar>) throws -> StepEnding? {
    guard share > 1e6, damping > 1e6 * (try size(system, now)) else { return nil }
    return .immobile(
      now, because: "the damping of \(Wording.number(share)) times the curvature: give a lower one")
  }

  /// The largest diagonal entry, or the size of the product with the gradient.
  private func size(_ system: System, _ now: Evaluation<Scalar>) throws -> Double {
    let n = now.point.count
    switch system {
    case .dense(let columns): return (0..<n).map { columns[$0 * n + $0] }.max() ?? 0
    case .products(let map):
      let image = try map(now.gradient)
      return Scalar.nrm2(n, image) / now.gradientNorm
    }
  }

  /// `-(G + lambda I)^-1 g`, or nil where the matrix is not positive to rounding.
  private func solve(_ system: System, _ now: Evaluation<Scalar>) throws -> [Scalar]? {
    let n = now.point.count
    switch system {
    case .dense(let columns):
      return CholeskyFactor(columnMajor: columns, dimension: n, shift: damping)?
        .solve(now.gradient.map { -Double($0) }).map { Scalar($0) }
    case .products(let map):
      let solved = try conjugateGradients(
        ShiftedMap(map, shift: Scalar(damping)), rhs: negated(now.gradient), tolerance: 1e-3,
        maxIterations: min(4 * n + 20, 250))
      let isUseful = Scalar.dot(n, solved.solution, now.gradient) < 0
      return isUseful ? solved.solution : nil
    }
  }
}
