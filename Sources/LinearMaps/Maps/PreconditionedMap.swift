/// A factor `L` of an inverse preconditioner `P^-1 = L L'`.
public protocol PreconditionerFactor<Scalar> {
  associatedtype Scalar: LinearMapScalar

  var dimension: Int { get }

  /// `x = L x` in place.
  func multiply(_ x: UnsafeMutablePointer<Scalar>)

  /// `x = L' x` in place.
  func multiplyTransposed(_ x: UnsafeMutablePointer<Scalar>)
}

extension PreconditionerFactor {
  /// `P^-1 x = L L' x`.
  public func inverse(_ x: [Scalar]) -> [Scalar] {
    var y = x
    y.withUnsafeMutableBufferPointer {
      multiplyTransposed($0.baseAddress!)
      multiply($0.baseAddress!)
    }
    return y
  }
}

/// `L' A L` for `P^-1 = L L'`: symmetric, with the eigenvalues of `P^-1 A`; the curvature that a method
/// preconditioned by `P` meets. For a diagonal `P` it is `P^-1/2 A P^-1/2`.
public struct PreconditionedMap<Base: LinearMap, Factor: PreconditionerFactor<Base.Scalar>>:
  LinearMap
{
  public let base: Base
  public let factor: Factor
  public var dimension: Int { base.dimension }

  public init(_ base: Base, by factor: Factor) {
    precondition(
      base.dimension == factor.dimension,
      "a preconditioner of dimension \(factor.dimension) meets a map of \(base.dimension)")
    self.base = base
    self.factor = factor
  }

  public func apply(
    _ x: UnsafePointer<Base.Scalar>, into y: UnsafeMutablePointer<Base.Scalar>
  ) throws {
    try apply(columns: 1, x, into: y)
  }

  public func apply(
    columns: Int, _ x: UnsafePointer<Base.Scalar>, into y: UnsafeMutablePointer<Base.Scalar>
  ) throws {
    var scaled = Array(UnsafeBufferPointer(start: x, count: dimension * columns))
    scaled.withUnsafeMutableBufferPointer { scaled in
      for column in 0..<columns { factor.multiply(scaled.baseAddress! + column * dimension) }
    }
    try base.apply(columns: columns, scaled, into: y)
    for column in 0..<columns { factor.multiplyTransposed(y + column * dimension) }
  }
}

/// A diagonal preconditioner `P`, with `L = P^-1/2`.
///
/// Signs are dropped, and entries below the floor are raised to it: what is nearly zero is rounding, and
/// so would be everything divided by it. Where all entries are zero, `P` is the identity.
public struct DiagonalPreconditioner<Scalar: LinearMapScalar>: PreconditionerFactor, Sendable {
  /// The entries of `P`, all positive.
  public let diagonal: [Double]
  /// How many entries were raised to the floor.
  public let raisedCount: Int
  private let inverseRoot: [Scalar]

  public var dimension: Int { diagonal.count }

  /// The floor that is meant where none is named, as a share of the largest magnitude: it leaves room
  /// for condition numbers up to what descent could ever see.
  public static var relativeFloor: Double { 1e-12 }

  /// - Parameters:
  ///   - diagonal: the entries of `P`: feature scales, a Hessian's diagonal, numbers from a file.
  ///   - relativeFloor: the floor as a share of the largest magnitude.
  /// - Throws: `LinearMapError.nonFiniteVector`.
  public init(
    _ diagonal: [Double], relativeFloor: Double = DiagonalPreconditioner.relativeFloor
  ) throws {
    precondition(relativeFloor > 0 && relativeFloor <= 1, "the floor is a share, above 0 up to 1")
    try Self.requireFinite(diagonal)
    let peak = diagonal.reduce(0) { max($0, abs($1)) }
    let floor = peak > 0 ? max(relativeFloor * peak, .leastNormalMagnitude) : 1
    raisedCount = diagonal.count { abs($0) < floor }
    self.diagonal = diagonal.map { max(abs($0), floor) }
    inverseRoot = self.diagonal.map { Scalar(1 / $0.squareRoot()) }
  }

  /// Takes `P^-1` as a method applies it: `L` is the root of its entries in the map's precision, with no
  /// floor.
  ///
  /// - Precondition: entries not negative.
  /// - Throws: `LinearMapError.nonFiniteVector`.
  public init(inverse: [Double]) throws {
    try self.init(inverse.map { 1 / $0 }, inverse: inverse)
  }

  private init(_ diagonal: [Double], inverse: [Double]) throws {
    precondition(inverse.allSatisfy { !($0 < 0) }, "an inverse preconditioner is not negative")
    try Self.requireFinite(inverse)
    self.diagonal = diagonal
    raisedCount = 0
    inverseRoot = Self.roots(inverse)
  }

  @_specialize(where Scalar == Float)
  @_specialize(where Scalar == Double)
  private static func roots(_ values: [Double]) -> [Scalar] {
    var roots = [Scalar](repeating: 0, count: values.count)
    for index in values.indices { roots[index] = Scalar(values[index]).squareRoot() }
    return roots
  }

  private static func requireFinite(_ diagonal: [Double]) throws {
    precondition(!diagonal.isEmpty, "a preconditioner has at least one dimension")
    if let index = diagonal.firstIndex(where: { !$0.isFinite }) {
      throw LinearMapError.nonFiniteVector(role: "preconditioner's diagonal", index: index)
    }
  }

  @_specialize(where Scalar == Float)
  @_specialize(where Scalar == Double)
  public func multiply(_ x: UnsafeMutablePointer<Scalar>) {
    inverseRoot.withUnsafeBufferPointer { root in
      for index in 0..<root.count { x[index] *= root[index] }
    }
  }

  public func multiplyTransposed(_ x: UnsafeMutablePointer<Scalar>) { multiply(x) }
}

extension DiagonalPreconditioner {
  /// `P = (1 - beta1^t) (sqrt(v / (1 - beta2^t)) + epsilon)`, by which Adam divides after `t` steps;
  /// without `step`, `sqrt(v) + epsilon` for second moments that are corrected already.
  ///
  /// The stability limit of Adam at rate `eta` is `(2 + 2 beta1) / ((1 - beta1) eta)` for the largest
  /// eigenvalue of the preconditioned Hessian. No floor: `epsilon` is one.
  ///
  /// - Precondition: `epsilon > 0`, `step >= 1`, second moments not negative.
  /// - Throws: `LinearMapError.nonFiniteVector`.
  /// Reference: Cohen et al., arXiv:2207.14484.
  public static func adam(
    secondMoments: [Double], step: Int? = nil, beta1: Double = 0.9, beta2: Double = 0.999,
    epsilon: Double = 1e-8
  ) throws -> DiagonalPreconditioner {
    precondition(epsilon > 0 && (step ?? 1) >= 1, "Adam has epsilon > 0 and step >= 1")
    precondition(!secondMoments.contains { $0 < 0 }, "second moments are not negative")
    func correction(_ beta: Double) -> Double {
      step.map { 1 - (0..<$0).reduce(1) { power, _ in power * beta } } ?? 1
    }
    let (first, second) = (correction(beta1), correction(beta2))
    let diagonal = secondMoments.map { first * (($0 / second).squareRoot() + epsilon) }
    return try DiagonalPreconditioner(diagonal, inverse: diagonal.map { 1 / $0 })
  }
}
