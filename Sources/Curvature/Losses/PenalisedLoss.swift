import LinearMaps
import TensorPrograms

/// A loss with the penalty that weight decay coupled to the gradient is: `c_i / 2 |w_i|^2` for each parameter
/// tensor. What it adds to gradient and products is known beforehand, so that whoever computes the loss need
/// not know of it.
public struct PenalisedLoss: ExternalLoss {
  public let base: any ExternalLoss
  /// One per parameter tensor.
  public let coefficients: [Double]

  /// - Precondition: one coefficient per parameter tensor.
  public init(_ base: any ExternalLoss, coefficients: [Double]) {
    precondition(
      base.parameters.count == coefficients.count,
      "\(coefficients.count) coefficients for \(base.parameters.count) parameters")
    self.base = base
    self.coefficients = coefficients
  }

  public var parameters: [LossDefinition.Parameter] { base.parameters }
  public var sampleCount: Int { base.sampleCount }
  public var gradientOperations: Double { base.gradientOperations }
  public var kinds: Set<CurvatureKind> { base.kinds }

  public func value<Scalar: LinearMapScalar>(at point: ExternalPoint<Scalar>) throws -> Double {
    try base.value(at: point) + penalty(at: point)
  }

  public func valueAndGradient<Scalar: LinearMapScalar>(
    at point: ExternalPoint<Scalar>, into gradient: UnsafeMutableBufferPointer<Scalar>
  ) throws -> Double {
    let value = try base.valueAndGradient(at: point, into: gradient)
    point.numbers.withUnsafeBufferPointer { add($0.baseAddress!, to: gradient) }
    return value + penalty(at: point)
  }

  public func product<Scalar: LinearMapScalar>(
    _ kind: CurvatureKind, at point: ExternalPoint<Scalar>,
    with direction: UnsafeBufferPointer<Scalar>, into result: UnsafeMutableBufferPointer<Scalar>
  ) throws {
    try base.product(kind, at: point, with: direction, into: result)
    add(direction.baseAddress!, to: result)
  }

  private func penalty<Scalar: LinearMapScalar>(at point: ExternalPoint<Scalar>) -> Double {
    point.numbers.withUnsafeBufferPointer { numbers in
      eachTensor { coefficient, range in
        let norm = Scalar.nrm2(range.count, numbers.baseAddress! + range.lowerBound)
        return coefficient / 2 * norm * norm
      }.reduce(0, +)
    }
  }

  private func add<Scalar: LinearMapScalar>(
    _ vector: UnsafePointer<Scalar>, to result: UnsafeMutableBufferPointer<Scalar>
  ) {
    _ = eachTensor { coefficient, range in
      Scalar.axpy(
        range.count, Scalar(coefficient), vector + range.lowerBound,
        result.baseAddress! + range.lowerBound)
    }
  }

  private func eachTensor<Result>(_ body: (Double, Range<Int>) -> Result) -> [Result] {
    var offset = 0
    return zip(coefficients, parameters).compactMap { coefficient, parameter in
      let range = offset..<offset + parameter.shape.count
      offset = range.upperBound
      return coefficient == 0 || range.isEmpty ? nil : body(coefficient, range)
    }
  }
}
