import LinearMaps
import TensorPrograms

/// A loss that another engine computes: a framework on its own devices, other machines, a formula.
///
/// Vectors have one number per parameter, in the parameters' order, each row-major, of the mean over all
/// samples, in the arithmetic of who asks; they are read and written in place. `LossClosures` is one for
/// arrays of doubles.
public protocol ExternalLoss: Sendable {
  /// Names and shapes of what the flat vector is made of.
  var parameters: [LossDefinition.Parameter] { get }
  var sampleCount: Int { get }
  /// Floating-point operations of one gradient, about: what work is counted in and budgets are made of.
  var gradientOperations: Double { get }
  /// The curvature matrices that there are products of.
  var kinds: Set<CurvatureKind> { get }

  func value<Scalar: LinearMapScalar>(at point: ExternalPoint<Scalar>) throws -> Double

  /// The value; the gradient is written to `gradient`, one number per parameter.
  func valueAndGradient<Scalar: LinearMapScalar>(
    at point: ExternalPoint<Scalar>, into gradient: UnsafeMutableBufferPointer<Scalar>
  ) throws -> Double

  /// The product of a matrix of `kinds` at a point with a direction.
  func product<Scalar: LinearMapScalar>(
    _ kind: CurvatureKind, at point: ExternalPoint<Scalar>,
    with direction: UnsafeBufferPointer<Scalar>, into result: UnsafeMutableBufferPointer<Scalar>
  ) throws
}

/// A point that is asked about, once or many times: an engine that has to load its parameters does so once
/// for each.
public final class ExternalPoint<Scalar: LinearMapScalar>: Sendable {
  public let numbers: [Scalar]

  public init(_ numbers: [Scalar]) { self.numbers = numbers }
}

extension LossClosures: ExternalLoss {
  public var kinds: Set<CurvatureKind> {
    gaussNewtonProduct == nil ? [.hessian] : [.hessian, .gaussNewton]
  }

  public func value<Scalar: LinearMapScalar>(at point: ExternalPoint<Scalar>) throws -> Double {
    try value(point.doubles)
  }

  public func valueAndGradient<Scalar: LinearMapScalar>(
    at point: ExternalPoint<Scalar>, into gradient: UnsafeMutableBufferPointer<Scalar>
  ) throws -> Double {
    let (value, numbers) = try valueAndGradient(point.doubles)
    try write(numbers, to: gradient, "gradient")
    return value
  }

  public func product<Scalar: LinearMapScalar>(
    _ kind: CurvatureKind, at point: ExternalPoint<Scalar>,
    with direction: UnsafeBufferPointer<Scalar>, into result: UnsafeMutableBufferPointer<Scalar>
  ) throws {
    let closure: Product
    switch kind {
    case .hessian: closure = hessianProduct
    case .gaussNewton:
      guard let gaussNewtonProduct else { throw CurvatureError.noModelOutput(kind) }
      closure = gaussNewtonProduct
    case .fisher, .sampledFisher, .empiricalFisher: throw CurvatureError.noModelOutput(kind)
    }
    try write(closure(point.doubles, direction.map { Double($0) }), to: result, "product")
  }

  private func write<Scalar: LinearMapScalar>(
    _ numbers: [Double], to result: UnsafeMutableBufferPointer<Scalar>, _ name: String
  ) throws {
    guard numbers.count == result.count else {
      throw CurvatureError.wrongLength(name, given: numbers.count, wanted: result.count)
    }
    for index in result.indices { result[index] = Scalar(numbers[index]) }
  }
}

extension ExternalPoint {
  fileprivate var doubles: [Double] {
    if let same = numbers as? [Double] { same } else { numbers.map { Double($0) } }
  }
}
