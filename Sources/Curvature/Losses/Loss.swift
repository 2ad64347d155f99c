import LinearMaps
import TensorPrograms

/// A loss of a flat parameter vector, wherever it is computed: what training, surveys of curvature, trials
/// and forecasts ask for.
///
/// `Objective` is one, made of a tensor program; `ClosureLoss` another, whose derivatives somebody else
/// brings.
public protocol Loss<Scalar>: AnyObject {
  associatedtype Scalar: LinearMapScalar

  /// Names, shapes and roles of what the flat vector is made of, in its order, each row-major.
  var parameters: [LossDefinition.Parameter] { get }
  var sampleCount: Int { get }
  /// Runs what is a tensor program beside the loss: an optimizer's update.
  var executor: any Executor { get }
  /// Whether there is a Gauss-Newton matrix.
  var hasModelOutput: Bool { get }
  /// The loss as a traced objective, for what only programs can do: steps in one run, mini-batches, groups
  /// of samples; nil for others.
  var objective: Objective<Scalar>? { get }

  /// The mean loss at a point.
  func value(at point: [Scalar]) throws -> Double

  /// The mean loss and its gradient, flat.
  func valueAndGradient(at point: [Scalar]) throws -> (value: Double, gradient: [Scalar])

  /// A curvature matrix at a point, or its principal submatrix in some of the parameters (ascending
  /// positions).
  ///
  /// - Throws: `CurvatureError` where the loss lacks what the matrix is made of. Products throw
  ///   `CurvatureError` where a number is not finite, and `CancellationError`.
  func curvature(
    _ kind: CurvatureKind, at point: [Scalar], parameters: [Int]?, seed: UInt64
  ) throws -> CurvatureMap<Scalar>

  /// Floating-point operations spent so far, by count; divide by `gradientOperations` for
  /// gradient-equivalents.
  var operations: Double { get }

  /// Adds to the operations spent, for runs that are driven from outside.
  func count(_ operations: Double)

  /// Operations of one gradient over all samples: the unit of gradient-equivalents.
  func gradientOperations() throws -> Double

  /// What one gradient over all samples takes in time, about, in operations of a large matrix product.
  func gradientWork() throws -> Double
}

extension Loss {
  public var objective: Objective<Scalar>? { nil }

  /// Length of the flat parameter vector.
  public var parameterCount: Int { parameters.reduce(0) { $0 + $1.shape.count } }

  public func gradientWork() throws -> Double { try gradientOperations() }

  /// A curvature matrix in all parameters; `seed` is that of the targets that `sampledFisher` draws.
  public func curvature(
    _ kind: CurvatureKind, at point: [Scalar], seed: UInt64
  ) throws -> CurvatureMap<Scalar> {
    try curvature(kind, at: point, parameters: nil, seed: seed)
  }

  /// A curvature matrix in all parameters, or in those at some ascending positions.
  public func curvature(
    _ kind: CurvatureKind, at point: [Scalar], parameters: [Int]? = nil
  ) throws -> CurvatureMap<Scalar> {
    try curvature(kind, at: point, parameters: parameters, seed: 0)
  }

  /// The Hessian at a point, linearised once.
  public func hessian(at point: [Scalar]) throws -> CurvatureMap<Scalar> {
    try curvature(.hessian, at: point)
  }

  /// The Gauss-Newton matrix `J' H_loss J` at a point, or nil for a loss without a model output.
  public func gaussNewton(at point: [Scalar]) throws -> CurvatureMap<Scalar>? {
    hasModelOutput ? try curvature(.gaussNewton, at: point) : nil
  }

  /// The entries of the flat vector that the parameters at `indices` take.
  public func coordinates(of indices: [Int]) -> [Range<Int>] {
    var offset = 0
    let ranges = parameters.map { parameter in
      defer { offset += parameter.shape.count }
      return offset..<offset + parameter.shape.count
    }
    return indices.map { ranges[$0] }
  }
}
