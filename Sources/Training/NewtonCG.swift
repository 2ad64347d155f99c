import Curvature
import LinearMaps
import TensorPrograms

/// Newton's method with conjugate gradients for the step and a backtracking line search.
///
/// Each step solves `H d = -g` by CG, to a tolerance that tightens with the gradient, and leaves early
/// along the part found so far where it meets negative curvature.
/// Reference: Nocedal and Wright, "Numerical Optimization" (2006), algorithm 7.1.
public struct NewtonCG<Scalar: LinearMapScalar>: Sendable {
  /// A point on the way.
  public struct Point: Sendable {
    public var loss: Double
    public var gradientNorm: Double
    /// Floating-point operations spent to get here, as the objective counts them.
    public var operations: Double
    /// What `relativeGap` says of the point.
    public var relativeGap: Double?
  }

  public enum Ending: String, Sendable, Codable {
    /// The decrease still to be had is below the tolerance or below rounding.
    case converged
    /// The loss falls as the parameters grow without end: there is no finite minimum.
    case noFiniteMinimum
    case budget
    /// No step along the direction lowers the loss.
    case stalled
    case nonFinite
    case cancelled
  }

  public let parameters: [Scalar]
  /// Points in order; the first is the start.
  public let path: [Point]
  public let ending: Ending
  public let hessianProducts: Int

  /// Minimises from a start.
  ///
  /// - Parameters:
  ///   - diagonal: of the Hessian at the start, to precondition CG with; nil for none.
  ///   - tolerance: stops where half the Newton decrement, the decrease still to be had, falls to this
  ///     share of the decrease made.
  ///   - forcing: the loosest relative residual that CG may stop at; on a quadratic a small one makes
  ///     the first step the last.
  ///   - maxOperations: floating-point operations after which no further step is begun.
  ///   - limitsProducts: whether the last step's conjugate gradients stop at `maxOperations` too.
  ///   - relativeGap: evaluated at each point of the path, where the caller knows the loss's distance
  ///     from its minimum better than by a difference of losses.
  /// - Throws: what the executor throws.
  public init(
    minimizing objective: any Loss<Scalar>, from start: [Scalar], diagonal: [Double]? = nil,
    tolerance: Double = 1e-12, forcing: Double = 1e-3, maxSteps: Int = 100,
    maxOperations: Double = .infinity, limitsProducts: Bool = false,
    relativeGap: ([Scalar]) -> Double? = { _ in nil }, context: RunContext = RunContext()
  ) throws {
    let n = start.count
    let spent = objective.operations
    var x = start
    var (loss, gradient) = try objective.valueAndGradient(at: x)
    let firstNorm = Scalar.nrm2(n, gradient)
    let firstLoss = loss
    var path = [
      Point(
        loss: loss, gradientNorm: firstNorm, operations: objective.operations - spent,
        relativeGap: relativeGap(x))
    ]
    var products = 0
    var ending = Ending.budget
    var relativeStep = 0.0
    // Where the diagonal is tiny or negative, the preconditioner falls back on its typical size.
    let preconditioner = diagonal.map { diagonal -> DiagonalMap<Scalar> in
      let floor = 1e-12 * (diagonal.map(abs).max() ?? 1)
      return DiagonalMap(diagonal.map { Scalar(1 / Swift.max(abs($0), floor)) })
    }

    for _ in 0..<maxSteps where objective.operations - spent < maxOperations {
      let norm = Scalar.nrm2(n, gradient)
      guard loss.isFinite, norm.isFinite else {
        ending = .nonFinite
        break
      }
      guard norm > 0 else {
        ending = .converged
        break
      }
      guard !context.isCancelled() else {
        ending = .cancelled
        break
      }
      let solved: ConjugateGradientsResult<Scalar>
      do {
        let hessian = try objective.hessian(at: x)
        let left = try (maxOperations - objective.operations + spent) / hessian.productOperations()
        solved = try conjugateGradients(
          hessian, rhs: negated(gradient), preconditioner: preconditioner,
          tolerance: Swift.max(1e-12, Swift.min(forcing, 0.1 * norm / firstNorm)),
          maxIterations: Swift.min(
            4 * n + 20, 1000, limitsProducts && left < 1000 ? Swift.max(1, Int(left)) : 1000))
      } catch is CancellationError {
        ending = .cancelled
        break
      } catch  where error.isNonFinite {
        ending = .nonFinite
        break
      }
      products += solved.convergence.operatorApplications
      var direction = solved.solution
      if !(Scalar.dot(n, direction, gradient) < 0) {
        // Along the gradient, by its curvature where that says anything, but not out of sight.
        let curvature = abs(solved.negativeCurvature?.curvature ?? 1)
        let farthest = 1e3 * Swift.max(1, Scalar.nrm2(n, x)) / norm
        let length = Swift.min(1 / Swift.max(curvature, 1e-300), farthest)
        direction = gradient.map { Scalar(-Double($0) * length) }
      }
      let slope = Scalar.dot(n, direction, gradient)
      let rounding = Double(Scalar.ulpOfOne) * abs(loss)
      if -slope / 2 <= Swift.max(tolerance * (firstLoss - loss), rounding) {
        // The last full step costs one more evaluation and can only gain rounding.
        let (candidate, value, next) = try Self.evaluate(objective, x, direction, 1)
        if value < loss { (x, loss, gradient) = (candidate, value, next) }
        path.append(
          Point(
            loss: loss, gradientNorm: Scalar.nrm2(n, gradient),
            operations: objective.operations - spent, relativeGap: relativeGap(x)))
        ending = relativeStep > 0.01 && path.count > 8 ? .noFiniteMinimum : .converged
        break
      }
      var step = 1.0
      var accepted = false
      for _ in 0..<40 {
        let (candidate, value, next) = try Self.evaluate(objective, x, direction, step)
        if value.isFinite, value <= loss + 1e-4 * step * slope + rounding {
          relativeStep =
            step * Scalar.nrm2(n, direction) / Swift.max(Scalar.nrm2(n, candidate), 1e-300)
          accepted = value < loss
          (x, loss, gradient) = (candidate, value, next)
          break
        }
        step /= 2
      }
      path.append(
        Point(
          loss: loss, gradientNorm: Scalar.nrm2(n, gradient),
          operations: objective.operations - spent, relativeGap: relativeGap(x)))
      guard accepted else {
        ending = .stalled
        break
      }
    }
    parameters = x
    self.path = path
    self.ending = ending
    hessianProducts = products
  }

  private static func evaluate(
    _ objective: any Loss<Scalar>, _ x: [Scalar], _ direction: [Scalar], _ step: Double
  ) throws -> ([Scalar], Double, [Scalar]) {
    var candidate = x
    Scalar.axpy(x.count, Scalar(step), direction, &candidate)
    let (value, gradient) = try objective.valueAndGradient(at: candidate)
    return (candidate, value, gradient)
  }
}
