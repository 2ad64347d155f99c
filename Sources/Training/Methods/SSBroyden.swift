import Curvature
import LinearMaps

/// The self-scaled Broyden method: like BFGS, but its update scales the matrix and mixes BFGS with DFP, by
/// what the last step shows of the curvature.
///
/// Reference: Urban, Stefanou and Pons, "Unveiling the optimization process of physics informed neural
/// networks: how accurate and competitive can PINNs be?", arXiv:2405.04230, section 3.
public struct SSBroyden: IterativeMethod {
  /// `c1`: the share of the decrease promised by the slope that a step has to bring.
  public let decrease: Double
  /// `c2`: the share of the slope that may be left; 0 for an exact search.
  public let curvature: Double
  /// Ends where no entry of the gradient is larger.
  public let tolerance: Double

  public init(decrease: Double = 1e-4, curvature: Double = 0.9, tolerance: Double = 1e-8) {
    self.decrease = decrease
    self.curvature = curvature
    self.tolerance = tolerance
  }

  public static let entry = MethodEntry(
    "ssbroyden",
    formula: "x += t d, d = -H g with the dense, self-scaled H; t by a strong Wolfe search",
    hyperparameters: [.decrease, .curvature(0.9), .tolerance]
  ) {
    SSBroyden(decrease: $0["decrease"]!, curvature: $0["curvature"]!, tolerance: $0["tolerance"]!)
  }

  public var name: String { Self.entry.name }
  public var phrase: String { "self-scaled Broyden" }
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

  private func engine<Scalar>(_ n: Int) throws -> DenseEngine<Scalar> {
    try DenseEngine(
      dimension: n, search: LineSearch(decrease: decrease, curvature: curvature), name: phrase
    ) { inverse, s, y, curvature in
      inverse.selfScaledBroyden(s: s, y: y, curvature: curvature)
    }
  }
}
