import LinearMaps
import TensorPrograms

/// A loss whose values and derivatives somebody else computes: another framework, another machine, a formula.
///
/// Gradients and products have one number per parameter, in the parameters' order, of the mean over all
/// samples.
public struct LossClosures: Sendable {
  public typealias Product = @Sendable (_ point: [Double], _ direction: [Double]) throws -> [Double]

  /// Names and shapes of what the flat vector is made of.
  public var parameters: [LossDefinition.Parameter]
  public var value: @Sendable (_ point: [Double]) throws -> Double
  public var valueAndGradient:
    @Sendable (_ point: [Double]) throws -> (value: Double, gradient: [Double])
  /// The product of the Hessian at a point with a direction.
  public var hessianProduct: Product
  /// The product of the Gauss-Newton matrix, where there is one.
  public var gaussNewtonProduct: Product?
  public var sampleCount: Int
  /// Floating-point operations of one gradient, about: what work is counted in and budgets are made of.
  public var gradientOperations: Double

  /// - Parameter gradientOperations: by default six per parameter and sample, as of a dense network.
  public init(
    parameters: [LossDefinition.Parameter],
    value: @escaping @Sendable (_ point: [Double]) throws -> Double,
    valueAndGradient:
      @escaping @Sendable (_ point: [Double]) throws -> (
        value: Double, gradient: [Double]
      ),
    hessianProduct: @escaping Product, gaussNewtonProduct: Product? = nil, sampleCount: Int = 1,
    gradientOperations: Double? = nil
  ) {
    self.parameters = parameters
    self.value = value
    self.valueAndGradient = valueAndGradient
    self.hessianProduct = hessianProduct
    self.gaussNewtonProduct = gaussNewtonProduct
    self.sampleCount = sampleCount
    let numbers = parameters.reduce(0) { $0 + $1.shape.count }
    self.gradientOperations = gradientOperations ?? 6 * Double(numbers) * Double(sampleCount)
  }
}

/// What another engine computes, as a loss.
public final class ClosureLoss<Scalar: LinearMapScalar>: Loss {
  public let source: any ExternalLoss
  public let executor: any Executor
  public private(set) var operations = 0.0
  fileprivate let context: RunContext

  /// - Parameter executor: of the optimizers' updates, which are tensor programs.
  public init(
    _ source: any ExternalLoss, executor: any Executor = ReferenceExecutor(),
    context: RunContext = RunContext()
  ) {
    self.source = source
    self.executor = executor
    self.context = context
  }

  public var parameters: [LossDefinition.Parameter] { source.parameters }
  public var sampleCount: Int { source.sampleCount }
  public var hasModelOutput: Bool { source.kinds.contains(.gaussNewton) }

  public func count(_ operations: Double) { self.operations += operations }
  public func gradientOperations() throws -> Double { source.gradientOperations }

  public func value(at point: [Scalar]) throws -> Double {
    count(source.gradientOperations / 3)
    return try source.value(at: ExternalPoint(point))
  }

  public func valueAndGradient(
    at point: [Scalar]
  ) throws -> (value: Double, gradient: [Scalar]) {
    count(source.gradientOperations)
    var value = 0.0
    let gradient = try [Scalar](unsafeUninitializedCapacity: parameterCount) { buffer, count in
      buffer.initialize(repeating: 0)
      value = try source.valueAndGradient(at: ExternalPoint(point), into: buffer)
      count = buffer.count
    }
    return (value, gradient)
  }

  public func curvature(
    _ kind: CurvatureKind, at point: [Scalar], parameters: [Int]?, seed: UInt64
  ) throws -> CurvatureMap<Scalar> {
    guard source.kinds.contains(kind) else { throw CurvatureError.noModelOutput(kind) }
    precondition(
      point.count == parameterCount, "\(point.count) numbers for \(parameterCount) parameters")
    let chosen = parameters ?? Array(self.parameters.indices)
    precondition(
      !chosen.isEmpty && zip(chosen, chosen.dropFirst()).allSatisfy(<),
      "the parameters \(chosen) are not ascending positions")
    return CurvatureMap(
      ExternalProducts(
        loss: self, kind: kind, point: ExternalPoint(point), coordinates: coordinates(of: chosen)),
      kind, parameters: chosen)
  }
}

/// Products that another engine computes in all parameters, seen in some of them.
private final class ExternalProducts<Scalar: LinearMapScalar>: CurvatureProducts {
  let loss: ClosureLoss<Scalar>
  let kind: CurvatureKind
  let point: ExternalPoint<Scalar>
  let coordinates: [Range<Int>]
  let dimension: Int
  /// Direction and product in all parameters, where the vectors have only some.
  private var wholeDirection: [Scalar] = []
  private var wholeResult: [Scalar] = []

  init(
    loss: ClosureLoss<Scalar>, kind: CurvatureKind, point: ExternalPoint<Scalar>,
    coordinates: [Range<Int>]
  ) {
    self.loss = loss
    self.kind = kind
    self.point = point
    self.coordinates = coordinates
    dimension = coordinates.reduce(0) { $0 + $1.count }
    if dimension < point.numbers.count {
      wholeDirection = [Scalar](repeating: 0, count: point.numbers.count)
      wholeResult = wholeDirection
    }
  }

  func productOperations() throws -> Double { 2 * loss.source.gradientOperations }

  func apply(_ x: UnsafePointer<Scalar>, into y: UnsafeMutablePointer<Scalar>) throws {
    try loss.context.checkCancellation()
    loss.count(try productOperations())
    guard !wholeDirection.isEmpty else {
      try loss.source.product(
        kind, at: point, with: UnsafeBufferPointer(start: x, count: dimension),
        into: UnsafeMutableBufferPointer(start: y, count: dimension))
      if let broken = Scalar.firstNonFinite(dimension, y) { throw failure(at: broken, x) }
      return
    }
    eachRange { offset, range in
      wholeDirection.replaceSubrange(
        range, with: UnsafeBufferPointer(start: x + offset, count: range.count))
    }
    try wholeDirection.withUnsafeBufferPointer { direction in
      try wholeResult.withUnsafeMutableBufferPointer { result in
        try loss.source.product(kind, at: point, with: direction, into: result)
      }
    }
    try wholeResult.withUnsafeBufferPointer { result in
      try eachRange { offset, range in
        (y + offset).update(from: result.baseAddress! + range.lowerBound, count: range.count)
        if let broken = Scalar.firstNonFinite(range.count, y + offset) {
          throw failure(at: range.lowerBound + broken, x)
        }
      }
    }
  }

  private func eachRange(_ body: (_ offset: Int, Range<Int>) throws -> Void) rethrows {
    var offset = 0
    for range in coordinates {
      try body(offset, range)
      offset += range.count
    }
  }

  private func failure(at index: Int, _ direction: UnsafePointer<Scalar>) -> any Error {
    func name(_ index: Int) -> String {
      let all = loss.coordinates(of: Array(loss.parameters.indices))
      return loss.parameters[all.firstIndex { $0.contains(index) }!].name
    }
    if let broken = point.numbers.firstIndex(where: { !$0.isFinite }) {
      return CurvatureError.nonFinitePoint(parameter: name(broken))
    }
    if let broken = Scalar.firstNonFinite(dimension, direction) {
      return LinearMapError.nonFiniteVector(role: "direction", index: broken)
    }
    return CurvatureError.nonFiniteProduct(parameter: name(index), batch: 1)
  }
}
