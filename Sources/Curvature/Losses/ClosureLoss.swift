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

/// `LossClosures` as a loss.
public final class ClosureLoss<Scalar: LinearMapScalar>: Loss {
  public let closures: LossClosures
  public let executor: any Executor
  public private(set) var operations = 0.0
  fileprivate let context: RunContext

  /// - Parameter executor: of the optimizers' updates, which are tensor programs.
  public init(
    _ closures: LossClosures, executor: any Executor = ReferenceExecutor(),
    context: RunContext = RunContext()
  ) {
    self.closures = closures
    self.executor = executor
    self.context = context
  }

  public var parameters: [LossDefinition.Parameter] { closures.parameters }
  public var sampleCount: Int { closures.sampleCount }
  public var hasModelOutput: Bool { closures.gaussNewtonProduct != nil }

  public func count(_ operations: Double) { self.operations += operations }
  public func gradientOperations() throws -> Double { closures.gradientOperations }

  public func value(at point: [Scalar]) throws -> Double {
    count(closures.gradientOperations / 3)
    return try closures.value(point.map { Double($0) })
  }

  public func valueAndGradient(
    at point: [Scalar]
  ) throws -> (value: Double, gradient: [Scalar]) {
    count(closures.gradientOperations)
    let (value, gradient) = try closures.valueAndGradient(point.map { Double($0) })
    try check(gradient, "gradient")
    return (value, gradient.map { Scalar($0) })
  }

  public func curvature(
    _ kind: CurvatureKind, at point: [Scalar], parameters: [Int]?, seed: UInt64
  ) throws -> CurvatureMap<Scalar> {
    let product: LossClosures.Product
    switch kind {
    case .hessian: product = closures.hessianProduct
    case .gaussNewton:
      guard let given = closures.gaussNewtonProduct else {
        throw CurvatureError.noModelOutput(kind)
      }
      product = given
    case .fisher, .sampledFisher, .empiricalFisher: throw CurvatureError.noModelOutput(kind)
    }
    precondition(
      point.count == parameterCount, "\(point.count) numbers for \(parameterCount) parameters")
    let chosen = parameters ?? Array(self.parameters.indices)
    precondition(
      !chosen.isEmpty && zip(chosen, chosen.dropFirst()).allSatisfy(<),
      "the parameters \(chosen) are not ascending positions")
    return CurvatureMap(
      ClosureProducts(
        loss: self, product: product, point: point.map { Double($0) },
        coordinates: coordinates(of: chosen)), kind, parameters: chosen)
  }

  fileprivate func check(_ vector: [Double], _ name: String) throws {
    guard vector.count == parameterCount else {
      throw CurvatureError.wrongLength(name, given: vector.count, wanted: parameterCount)
    }
  }
}

/// Products that a closure computes in all parameters, seen in some of them.
private final class ClosureProducts<Scalar: LinearMapScalar>: CurvatureProducts {
  let loss: ClosureLoss<Scalar>
  let product: LossClosures.Product
  let point: [Double]
  let coordinates: [Range<Int>]
  let dimension: Int

  init(
    loss: ClosureLoss<Scalar>, product: @escaping LossClosures.Product, point: [Double],
    coordinates: [Range<Int>]
  ) {
    self.loss = loss
    self.product = product
    self.point = point
    self.coordinates = coordinates
    dimension = coordinates.reduce(0) { $0 + $1.count }
  }

  func productOperations() throws -> Double { 2 * loss.closures.gradientOperations }

  func apply(_ x: UnsafePointer<Scalar>, into y: UnsafeMutablePointer<Scalar>) throws {
    try loss.context.checkCancellation()
    loss.count(try productOperations())
    var direction = [Double](repeating: 0, count: point.count)
    var offset = 0
    for range in coordinates {
      for index in range { direction[index] = Double(x[offset + index - range.lowerBound]) }
      offset += range.count
    }
    let result = try product(point, direction)
    try loss.check(result, "product")
    offset = 0
    for range in coordinates {
      for index in range {
        let entry = Scalar(result[index])
        guard entry.isFinite else { throw failure(at: index, direction) }
        y[offset + index - range.lowerBound] = entry
      }
      offset += range.count
    }
  }

  private func failure(at index: Int, _ direction: [Double]) -> any Error {
    func name(_ index: Int) -> String {
      let all = loss.coordinates(of: Array(loss.parameters.indices))
      return loss.parameters[all.firstIndex { $0.contains(index) }!].name
    }
    if let broken = point.firstIndex(where: { !$0.isFinite }) {
      return CurvatureError.nonFinitePoint(parameter: name(broken))
    }
    if let broken = direction.firstIndex(where: { !$0.isFinite }) {
      return LinearMapError.nonFiniteVector(role: "direction", index: broken)
    }
    return CurvatureError.nonFiniteProduct(parameter: name(index), batch: 1)
  }
}
