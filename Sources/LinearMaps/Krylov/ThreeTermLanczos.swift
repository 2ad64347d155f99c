/// What the measure of a probe needs of a Lanczos process.
protocol TridiagonalProcess<Scalar>: AnyObject {
  associatedtype Scalar: LinearMapScalar
  var dimension: Int { get }
  var alphas: [Double] { get }
  var betas: [Double] { get }
  var isInvariant: Bool { get }
  var isComplete: Bool { get }
  var scale: Double { get }
  var breakdownLevel: Double { get }
  /// What rounding can add to a node.
  var rounding: Double { get }
  func extend<Map: LinearMap<Scalar>>(by map: Map) throws
}

extension LanczosFactorization: TridiagonalProcess {
  var rounding: Double {
    8 * Double(Scalar.ulpOfOne) * scale + 2 * asymmetry + largestDroppedBeta
  }
}

/// `beta_k v_{k+1} = A v_k - alpha_k v_k - beta_{k-1} v_{k-1}`: Lanczos without a basis, in the memory
/// of three vectors.
///
/// Orthogonality is lost once a Ritz value converges. `T_k` is then the exact result for a larger
/// map whose eigenvalues lie within rounding of those of `A`, with the same weights in sum: copies of
/// nodes appear, but the density does not change.
///
/// Reference: Greenbaum, "Behavior of slightly perturbed Lanczos and conjugate-gradient recurrences"
/// (1989); Chen, Trogdon and Ubaru (2021), section 5.
final class ThreeTermLanczos<Scalar: LinearMapScalar>: TridiagonalProcess {
  let dimension: Int
  private(set) var alphas: [Double] = []
  private(set) var betas: [Double] = []
  private(set) var scale = 0.0
  private var previous: [Scalar]
  private var current: [Scalar]
  private var next: [Scalar]

  init(start: [Scalar]) throws {
    dimension = start.count
    let norm = Scalar.nrm2(start.count, start)
    guard norm > 0 else { throw LinearMapError.zeroStart }
    current = start.map { Scalar(Double($0) / norm) }
    previous = [Scalar](repeating: 0, count: start.count)
    next = previous
  }

  var isInvariant: Bool { betas.last == 0 }
  /// Without reorthogonalisation, `n` steps do not yet mean all eigenvalues.
  var isComplete: Bool { dimension == 1 && alphas.count == 1 }
  var breakdownLevel: Double { 16 * Double(Scalar.ulpOfOne) * scale }
  var rounding: Double { 16 * Double(Scalar.ulpOfOne) * scale }

  func extend<Map: LinearMap<Scalar>>(by map: Map) throws {
    let k = alphas.count
    try next.withUnsafeMutableBufferPointer { w in
      try map.apply(current, into: w.baseAddress!)
      if let index = Scalar.firstNonFinite(dimension, w.baseAddress!) {
        throw LinearMapError.nonFiniteProduct(application: k + 1, index: index)
      }
      try Scalar.requireModest(Scalar.nrm2(dimension, w.baseAddress!))
      let expected = k == 0 ? 0 : betas[k - 1]
      if k > 0 { Scalar.axpy(dimension, Scalar(-expected), previous, w.baseAddress!) }
      var alpha = Scalar.dot(dimension, current, w.baseAddress!)
      Scalar.axpy(dimension, Scalar(-alpha), current, w.baseAddress!)
      // The coefficient just taken out leaves a remainder where it cancels.
      let correction = Scalar.dot(dimension, current, w.baseAddress!)
      Scalar.axpy(dimension, Scalar(-correction), current, w.baseAddress!)
      alpha += correction
      let norm = Scalar.nrm2(dimension, w.baseAddress!)
      scale = max(scale, abs(alpha) + expected + norm)
      alphas.append(alpha)
      betas.append(norm <= breakdownLevel || dimension == 1 ? 0 : norm)
      if betas[k] > 0 { Scalar.scal(dimension, Scalar(1 / norm), w.baseAddress!) }
    }
    swap(&previous, &current)
    swap(&current, &next)
  }
}
