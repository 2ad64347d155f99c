import Curvature
import LinearMaps

/// A quasi-Newton method with the dense inverse Hessian, for up to some thousand parameters: steps along `-H g`
/// and a search for the strong Wolfe conditions. The matrix is kept in float64 whatever the parameters are.
///
/// The first matrix is the identity, and the first trial of a step that of the same decrease as the last one's,
/// one at most: to scale the identity by the curvature of the first step, as L-BFGS does, holds all the directions
/// back that no step has been along yet, of which a network has hundreds.
///
/// Reference: Nocedal and Wright, "Numerical Optimization" (2006), algorithm 6.1 and formula (3.60); for the
/// self-scaled update Urban, Stefanou and Pons, "Unveiling the optimization process of physics informed neural
/// networks: how accurate and competitive can PINNs be?", arXiv:2405.04230, section 3.
public struct DenseQuasiNewton: IterativeMethod {
  /// How the matrix learns from a step.
  public enum Update: String, Sendable, CaseIterable {
    case bfgs
    /// Scales the matrix and mixes BFGS with DFP, by what the last step shows of the curvature.
    case selfScaledBroyden = "ssbroyden"

    fileprivate var phrase: String { self == .bfgs ? "BFGS" : "self-scaled Broyden" }
    fileprivate var formula: String {
      self == .bfgs
        ? "x += t d, d = -H g with the dense H of all steps; t by a strong Wolfe search"
        : "x += t d, d = -H g with the dense, self-scaled H; t by a strong Wolfe search"
    }
  }

  public let update: Update
  /// `c1`: the share of the decrease promised by the slope that a step has to bring.
  public let decrease: Double
  /// `c2`: the share of the slope that may be left; 0 for an exact search.
  public let curvature: Double
  /// Ends where no entry of the gradient is larger.
  public let tolerance: Double

  public init(
    _ update: Update, decrease: Double = 1e-4, curvature: Double = 0.9, tolerance: Double = 1e-8
  ) {
    self.update = update
    self.decrease = decrease
    self.curvature = curvature
    self.tolerance = tolerance
  }

  public static func entry(_ update: Update) -> MethodEntry {
    MethodEntry(
      update.rawValue, formula: update.formula,
      hyperparameters: [.decrease, .curvature(0.9), .tolerance]
    ) {
      DenseQuasiNewton(
        update, decrease: $0["decrease"]!, curvature: $0["curvature"]!, tolerance: $0["tolerance"]!)
    }
  }

  public var name: String { update.rawValue }
  public var phrase: String { update.phrase }
  public var hyperparameters: [String: Double] {
    ["decrease": decrease, "curvature": curvature, "tolerance": tolerance]
  }

  public func start<Scalar: LinearMapScalar>(
    _ loss: any Loss<Scalar>, from start: [Scalar]
  ) throws -> any TrainingSteps<Scalar> {
    MethodRun(self, loss, from: start, tolerance: tolerance, engine: try engine(start.count))
  }

  public func resume<Scalar: LinearMapScalar>(
    _ state: TrainingState<Scalar>, of loss: any Loss<Scalar>
  ) throws -> any TrainingSteps<Scalar> {
    try MethodRun(
      self, resuming: state, of: loss, tolerance: tolerance, engine: engine(loss.parameterCount))
  }

  /// - Throws: `TrainingError.tooManyParameters`.
  private func engine<Scalar>(_ n: Int) throws -> DenseEngine<Scalar> {
    guard n <= DenseEngine<Scalar>.maxDimension else {
      throw TrainingError.tooManyParameters(phrase, n, limit: DenseEngine<Scalar>.maxDimension)
    }
    return DenseEngine(
      update: update, search: LineSearch(decrease: decrease, curvature: curvature),
      inverse: DenseInverse(dimension: n))
  }
}

private struct DenseEngine<Scalar: LinearMapScalar>: MethodEngine {
  /// A matrix of so many rows takes 800 MB.
  static var maxDimension: Int { 10_000 }

  let update: DenseQuasiNewton.Update
  let search: LineSearch<Scalar>
  var inverse: DenseInverse
  /// By how much the last step lowered the loss; nil before there was one since the matrix was the identity.
  var lastDecrease: Double?

  var memory: MethodMemory<Scalar> {
    MethodMemory(
      numbers: [lastDecrease == nil ? 0 : 1, lastDecrease ?? 0] + inverse.entries)
  }

  mutating func restore(_ memory: MethodMemory<Scalar>, on problem: CountedLoss<Scalar>) -> Bool {
    guard memory.vectors.isEmpty, memory.numbers.count >= 2 else { return false }
    lastDecrease = memory.numbers[0] == 1 ? memory.numbers[1] : nil
    return inverse.restore(Array(memory.numbers.dropFirst(2)))
  }

  mutating func step(
    from now: inout Evaluation<Scalar>, on problem: CountedLoss<Scalar>, rate: Double
  ) throws -> StepEnding? {
    while true {
      let isFresh = inverse.isIdentity
      let gradient = now.gradient.map { Double($0) }
      let direction = inverse.product(gradient).map { Scalar(-$0) }
      let first = rate * firstTrial(from: now, along: direction, isFresh: isFresh)
      switch try search.run(from: now, along: direction, first: first, on: problem) {
      case .found(let next, let step):
        let s = zip(next.point, now.point).map { Double($0) - Double($1) }
        let y = zip(next.gradient, now.gradient).map { Double($0) - Double($1) }
        let n = s.count
        let sy = Double.dot(n, s, y)
        if sy > Double(Scalar.ulpOfOne) * Double.nrm2(n, s) * Double.nrm2(n, y) {
          switch update {
          case .bfgs: inverse.bfgs(s: s, y: y)
          case .selfScaledBroyden:
            inverse.selfScaledBroyden(s: s, y: y, curvature: -step * Double.dot(n, s, gradient))
          }
        }
        lastDecrease = now.loss - next.loss
        now = next
        return nil
      case .failed(let failure):
        if case .unbounded = failure { return .failed(failure, now) }
        guard !isFresh else { return .failed(failure, now) }
        inverse.reset()
        lastDecrease = nil
      }
    }
  }

  /// Without a matrix the first trial moves by one, as far as that is below the gradient itself. The scaled update
  /// makes steps of about one by itself.
  private func firstTrial(
    from now: Evaluation<Scalar>, along direction: [Scalar], isFresh: Bool
  ) -> Double {
    guard !isFresh else { return min(1, 1 / now.gradientNorm) }
    guard update == .bfgs, let lastDecrease, lastDecrease > 0 else { return 1 }
    let slope = -Scalar.dot(direction.count, now.gradient, direction)
    let trial = 1.01 * 2 * lastDecrease / slope
    return trial > 0 && trial < 1 ? trial : 1
  }
}
