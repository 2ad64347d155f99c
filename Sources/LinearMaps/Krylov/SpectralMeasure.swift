/// The spectral measure `sum_i (q_i'v)² delta(t - lambda_i)` of a vector, as a quadrature rule.
///
/// `k` products give the Gauss rule, exact for polynomials of degree `2k - 1`; its nodes are Ritz
/// values, its weights `‖v‖²` times the squared first components of the eigenvectors of `T_k`.
/// `v' f(A) v` is `integrate(f)`.
///
/// Reference: Golub and Meurant, "Matrices, Moments and Quadrature with Applications" (2010),
/// chapters 3 and 7.
public struct SpectralMeasure: Codable, Sendable, Equatable {
  /// Ascending.
  public let nodes: [Double]
  /// Not negative; their sum is `‖v‖²`.
  public let weights: [Double]
  public let operatorApplications: Int
  /// Whether the rule is the measure itself (up to rounding): the Krylov space became invariant.
  public let exact: Bool

  /// The Gauss rule of at most `maxApplications` nodes for a vector of `map.dimension` numbers.
  ///
  /// The zero vector has no nodes. Throws `nonFiniteProduct`, `nonFiniteVector`, and what the map
  /// throws.
  public init<Map: LinearMap>(
    of map: Map, from vector: [Map.Scalar], maxApplications: Int
  ) throws {
    precondition(vector.count == map.dimension, "the vector does not fit the map")
    precondition(maxApplications >= 1, "at least one product must be allowed")
    guard vector.contains(where: { $0 != 0 }) else {
      self.init(nodes: [], weights: [], operatorApplications: 0, exact: true)
      return
    }
    let lanczos = try LanczosFactorization(start: vector)
    while !lanczos.isInvariant && lanczos.count < maxApplications { try lanczos.extend(by: map) }
    let norm = Map.Scalar.nrm2(vector.count, vector)
    try self.init(lanczos, squaredNorm: norm * norm)
  }

  /// The Gauss rule of a factorisation whose start had this squared norm.
  ///
  /// Steps after a restart carry no weight.
  public init<Scalar: LinearMapScalar>(
    _ lanczos: LanczosFactorization<Scalar>, squaredNorm: Double
  ) throws {
    let used = lanczos.blockStarts.count > 1 ? lanczos.blockStarts[1] : lanczos.count
    precondition(used >= 1, "a factorisation without steps has no measure")
    let ritz = try TridiagonalEigensystem(
      diagonal: Array(lanczos.alphas.prefix(used)),
      offDiagonal: Array(lanczos.betas.prefix(used - 1)), vectors: .ends)
    self.init(
      nodes: ritz.values, weights: ritz.first.map { squaredNorm * $0 * $0 },
      operatorApplications: used, exact: lanczos.betas[used - 1] == 0)
  }

  /// The measure itself, from all eigenpairs.
  public init(of eigensystem: SymmetricEigensystem, from vector: [Double]) {
    let n = eigensystem.dimension
    precondition(vector.count == n, "the vector does not fit the eigensystem")
    precondition(!eigensystem.vectors.isEmpty, "the eigensystem holds no vectors")
    var components = [Double](repeating: 0, count: n)
    Double.gemv(
      transposed: true, rows: n, columns: n, alpha: 1, eigensystem.vectors, lda: n, vector, beta: 0,
      &components)
    self.init(
      nodes: eigensystem.values, weights: components.map { $0 * $0 }, operatorApplications: 0,
      exact: true)
  }

  /// A rule given by its nodes and weights.
  public init(nodes: [Double], weights: [Double], operatorApplications: Int, exact: Bool) {
    precondition(nodes.count == weights.count, "one weight goes with each node")
    self.nodes = nodes
    self.weights = weights
    self.operatorApplications = operatorApplications
    self.exact = exact
  }

  /// `sum_i w_i f(t_i)`, the estimate of `v' f(A) v`.
  public func integrate(_ function: (Double) -> Double) -> Double {
    zip(nodes, weights).reduce(0) { $0 + $1.1 * function($1.0) }
  }
}
