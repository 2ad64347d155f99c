import Curvature
import LinearMaps

/// A method whose steps have iterations of their own, a search along a line or the solution of a system; it
/// takes gradients of all samples.
public protocol IterativeMethod: Sendable {
  /// The name in the catalogue.
  var name: String { get }
  /// The method in words, with what was set: `L-BFGS with 10 pairs`.
  var phrase: String { get }
  var hyperparameters: [String: Double] { get }

  /// A run from a starting point.
  ///
  /// - Throws: `TrainingError` where the loss has not what the method asks for; what the executor throws.
  func start<Scalar: LinearMapScalar>(
    _ loss: any Loss<Scalar>, from start: [Scalar]
  ) throws -> any TrainingSteps<Scalar>

  /// The run that a state was taken of, to go on as if it had not been stopped.
  ///
  /// - Throws: `TrainingError` where the state does not fit.
  func resume<Scalar: LinearMapScalar>(
    _ state: TrainingState<Scalar>, of loss: any Loss<Scalar>
  ) throws -> any TrainingSteps<Scalar>
}

/// The methods with inner iterations that a person can name, beside `OptimizerCatalogue`: no name is in both.
public enum MethodCatalogue: Catalogue {
  public static let kind = "method"
  public static let all: [MethodEntry] = [
    LBFGS.entry, DenseQuasiNewton.entry(.bfgs), DenseQuasiNewton.entry(.selfScaledBroyden),
    TrustRegionNewton.entry, LevenbergMarquardt.entry, NystromNewtonCG.entry,
  ]
  public static let standard = "lbfgs"
  public typealias Made = any IterativeMethod
}

public typealias MethodEntry = CatalogueEntry<MethodCatalogue>
